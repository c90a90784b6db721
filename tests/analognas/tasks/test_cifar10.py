import gzip
import io
import pickle
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from analognas.errors import UserError
from analognas.tasks import Task, cifar10_batches, load_task
from analognas.tasks.cifar10 import CLASSES

MakeImages = Callable[..., Path]

TRAINING, TEST = 10, 3  # images of a class
NAMES = tuple(
    f"{part}/{label}/{index}.png"
    for part, count in (("train", TRAINING), ("test", TEST))
    for label in CLASSES
    for index in range(count)
)
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")


@pytest.fixture
def folder(make_images: MakeImages) -> Path:
    return make_images(NAMES)


@pytest.fixture
def batches(folder: Path) -> dict[str, tuple[np.ndarray, list[int]]]:
    """The images of the folder as the six published batches: rows of pixels, and labels."""
    found: dict[str, tuple[np.ndarray, list[int]]] = {}
    for number, batch in enumerate((*BATCHES, "test_batch")):
        part = "test" if batch == "test_batch" else "train"
        indices = range(TEST) if part == "test" else range(2 * number, 2 * number + 2)
        files = [(label, folder / part / label / f"{i}.png") for label in CLASSES for i in indices]
        rows = [np.asarray(Image.open(path)).transpose(2, 0, 1).ravel() for _, path in files]
        found[batch] = np.stack(rows), [CLASSES.index(label) for label, _ in files]
    return found


def binary_files(batches: Mapping[str, tuple[np.ndarray, list[int]]]) -> dict[str, bytes]:
    return {
        f"{name}.bin": np.concatenate([np.array(labels, np.uint8)[:, None], rows], axis=1).tobytes()
        for name, (rows, labels) in batches.items()
    }


def python_files(batches: Mapping[str, tuple[np.ndarray, list[int]]]) -> dict[str, bytes]:
    return {name: python_2_pickle(rows, labels) for name, (rows, labels) in batches.items()}


def python_2_pickle(rows: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 wrote it: texts and bytes alike are strings."""
    count, size = (len(rows).to_bytes(2, "little"), rows.nbytes.to_bytes(4, "little"))
    steps = [
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03",
        b"U\x06labelsq\x04]q\x05(",
        *(b"K" + bytes([label]) for label in labels),
        b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
        b"K\x00\x85q\x09U\x01bq\x0a\x87q\x0bRq\x0c(K\x01M" + count + b"M\x00\x0c\x86q\x0d",
        b"cnumpy\ndtype\nq\x0eU\x02u1q\x0fK\x00K\x01\x87q\x10Rq\x11",
        b"(K\x03U\x01|q\x12NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x13b",
        b"\x89T" + size + rows.tobytes() + b"q\x14tq\x15bu.",
    ]
    return b"".join(steps)


def pack(target: Path, files: Mapping[str, bytes], folder: str = "cifar-10-batches") -> Path:
    with tarfile.open(target, "w:gz" if target.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}" if folder else name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target


def same_images(first: Task, second: Task) -> bool:
    pairs = zip(first.parts.values(), second.parts.values(), strict=True)
    return first.data_key == second.data_key and all(
        np.array_equal(one.inputs, other.inputs) and np.array_equal(one.labels, other.labels)
        for one, other in pairs
    )


def test_class_folders_are_images_like_cifar_and_never_called_so(folder: Path) -> None:
    task = load_task("cifar10", data=folder)
    assert task.classes == CLASSES
    assert task.input_shape == (3, 32, 32)
    assert task.data_name == "cifar10-folder:pictures"
    assert "CIFAR" not in task.title
    assert "not the published CIFAR-10" in task.notes[0]
    assert [len(part) for part in task.parts.values()] == [80, 20, 30]
    for part, count in zip(task.parts.values(), (8, 2, 3), strict=True):
        assert np.bincount(part.labels).tolist() == [count] * 10


def test_labels_belong_to_their_images(folder: Path) -> None:
    task = load_task("cifar10", data=folder)
    first = Image.open(folder / "test/ship/1.png")
    pixels = np.asarray(first, dtype=np.float64).transpose(2, 0, 1).ravel()
    alike = [np.corrcoef(pixels, image.ravel())[0, 1] for image in task.test.inputs]
    assert max(alike) > 0.999
    assert task.classes[task.test.labels[int(np.argmax(alike))]] == "ship"


def test_the_same_images_are_the_same_task_whatever_holds_them(
    folder: Path,
    batches: dict[str, tuple[np.ndarray, list[int]]],
    make_images: MakeImages,
    tmp_path: Path,
) -> None:
    expected = load_task("cifar10", data=folder)
    for name, content in binary_files(batches).items():
        target = tmp_path / "outer/cifar-10-batches-bin" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    modern = {
        name: pickle.dumps({"data": rows, "labels": labels}, protocol=2)
        for name, (rows, labels) in batches.items()
    }
    sources = {
        make_images((f"wrapper/{name}" for name in NAMES), name="zipped.zip"): "folder:zipped",
        pack(tmp_path / "small-binary.tar.gz", binary_files(batches)): "binary:small-binary",
        pack(tmp_path / "small-python.tar.gz", python_files(batches)): "python:small-python",
        pack(tmp_path / "modern.tar", modern, folder=""): "python:modern",
        tmp_path / "outer": "binary:outer",
        tmp_path / "outer/cifar-10-batches-bin": "binary:cifar-10-batches-bin",
    }
    for source, name in sources.items():
        task = load_task("cifar10", data=source)
        assert same_images(task, expected), source
        assert task.data_name == f"cifar10-{name}"
        assert "not the published" in task.notes[0].lower()


def test_only_the_full_published_batches_are_called_cifar10(
    batches: dict[str, tuple[np.ndarray, list[int]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("analognas.tasks.cifar10.OFFICIAL_COUNTS", (100, 30))
    task = load_task("cifar10", data=pack(tmp_path / "all.tar.gz", binary_files(batches)))
    assert task.data_name == "cifar10"
    assert task.title == "CIFAR-10, 80 training images"
    assert task.notes == ()


def test_fewer_images_can_be_trained_on(folder: Path) -> None:
    whole, few = (load_task("cifar10", data=folder, split=name) for name in (None, "images:40"))
    assert few.split == "images:40"
    assert few.title.endswith("40 training images")
    assert few.data_key != whole.data_key
    assert np.bincount(few.train.labels).tolist() == [4] * 10
    assert [len(part) for part in few.parts.values()] == [40, 20, 30]
    kept = load_task("cifar10", data=folder, split=few.split)
    assert same_images(kept, few)


def test_decoded_images_are_cached_and_the_cache_follows_the_content(
    folder: Path, cache_folder: Path
) -> None:
    first = load_task("cifar10", data=folder)
    assert same_images(load_task("cifar10", data=folder), first)
    assert len(list(cache_folder.iterdir())) == 1
    shutil.copy(folder / "train/cat/0.png", folder / "test/cat/0.png")
    changed = load_task("cifar10", data=folder)
    assert changed.data_key != first.data_key
    assert changed.notes[1:] == ("1 images of the training part are in the test part too.",)


def test_without_data_it_says_what_to_bring(tmp_path: Path) -> None:
    for source in (None, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=r"cifar-10-binary.tar.gz or .*cs.toronto.edu"):
            load_task("cifar10", data=source)
    with pytest.raises(UserError, match="takes no words"):
        load_task("cifar10", words="cat,dog")


def remove_ships(root: Path) -> None:
    for part in ("train", "test"):
        shutil.rmtree(root / part / "ship")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda root: shutil.rmtree(root / "test"), "must have the parts train and test, and"),
        (lambda root: shutil.rmtree(root / "train/ship"), "the training part .* none of ship"),
        (remove_ships, "missing or too many: ship"),
        (lambda root: (root / "train/cat").rename(root / "train/lion"), "too many: lion"),
        (
            lambda root: (root / "train/cat/0.png").write_bytes(b"\x89PNG"),
            "1 of 130 .* train/cat/0.png cannot be read",
        ),
        (
            lambda root: Image.new("RGB", (64, 64)).save(root / "train/cat/0.png"),
            "has 64x64 pixels in place of 32x32",
        ),
    ],
)
def test_wrong_folders_are_refused(
    folder: Path, change: Callable[[Path], object], problem: str
) -> None:
    change(folder)
    with pytest.raises(UserError, match=problem):
        load_task("cifar10", data=folder)


def test_one_class_alone_is_refused(make_images: MakeImages) -> None:
    source = make_images(["train/cat/0.png", "train/cat/1.png", "test/cat/0.png"])
    with pytest.raises(UserError, match="these are missing or too many: airplane"):
        load_task("cifar10", data=source)


def test_damaged_batches_are_refused(
    batches: dict[str, tuple[np.ndarray, list[int]]], tmp_path: Path
) -> None:
    binary, python = binary_files(batches), python_files(batches)
    label_out_of_range = b"\x0a" + binary["data_batch_2.bin"][1:]
    pickled = [[1, 2], {"data": np.zeros((2, 3), np.uint8), "labels": [0, 1]}, {"data": []}]
    cases = [
        ({**binary, "data_batch_2.bin": binary["data_batch_2.bin"][:-1]}, "records of 3073 bytes"),
        ({**binary, "data_batch_2.bin": b""}, "data_batch_2.bin has 0 bytes"),
        ({**binary, "data_batch_2.bin": label_out_of_range}, "Labels must be 0 to 9, .* has 10"),
        ({n: c for n, c in binary.items() if n[:4] != "test"}, "has no test_batch.bin"),
        ({"readme.html": b"text"}, "has no data_batch_1.bin"),
        (
            {**python, "test_batch": python["test_batch"][:-9]},
            "is not a batch .*damaged",
        ),
        *(
            ({**python, "test_batch": pickle.dumps(content, protocol=2)}, "must hold `data`, rows")
            for content in pickled
        ),
    ]
    for number, (files, problem) in enumerate(cases):
        with pytest.raises(UserError, match=problem):
            load_task("cifar10", data=pack(tmp_path / f"{number}.tar.gz", files))


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self._path,)


def test_a_pickle_that_runs_something_is_refused_and_not_run(
    batches: dict[str, tuple[np.ndarray, list[int]]], tmp_path: Path
) -> None:
    victim = tmp_path / "made"
    rows, labels = batches["test_batch"]
    evil = pickle.dumps({"data": rows, "labels": labels, "more": Runs(victim)}, protocol=2)
    source = pack(tmp_path / "evil.tar.gz", {**python_files(batches), "test_batch": evil})
    with pytest.raises(UserError, match=r"test_batch is not a batch .* Nothing in it was run"):
        load_task("cifar10", data=source)
    assert not victim.exists()


def test_truncated_and_foreign_archives_are_refused(
    batches: dict[str, tuple[np.ndarray, list[int]]], tmp_path: Path
) -> None:
    whole = pack(tmp_path / "whole.tar.gz", binary_files(batches)).read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"", b"text" * 500)):
        source = tmp_path / f"{number}.tar.gz"
        source.write_bytes(content)
        with pytest.raises(UserError, match=r"neither a zip nor a complete tar|has no data_batch"):
            load_task("cifar10", data=source)


def test_members_that_lead_out_of_the_archive_are_refused(
    batches: dict[str, tuple[np.ndarray, list[int]]], tmp_path: Path
) -> None:
    files = {**binary_files(batches), "../../data_batch_1.bin": b"evil"}
    with pytest.raises(UserError, match="only hold names below their folder"):
        load_task("cifar10", data=pack(tmp_path / "evil.tar", files))
    linked = tmp_path / "linked.tar"
    with tarfile.open(linked, "w") as archive:
        member = tarfile.TarInfo("data_batch_1.bin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(UserError, match="is a link or a device"):
        load_task("cifar10", data=linked)


def test_archives_that_unpack_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10_batches, "LARGEST_FILE_BYTES", 1 << 20)
    monkeypatch.setattr(cifar10_batches, "LARGEST_TOTAL_BYTES", 3 << 20)
    large = pack(tmp_path / "large.tar.gz", {"data_batch_1.bin": bytes((1 << 20) + 1)})
    with pytest.raises(UserError, match="may have 1 MB at most"):
        load_task("cifar10", data=large)
    many = pack(tmp_path / "many.tar.gz", {f"{n}.txt": bytes(1 << 20) for n in range(4)})
    with pytest.raises(UserError, match="may unpack to 3 MB at most"):
        load_task("cifar10", data=many)
    endless = tmp_path / "endless.tar.gz"
    endless.write_bytes(gzip.compress(bytes(8 << 20)))
    with pytest.raises(UserError, match=r"neither a zip|has no data_batch_1|at most"):
        load_task("cifar10", data=endless)
