"""The stepper's face: buttons, slider, controls, picture and words, and no behaviour.

Only core ipywidgets, so that it shows wherever ipywidgets do. Every control has a label and takes
the keyboard's focus; every part has a CSS class of its own, by which tests find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

WIDTH = "900px"


class Panel:
    """The widgets, by name, and ``box`` that holds them. ``choices``: control name to labels."""

    def __init__(self, choices: Mapping[str, Sequence[str]], live: bool, clickable: bool) -> None:
        self.back = _button("Back", "step-backward", "back", "One state back")
        self.step = _button("Step", "step-forward", "step", "One state further")
        self.play = _button("Play", "play", "play", "Play until paused")
        self.restart = _button(
            "Restart", "refresh", "restart", "Begin again at state 0 with a new seed"
        )
        self.slider = _marked(
            widgets.IntSlider(
                value=0,
                min=0,
                max=1,
                description="State",
                tooltip="The states computed so far; arrow keys move by one",
                style={"description_width": "3.4em"},
                layout={"width": "auto", "flex": "1 1 16em", "min_width": "12em"},
            ),
            "slider",
        )
        self.controls = {name: _dropdown(name, labels) for name, labels in choices.items()}
        self.status = _marked(
            widgets.HTML(layout={"margin": "0 2px", "min_height": "26px"}), "status"
        )
        self.image = _marked(
            widgets.Image(format="png", layout={"width": "100%", "margin": "4px 0 6px"}), "frame"
        )
        if clickable:
            self.image.layout.border = "1px solid #9A9A9A"
        self.description = _marked(widgets.HTML(layout={"margin": "0 2px"}), "description")
        buttons = [self.back, self.step, self.play, *([self.restart] if live else []), self.slider]
        row = {"flex_flow": "row wrap", "align_items": "center", "width": "100%"}
        self.box = _marked(
            widgets.VBox(
                [
                    *([widgets.Box([*self.controls.values()], layout=row)] if choices else []),
                    widgets.Box(buttons, layout=row),
                    self.status,
                    self.image,
                    self.description,
                ],
                layout={"width": "100%", "max_width": WIDTH, "overflow": "hidden"},
            ),
            "stepper",
        )

    def say(self, words: str, trouble: bool = False) -> None:
        """Put words on the status line, which screen readers read out."""
        weight = "font-weight: 600;" if trouble else ""
        self.status.value = (
            '<div role="status" aria-live="polite" style="line-height: 1.5; '
            f'color: var(--jp-ui-font-color1, inherit); {weight}">{escape(words)}</div>'
        )

    def describe(self, text: str) -> None:
        """Put the picture's words below it, a paragraph a line.

        An ipywidgets Image has no alternative text, and a tooltip keeps its view from being made
        (8.1: it looks for a description), so the words follow the picture in the page.
        """
        paragraphs = "".join(f"<div>{escape(line)}</div>" for line in text.splitlines())
        self.description.value = (
            '<div style="line-height: 1.5; font-size: 1.08em; '
            f'color: var(--jp-content-font-color1, inherit)">{paragraphs}</div>'
        )


def _marked(widget: Any, name: str) -> Any:
    widget.add_class(f"latentsteps-{name}")
    return widget


def _button(words: str, icon: str, name: str, tooltip: str) -> widgets.Button:
    button = widgets.Button(
        description=words, icon=icon, tooltip=tooltip, layout={"width": "6.6em"}
    )
    return _marked(button, name)


def _dropdown(name: str, labels: Sequence[str]) -> widgets.Dropdown:
    dropdown = widgets.Dropdown(
        options=[(label, place) for place, label in enumerate(labels)],
        value=0,
        description=name.replace("_", " "),
        style={"description_width": "auto"},
        layout={"width": "auto", "margin": "2px 18px 2px 2px"},
    )
    return _marked(dropdown, f"control-{name.replace(' ', '-')}")
