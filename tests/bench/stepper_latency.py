"""From a click to changed pixels, in a real JupyterLab: ``python tests/bench/stepper_latency.py``.

A frame is timed in the page itself, from just before the click on *step* or *back* to the first
animation frame at which the picture has other bytes and has been decoded. "New": the state is
computed and drawn. "Drawn": it has been shown before. Nothing is asserted; look at an idle machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.pages import StepperOnPage, chromium, jupyterlab

CLICKS = 20
CELLS = [
    """
from latentsteps import data
from latentsteps.models.bernoulli_mixture import bernoulli_mixture
from latentsteps.models.kmeans import kmeans
from latentsteps.stepper import Stepper
from latentsteps.views import kmeans as points, templates
images = data.binarize_by_threshold(data.mnist(progress=False).train_images)
""",
    "Stepper(lambda: kmeans(3, half_steps=True), data.old_faithful(), points)",
    "Stepper(lambda: bernoulli_mixture(10), images, templates)",
    "Stepper(lambda: bernoulli_mixture(50), images, templates)",
]
NAMES = ["k-means, Old Faithful", "10 templates, 4,000 digits", "50 templates, 4,000 digits"]
TIME = """async ([root, part]) => {
    const image = root.querySelector('.latentsteps-frame');
    const before = image.src;
    const start = performance.now();
    root.querySelector('.latentsteps-' + part).click();
    while (image.src === before) await new Promise(requestAnimationFrame);
    await image.decode();
    await new Promise(requestAnimationFrame);
    return performance.now() - start;
}"""


def milliseconds(stepper: StepperOnPage, part: str) -> list[float]:
    """Times of successive clicks, the next one when the words below the picture have settled."""
    times = []
    for _ in range(CLICKS):
        handle = stepper.root.element_handle()
        times.append(handle.evaluate("(root, part) => (" + TIME + ")([root, part])", part))
        stepper.root.page.wait_for_timeout(150)
    return times


def main() -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    print(f"milliseconds from click to pixels, median (largest) of {CLICKS}")
    print(f"{'':28}{'first step':>12}{'new':>14}{'drawn':>14}")
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        jupyterlab(browser, Path(folder)) as lab,
    ):
        page = lab.open(notebook)
        page.run_all()
        for place, name in enumerate(NAMES):
            stepper = page.stepper(place)
            new = milliseconds(stepper, "step")
            drawn = milliseconds(stepper, "back")
            cells = [f"{statistics.median(t):.0f} ({max(t):.0f})" for t in (new[1:], drawn)]
            print(f"{name:28}{new[0]:>12.0f}{cells[0]:>14}{cells[1]:>14}")
        page.close()


if __name__ == "__main__":
    main()
