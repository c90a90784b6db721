"""Which exercise does the wearer of a watch do? Readings of its motion sensors, in the package.

Where they come from, what was changed and under which licence: `data/watch_exercises.md`.
"""

import hashlib
import io
from importlib import resources

import numpy as np

from analognas.errors import UserError
from analognas.tasks.augmentation import RandomShift
from analognas.tasks.base import FloatArray, IntArray, Limits, Part, Task, TaskRequest, content_key

RATE_HZ = 25
WINDOW = 4 * RATE_HZ  # samples of one input
TRAINING_HOP = RATE_HZ  # training windows overlap; the others do not, so that each is new
LIMITS = Limits(max_cores=64, max_parameters=150_000, max_multiplications=8_000_000)
AUGMENTATION = RandomShift(height=WINDOW // 10, width=0)
DEFAULT_SPLIT = "subject"
VALIDATION_SUBJECTS, TEST_SUBJECTS = (7, 8), (9, 10)
VERSION = 1


def load_imu(request: TaskRequest) -> Task:
    """Load the embedded readings, with subjects of their own in every part."""
    if request.data is not None or request.words is not None:
        raise UserError(
            "The task 'imu' has its own readings and takes neither data nor words. Leave them out."
        )
    content = (
        resources.files("analognas.tasks").joinpath("data", "watch_exercises.npz").read_bytes()
    )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        recordings = np.split(
            arrays["readings"] / arrays["steps"].astype(np.float32),
            np.cumsum(arrays["lengths"].astype(np.int64))[:-1],
        )
        labels = arrays["labels"].astype(np.int64)
        subjects = arrays["subjects"].astype(np.int64)
        classes: list[str] = arrays["class_names"].tolist()

    split = request.split or DEFAULT_SPLIT
    held_out = _held_out(split, sorted(set(subjects.tolist())))
    outside = ~np.isin(subjects, np.concatenate(held_out))
    members = [outside, *(np.isin(subjects, part) for part in held_out)]
    windows = [
        cut_windows(
            [recordings[index] for index in np.flatnonzero(member).tolist()],
            labels[member],
            TRAINING_HOP if member is outside else WINDOW,
        )
        for member in members
    ]
    samples = windows[0][0].astype(np.float64)
    mean, deviation = samples.mean(axis=(0, 1)), samples.std(axis=(0, 1))
    train, validation, test = (
        Part(((inputs - mean) / deviation).astype(np.float32)[:, None], part_labels)
        for inputs, part_labels in windows
    )
    told = ", ".join(
        f"{name} {' '.join(map(str, sorted(set(subjects[member].tolist()))))}"
        for name, member in zip(("training", "validation", "test"), members, strict=True)
    )
    return Task(
        name="imu",
        title=f"watch exercises, 7 exercises, 4 s of 6 axes, split by {split.replace(':', ' ')}",
        data_name="watch-exercises",
        split=split,
        data_key=content_key(
            content,
            {"split": split, "window": WINDOW, "hop": TRAINING_HOP, "version": VERSION},
        ),
        classes=tuple(classes),
        limits=LIMITS,
        train=train,
        validation=validation,
        test=test,
        augment=AUGMENTATION,
        provenance="David Burns et al. 2018 (arXiv:1802.01489), as published in seglearn 1.2.5, "
        "BSD-3-Clause",
        notes=(f"Subjects: {told}.",),
    )


def cut_windows(
    recordings: list[FloatArray], labels: IntArray, hop: int
) -> tuple[FloatArray, IntArray]:
    """Cut recordings `(T, 6)` into windows `(N, 100, 6)`, one every `hop` samples, with labels.

    They come in the order of their hashes, so that the first ones are a mixture.
    """
    found = [
        (recording[start : start + WINDOW], label)
        for recording, label in zip(recordings, labels.tolist(), strict=True)
        for start in range(0, len(recording) - WINDOW + 1, hop)
    ]
    found.sort(key=lambda one: hashlib.sha256(one[0].tobytes()).digest())
    return (
        np.stack([window for window, _ in found]),
        np.array([label for _, label in found], dtype=np.int64),
    )


def _held_out(split: str, subjects: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Subjects of the validation and of the test part."""
    if split == DEFAULT_SPLIT:
        return VALIDATION_SUBJECTS, TEST_SUBJECTS
    known = [f"{DEFAULT_SPLIT}:{subject}" for subject in subjects]
    if split not in known:
        raise UserError(
            f"Unknown split {split!r} of the task 'imu'. Choose one of: "
            f"{', '.join((DEFAULT_SPLIT, *known))}."
        )
    place = known.index(split)
    return (subjects[(place + 1) % len(subjects)],), (subjects[place],)
