"""Download and unpack a data set that is too large for the package."""

import errno
import hashlib
import http.client
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from analognas.errors import RunFailed, UserError

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60
ATTEMPTS = 5  # in a row without a single new byte
UNPACKED_PER_PACKED = 2.0  # guess for the space check
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EACCES, errno.EROFS}
HTTP_PARTIAL, HTTP_RANGE_NOT_SATISFIABLE = 206, 416

Progress = Callable[[int, int, str], None]  # done, total (0: unknown), message


@dataclass(frozen=True)
class Archive:
    """A published data set in one compressed tar file."""

    url: str
    sha256: str
    licence: str
    task: str  # that it is for


ARCHIVES: Mapping[str, Archive] = {
    "cifar10": Archive(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        # As recorded by TensorFlow Datasets and others, not from a download of our own.
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        licence="CIFAR-10, Alex Krizhevsky 2009; no licence is stated "
        "(https://www.cs.toronto.edu/~kriz/cifar.html)",
        task="cifar10",
    ),
    "speech-commands": Archive(
        url="http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        # As recorded by TensorFlow Datasets and torchaudio, not from a download of our own.
        sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
        licence="Speech Commands v0.02, Pete Warden 2018 (arXiv:1804.03209), Creative Commons "
        "Attribution 4.0 (https://creativecommons.org/licenses/by/4.0/)",
        task="kws",
    ),
}


def ignore_progress(done: int, total: int, message: str) -> None:
    """Show nothing."""


def fetch(archive: Archive, out: Path, report: Progress = ignore_progress) -> Path:
    """Download, check and unpack an archive into the new folder `out`.

    An interrupted download is continued by the next call; the unpacked folder appears in one step.

    Raises:
        UserError: `out` exists, or the archive is not the expected one.
        RunFailed: The network or the disk failed.
    """
    if urlsplit(archive.url).scheme not in ("http", "https"):
        raise UserError(f"The address must begin with http:// or https://, but got {archive.url}.")
    if out.exists():
        raise UserError(f"{out} already exists. Choose another folder, or remove it first.")
    out.parent.mkdir(parents=True, exist_ok=True)
    packed = out.with_name(f"{out.name}.tar.gz")
    if not packed.exists():
        partial = out.with_name(f"{out.name}.tar.gz.part")
        download(archive.url, partial, report)
        check_hash(partial, archive, report)
        partial.replace(packed)
    else:
        check_hash(packed, archive, report)
    unpack(packed, out, report)
    packed.unlink()
    return out


def download(url: str, partial: Path, report: Progress = ignore_progress) -> None:
    """Download `url` into `partial`, from where an earlier attempt stopped."""
    failures = 0
    while True:
        before = _size(partial)
        try:
            if _download_once(url, partial, report):
                return
            problem = "the connection ended early"
        except urllib.error.HTTPError as error:
            raise RunFailed(f"{url} answered {error.code} {error.reason}.") from error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in DISK_ERRORS:
                raise OSError(error.errno, error.strerror, str(partial)) from error
            problem = str(error)
        failures = 0 if _size(partial) > before else failures + 1
        if failures >= ATTEMPTS:
            raise RunFailed(
                f"{url} could not be downloaded: {problem}. The same command continues with the "
                f"{_size(partial)} bytes in {partial}."
            )


def _download_once(url: str, partial: Path, report: Progress) -> bool:
    """Ask for what is missing; return whether the file is complete."""
    have = _size(partial)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != HTTP_RANGE_NOT_SATISFIABLE or not have:
            raise
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return True  # nothing is missing
        partial.unlink()  # longer than the archive: of another one
        return False
    with response:
        continued = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if response.status != HTTP_PARTIAL or not continued:
            have = 0  # the server sends everything again
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else 0
        refuse_small_disk(
            partial.parent, missing=total - have, unpacked=total * UNPACKED_PER_PACKED
        )
        with partial.open("ab" if have else "wb") as file:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                have += len(chunk)
                report(have, total, "downloading")
    return not total or have >= total


def refuse_small_disk(folder: Path, missing: int, unpacked: float) -> None:
    """Stop before the disk is full rather than when it is."""
    needed, free = missing + unpacked, shutil.disk_usage(folder).free
    if needed > free:
        raise RunFailed(
            f"About {needed / 1e9:.1f} GB are needed below {folder}, but only {free / 1e9:.1f} GB "
            "are free. Make room, or choose a folder on another disk."
        )


def check_hash(path: Path, archive: Archive, report: Progress = ignore_progress) -> None:
    """Compare a file with the SHA-256 of the archive; delete it if it is another one."""
    digest = hashlib.sha256()
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            report(done, total, "checking")
    if digest.hexdigest() != archive.sha256.lower():
        path.unlink()
        raise UserError(
            f"The archive must have SHA-256 {archive.sha256}, but {archive.url} gave "
            f"{digest.hexdigest()}. It was deleted; try again, or name the hash of another source."
        )


def unpack(packed: Path, out: Path, report: Progress = ignore_progress) -> None:
    """Unpack an archive of plain files and folders; `out` appears when all of it is there.

    A single folder around all folders of the archive is left out.
    """
    total = packed.stat().st_size
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        with packed.open("rb") as file, tarfile.open(fileobj=file, mode="r|gz") as archive:
            for member in archive:
                refuse_unsafe(member)
                archive.extract(member, temporary, filter="data")
                report(file.tell(), total, "unpacking")
        root = _below_wrapper(temporary)
        root.chmod(0o755)  # temporary folders are private
        root.rename(out)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{packed} is no complete tar.gz archive: {error}. Delete it.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def refuse_unsafe(member: tarfile.TarInfo) -> None:
    """Accept files and folders below the target, nothing else."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise UserError(
            f"Archives may only hold names below their folder, but got {member.name!r}. "
            "Nothing was unpacked; use another source."
        )
    if not (member.isfile() or member.isdir()):
        raise UserError(
            f"Archives may only hold files and folders, but {member.name!r} is a link or a device. "
            "Nothing was unpacked; use another source."
        )


def _below_wrapper(folder: Path) -> Path:
    """Return the only folder in `folder`, if it holds folders itself, else `folder`."""
    content = list(folder.iterdir())
    only = content[0] if len(content) == 1 and content[0].is_dir() else folder
    return only if any(path.is_dir() for path in only.iterdir()) else folder


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
