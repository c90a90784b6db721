import io
import pickle
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from analognas.errors import UserError
from analognas.search_spaces import SPACES, make_space
from analognas.tasks import load_task
from analognas.tasks.build_watch_exercises import build, read_source
from analognas.tasks.imu import cut_windows

DATA = Path(str(resources.files("analognas.tasks") / "data"))


def test_the_default_split_has_subjects_of_its_own_in_every_part() -> None:
    task = load_task("imu")
    assert task.split == "subject"
    assert task.data_name == "watch-exercises"
    assert task.input_shape == (1, 100, 6)
    assert task.classes == ("PEN", "ABD", "FEL", "IR", "ER", "TRAP", "ROW")
    assert [len(part) for part in task.parts.values()] == [2_501, 246, 247]
    assert task.notes == ("Subjects: training 1 2 3 4 5 6, validation 7 8, test 9 10.",)
    assert "BSD-3-Clause" in task.provenance


@pytest.mark.parametrize(("test", "validation"), [(1, 2), (10, 1)])
def test_one_subject_can_be_kept_for_the_test(test: int, validation: int) -> None:
    task = load_task("imu", split=f"subject:{test}")
    assert task.notes[0].endswith(f"validation {validation}, test {test}.")
    with np.load(DATA / "watch_exercises.npz") as arrays:
        of_test = arrays["lengths"][arrays["subjects"] == test].astype(int)
    assert len(task.test) == (of_test // 100).sum()


def test_test_windows_are_those_of_the_subject_in_the_units_of_the_training_part() -> None:
    task = load_task("imu", split="subject:4")
    with np.load(DATA / "watch_exercises.npz") as arrays:
        readings = np.split(
            arrays["readings"] / arrays["steps"], np.cumsum(arrays["lengths"].astype(int))[:-1]
        )
        subjects, labels = arrays["subjects"], arrays["labels"]
    seconds = [  # windows of four seconds, one every second
        reading[start : start + 100]
        for reading, subject in zip(readings, subjects, strict=True)
        if subject not in (4, 5)
        for start in range(0, len(reading) - 99, 25)
    ]
    mean, deviation = np.mean(seconds, axis=(0, 1)), np.std(seconds, axis=(0, 1))
    assert len(seconds) == len(task.train)
    first = next(i for i, subject in enumerate(subjects) if subject == 4)
    window = (readings[first][:100] - mean) / deviation
    distance = np.abs(task.test.inputs[:, 0] - window).max(axis=(1, 2))
    assert distance.min() < 1e-4
    assert task.test.labels[int(distance.argmin())] == labels[first]


def test_windows_cover_every_recording_and_are_mixed() -> None:
    recordings = [np.full((length, 6), length, dtype=np.float32) for length in (99, 100, 250)]
    windows, labels = cut_windows(recordings, np.array([0, 1, 2]), hop=50)
    assert windows.shape == (5, 100, 6)
    assert sorted(labels.tolist()) == [1, 2, 2, 2, 2]
    assert set(windows[labels == 2].ravel()) == {250}
    assert len(set(load_task("imu").train.labels[:20].tolist())) > 3


@pytest.mark.parametrize("split", ["subject:0", "subject:11", "subject:", "Subject", "recording"])
def test_unknown_splits_are_answered_with_the_known_ones(split: str) -> None:
    with pytest.raises(UserError, match=r"Choose one of: subject, subject:1, .* subject:10"):
        load_task("imu", split=split)


def test_it_takes_no_data() -> None:
    with pytest.raises(UserError, match="takes neither data nor words"):
        load_task("imu", data="somewhere")


def test_every_search_space_has_networks_for_it() -> None:
    task = load_task("imu")
    for name in SPACES:
        space = make_space(name, input_shape=task.input_shape, n_classes=task.n_classes)
        assert space.count() > 1_000


def test_licence_and_changes_lie_beside_the_data() -> None:
    card = (DATA / "watch_exercises.md").read_text()
    for needed in ("David M. Burns", "BSD-3-Clause", "## Changes", "arXiv:1802.01489"):
        assert needed in card
    licence = (DATA / "LICENSE-BSD-3-Clause-seglearn").read_text()
    assert licence.startswith("Copyright (c) 2018, David M. Burns")


def test_the_build_script_averages_pairs_and_rounds() -> None:
    rng = np.random.default_rng(0)
    recordings = [rng.normal(size=(length, 6)) for length in (7, 10)]
    content = {
        "X": recordings,
        "y": np.array([1, 0]),
        "subject": np.array([3, 4]),
        "side": np.array([1.0, 0.0]),
        "y_labels": ["PEN", "ABD"],
        "X_labels": list("abcdef"),
    }
    source = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(source, header)
    built = build(source.getvalue() + pickle.dumps(content, protocol=2))
    assert built == build(source.getvalue() + pickle.dumps(content, protocol=2))
    with np.load(io.BytesIO(built)) as arrays:
        assert arrays["lengths"].tolist() == [3, 5]
        assert arrays["labels"].tolist() == [1, 0]
        assert arrays["subjects"].tolist() == [3, 4]
        assert arrays["class_names"].tolist() == ["PEN", "ABD"]
        values = arrays["readings"] / arrays["steps"]
    expected = np.concatenate([(one[0:6:2] + one[1:6:2]) / 2 for one in recordings[:1]])
    np.testing.assert_allclose(values[:3], expected, atol=1e-3)


def test_the_build_script_refuses_another_source_and_large_readings(tmp_path: Path) -> None:
    path = tmp_path / "watch_dataset.npy"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"Download seglearn 1.2.5"):
        read_source(path)
