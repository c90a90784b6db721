"""Write files so that a reader never sees half of one, whatever stops the writer."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analognas.errors import UserError

TAIL_BYTES = 65_536
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
FULL_DISK_TEXT = os.strerror(errno.ENOSPC)


def check_new_folder(path: Path, option: str = "--out") -> None:
    """Refuse a folder that cannot be made, or holds something.

    Raises:
        UserError: It is a file, below one, or not empty.
    """
    if path.is_dir():
        if any(path.iterdir()):
            raise UserError(
                f"{path} is not empty, and nothing is overwritten. Choose another {option}."
            )
        return
    for place in (path, *path.absolute().parents):
        if place.exists():
            if not place.is_dir():
                raise UserError(f"{place} is a file. Choose another folder with {option}.")
            return


@contextmanager
def writing(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it becomes `path` when the block ends without an error.

    The temporary file has the suffix of `path`, so writers that look at the suffix behave as usual.
    Missing folders are made. On any error, Ctrl-C included, the temporary file is removed and an
    earlier `path` stays as it was.

    Raises:
        OSError: The file cannot be written; `filename` is `path`, also where the system names none.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if _concerns(error, temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    except Exception as error:
        if FULL_DISK_TEXT in str(error):  # safetensors, sqlite, ... have errors of their own for it
            raise OSError(errno.ENOSPC, FULL_DISK_TEXT, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Replace the content of `path` in one step (see `writing`)."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Replace the content of `path` by UTF-8 text with Unix line ends (see `writing`)."""
    write_bytes(path, text.encode())


def append_line(path: Path | str, text: str) -> None:
    """Append one line and wait until it is on the disk.

    A last line that was torn by a crash (no line end) is dropped first: no reader could use it, and
    the new line would be glued to it. If the disk is full, the file is left as it was. Only one
    process may write at a time.

    Raises:
        ValueError: `text` holds a line end.
        OSError: The file cannot be written; `filename` is `path`.
    """
    if "\n" in text or "\r" in text:
        raise ValueError(f"One line must hold no line end, but got {text[:60]!r}.")
    path = Path(path)
    line = text.encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _write_at(descriptor, _end_of_last_line(descriptor), line)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def _write_at(descriptor: int, start: int, data: bytes) -> None:
    """Let the file end with `data` from byte `start` on; with nothing from there if that fails."""
    os.ftruncate(descriptor, start)
    try:
        position = start
        while position < start + len(data):
            position += os.pwrite(descriptor, data[position - start :], position)
        os.fsync(descriptor)
    except BaseException:
        os.ftruncate(descriptor, start)
        raise


def _end_of_last_line(descriptor: int) -> int:
    """Byte position behind the last line end; 0 if there is none."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - TAIL_BYTES)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _concerns(error: OSError, temporary: Path) -> bool:
    """Whether the error is about the file being written, which the user knows by another name."""
    if error.filename is None:
        return error.errno in (*FULL_DISK, errno.EFBIG, errno.EIO)
    return str(error.filename) == str(temporary)
