import errno
import os
from pathlib import Path

import pytest

from analognas import files
from analognas.errors import UserError


def test_text_and_bytes_are_written_and_folders_are_made(tmp_path: Path) -> None:
    files.write_text(tmp_path / "new" / "folder" / "a.txt", "ä\nb")
    files.write_bytes(tmp_path / "b.bin", b"\x00\r\n")
    assert (tmp_path / "new" / "folder" / "a.txt").read_bytes() == "ä\nb".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\r\n"


def test_the_temporary_path_has_the_suffix_and_is_gone_afterwards(tmp_path: Path) -> None:
    with files.writing(tmp_path / "table.parquet") as temporary:
        assert temporary.suffix == ".parquet"
        assert temporary.parent == tmp_path
        temporary.write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["table.parquet"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_interrupted_writer_leaves_the_earlier_file(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "earlier")

    def write_and_stop() -> None:
        with files.writing(path) as temporary:
            temporary.write_text("half of")
            raise error

    with pytest.raises(type(error)):
        write_and_stop()
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_reported_with_the_path_the_user_knows(
    tmp_path: Path, error: Exception
) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="No space left") as caught, files.writing(path):
        raise error
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)


def test_other_errors_of_the_block_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, files.writing(tmp_path / "a.txt"):
        (tmp_path / "not there").read_text()
    assert caught.value.filename == str(tmp_path / "not there")


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError, match=r"a\.txt"):
        files.write_text(tmp_path / "a.txt", "text")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_lines_are_appended_in_order(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    for line in ("one", "two", "ü" * 100_000, ""):
        files.append_line(path, line)
    assert path.read_text() == "one\ntwo\n" + "ü" * 100_000 + "\n\n"


@pytest.mark.parametrize("whole", ["", "one\n", "one\ntwo\n"])
@pytest.mark.parametrize("torn", ["", "x", "y" * 3 * files.TAIL_BYTES])
def test_a_line_that_a_crash_has_torn_is_dropped(tmp_path: Path, whole: str, torn: str) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(whole + torn)
    files.append_line(path, "next")
    assert path.read_text() == whole + "next\n"


@pytest.mark.parametrize("text", ["a\nb", "a\r", "a\n"])
def test_a_line_holds_no_line_end(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="no line end"):
        files.append_line(tmp_path / "journal.jsonl", text)


def test_a_full_disk_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    files.append_line(path, "one")
    write = os.pwrite

    def write_half_then_fail(descriptor: int, data: bytes, position: int) -> int:
        if len(data) < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data[: len(data) // 2], position)

    monkeypatch.setattr(os, "pwrite", write_half_then_fail)
    with pytest.raises(OSError, match="No space left") as caught:
        files.append_line(path, "a longer line")
    assert caught.value.filename == str(path)
    assert path.read_text() == "one\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_really_full_device_is_reported_as_full(tmp_path: Path) -> None:
    def fill() -> None:
        with files.writing(tmp_path / "a.txt"), Path("/dev/full").open("w") as full:
            full.write("x" * 100_000)

    with pytest.raises(OSError, match="No space left") as caught:
        fill()
    assert caught.value.filename == str(tmp_path / "a.txt")


def test_a_new_folder_must_be_free_and_possible(tmp_path: Path) -> None:
    files.check_new_folder(tmp_path / "deep" / "new")
    (tmp_path / "empty").mkdir()
    files.check_new_folder(tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match=r"not empty, and nothing is overwritten.*--out"):
        files.check_new_folder(tmp_path)
    for place in (tmp_path / "file", tmp_path / "file" / "below" / "it"):
        with pytest.raises(UserError, match=r"file is a file\. Choose another folder with --to"):
            files.check_new_folder(place, "--to")
