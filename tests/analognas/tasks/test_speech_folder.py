from pathlib import Path

import pytest

from analognas.errors import UserError
from analognas.tasks.speech_folder import (
    OFFICIAL_WORDS,
    SpeechFolder,
    assign_parts,
    choose_words,
    part_by_hash,
    scan,
    speaker_of,
)


def folder_with(counts: dict[str, int]) -> SpeechFolder:
    root = Path("words")
    words = {
        word: tuple(root / word / f"{take}.wav" for take in range(count))
        for word, count in counts.items()
    }
    return SpeechFolder(root, words, ())


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_recordings_noise_and_words_with_a_space_are_found(tmp_path: Path) -> None:
    touch(tmp_path, "zoom in/a.wav", "zoom in/b.FLAC", "zoom in/.b.wav", "zoom in/notes.txt")
    touch(tmp_path, "_background_noise_/hum.wav", "empty/readme.txt", "LICENSE")
    folder = scan(tmp_path)
    assert {word: [path.name for path in paths] for word, paths in folder.words.items()} == {
        "zoom in": ["a.wav", "b.FLAC"]
    }
    assert [path.name for path in folder.noise] == ["hum.wav"]


def test_other_layouts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist. It must hold one folder a word"):
        scan(tmp_path / "missing")
    with pytest.raises(UserError, match="no recordings in word folders"):
        scan(tmp_path)
    touch(tmp_path, "a.wav", "_background_noise_/hum.wav")
    with pytest.raises(UserError, match="recordings but no word folders"):
        scan(tmp_path)
    with pytest.raises(UserError, match="is a file"):
        scan(tmp_path / "a.wav")


def test_the_official_words_are_chosen_where_they_are() -> None:
    folder = folder_with(dict.fromkeys([*OFFICIAL_WORDS, "bed", "cat"], 3))
    assert choose_words(folder, None) == OFFICIAL_WORDS


def test_elsewhere_the_words_with_many_recordings_are_chosen() -> None:
    folder = folder_with({"yes": 20, "up": 10, "bed": 9, "no": 19})
    assert choose_words(folder, None) == ("no", "up", "yes")
    many = folder_with({f"word {index:02d}": 5 for index in range(14)})
    assert choose_words(many, None) == tuple(f"word {index:02d}" for index in range(10))


def test_wanted_words_must_be_there_twice_different() -> None:
    folder = folder_with({"yes": 1, "zoom in": 1})
    assert choose_words(folder, ["zoom in", "yes"]) == ("zoom in", "yes")
    with pytest.raises(UserError, match=r"No folder for 'maybe' in words. .*: yes, zoom in"):
        choose_words(folder, ["yes", "maybe"])
    for wanted in (["yes"], ["yes", "yes"], []):
        with pytest.raises(UserError, match="at least two different keywords"):
            choose_words(folder, wanted)


@pytest.mark.parametrize(
    ("name", "part"),
    [  # speakers of the official lists of Speech Commands v0.02
        ("026290a7_nohash_0.wav", "validation"),
        ("a69b9b3e_nohash_0.wav", "validation"),
        ("bb05582b_nohash_3.wav", "test"),
        ("d0faf7e4_nohash_6.wav", "test"),
    ],
)
def test_the_hash_rule_is_the_official_one(name: str, part: str) -> None:
    assert part_by_hash(name) == part


def test_all_takes_of_a_speaker_are_in_one_part() -> None:
    for speaker in map(str, range(50)):
        assert len({part_by_hash(f"{speaker}_nohash_{take}.wav") for take in range(9)}) == 1


def test_the_hash_rule_keeps_about_ten_percent_each() -> None:
    parts = [part_by_hash(f"{speaker:08x}_nohash_0.wav") for speaker in range(4_000)]
    assert 320 < parts.count("validation") < 480
    assert 320 < parts.count("test") < 480


def test_the_speaker_is_what_stands_before_nohash() -> None:
    assert speaker_of("ann_nohash_3.flac") == "ann"


def listed_folder(root: Path, validation: str, testing: str) -> SpeechFolder:
    touch(root, *(f"yes/{name}.wav" for name in "abc"))
    (root / "validation_list.txt").write_text(validation)
    (root / "testing_list.txt").write_text(testing)
    return scan(root)


def test_lists_decide_where_they_are(tmp_path: Path) -> None:
    folder = listed_folder(tmp_path, "yes/b.wav\r\n\r\n", "\ufeffyes/c.wav")
    split, parts = assign_parts(folder, None)
    assert split == "lists"
    assert {path.stem: part for path, part in parts.items()} == {
        "a": "train",
        "b": "validation",
        "c": "test",
    }
    assert assign_parts(folder, "hash")[0] == "hash"


@pytest.mark.parametrize("line", ["yes/d.wav", "/etc/passwd", "../yes/a.wav"])
def test_lists_may_only_name_recordings(tmp_path: Path, line: str) -> None:
    folder = listed_folder(tmp_path, f"yes/b.wav\n{line}\n", "")
    with pytest.raises(UserError, match=f"1 of 2 do not, such as '{line}'"):
        assign_parts(folder, None)


def test_a_recording_is_in_one_list_only(tmp_path: Path) -> None:
    folder = listed_folder(tmp_path, "yes/b.wav\nyes/a.wav", "yes/b.wav")
    with pytest.raises(UserError, match=r"1 are, such as yes/b.wav"):
        assign_parts(folder, None)


def test_both_lists_or_none(tmp_path: Path) -> None:
    folder = listed_folder(tmp_path, "yes/b.wav", "")
    (tmp_path / "testing_list.txt").unlink()
    with pytest.raises(UserError, match=r"only validation_list.txt is"):
        assign_parts(folder, None)
    (tmp_path / "validation_list.txt").unlink()
    assert assign_parts(folder, None)[0] == "hash"
    with pytest.raises(UserError, match="The split 'lists' needs"):
        assign_parts(folder, "lists")
    with pytest.raises(UserError, match="Unknown split 'random'"):
        assign_parts(folder, "random")


def test_lists_that_are_no_text_are_refused(tmp_path: Path) -> None:
    folder = listed_folder(tmp_path, "yes/b.wav", "")
    (tmp_path / "testing_list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"testing_list.txt cannot be read"):
        assign_parts(folder, None)
