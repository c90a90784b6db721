"""Choose the examples of a keyword task from a folder: keywords, unknown words and silence.

As in the official set-up (Warden 2018, arXiv:1804.03209), a part has a tenth as many examples of
silence, and of unknown words, as of all keywords together.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analognas.errors import UserError
from analognas.tasks.audio import BadFiles, read_recording
from analognas.tasks.base import NO_SPEAKER, FloatArray
from analognas.tasks.mfcc import CLIP_SAMPLES, SAMPLE_RATE_HZ
from analognas.tasks.speech_folder import PARTS, PartName, SpeechFolder, speaker_of

SILENCE, UNKNOWN = "_silence_", "_unknown_"  # the official names; no word folder begins with "_"
SHARE = 0.1  # of silence and of unknown words
# Where in every noise file the clips of a part come from: no part hears the noise of another.
NOISE_RANGES: dict[PartName, tuple[float, float]] = {
    "train": (0.0, 0.6),
    "validation": (0.6, 0.8),
    "test": (0.8, 1.0),
}
SHORTEST_NOISE_S = 5  # so that its shortest range holds one clip


@dataclass(frozen=True, eq=False)
class Example:
    """One clip: a recording, or samples cut from a noise file."""

    part: PartName
    label: str
    speaker: str
    source: Path | FloatArray


def choose_examples(
    folder: SpeechFolder, words: Sequence[str], part_of: dict[Path, PartName], bad: BadFiles
) -> list[Example]:
    """Return the examples of all parts, in an order that depends on the names alone."""
    keywords = [
        Example(part_of[path], word, speaker_of(path.name), path)
        for word in words
        for path in folder.words[word]
    ]
    others = [path for word, paths in folder.words.items() if word not in words for path in paths]
    noises = [samples for _, samples in bad.try_all(folder.noise, read_recording)]
    examples = list(keywords)
    for part in PARTS:
        count = sum(example.part == part for example in keywords)
        if count == 0:
            raise UserError(
                f"Every part needs recordings of the keywords, but the {part} part of "
                f"{folder.root} has none. Check its lists, or record more speakers."
            )
        extra = math.ceil(count * SHARE)
        candidates = in_hash_order([p for p in others if part_of[p] == part], folder.root)
        for path in candidates[:extra]:
            examples.append(Example(part, UNKNOWN, speaker_of(path.name), path))
        for clip in cut_silence(noises, part, extra):
            examples.append(Example(part, SILENCE, NO_SPEAKER, clip))
    return examples


def in_hash_order(paths: Sequence[Path], root: Path) -> list[Path]:
    """Sort by the SHA-256 of the name below `root`: a mixture of words that is always the same."""

    def digest(path: Path) -> bytes:
        name = path.relative_to(root).as_posix()
        return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()

    return sorted(paths, key=digest)


def cut_silence(noises: Sequence[FloatArray], part: PartName, count: int) -> list[FloatArray]:
    """Cut `count` clips of one second, evenly spaced, from the part's range of the noise files.

    Their volume is left alone: the front end divides every clip by its largest value. Files under
    five seconds are too short to serve all parts; without a longer one there are no clips.
    """
    usable = [noise for noise in noises if len(noise) >= SHORTEST_NOISE_S * SAMPLE_RATE_HZ]
    clips = []
    for index, noise in enumerate(usable):
        share = len(range(index, count, len(usable)))
        first, last = (math.ceil(len(noise) * edge) for edge in NOISE_RANGES[part])
        for start in np.linspace(first, last - CLIP_SAMPLES, share).astype(int):
            clips.append(noise[start : start + CLIP_SAMPLES])
    return clips
