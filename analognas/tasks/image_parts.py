"""Cut labelled images into parts, by content or name alone, and standardise them.

The test part is what the source calls so; where it has none, a fifth, at most 5,000 images. The
rest is cut into the images to train on and those for validation: again a fifth, at most 5,000. With
the split `images:N`, N of the former are trained on, and at most 2,000 of the latter are for
validation, the same ones whatever N is. Every class is cut in proportion.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analognas.errors import UserError
from analognas.tasks.base import IntArray, Part
from analognas.tasks.image_pixels import Pixels

ALL_IMAGES = "images"
HELD_OUT_FRACTION, MOST_HELD_OUT = 0.2, 5_000
FEW_VALIDATION = 2_000  # where only some images are trained on

Stratum = tuple[int, ...]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class ImageSplit:
    """How many images to train on; None: all that are not for validation."""

    training: int | None = None

    @property
    def name(self) -> str:
        return ALL_IMAGES if self.training is None else f"{ALL_IMAGES}:{self.training}"


@dataclass(frozen=True)
class _Group:
    """Images that must stay together."""

    key: bytes
    stratum: Stratum  # their classes
    members: tuple[int, ...]


def parse_split(split: str | None, task: str) -> ImageSplit:
    """Read "images" or "images:N"."""
    kind, colon, number = (split or ALL_IMAGES).partition(":")
    if kind == ALL_IMAGES and not colon:
        return ImageSplit()
    if kind == ALL_IMAGES and number.isascii() and number.isdecimal() and int(number) > 0:
        return ImageSplit(int(number))
    raise UserError(
        f"Unknown split {split!r} of the task {task!r}. Choose one of: {ALL_IMAGES} (train on all "
        f"training images), {ALL_IMAGES}:N (on N of them, such as {ALL_IMAGES}:10000)."
    )


def cut_training(
    groups: Sequence[bytes], labels: IntArray, split: ImageSplit
) -> tuple[IntArray, IntArray]:
    """Cut `n` images into training and validation; return their indices in the order of the hashes.

    Args:
        groups: `n` hashes. Images with equal ones stay in one part.
        labels: `(n,)` classes.
        split: How many to train on.

    Raises:
        UserError: There are not so many, or fewer than classes are asked for.
    """
    together = _in_groups(groups, labels)
    validation, training = _draw(together, _held_out(len(labels)))
    if split.training is not None:
        validation, _ = _draw(validation, FEW_VALIDATION)
        available = sum(len(group.members) for group in training)
        classes = len(np.unique(labels))
        if not classes <= split.training <= available:
            raise UserError(
                f"The split {split.name!r} must name {classes} to {available} images: one a class "
                "at least, and those of the training part that are not for validation at most."
            )
        training, _ = _draw(training, split.training)
    return _indices(training), _indices(validation)


def cut_test(groups: Sequence[bytes], labels: IntArray) -> BoolArray:
    """Choose a test part `(n,)` where the source has none: a fifth of every class.

    The hashes are hashed again, so that the validation part is not cut in the same order.
    """
    again = [hashlib.sha256(group).digest() for group in groups]
    test, _ = _draw(_in_groups(again, labels), _held_out(len(labels)))
    in_test = np.zeros(len(labels), dtype=np.bool_)
    in_test[_indices(test)] = True
    return in_test


def hashes_of(pixels: Pixels) -> list[bytes]:
    """Return the SHA-256 of every image."""
    return [hashlib.sha256(image.tobytes()).digest() for image in pixels]


def standardised(
    pixels: Pixels, labels: IntArray, parts: Sequence[IntArray]
) -> tuple[Part, Part, Part]:
    """Subtract the training part's mean of every channel and divide by its deviation.

    Args:
        pixels: `(N, C, H, W)`.
        labels: `(N,)`.
        parts: Indices of training, validation and test.
    """
    mean, deviation = _moments(pixels[parts[0]])
    made = []
    for part in parts:
        inputs = pixels[part].astype(np.float32)
        inputs -= mean
        inputs /= deviation
        made.append(Part(inputs, labels[part]))
    train, validation, test = made
    return train, validation, test


def refuse_missing_classes(
    labels: IntArray, parts: Sequence[IntArray], classes: Sequence[str], source: object
) -> None:
    """Every class must be in every part."""
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        found = set(labels[part].tolist())
        missing = [label for index, label in enumerate(classes) if index not in found]
        if missing:
            raise UserError(
                f"Every class needs images in every part, but the {name} part of {source} has none "
                f"of {', '.join(missing)}. Add some."
            )


def _held_out(count: int) -> int:
    return min(round(HELD_OUT_FRACTION * count), MOST_HELD_OUT)


def _moments(pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation `(C, 1, 1)` of every channel, from the counts of the 256 levels."""
    levels = np.arange(256)
    moments = []
    for channel in range(pixels.shape[1]):
        counts = np.bincount(pixels[:, channel].ravel(), minlength=256)
        mean = float(np.average(levels, weights=counts))
        deviation = float(np.sqrt(np.average((levels - mean) ** 2, weights=counts)))
        moments.append((mean, deviation or 1.0))
    mean, deviation = np.array(moments, dtype=np.float32).T[:, :, None, None]
    return mean, deviation


def _in_groups(keys: Sequence[bytes], labels: IntArray) -> list[_Group]:
    label_of = labels.tolist()
    members: dict[bytes, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        members[key].append(index)
    return [
        _Group(key, tuple(sorted({label_of[index] for index in together})), tuple(together))
        for key, together in sorted(members.items())
    ]


def _draw(groups: Sequence[_Group], count: int) -> tuple[list[_Group], list[_Group]]:
    """Take groups of about `count` images, every stratum in proportion, first come first served.

    A group that does not fit into what is left for its stratum is passed over.
    """
    sizes: Counter[Stratum] = Counter()
    for group in groups:
        sizes[group.stratum] += len(group.members)
    left = _apportion(min(count, sizes.total()), sizes)
    chosen: list[_Group] = []
    others: list[_Group] = []
    for group in groups:
        fits = len(group.members) <= left[group.stratum]
        left[group.stratum] -= len(group.members) if fits else 0
        (chosen if fits else others).append(group)
    return chosen, others


def _apportion(count: int, sizes: Counter[Stratum]) -> dict[Stratum, int]:
    """Share `count` among strata in proportion to their sizes, by the largest remainders."""
    exact = {stratum: count * size / sizes.total() for stratum, size in sizes.items()}
    shares = {stratum: int(share) for stratum, share in exact.items()}
    by_remainder = sorted(exact, key=lambda stratum: (shares[stratum] - exact[stratum], stratum))
    for stratum in by_remainder[: count - sum(shares.values())]:
        shares[stratum] += 1
    return shares


def _indices(groups: Sequence[_Group]) -> IntArray:
    return np.array([index for group in groups for index in group.members], dtype=np.int64)
