"""The files that CIFAR-10 is published in: the binary and the Python version, packed or unpacked.

A binary batch holds records of one byte for the label and 3,072 for the image. A Python batch is a
pickle, which is read without being run.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from analognas.errors import UserError
from analognas.tasks.array_pickles import RefusedPickle, read_pickled_arrays
from analognas.tasks.base import IntArray
from analognas.tasks.fetching import refuse_unsafe
from analognas.tasks.image_pixels import Pixels

Version = Literal["binary", "python"]
BoolArray = NDArray[np.bool_]

STEMS = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
TEST_STEM = "test_batch"
SUFFIXES: Mapping[Version, str] = {"binary": ".bin", "python": ""}
FOLDERS: Mapping[Version, str] = {"binary": "cifar-10-batches-bin", "python": "cifar-10-batches-py"}
LARGEST_FILE_BYTES = 64 << 20  # a batch of 10,000 images has 31 MB
LARGEST_TOTAL_BYTES = 512 << 20
SIDE = 32
IMAGE_BYTES = 3 * SIDE * SIDE
CLASS_COUNT = 10
TAR_ERRORS = (tarfile.TarError, zlib.error, EOFError, OSError)


@dataclass(frozen=True)
class BatchFolder:
    """Where unpacked batches lie."""

    version: Version
    folder: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """Those that are there."""
        paths = (self.folder / name for name in _batch_names(self.version))
        return tuple(path for path in paths if path.is_file())


@dataclass(frozen=True, eq=False)
class CifarImages:
    """All images of training and test part."""

    form: Version | Literal["folder"]  # what they were read from
    pixels: Pixels  # (N, 3, 32, 32)
    labels: IntArray  # (N,)
    in_test: BoolArray  # (N,)


def find_batch_folder(root: Path) -> BatchFolder | None:
    """Find the folder with the batches: `root` itself, or the official one inside it."""
    for version, name in FOLDERS.items():
        for folder in (root, root / name):
            if (folder / _batch_names(version)[0]).is_file():
                return BatchFolder(version, folder)
    return None


def read_batch_folder(batches: BatchFolder) -> CifarImages:
    """Read unpacked batches.

    Raises:
        UserError: Some are missing or damaged.
    """
    contents = {}
    for path in batches.files:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise _too_large(batches.folder, path.name)
        contents[path.name] = path.read_bytes()
    return _parse(batches.folder, batches.version, contents)


def read_batch_archive(source: Path) -> CifarImages:
    """Read the batches in a tar archive, compressed with gzip or not; nothing is unpacked.

    Raises:
        UserError: The archive is unsafe or damaged, or batches are missing.
    """
    wanted = {name: version for version in SUFFIXES for name in _batch_names(version)}
    contents: dict[Version, dict[str, bytes]] = {"binary": {}, "python": {}}
    try:
        with source.open("rb") as packed, _unpacking(packed) as unpacked:
            limited = _Limited(unpacked, source)
            with tarfile.open(fileobj=limited, mode="r|") as archive:
                for member in archive:
                    refuse_unsafe(member)
                    if member.size > LARGEST_FILE_BYTES:
                        raise _too_large(source, member.name)
                    name = PurePosixPath(member.name).name
                    file = archive.extractfile(member) if name in wanted else None
                    if file is not None:
                        contents[wanted[name]][name] = file.read()
    except TAR_ERRORS as error:
        raise UserError(
            f"{source} is neither a zip nor a complete tar archive ({error}). Download it again."
        ) from error
    version: Version = "python" if contents["python"] else "binary"
    return _parse(source, version, contents[version])


def _batch_names(version: Version) -> tuple[str, ...]:
    """Names of the training batches and, last, of the test batch."""
    return tuple(stem + SUFFIXES[version] for stem in (*STEMS, TEST_STEM))


class _Limited(io.RawIOBase):
    """Passes bytes on until there are absurdly many: a small archive may unpack to terabytes."""

    def __init__(self, file: BinaryIO, source: Path) -> None:
        super().__init__()
        self._file = file
        self._source = source
        self._left = LARGEST_TOTAL_BYTES

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left:
            raise UserError(
                f"The archive of CIFAR-10 may unpack to {LARGEST_TOTAL_BYTES >> 20} MB at most, "
                f"but {self._source} goes beyond it. Nothing was unpacked; use another archive."
            )
        content = self._file.read(size)
        self._left -= len(content)
        return content


def _unpacking(packed: BinaryIO) -> BinaryIO:
    beginning = packed.read(2)
    packed.seek(0)
    if beginning == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=packed)  # type: ignore[return-value]
    return packed


def _parse(source: Path, version: Version, contents: Mapping[str, bytes]) -> CifarImages:
    names = _batch_names(version)
    missing = [name for name in names if name not in contents]
    if missing:
        raise UserError(
            f"The files of CIFAR-10 must be {', '.join(names)}, but {source} has no "
            f"{', '.join(missing)}. Download it again."
        )
    parse = _parse_binary if version == "binary" else _parse_python
    parsed = [parse(f"{source}: {name}", contents[name]) for name in names]
    sizes = [len(labels) for _, labels in parsed]
    in_test = np.arange(sum(sizes)) >= sum(sizes[:-1])
    pixels = np.concatenate([pixels for pixels, _ in parsed])
    labels = np.concatenate([labels for _, labels in parsed])
    return CifarImages(version, pixels, labels, in_test)


def _parse_binary(where: str, content: bytes) -> tuple[Pixels, IntArray]:
    if not content or len(content) % (1 + IMAGE_BYTES):
        raise UserError(
            f"A binary batch must hold records of {1 + IMAGE_BYTES} bytes, but {where} has "
            f"{len(content)} bytes: it is cut off or another file. Download it again."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + IMAGE_BYTES)
    return _checked(where, records[:, 1:], records[:, 0].astype(np.int64))


def _parse_python(where: str, content: bytes) -> tuple[Pixels, IntArray]:
    try:
        batch = read_pickled_arrays(io.BytesIO(content))
    except RefusedPickle as error:
        raise UserError(
            f"{where} is not a batch of CIFAR-10: {error}. Nothing in it was run; use another "
            "archive."
        ) from error
    match batch:
        case {"data": np.ndarray(dtype=np.uint8, ndim=2) as pixels, "labels": list(labels)} if (
            len(labels) == len(pixels) > 0
            and pixels.shape[1] == IMAGE_BYTES
            and all(type(label) is int for label in labels)
        ):
            return _checked(where, pixels, np.array(labels, dtype=np.int64))
    raise UserError(
        f"A Python batch must hold `data`, rows of {IMAGE_BYTES} bytes, and as many `labels`, but "
        f"{where} does not. Download it again."
    )


def _checked(where: str, pixels: Pixels, labels: IntArray) -> tuple[Pixels, IntArray]:
    if labels.min() < 0 or labels.max() >= CLASS_COUNT:
        wrong = labels[(labels < 0) | (labels >= CLASS_COUNT)][0]
        raise UserError(
            f"Labels must be 0 to {CLASS_COUNT - 1}, but {where} has {wrong}. Download it again."
        )
    return pixels.reshape(-1, 3, SIDE, SIDE), labels


def _too_large(source: Path, name: str) -> UserError:
    return UserError(
        f"A file in the archive of CIFAR-10 may have {LARGEST_FILE_BYTES >> 20} MB at most, but "
        f"{name!r} in {source} has more. Use another archive."
    )
