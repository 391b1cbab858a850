"""Training against torch's own loop, and everything a step must leave as it was."""

from __future__ import annotations

import pickle
from contextlib import suppress
from itertools import chain

import numpy as np
import pytest
import torch
from torch import nn

from latentsteps.inference import training as module
from latentsteps.inference.training import (
    LOOK,
    NOISE,
    ORDER,
    generator,
    load,
    module_at,
    one_thread,
    save,
    training,
)
from latentsteps.trace import Trace, run

ROWS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """The losses below draw their noise there, and same bits are promised there alone."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


class Small(nn.Module):
    """Two layers, one of them frozen on request, and a norm that keeps buffers."""

    def __init__(self, frozen=False):
        super().__init__()
        self.norm, self.first, self.last = nn.BatchNorm1d(3), nn.Linear(3, 8), nn.Linear(8, 3)
        self.first.requires_grad_(not frozen)

    def forward(self, x):
        return self.last(torch.relu(self.first(self.norm(x))))


def make(_):
    return Small()


def squares(network, rows, noise):
    """What a denoising network is trained with; its terms are those of every row."""
    draws = torch.randn(rows.shape, generator=noise)
    fit = ((network(rows + 0.1 * draws) - rows) ** 2).sum(1)
    size = network.last.weight.pow(2).sum().expand(len(rows))
    return fit + 0.5 * size, {"fit": fit, "size": size}


def small(**settings):
    return training(make, squares, **{"batch_size": 16, **settings})


def same(first, second):
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=True) for name in first
    )


@pytest.mark.parametrize(("fused", "tolerance"), [(True, 0), (False, 1e-6)])
@one_thread()  # the plain loop too: two threads add a gradient up in another order
def test_steps_are_those_of_a_plain_loop_with_torchs_adam(fused, tolerance):
    trace = run(small(), ROWS, seed=5, steps=3)
    network = make(None)
    network.load_state_dict({n: torch.tensor(v) for n, v in trace[0].parameters.items()})
    adam = torch.optim.Adam(network.parameters(), lr=1e-3, fused=fused)
    for t in (1, 2, 3):
        network.train()
        order = torch.randperm(len(ROWS), generator=generator((5, t, ORDER))).numpy()
        noise = generator((5, t, NOISE))
        for first in range(0, len(ROWS), 16):
            adam.zero_grad()
            each, _ = squares(network, torch.tensor(ROWS[order[first : first + 16]]), noise)
            each.mean().backward()
            adam.step()
        for name, values in network.state_dict().items():
            np.testing.assert_allclose(trace[t].parameters[name], values, rtol=0, atol=tolerance)
    first, second = adam.state[network.last.weight]["exp_avg"], trace[3].optimizer
    np.testing.assert_allclose(second["last.weight.exp_avg"], first, rtol=0, atol=tolerance)
    assert second["last.weight.step"] == 3 * 4


def test_the_info_is_the_loss_at_the_state_with_fresh_noise_on_the_first_rows():
    trace = run(small(look=20), ROWS, seed=1, steps=2)
    for t in range(3):
        network = module_at(make, trace[t])
        loss, terms = squares(network, torch.tensor(ROWS[:20]), generator((1, t, LOOK)))
        info = trace.infos[t]
        assert info.objective == pytest.approx(float(loss.mean()), rel=1e-6)
        assert info.terms == {n: pytest.approx(float(v.mean()), rel=1e-6) for n, v in terms.items()}
        assert info.objective == pytest.approx(info.terms["fit"] + 0.5 * info.terms["size"])
    assert trace.infos[2].objective < trace.infos[0].objective


def test_a_long_look_goes_through_the_network_in_parts():
    many = np.tile(ROWS, (50, 1))
    seen = []

    def loss(network, rows, noise):
        seen.append(len(rows))
        each = ((network(rows) - rows) ** 2).sum(1)
        return each, {"fit": each}

    info = Trace(training(make, loss, look=2400), many).infos[0]
    assert seen == [1000, 1000, 400]
    assert info.objective == pytest.approx(info.terms["fit"])


def test_same_key_state_and_data_give_the_same_bits():
    first, again, other = (run(small(), ROWS, seed=seed, steps=3) for seed in (2, 2, 3))
    for t in range(4):
        assert same(first[t].parameters, again[t].parameters)
        assert same(first[t].optimizer, again[t].optimizer)
        assert first.infos[t] == again.infos[t]
    assert not same(first[0].parameters, other[0].parameters)
    state, info = first.algorithm.step((2, 3), first[2], ROWS)
    assert same(state.parameters, first[3].parameters)
    assert info == first.infos[3]


def test_thinned_states_come_back_with_the_same_bits_also_where_gradients_are_off():
    whole, thinned = (run(small(), ROWS, steps=9, memory=size) for size in (256_000_000, 5_000))
    assert len(thinned._kept) < 5
    with torch.no_grad():
        for t in range(10):
            assert same(whole[t].parameters, thinned[t].parameters)
            assert same(whole[t].optimizer, thinned[t].optimizer)


def recorded(seen):
    def loss(network, rows, noise):
        if torch.is_grad_enabled():
            seen.append(rows[:, 0].to(torch.int64).tolist())
        return network(rows).sum(1), {}

    return loss


def test_an_epoch_takes_each_row_once_in_an_order_of_its_own():
    seen, numbered = [], np.arange(20, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    run(training(make, recorded(seen), batch_size=8), numbered, steps=2)
    assert [len(rows) for rows in seen] == [8, 8, 4] * 2
    first, second = (list(chain(*some)) for some in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == list(range(20))
    assert list(range(20)) != first != second


@pytest.mark.parametrize(("batches", "batch_size"), [(2, 8), (5, 8), (3, 50)])
def test_a_step_of_some_batches_takes_rows_without_replacement(batches, batch_size):
    seen, numbered = [], np.arange(20, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    run(training(make, recorded(seen), batch_size=batch_size, batches=batches), numbered, steps=1)
    assert [len(rows) for rows in seen] == [batch_size] * batches
    taken = list(chain(*seen))
    for first in range(0, len(taken), 20):
        epoch = taken[first : first + 20]
        assert len(set(epoch)) == len(epoch)


def test_what_is_global_stays_as_it_was():
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    trace = run(small(), ROWS, steps=1)
    module_at(make, trace[1])
    with pytest.raises(ValueError, match="one number a row"):
        run(training(make, lambda network, rows, _: (network(rows).sum(), {})), ROWS, steps=1)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


def test_threads_are_put_back_after_an_error_too():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with suppress(KeyError), one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_module_may_begin_with_torchs_values_or_with_the_generators():
    def own(random):
        network = Small()
        nn.init.normal_(network.last.weight, generator=random)
        return network

    for one in (make, own):
        first, again, other = (Trace(training(one, squares), ROWS, seed)[0] for seed in (0, 0, 1))
        assert same(first.parameters, again.parameters)
        for name in ("first.weight", "last.weight"):
            assert not np.array_equal(first.parameters[name], other.parameters[name])


def test_frozen_parameters_stay_and_a_look_changes_no_buffers():
    trace = run(training(lambda _: Small(frozen=True), squares, batch_size=25), ROWS, steps=2)
    assert np.array_equal(trace[0].parameters["first.weight"], trace[2].parameters["first.weight"])
    assert not any(name.startswith("first") for name in trace[2].optimizer)
    assert not np.array_equal(trace[0].parameters["last.bias"], trace[2].parameters["last.bias"])
    assert trace[0].parameters["norm.num_batches_tracked"] == 0
    assert trace[2].parameters["norm.num_batches_tracked"] == 4


def test_a_parameter_without_a_gradient_in_a_step_is_left_alone():
    def only_last(network, rows, noise):
        return network.last(torch.ones(len(rows), 8)).sum(1), {}

    trace = run(training(make, only_last), ROWS, steps=2)
    assert np.array_equal(trace[0].parameters["first.weight"], trace[2].parameters["first.weight"])
    assert trace[2].optimizer["first.weight.step"] == 0
    assert trace[2].optimizer["last.weight.step"] == 2


def test_a_weight_that_two_layers_share_stays_one():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(torch.tanh(self.a(x)))

    def loss(network, rows, noise):
        return ((network(rows) - rows) ** 2).sum(1), {}

    trace = run(training(lambda _: Tied(), loss, batch_size=len(ROWS)), ROWS, steps=3)
    network = module_at(lambda _: Tied(), trace[0]).requires_grad_()
    adam = torch.optim.Adam(network.parameters(), lr=1e-3)
    for state in trace:
        for name, values in state.parameters.items():
            # Rows in another order add up a little differently.
            np.testing.assert_allclose(values, network.state_dict()[name], atol=1e-5)
        assert np.array_equal(state.parameters["a.weight"], state.parameters["b.weight"])
        found = module_at(lambda _: Tied(), state)
        assert found.a.weight is found.b.weight
        adam.zero_grad()
        loss(network, torch.tensor(ROWS), None)[0].mean().backward()
        adam.step()


def test_a_run_goes_on_when_the_loss_is_no_number():
    def broken(network, rows, noise):
        return network(rows).sum(1) * torch.nan, {}

    trace = run(training(make, broken), ROWS, steps=2)
    assert np.isnan(trace.objective).all()


def test_a_module_at_a_state_is_ready_to_be_used():
    trace = run(small(), ROWS, steps=1)
    for state in (trace[1], trace[1].parameters):
        network = module_at(make, state)
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert np.array_equal(network.last.weight.numpy(), trace[1].parameters["last.weight"])
    network.last.weight.zero_()  # its own copy: the trace does not change
    assert trace[1].parameters["last.weight"].any()


def test_streams_of_one_key_differ():
    draws = [torch.rand(4, generator=generator((0, 1, purpose))) for purpose in (1, 2, 3, 4)]
    assert len({tuple(some.tolist()) for some in draws}) == 4
    assert torch.equal(draws[0], torch.rand(4, generator=generator((0, 1, 1))))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batches": 0}, "batches 0"),
        ({"look": 0}, "look 0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        small(**settings)


@pytest.mark.parametrize("data", [[[1.0, 2.0]], np.empty((0, 3), np.float32), np.float32(1)])
def test_data_without_rows_are_refused(data):
    with pytest.raises(ValueError, match="a row an image"):
        small().init((0, 0), data)


def test_losses_that_cannot_be_minimised_are_refused():
    def sums(network, rows, noise):
        return network(rows).sum(), {}

    def number(network, rows, noise):
        return 1.0, {}

    def total_term(network, rows, noise):
        return network(rows).sum(1), {"fit": network(rows).sum()}

    def detached(network, rows, noise):
        return network(rows).sum(1).detach(), {}

    for loss in (sums, number):
        with pytest.raises(ValueError, match=r"the loss is .* one number a row"):
            Trace(training(make, loss), ROWS)
    with pytest.raises(ValueError, match=r"the term 'fit' is .* one number a row"):
        Trace(training(make, total_term), ROWS)
    with pytest.raises(ValueError, match="no gradient reaches the loss"):
        run(training(make, detached), ROWS, steps=1)


def test_states_of_another_module_are_refused():
    trace = run(small(), ROWS, steps=1)
    others = training(lambda _: nn.Linear(3, 3), lambda n, x, _: (n(x).sum(1), {}))
    with pytest.raises(ValueError, match="the module's are"):
        others.step((0, 1), trace[1], ROWS)
    with pytest.raises(ValueError, match="the module's are"):
        module_at(lambda _: nn.Linear(3, 3), trace[1])
    with pytest.raises(ValueError, match="another module"):
        trace.algorithm.step((0, 1), trace[1]._replace(optimizer={}), ROWS)


def test_parameters_are_saved_and_read_again(tmp_path):
    state = run(small(), ROWS, steps=1)[1]
    save(tmp_path / "network.npz", state.parameters)
    assert same(load(tmp_path / "network.npz"), state.parameters)
    assert load(str(tmp_path / "network.npz"))["last.weight"].dtype == np.float32
    assert [path.name for path in tmp_path.iterdir()] == ["network.npz"]
    save(tmp_path / "no_suffix", {"a": np.ones(2)})
    assert load(tmp_path / "no_suffix")["a"].sum() == 2


def test_what_is_written_is_the_parameters_alone_with_an_older_numpy_too(tmp_path, monkeypatch):
    def older(file, **arrays):
        seen.update(arrays)

    seen = {}
    monkeypatch.setattr(module.np, "savez", older)
    save(tmp_path / "network.npz", {"a": np.ones(2)})
    assert list(seen) == ["a"]


@pytest.mark.parametrize("name", ["file", "allow_pickle"])
def test_names_that_no_npz_file_holds_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=f"named '{name}'"):
        save(tmp_path / "network.npz", {name: np.ones(2)})
    assert not list(tmp_path.iterdir())


def test_an_unfinished_save_leaves_what_was_there(tmp_path, monkeypatch):
    save(tmp_path / "network.npz", {"a": np.ones(3)})

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(module.np, "savez", full_disk)
    with pytest.raises(OSError, match="no space"):
        save(tmp_path / "network.npz", {"a": np.zeros(3)})
    monkeypatch.undo()
    assert load(tmp_path / "network.npz")["a"].all()
    assert [path.name for path in tmp_path.iterdir()] == ["network.npz"]


def test_files_that_hold_no_parameters_are_refused(tmp_path):
    path = tmp_path / "network.npz"
    save(path, {"a": np.arange(1000.0)})
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = {
        "cut": whole[:middle],
        "changed": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
        "empty": b"",
        "text": b"weights: 1, 2, 3",
        "pickle": pickle.dumps({"a": np.ones(3)}),
    }
    for kind, content in damaged.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match="holds no parameters that can be read"):
            load(path)
        assert path.exists(), kind
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ValueError, match="holds no parameters"):
        load(path)
    with path.open("wb") as file:
        np.savez(file, a=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(ValueError, match="holds no parameters"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.npz")


def test_only_numbers_are_saved(tmp_path):
    with pytest.raises(ValueError, match="only arrays of numbers"):
        save(tmp_path / "network.npz", {"a": np.array([None])})
    assert not list(tmp_path.iterdir())
