"""Training of a torch module as a sequence of states: a step is an epoch, or some batches.

A state holds all that the next step needs: the parameters, and what Adam remembers of past
gradients (Kingma & Ba 2015, "Adam: a method for stochastic optimization", algorithm 1). An info
holds the loss and its terms *at that state*: fresh noise, the same rows each time, no average over
parameters that moved meanwhile. torch does the work: its modules, its gradients, its Adam.

Everything random comes from generators made for a key, and the global one is left as it was. Small
networks are faster on one thread than on two, and give the same bits there: each step works on one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from latentsteps.trace import Algorithm, Data, Key

Module = TypeVar("Module", bound=nn.Module)
Make = Callable[[Generator], Module]
"""A new module. Its initial values come from the generator, or from torch's own stream, which is
seeded for the call and put back after it: ``lambda _: nn.Linear(784, 2)`` will do."""
Loss = Callable[[nn.Module, Tensor, Generator], tuple[Tensor, Mapping[str, Tensor]]]
"""(module, rows (B, ...), generator for its noise) -> the loss of each row (B,), and its terms,
each (B,). Terms are read only where gradients are off (``torch.is_grad_enabled()``); elsewhere a
loss may leave them out."""

START, ORDER, NOISE, LOOK = 1, 2, 3, 4
"""What a stream of random numbers is for: one key gives four that have nothing in common."""
ADAM = ("step", "exp_avg", "exp_avg_sq")
"""What Adam remembers of a parameter: its updates so far, running means of gradients and of their
squares; torch's names."""
TAKEN = ("file", "allow_pickle")
"""Names that NumPy's savez keeps for itself: no array can have them."""


class TrainingState(NamedTuple):
    """Where training stands."""

    parameters: dict[str, NDArray]
    """The module's ``state_dict()`` as NumPy arrays, float32 for all that is fitted."""
    optimizer: dict[str, NDArray]
    """``"PARAMETER.step"`` (), ``"PARAMETER.exp_avg"`` and ``"PARAMETER.exp_avg_sq"``, both shaped
    like the parameter; float32."""


class TrainingInfo(NamedTuple):
    """What the loss is at a state, in nats an image."""

    objective: float
    """The loss that is minimised."""
    terms: dict[str, float]
    """Its terms, before any weight is put on them."""


def training(
    make: Make[nn.Module],
    loss: Loss,
    *,
    batch_size: int = 128,
    batches: int | None = None,
    learning_rate: float = 1e-3,
    look: int = 1000,
    device: str | torch.device | None = None,
    name: str = "training",
) -> Algorithm:
    """Minimise the mean of ``loss`` over the rows of an array (N, ...), with Adam.

    States are :class:`TrainingState`, infos :class:`TrainingInfo`. Rows reach the loss as they lie
    in the data: a uint8 image is turned into floats there, a batch at a time. The same key, state
    and data give the same bits (on one kind of processor; a GPU promises less). A trace keeps the
    optimiser's part too, since no state could go on without it: three times the parameters.

    Parameters
    ----------
    make: makes the module; its values are state 0.
    loss: see :data:`Loss`.
    batch_size: rows behind a gradient. Each epoch has an order of its own and takes each row once;
        its last batch may be smaller.
    batches: how many batches a step takes; None for an epoch.
    learning_rate: Adam's step size.
    look: the loss in an info is the mean over this many rows, the first ones of the data.
    device: where to train; None for a CUDA GPU where there is one, and the CPU elsewhere.

    Raises ValueError for arguments out of range; once there are data, for data without rows, a loss
    that is not one number a row or that no parameter enters, and for another module's state.
    """
    if min(batch_size, look) < 1 or (batches is not None and batches < 1):
        raise ValueError(
            f"batch_size is {batch_size}, batches {batches} and look {look}; each is at least 1 "
            "(or batches is None: a step is an epoch)"
        )
    if not learning_rate > 0:
        raise ValueError(f"learning_rate is {learning_rate}; it is a positive number")
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    def info(network: nn.Module, key: Key, data: NDArray) -> TrainingInfo:
        network.eval()
        noise = generator((*key, LOOK), place)
        rows, objective = data[:look], 0.0
        sums: dict[str, float] = {}
        with torch.no_grad():
            for first in range(0, len(rows), 1000):
                batch = torch.from_numpy(rows[first : first + 1000].copy()).to(place)
                each, terms = loss(network, batch, noise)
                _check_rows("loss", each, len(batch))
                objective += float(each.double().sum())
                for term, values in terms.items():
                    _check_rows(f"term {term!r}", values, len(batch))
                    sums[term] = sums.get(term, 0.0) + float(values.double().sum())
        return TrainingInfo(
            objective / len(rows), {term: total / len(rows) for term, total in sums.items()}
        )

    def init(key: Key, data: Data) -> tuple[TrainingState, TrainingInfo]:
        rows = _as_rows(data)
        with one_thread():
            network = _new(make, key).to(place)
            optimizer = {
                f"{name}.{what}": np.zeros(() if what == "step" else value.shape, np.float32)
                for name, value in _fitted(network)
                for what in ADAM
            }
            return TrainingState(_arrays(network.state_dict()), optimizer), info(network, key, rows)

    def step(key: Key, state: TrainingState, data: Data) -> tuple[TrainingState, TrainingInfo]:
        rows = _as_rows(data)
        # A state may be asked for, and computed again, where gradients are off.
        with one_thread(), torch.enable_grad():
            network = _loaded(_new(make, key), state.parameters).to(place).train()
            adam = _adam(network, state.optimizer, learning_rate)
            noise = generator((*key, NOISE), place)
            for chosen in _batches(len(rows), batch_size, batches, generator((*key, ORDER))):
                batch = torch.from_numpy(rows[chosen]).to(place)
                each, _ = loss(network, batch, noise)
                _check_rows("loss", each, len(batch))
                if not each.requires_grad:
                    raise ValueError(
                        "no gradient reaches the loss: somewhere between the parameters and it a "
                        "value was detached, or turned into a number or a NumPy array"
                    )
                adam.zero_grad()
                each.mean().backward()
                adam.step()
            optimizer = {
                f"{name}.{what}": _array(adam.state[value][what])
                for name, value in _fitted(network)
                for what in ADAM
            }
            parameters = _arrays(network.state_dict())
            return TrainingState(parameters, optimizer), info(network, key, rows)

    return Algorithm(init, step, name)


def module_at(make: Make[Module], state: TrainingState | Mapping[str, NDArray]) -> Module:
    """The module with a state's parameters (or with parameters from :func:`load`): on the CPU, in
    eval mode, and without gradients.

    Raises ValueError where they are another module's.
    """
    parameters = state.parameters if isinstance(state, TrainingState) else state
    return _loaded(_new(make, (0, 0)), parameters).eval().requires_grad_(False)


def save(path: str | Path, parameters: Mapping[str, NDArray]) -> None:
    """Write a state's parameters to ``path``, an npz file: whole or not at all.

    Raises ValueError for what is no array of numbers, as nothing is pickled, and for a parameter
    named ``file`` or ``allow_pickle``.
    """
    arrays: dict[str, Any] = {name: np.asarray(values) for name, values in parameters.items()}
    for name, values in arrays.items():
        if name in TAKEN:
            raise ValueError(
                f"a parameter is named {name!r}, which npz files cannot hold; rename it"
            )
        if values.dtype.kind not in "biuf":
            raise ValueError(f"{name} is of type {values.dtype}; only arrays of numbers are saved")
    path = Path(path)
    # Written in a folder of its own and moved there: nobody ever sees half a file.
    with tempfile.TemporaryDirectory(dir=path.parent, suffix=".part") as folder:
        unfinished = Path(folder, path.name)
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(unfinished, path)


def load(path: str | Path) -> dict[str, NDArray]:
    """Parameters that :func:`save` wrote, by name. Nothing in a file is ever executed.

    Raises ValueError for a file that is damaged or of another kind, FileNotFoundError for none.
    """
    with Path(path).open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except Exception as error:  # a damaged zip fails in a dozen ways, another kind in more
            raise ValueError(
                f"{Path(path).name} holds no parameters that can be read: it is damaged, or was "
                "not written by save(); train again and save anew"
            ) from error


def generator(seed: int | Sequence[int], device: str | torch.device = "cpu") -> Generator:
    """A stream of random numbers for a seed, or several like a key; no other stream is touched."""
    number = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    return Generator(device).manual_seed(int(number))


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread in here, and as it was afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _batches(
    n: int, batch_size: int, batches: int | None, order: Generator
) -> Iterator[NDArray[np.int64]]:
    """The rows of each batch: an epoch's, or those of a number of batches."""
    wanted = n if batches is None else batches * batch_size
    epochs = [torch.randperm(n, generator=order).numpy() for _ in range(-(-wanted // n))]
    rows = np.concatenate(epochs)
    return (rows[first : first + batch_size] for first in range(0, wanted, batch_size))


def _new(make: Make[Module], key: Key) -> Module:
    """A module whose initial values depend on the key alone."""
    start = generator((*key, START))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(start.initial_seed())
        return make(start)


def _loaded(network: Module, parameters: Mapping[str, NDArray]) -> Module:
    tensors = {name: torch.tensor(values) for name, values in parameters.items()}
    wanted = {name: tuple(values.shape) for name, values in network.state_dict().items()}
    given = {name: tuple(values.shape) for name, values in tensors.items()}
    if given != wanted:
        raise ValueError(f"the parameters are {given}; the module's are {wanted}")
    # Copied into the module's own tensors, not put in their place (assign=True): a weight that two
    # layers share stays one, and a trace's arrays, which are read-only, are never written to.
    network.load_state_dict(tensors)
    return network


def _adam(
    network: nn.Module, memory: Mapping[str, NDArray], learning_rate: float
) -> torch.optim.Optimizer:
    fitted = dict(_fitted(network))
    if set(memory) != {f"{name}.{what}" for name in fitted for what in ADAM}:
        raise ValueError("the optimiser's part of the state belongs to another module")
    place = next(iter(fitted.values())).device
    adam = torch.optim.Adam(fitted.values(), learning_rate, fused=place.type in ("cpu", "cuda"))
    for name, value in fitted.items():
        adam.state[value] = {
            what: torch.tensor(memory[f"{name}.{what}"], device=place) for what in ADAM
        }
    return adam


def _fitted(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, value) for name, value in network.named_parameters() if value.requires_grad]


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray]:
    return {name: _array(values) for name, values in tensors.items()}


def _array(values: Tensor) -> NDArray:
    return values.detach().cpu().numpy()


def _as_rows(data: Data) -> NDArray:
    if not isinstance(data, np.ndarray) or data.ndim < 1 or len(data) == 0:
        kind = f"of shape {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise ValueError(f"the data are {kind}; training takes a NumPy array with a row an image")
    return data


def _check_rows(what: str, each: Any, rows: int) -> None:
    if not isinstance(each, Tensor) or tuple(each.shape) != (rows,):
        kind = tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__
        raise ValueError(f"the {what} is {kind} for {rows} rows; it is one number a row, ({rows},)")
