import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from analognas.cli.data import fetch
from analognas.errors import UserError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_data_set_is_fetched_and_its_licence_shown(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(tmp_path / "words.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("yes/a.wav")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"sound"))
    fetch(
        "speech-commands",
        out=tmp_path / "out",
        url=f"{address}/words.tar.gz",
        sha256=hashlib.sha256((tmp_path / "words.tar.gz").read_bytes()).hexdigest(),
    )
    shown = capsys.readouterr().err
    assert "Pete Warden 2018" in shown
    assert "creativecommons.org/licenses/by/4.0" in shown
    assert f"--data {tmp_path / 'out'}" in shown
    assert (tmp_path / "out" / "yes" / "a.wav").read_bytes() == b"sound"


def test_another_archive_than_the_official_one_is_refused(address: str, tmp_path: Path) -> None:
    (tmp_path / "words.tar.gz").write_bytes(b"something else")
    with pytest.raises(UserError, match="must have SHA-256 af14739e"):
        fetch("speech-commands", out=tmp_path / "out", url=f"{address}/words.tar.gz")


def test_unknown_data_sets_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="Choose one of: speech-commands"):
        fetch("imagenet")
