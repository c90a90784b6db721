import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from analognas.errors import RunFailed, UserError
from analognas.tasks import fetching
from analognas.tasks.fetching import ARCHIVES, Archive, fetch

# Does not compress, so that the archive is larger than one network buffer.
NOISE = np.random.default_rng(0).bytes(200_000)


def tar_gz(*members: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return packed.getvalue()


ROOT = tarfile.TarInfo("./")
ROOT.type = tarfile.DIRTYPE
GOOD = tar_gz(ROOT, ("./yes/ann_nohash_0.wav", NOISE), ("LICENSE", b"CC BY 4.0"))


class Server(ThreadingHTTPServer):
    """Serves one file, in the ways that servers misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = GOOD
        self.ranges = True
        self.break_after: list[int] = []  # bytes sent before each of the next breaks
        self.asked: list[str | None] = []  # Range headers
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/data.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        size = len(server.content)
        start = int(wanted[6:-1]) if wanted and server.ranges else 0
        if start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else server.status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        content = server.content[start:]
        if server.break_after:
            content = content[: server.break_after.pop(0)]
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def archive_of(server: Server) -> Archive:
    return Archive(server.url, hashlib.sha256(server.content).hexdigest(), "no licence", "kws")


def assert_nothing_left(folder: Path) -> None:
    assert list(folder.iterdir()) == []


def test_an_archive_becomes_a_folder(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    out = fetch(archive_of(server), tmp_path / "new" / "words", lambda *step: seen.append(step))
    assert (out / "yes" / "ann_nohash_0.wav").read_bytes() == NOISE
    assert (out / "LICENSE").is_file()
    assert [path.name for path in out.parent.iterdir()] == ["words"]
    assert {message for _, _, message in seen} == {"downloading", "checking", "unpacking"}
    assert (len(GOOD), len(GOOD), "downloading") in seen


def test_an_empty_archive_becomes_an_empty_folder(server: Server, tmp_path: Path) -> None:
    server.content = tar_gz()
    assert list(fetch(archive_of(server), tmp_path / "words").iterdir()) == []


def test_a_single_folder_in_the_archive_is_the_folder(server: Server, tmp_path: Path) -> None:
    server.content = tar_gz(("words_v2/yes/a.wav", b"a"), ("words_v2/no/a.wav", b"b"))
    out = fetch(archive_of(server), tmp_path / "words")
    assert {path.name for path in out.iterdir()} == {"yes", "no"}


def test_a_broken_connection_is_continued(server: Server, tmp_path: Path) -> None:
    server.break_after = [70_000, 50_000]
    fetch(archive_of(server), tmp_path / "words")
    assert server.asked == [None, "bytes=70000-", "bytes=120000-"]


def test_a_later_call_continues_where_the_first_stopped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "words.tar.gz.part").write_bytes(GOOD[:1_000])
    fetch(archive_of(server), tmp_path / "words")
    assert server.asked == ["bytes=1000-"]


def test_a_complete_partial_file_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "words.tar.gz.part").write_bytes(GOOD)
    assert (fetch(archive_of(server), tmp_path / "words") / "yes").is_dir()


def test_a_partial_file_of_something_longer_is_started_again(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "words.tar.gz.part").write_bytes(GOOD + b"more")
    assert (fetch(archive_of(server), tmp_path / "words") / "yes").is_dir()


def test_a_server_without_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.break_after = [70_000]
    fetch(archive_of(server), tmp_path / "words")
    assert server.asked == [None, "bytes=70000-"]
    assert (tmp_path / "words" / "yes" / "ann_nohash_0.wav").read_bytes() == NOISE


def test_a_checked_archive_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "words.tar.gz").write_bytes(GOOD)
    fetch(archive_of(server), tmp_path / "words")
    assert server.asked == []


def test_a_wrong_hash_is_refused_and_the_file_deleted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"must have SHA-256 {'0' * 64}, but {server.url} gave"):
        fetch(Archive(server.url, "0" * 64, "", "kws"), tmp_path / "words")
    assert_nothing_left(tmp_path)


def test_a_dead_server_is_named_and_the_partial_file_kept(server: Server, tmp_path: Path) -> None:
    server.break_after = [1_000] + [0] * fetching.ATTEMPTS
    with pytest.raises(RunFailed, match=r"continues with the 1000 bytes in .*words.tar.gz.part"):
        fetch(archive_of(server), tmp_path / "words")
    assert len(server.asked) == 1 + fetching.ATTEMPTS
    assert [path.name for path in tmp_path.iterdir()] == ["words.tar.gz.part"]


def test_nobody_at_the_address_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="could not be downloaded"):
        fetch(Archive("http://127.0.0.1:9/data.tar.gz", "", "", "kws"), tmp_path / "words")


def test_an_answer_of_the_server_is_said(server: Server, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(RunFailed, match="answered 404"):
        fetch(archive_of(server), tmp_path / "words")


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("yes/link.wav")
    info.type, info.linkname = kind, target
    return info


EVIL: dict[str, tarfile.TarInfo | tuple[str, bytes]] = {
    "parent": ("../evil.txt", b"x"),
    "hidden parent": ("yes/../../evil.txt", b"x"),
    "absolute": ("/tmp/evil.txt", b"x"),
    "windows": ("..\\evil.txt", b"x"),
    "symbolic link": link(tarfile.SYMTYPE, "../../etc"),
    "hard link": link(tarfile.LNKTYPE, "../secret"),
    "device": link(tarfile.CHRTYPE, ""),
    "pipe": link(tarfile.FIFOTYPE, ""),
}


@pytest.mark.parametrize("kind", EVIL)
def test_dangerous_archives_are_refused_whole(server: Server, tmp_path: Path, kind: str) -> None:
    server.content = tar_gz(("yes/a.wav", b"a"), EVIL[kind])
    folder = tmp_path / "here"
    with pytest.raises(UserError, match=r"Archives may only hold .* Nothing was unpacked"):
        fetch(archive_of(server), folder / "words")
    assert [path.name for path in folder.iterdir()] == ["words.tar.gz"]
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.parametrize("content", [GOOD[:100_000], b"not an archive"])
def test_broken_archives_leave_no_folder(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content = content
    with pytest.raises(UserError, match=r"is no complete tar.gz archive"):
        fetch(archive_of(server), tmp_path / "words")
    assert [path.name for path in tmp_path.iterdir()] == ["words.tar.gz"]


def test_an_existing_folder_is_never_touched(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="already exists"):
        fetch(archive_of(server), tmp_path)
    assert server.asked == []


def test_only_web_addresses_are_opened(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must begin with http"):
        fetch(Archive("file:///etc/passwd", "", "", "kws"), tmp_path / "words")


def test_a_disk_that_is_too_small_is_noticed_first(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = type("Usage", (), {"free": 300_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: free)
    with pytest.raises(RunFailed, match="choose a folder on another disk"):
        fetch(archive_of(server), tmp_path / "words")


def test_the_official_archive_is_described() -> None:
    official = ARCHIVES["speech-commands"]
    assert len(official.sha256) == 64
    assert "Warden 2018" in official.licence
    assert "Attribution 4.0" in official.licence
