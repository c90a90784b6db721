import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from analognas.cli.data import fetch
from analognas.errors import UserError
from analognas.tasks import load_task


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


def test_fetched_cifar10_can_be_loaded(
    address: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANALOGNAS_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as archive:
        for name in names:
            records = rng.integers(0, 256, (20, 3073), dtype=np.uint8)
            records[:, 0] = np.arange(20) % 10
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = records.nbytes
            archive.addfile(member, io.BytesIO(records.tobytes()))
    fetch(
        "cifar10",
        out=tmp_path / "cifar10",
        url=f"{address}/cifar.tar.gz",
        sha256=hashlib.sha256((tmp_path / "cifar.tar.gz").read_bytes()).hexdigest(),
    )
    shown = capsys.readouterr().err
    assert "no licence is stated" in shown
    assert f"--task cifar10 --data {tmp_path / 'cifar10'}" in shown
    assert len(load_task("cifar10", data=tmp_path / "cifar10").test) == 20


def test_another_archive_than_the_official_one_is_refused(address: str, tmp_path: Path) -> None:
    (tmp_path / "words.tar.gz").write_bytes(b"something else")
    with pytest.raises(UserError, match="must have SHA-256 af14739e"):
        fetch("speech-commands", out=tmp_path / "out", url=f"{address}/words.tar.gz")


def test_unknown_data_sets_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="Choose one of: cifar10, speech-commands"):
        fetch("imagenet")
