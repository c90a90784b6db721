"""Image files in class folders or in a zip of them: which there are, and their bytes.

Layouts, each with or without one folder around it:

- `<part>/<class>/<image>` with the parts `train` and `test`
- `<class>/<image>`

Nothing is ever unpacked to the disk. Archives and folders may come from anywhere: names that lead
out of them, and files of absurd size, are refused.
"""

import os
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from analognas.errors import UserError
from analognas.tasks.feature_cache import hash_files

SUFFIXES = (".png", ".jpg", ".jpeg")
PART_FOLDERS = ("train", "test")
ARCHIVE_SUFFIXES = (".zip", ".tar.gz", ".tgz", ".tar")
ZIP_BEGINNING = b"PK\x03\x04"
DEEPEST = 4  # folders: one around all, part, class, image
LARGEST_FILE_BYTES = 32 << 20
LARGEST_TOTAL_BYTES = 64 << 30
LAYOUT = "It must hold train/<class>/<image> and test/<class>/<image>, as .png or .jpg files."
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class LabelledFile:
    """An image file and what its folders say about it."""

    name: str  # below the source, with "/"
    part: str  # "train", "test", or "" where there are no folders of parts
    label: str  # name of the class folder

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        return PurePosixPath(self.name).stem


class ImageFiles(Protocol):
    """Files that can be read by name."""

    @property
    def source(self) -> Path: ...

    @property
    def names(self) -> Sequence[str]:
        """All image files, sorted; `/` between folders."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of one file.

        Raises:
            OSError: It cannot be read, or is damaged.
        """
        ...

    def hash(self) -> bytes:
        """Hash all names and contents."""
        ...


@dataclass(frozen=True)
class _Folder:
    source: Path
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        return (self.source / name).read_bytes()

    def hash(self) -> bytes:
        return hash_files(self.source, [self.source / name for name in self.names])


@dataclass(frozen=True)
class _Zip:
    source: Path
    names: tuple[str, ...]
    archive: zipfile.ZipFile

    def read(self, name: str) -> bytes:
        try:
            return self.archive.read(name)  # never more than the size that was checked
        except ZIP_ERRORS as error:
            raise OSError(str(error)) from error

    def hash(self) -> bytes:
        return hash_files(self.source.parent, [self.source])


@contextmanager
def open_image_files(source: Path) -> Iterator[ImageFiles]:
    """List the images in a folder or a zip archive; the archive stays open inside the block.

    Raises:
        UserError: The source is missing, unreadable, unsafe or without images.
    """
    if source.is_dir():
        yield _checked(_Folder(source, _names_in_folder(source)))
        return
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, *ZIP_ERRORS) as error:
        raise UserError(
            f"{source} is no complete zip archive ({error}). Copy it again, or name a folder."
        ) from error
    with archive:
        yield _checked(_Zip(source, _names_in_zip(source, archive), archive))


def source_name(source: Path) -> str:
    """Name a folder or an archive without its folder and its suffix."""
    name = source.resolve().name
    if source.is_dir():
        return name
    return next((name.removesuffix(end) for end in ARCHIVE_SUFFIXES if name.endswith(end)), name)


def is_zip(source: Path) -> bool:
    """Whether a file begins like a zip archive, complete or not."""
    try:
        with source.open("rb") as file:
            return file.read(len(ZIP_BEGINNING)) == ZIP_BEGINNING
    except OSError as error:
        raise UserError(f"{source} cannot be read: {error}.") from error


def sort_by_folders(files: ImageFiles) -> list[LabelledFile]:
    """Read part and class of every image from its folders.

    Raises:
        UserError: The folders do not follow one layout.
    """
    found: list[LabelledFile] = []
    around: dict[tuple[str, ...], str] = {}  # an example for every folder around
    for name in files.names:
        *folders, _ = name.split("/")
        label = folders.pop() if folders else ""
        part = folders.pop() if folders and folders[-1] in PART_FOLDERS else ""
        around.setdefault((*folders, "parts" if part else "no parts"), name)
        if not label or len(folders) > 1:
            raise UserError(f"{files.source} holds {name!r}, which is in no class folder. {LAYOUT}")
        found.append(LabelledFile(name, part, label))
    if len(around) > 1:
        first, second, *_ = around.values()
        raise UserError(
            f"All images in {files.source} must lie equally deep, in one layout, but "
            f"{first!r} and {second!r} do not. {LAYOUT}"
        )
    return found


def _checked(files: ImageFiles) -> ImageFiles:
    if not files.names:
        raise UserError(f"{files.source} holds no images. {LAYOUT}")
    return files


def _names_in_folder(root: Path) -> tuple[str, ...]:
    found: list[str] = []

    def refuse(error: OSError) -> None:
        raise UserError(f"The data folder {root} cannot be read: {error}.") from error

    for folder, subfolders, names in os.walk(root, onerror=refuse):
        below = Path(folder).relative_to(root)
        deepest = len(below.parts) >= DEEPEST - 1
        subfolders[:] = [] if deepest else [name for name in subfolders if name[0] != "."]
        for name in filter(_is_image, names):
            _refuse_odd_file(Path(folder, name))
            found.append((below / name).as_posix())
    return tuple(sorted(found))


def _refuse_odd_file(path: Path) -> None:
    try:
        about = path.stat()
    except OSError as error:
        raise UserError(f"The image {path} cannot be read: {error}. Copy it again.") from error
    if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST_FILE_BYTES:
        raise UserError(
            f"An image must be a plain file of at most {LARGEST_FILE_BYTES >> 20} MB, but {path} "
            "is not. Remove it."
        )


def _names_in_zip(source: Path, archive: zipfile.ZipFile) -> tuple[str, ...]:
    found: list[str] = []
    total = 0
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
            raise UserError(
                f"Archives may only hold names below their folder, but {source} holds "
                f"{member.filename!r}. Nothing was unpacked; use another archive."
            )
        if member.is_dir() or not _is_image(path.name) or "__MACOSX" in path.parts:
            continue
        total += member.file_size
        if member.file_size > LARGEST_FILE_BYTES or total > LARGEST_TOTAL_BYTES:
            raise UserError(
                f"An image may have at most {LARGEST_FILE_BYTES >> 20} MB and all together "
                f"{LARGEST_TOTAL_BYTES >> 30} GB, but {source} goes beyond it with "
                f"{member.filename!r}. Nothing was unpacked; use another archive."
            )
        found.append(path.as_posix())
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise UserError(f"{source} holds {twice[0]!r} twice. Use another archive.")
    return tuple(sorted(found))


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")
