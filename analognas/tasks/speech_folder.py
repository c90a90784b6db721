"""Folders of keyword recordings in the layout of Google Speech Commands (Warden 2018).

- `<word>/<speaker>_nohash_<take>.wav`, or `.flac`
- `_background_noise_/*.wav`: optional
- `validation_list.txt` and `testing_list.txt`: optional, both or none; one `<word>/<file>` a line
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analognas.errors import UserError
from analognas.tasks.audio import SUFFIXES

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")

NOISE_FOLDER = "_background_noise_"
VALIDATION_LIST, TEST_LIST = "validation_list.txt", "testing_list.txt"
OFFICIAL_WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
MOST_WORDS = 10

# The official rule for folders without lists: shares in percent, and a number that it divides by.
VALIDATION_PERCENT, TEST_PERCENT = 10.0, 10.0
MAX_NUM_WAVS_PER_CLASS = 2**27 - 1

LAYOUT = (
    "It must hold one folder a word with .wav or .flac files: <word>/<speaker>_nohash_<take>.wav."
)


@dataclass(frozen=True)
class SpeechFolder:
    """The recordings found in a folder."""

    root: Path
    words: Mapping[str, tuple[Path, ...]]  # sorted files of every word
    noise: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything whose content matters."""
        lists = [self.root / name for name in (VALIDATION_LIST, TEST_LIST)]
        recordings = [path for paths in self.words.values() for path in paths]
        return (*(path for path in lists if path.is_file()), *recordings, *self.noise)


def scan(root: Path) -> SpeechFolder:
    """List the recordings below `root`."""
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise UserError(f"The data folder {root} {what}. {LAYOUT}")
    try:
        folders = sorted(path for path in root.iterdir() if path.is_dir())
        words = {
            folder.name: recordings
            for folder in folders
            if not folder.name.startswith(("_", ".")) and (recordings := _recordings(folder))
        }
        noise = _recordings(root / NOISE_FOLDER) if root / NOISE_FOLDER in folders else ()
        loose = _recordings(root)
    except OSError as error:
        raise UserError(f"The data folder {root} cannot be read: {error}.") from error
    if not words:
        found = "recordings but no word folders" if loose else "no recordings in word folders"
        raise UserError(f"The data folder {root} holds {found}. {LAYOUT}")
    return SpeechFolder(root, words, noise)


def choose_words(folder: SpeechFolder, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the keywords: those asked for, or the official ten, or the most recorded ones.

    The last: words with at least half as many recordings as the largest word, at most ten, in
    alphabetical order.
    """
    counts = {word: len(paths) for word, paths in folder.words.items()}
    if wanted is None:
        if all(word in counts for word in OFFICIAL_WORDS):
            return OFFICIAL_WORDS
        enough = max(counts.values()) / 2
        common = sorted((-n, word) for word, n in counts.items() if n >= enough)
        wanted = sorted(word for _, word in common[:MOST_WORDS])
    unknown = [word for word in wanted if word not in counts]
    if unknown:
        raise UserError(
            f"No folder for {', '.join(map(repr, unknown))} in {folder.root}. "
            f"Choose among: {', '.join(sorted(counts))}."
        )
    if len(set(wanted)) != len(wanted) or len(wanted) < 2:
        raise UserError(
            f"Need at least two different keywords, but got {', '.join(wanted)!r} from "
            f"{folder.root}. Name them, separated by commas."
        )
    return tuple(wanted)


def assign_parts(folder: SpeechFolder, split: str | None) -> tuple[str, dict[Path, PartName]]:
    """Return the name of the split, and the part of every word recording.

    Args:
        folder: What `scan` found.
        split: "lists", "hash", or None for the lists if there are any.
    """
    lists = [folder.root / name for name in (VALIDATION_LIST, TEST_LIST)]
    present = [path.name for path in lists if path.is_file()]
    if split not in (None, "lists", "hash"):
        raise UserError(f"Unknown split {split!r} of a data folder. Choose one of: hash, lists.")
    if split == "lists" and not present:
        raise UserError(
            f"The split 'lists' needs {VALIDATION_LIST} and {TEST_LIST} in {folder.root}. "
            "Add them, or choose the split 'hash'."
        )
    recordings = [path for paths in folder.words.values() for path in paths]
    if split == "hash" or not present:
        return "hash", {path: part_by_hash(path.name) for path in recordings}
    if len(present) == 1:
        raise UserError(
            f"{VALIDATION_LIST} and {TEST_LIST} must both be in {folder.root}, but only "
            f"{present[0]} is. Add the other one, or choose the split 'hash'."
        )
    validation, test = (_read_list(path, set(recordings)) for path in lists)
    both = validation & test
    if both:
        raise UserError(
            f"No recording may be in both lists of {folder.root}, but {len(both)} are, such as "
            f"{min(both).relative_to(folder.root).as_posix()}. Remove it from one."
        )
    return "lists", {
        path: "validation" if path in validation else "test" if path in test else "train"
        for path in recordings
    }


def part_by_hash(file_name: str) -> PartName:
    """Choose the part from the name before `_nohash_`: all takes of a speaker stay together."""
    digest = hashlib.sha1(speaker_of(file_name).encode(), usedforsecurity=False).hexdigest()
    percent = (int(digest, 16) % (MAX_NUM_WAVS_PER_CLASS + 1)) * (100.0 / MAX_NUM_WAVS_PER_CLASS)
    if percent < VALIDATION_PERCENT:
        return "validation"
    return "test" if percent < VALIDATION_PERCENT + TEST_PERCENT else "train"


def speaker_of(file_name: str) -> str:
    """Return the part of a file name before `_nohash_`; the whole name if it has none."""
    return file_name.split("_nohash_")[0]


def _recordings(folder: Path) -> tuple[Path, ...]:
    return tuple(
        sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
    )


def _read_list(path: Path, known: set[Path]) -> set[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} cannot be read: {error}. Write one <word>/<file> a line."
        ) from error
    listed = [line.strip() for line in lines if line.strip()]
    missing = [line for line in listed if path.parent / line not in known]
    if missing:
        raise UserError(
            f"Every line of {path} must name a recording as <word>/<file>, but {len(missing)} of "
            f"{len(listed)} do not, such as {missing[0]!r}. "
            "Copy the missing files or remove the lines."
        )
    return {path.parent / line for line in listed}
