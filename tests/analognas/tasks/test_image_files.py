import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from analognas.errors import UserError
from analognas.tasks import image_files
from analognas.tasks.image_files import open_image_files, sort_by_folders

MakeImages = Callable[..., Path]

NAMES = ("train/cat/1.png", "train/dog/2.jpg", "test/cat/3.JPEG", "test/dog/4.png")


@pytest.mark.parametrize("name", ["pictures", "pictures.zip"])
@pytest.mark.parametrize("around", ["", "wrapper/"])
def test_parts_and_classes_come_from_the_folders(
    make_images: MakeImages, name: str, around: str
) -> None:
    others = {f"{around}labels.txt": b"cat dog", f"{around}train/.hidden.png": b"?"}
    source = make_images((around + file for file in NAMES), name=name, others=others)
    with open_image_files(source) as files:
        found = sort_by_folders(files)
        assert list(files.names) == sorted(around + file for file in NAMES)
        assert files.read(files.names[0])[:2] in (b"\x89P", b"\xff\xd8")
    assert {(file.part, file.label, file.stem) for file in found} == {
        ("train", "cat", "1"),
        ("train", "dog", "2"),
        ("test", "cat", "3"),
        ("test", "dog", "4"),
    }


def test_class_folders_need_no_parts(make_images: MakeImages) -> None:
    with open_image_files(make_images(["cat/1.png", "dog/2.png"])) as files:
        assert [(file.part, file.label) for file in sort_by_folders(files)] == [
            ("", "cat"),
            ("", "dog"),
        ]


@pytest.mark.parametrize(
    "names",
    [
        ["1.png"],
        ["a/b/train/cat/1.png"],
        ["train/cat/1.png", "dog/2.png"],
        ["train/cat/1.png", "val/cat/2.png"],
        ["train/cat/1.png", "wrapper/train/dog/2.png"],
        ["train/cat/1.png", "train/2.png"],
    ],
)
def test_other_layouts_are_refused_with_the_right_one(
    make_images: MakeImages, names: list[str]
) -> None:
    source = make_images(names, name="pictures.zip")
    with (
        open_image_files(source) as files,
        pytest.raises(UserError, match="must hold train/<class>/<image> and test/<class>/<image>"),
    ):
        sort_by_folders(files)


@pytest.mark.parametrize(
    "name", ["../cat/1.png", "train/../../1.png", "/etc/cat/1.png", "train\\cat\\1.png"]
)
def test_names_that_lead_out_of_an_archive_are_refused(make_images: MakeImages, name: str) -> None:
    source = make_images(NAMES, name="evil.zip", others={name: b"content"})
    with pytest.raises(UserError, match="may only hold names below their folder"):
        open_image_files(source).__enter__()


def test_zip_bombs_are_refused_before_anything_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_files, "LARGEST_FILE_BYTES", 2 << 20)
    source = tmp_path / "bomb.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train/cat/1.png", bytes((2 << 20) + 1))
    assert source.stat().st_size < 1 << 12
    with pytest.raises(UserError, match=r"at most 2 MB .*'train/cat/1.png'"):
        open_image_files(source).__enter__()


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "twice.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("train/cat/1.png", b"one")
        archive.writestr("train/cat/./1.png", b"two")
    with pytest.raises(UserError, match=r"'train/cat/1.png' twice"):
        open_image_files(source).__enter__()


@pytest.mark.parametrize("kept", [0, 100, 2_000])
def test_truncated_archives_are_refused(make_images: MakeImages, kept: int) -> None:
    source = make_images(NAMES, name="cut.zip")
    source.write_bytes(source.read_bytes()[:kept])
    with pytest.raises(UserError, match="no complete zip archive"):
        open_image_files(source).__enter__()


def test_damaged_members_cannot_be_read(make_images: MakeImages) -> None:
    source = make_images(NAMES, name="damaged.zip")
    content = bytearray(source.read_bytes())
    content[200:260] = bytes(60)  # inside the first image
    source.write_bytes(content)
    with open_image_files(source) as files:
        damaged = "train/cat/1.png"
        with pytest.raises(OSError, match=r"CRC|Error"):
            files.read(damaged)
        assert files.read("test/dog/4.png").startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["empty", "empty.zip"])
def test_sources_without_images_are_refused(make_images: MakeImages, name: str) -> None:
    source = make_images([], name=name, others={"train/cat/1.txt": b"text"})
    with pytest.raises(UserError, match="holds no images"):
        open_image_files(source).__enter__()


def test_pipes_in_a_folder_are_not_read(make_images: MakeImages) -> None:
    source = make_images(NAMES)
    os.mkfifo(source / "train/cat/pipe.png")
    with pytest.raises(UserError, match=r"must be a plain file .*pipe.png"):
        open_image_files(source).__enter__()
