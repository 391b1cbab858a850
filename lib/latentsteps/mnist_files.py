"""MNIST's four original files: what they must be, how they are fetched, and how they are read."""

from __future__ import annotations

import gzip
import hashlib
import logging
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHA256 = {  # training images and labels, then those to test on
    "train-images-idx3-ubyte.gz": (
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": (
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
HOSTS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Where the four files lie; the second is asked where the first fails."""


class DataError(RuntimeError):
    """Data could not be had. The message says what happened and what to do."""


def problems(folder: Path) -> dict[str, str]:
    """What is wrong with the four files in ``folder``: file name to words; empty if all are there
    and each has the SHA-256 of the original."""
    wrong = {}
    for name, expected in SHA256.items():
        try:
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            wrong[name] = "is missing"
        except OSError as error:
            wrong[name] = f"cannot be read ({error.strerror or error})"
        else:
            if digest != expected:
                wrong[name] = "is not the original file (its SHA-256 differs)"
    return wrong


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in a gzipped idx file, the format MNIST is given in: uint8, shape as written there.

    The format: two zero bytes, 8 for unsigned bytes, the number of axes (1 for labels, 3 for
    images); the length of each axis in four bytes, most significant first; then the values.
    Raises :class:`DataError` for anything else.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be unpacked ({error}); delete it, get it again") from error
    magic = content[:4]
    if magic not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise DataError(
            f"{path} is no idx file of labels or images: it starts with the bytes "
            f"{magic.hex(' ') or '(none)'}, not 00 00 08 01 or 00 00 08 03; get the original"
        )
    start = 4 + 4 * magic[3]
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    expected = math.prod(shape)
    if len(content) < start or len(content) - start != expected:
        raise DataError(
            f"{path} announces the shape {shape}, so {expected} values, and holds "
            f"{max(0, len(content) - start)}; delete it and get the original"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def fetch(names: list[str], folder: Path, show: bool) -> None:
    """Fetch files into ``folder``, each from the first host that has it as it should be.

    A file appears there only when it is whole and its SHA-256 is right. Raises :class:`DataError`
    where no host gives a file; those that came before it stay. With ``show``, says first what is
    fetched, how much and where to, and shows a bar for each file.
    """
    import pooch
    import requests

    if show:
        print(
            f"Fetching {len(names)} of MNIST's {len(SHA256)} files (11.6 MB in all) "
            f"from {HOSTS[0]} to {folder}",
            flush=True,
        )
    logger = pooch.get_logger()
    level = logger.level
    # pooch would announce each file on stderr, also where silence was asked for.
    logger.setLevel(logging.WARNING)
    try:
        for name in names:
            failures = []
            for host in HOSTS:
                try:
                    pooch.retrieve(
                        host + name,
                        known_hash=f"sha256:{SHA256[name]}",
                        fname=name,
                        path=folder,
                        downloader=pooch.HTTPDownloader(progressbar=show, chunk_size=2**16),
                    )
                    # pooch leaves what it fetched to its owner alone; a class may share the folder.
                    (folder / name).chmod(0o644)
                    break
                except (requests.RequestException, ValueError, OSError) as error:
                    failures.append(f"  {host}: {_in_words(error)}")
            else:
                raise DataError(
                    f"{name} could not be fetched to {folder}.\n" + "\n".join(failures) + "\n"
                    "Try again when the network is better (files that came whole are kept), or put "
                    "MNIST's four gz files in a folder and name it in LATENTSTEPS_DATA. "
                    'mnist("embedded") needs no network.'
                )
    finally:
        logger.setLevel(level)


def _in_words(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code}, {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server, or it was lost"
    if isinstance(error, requests.RequestException):
        return "the connection broke off"
    if isinstance(error, OSError):
        return f"the file could not be written ({error.strerror or error})"
    return "what came is not the file (its SHA-256 differs): cut short, or a page in its place"
