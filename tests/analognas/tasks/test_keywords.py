import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from analognas.errors import UserError
from analognas.tasks import NO_SPEAKER, Part, Task, load_task
from analognas.tasks.keyword_examples import cut_silence

MakeFolder = Callable[..., Path]

TAKES = {"yes": 10, "no": 10, "zoom in": 3, "bed": 2}


def counts(task: Task, part: Part) -> dict[str, int]:
    found = Counter(task.classes[label] for label in part.labels)
    return dict(found)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_folder_becomes_keywords_silence_and_unknown(
    make_folder: MakeFolder, suffix: str
) -> None:
    task = load_task("kws", data=make_folder(TAKES, suffix=suffix))
    assert task.classes == ("no", "yes", "_silence_", "_unknown_")
    assert task.words == ("no", "yes")
    assert task.input_shape == (1, 49, 10)
    assert task.split == "lists"
    assert task.data_name == "folder:words"
    assert task.title == "keywords, folder words, 4 classes, listed speakers"
    assert task.notes == ("Keywords chosen from the folder: no, yes.",)
    for part in task.parts.values():
        assert counts(task, part) == {"no": 10, "yes": 10, "_silence_": 2, "_unknown_": 2}
    assert set(task.train.speakers or ()) == {"ann", NO_SPEAKER}
    assert set(task.validation.speakers or ()) == {"bob", NO_SPEAKER}
    assert set(task.test.speakers or ()) == {"cat", NO_SPEAKER}


def test_a_part_is_the_same_whatever_else_is_in_the_other_parts(make_folder: MakeFolder) -> None:
    """Validation and test recordings must not leak into what the training part is made of."""
    root = make_folder(TAKES)
    before = load_task("kws", data=root)
    loud = np.sin(np.arange(16_000))
    for word in TAKES:
        for speaker in ("bob", "cat"):
            soundfile.write(root / f"{word}/{speaker}_nohash_0.wav", loud, 16_000)
    after = load_task("kws", data=root)
    assert after.data_key != before.data_key
    np.testing.assert_array_equal(after.train.inputs, before.train.inputs)
    assert not np.array_equal(after.test.inputs, before.test.inputs)


def test_training_coefficients_have_mean_zero_and_deviation_one(make_folder: MakeFolder) -> None:
    inputs = load_task("kws", data=make_folder(TAKES)).train.inputs
    np.testing.assert_allclose(inputs.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(inputs.std((0, 1, 2)), 1, atol=1e-5)


def test_words_and_their_order_can_be_chosen(make_folder: MakeFolder) -> None:
    root = make_folder(TAKES)
    task = load_task("kws", data=root, words="zoom in, yes")
    assert task.classes == ("zoom in", "yes", "_silence_", "_unknown_")
    assert task.notes == ()
    assert load_task("kws", data=root, words=["zoom in", "yes"]).data_key == task.data_key
    with pytest.raises(UserError, match=r"No folder for 'off' .* bed, no, yes, zoom in"):
        load_task("kws", data=root, words="yes,off")


def test_without_lists_speakers_are_split_by_hash(make_folder: MakeFolder) -> None:
    speakers = [f"{index:02d}" for index in range(20)]
    root = make_folder({"yes": 1, "no": 1}, parts={"all": speakers})
    task = load_task("kws", data=root)
    assert task.split == "hash"
    assert task.title.endswith("speakers split by hash")
    spoken = [set(part.speakers or ()) - {NO_SPEAKER} for part in task.parts.values()]
    assert set.union(*spoken) == set(speakers)
    assert sum(map(len, spoken)) == len(speakers)


def test_lists_that_share_speakers_are_not_called_speaker_splits(make_folder: MakeFolder) -> None:
    root = make_folder(TAKES)
    (root / "validation_list.txt").write_text("yes/ann_nohash_0.wav\nno/bob_nohash_0.wav\n")
    assert load_task("kws", data=root).title.endswith("listed recordings")


def test_without_noise_files_there_is_no_silence(make_folder: MakeFolder) -> None:
    task = load_task("kws", data=make_folder(TAKES, noise_seconds=(2.0,)))
    assert task.classes == ("no", "yes", "_unknown_")
    assert "No noise file of 5 s or more, so no class for silence." in task.notes


def test_without_other_words_there_is_no_unknown(make_folder: MakeFolder) -> None:
    task = load_task("kws", data=make_folder({"yes": 2, "no": 2}))
    assert task.classes == ("no", "yes", "_silence_")
    assert "No other words than the keywords, so no class for unknown words." in task.notes


def test_silence_of_the_parts_never_overlaps_in_time() -> None:
    files = [np.arange(80_000.0, dtype=np.float32) + offset for offset in (0, 1e6)]
    heard = {
        part: {value for clip in cut_silence(files, part, 7) for value in clip.tolist()}
        for part in ("train", "validation", "test")
    }
    assert all(len(values) > 16_000 for values in heard.values())
    assert not heard["train"] & heard["validation"]
    assert not heard["train"] & heard["test"]
    assert not heard["validation"] & heard["test"]
    clips = cut_silence(files, "train", 7)
    assert len(clips) == 7
    assert {len(clip) for clip in clips} == {16_000}


def test_features_are_cached_and_the_cache_follows_the_content(
    make_folder: MakeFolder, cache_folder: Path
) -> None:
    root = make_folder(TAKES)
    first = load_task("kws", data=root)
    again = load_task("kws", data=root)
    assert len(list(cache_folder.iterdir())) == 1
    assert again.data_key == first.data_key
    np.testing.assert_array_equal(again.train.inputs, first.train.inputs)
    assert again.test.speakers == first.test.speakers
    soundfile.write(root / "yes/ann_nohash_0.wav", np.zeros(16_000), 16_000)
    assert load_task("kws", data=root).data_key != first.data_key
    assert len(list(cache_folder.iterdir())) == 2


def test_a_damaged_cache_is_made_again(
    make_folder: MakeFolder, cache_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder(TAKES)
    first = load_task("kws", data=root)
    (cached,) = cache_folder.iterdir()
    content = cached.read_bytes()
    for damaged in (content[:5000], b"", content[:3000] + bytes(100) + content[3100:], b"text"):
        cached.write_bytes(damaged)
        caplog.clear()
        again = load_task("kws", data=root)
        assert "damaged" in caplog.text
        np.testing.assert_array_equal(again.train.inputs, first.train.inputs)
        assert cached.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    make_folder: MakeFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder(TAKES)
    (tmp_path / "file").touch()
    task = load_task("kws", data=root, cache=tmp_path / "file" / "cache")
    assert len(task.train) == 24
    assert "not kept" in caplog.text


def test_a_few_bad_recordings_are_skipped_and_noted(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder(TAKES)
    (root / "yes/ann_nohash_0.wav").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        task = load_task("kws", data=root)
    assert len(task.train) == 23
    assert task.notes[1].startswith("1 of 73 recordings were skipped; the first: yes/ann_nohash_0")
    assert "1 of 73" in caplog.text


def test_many_bad_recordings_stop_the_run(make_folder: MakeFolder) -> None:
    root = make_folder(TAKES)
    for take in range(5):
        soundfile.write(root / f"yes/ann_nohash_{take}.wav", np.zeros(8_000), 8_000)
    with pytest.raises(UserError, match=r"5 of 73 in .*words are. .*8000 Hz.*resample it: sox"):
        load_task("kws", data=root)


def test_a_part_without_keywords_is_refused(make_folder: MakeFolder) -> None:
    root = make_folder(TAKES)
    (root / "testing_list.txt").write_text("bed/cat_nohash_0.wav\n")
    with pytest.raises(UserError, match=r"the test part of .*words has none"):
        load_task("kws", data=root)


def test_every_class_is_trained(make_folder: MakeFolder) -> None:
    root = make_folder(TAKES)
    everything = [path.relative_to(root).as_posix() for path in (root / "yes").iterdir()]
    (root / "validation_list.txt").write_text("\n".join(everything))
    (root / "testing_list.txt").write_text("no/cat_nohash_0.wav\n")
    with pytest.raises(UserError, match=r"training recordings, but yes of .* has none"):
        load_task("kws", data=root)


def test_words_need_a_folder() -> None:
    with pytest.raises(UserError, match="Name a data folder too"):
        load_task("kws", words="yes,no")
