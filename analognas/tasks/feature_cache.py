"""Computed features in files, named by the hash of what they were computed from."""

import hashlib
import logging
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analognas.files import writing
from analognas.tasks.audio import READERS

Arrays = dict[str, NDArray[np.generic]]

logger = logging.getLogger(__name__)


def default_folder() -> Path:
    """`$ANALOGNAS_CACHE`, or `~/.cache/analognas`."""
    chosen = os.environ.get("ANALOGNAS_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "analognas"


def hash_files(root: Path, paths: Sequence[Path]) -> bytes:
    """Hash the names below `root`, the sizes and the bytes of files."""

    def digest(path: Path) -> bytes:
        try:
            content = path.read_bytes()
        except OSError:  # reported when it is read as a recording
            return b"unreadable"
        return hashlib.blake2b(content, digest_size=16).digest() + len(content).to_bytes(8)

    total = hashlib.blake2b(digest_size=32)
    ordered = sorted(paths)
    with ThreadPoolExecutor(READERS) as pool:
        for path, part in zip(ordered, pool.map(digest, ordered, chunksize=64), strict=True):
            name = path.relative_to(root).as_posix().encode("utf-8", "surrogateescape")
            total.update(name + b"\0" + part)
    return total.digest()


def load(path: Path, expected: Sequence[str]) -> Arrays | None:
    """Return the arrays in a cache file; None if there is none or it is damaged."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays: Arrays = {name: stored[name] for name in expected}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.warning("The cached features %s are damaged (%s); they are made again.", path, error)
        return None
    return arrays


def save(path: Path, arrays: Arrays) -> None:
    """Write a cache file, if that is possible; the next run is slower if not."""
    try:
        with writing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        logger.warning("Computed features are not kept: %s.", error)
