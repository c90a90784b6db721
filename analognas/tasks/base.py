"""The records that describe a task to the rest of the application."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Stands in `Part.speakers` for clips that nobody spoke (silence cut from noise files).
NO_SPEAKER = "(no speaker)"


class Augmentation(Protocol):
    """A random change of training inputs that keeps their labels."""

    def __call__(self, inputs: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
        """Return changed copies of `inputs` `(B, C, H, W)` on the same device."""
        ...


@dataclass(frozen=True)
class Limits:
    """The largest network that labels, search and baselines may use on a task."""

    max_cores: int
    max_parameters: int
    max_multiplications: int


@dataclass(frozen=True, eq=False)
class Part:
    """One of the three parts of a data set, standardised by the training part."""

    inputs: FloatArray  # (N, C, H, W)
    labels: IntArray  # (N,)
    speakers: tuple[str, ...] | None = None  # (N,), None where nobody speaks

    def __len__(self) -> int:
        return len(self.labels)

    def stratified(self, count: int) -> "Part":
        """A fixed part of about `count` inputs, every class in proportion; all if there are fewer.

        Which inputs they are follows from their content alone.
        """
        if count >= len(self):
            return self
        order = sorted(
            range(len(self)), key=lambda i: hashlib.sha256(self.inputs[i].tobytes()).digest()
        )
        chosen: list[int] = []
        for label in np.unique(self.labels).tolist():
            members = [index for index in order if self.labels[index] == label]
            chosen += members[: max(1, round(count * len(members) / len(self)))]
        chosen.sort()
        speakers = None if self.speakers is None else tuple(self.speakers[i] for i in chosen)
        return Part(self.inputs[chosen], self.labels[chosen], speakers)


@dataclass(frozen=True, eq=False)
class Task:
    """Data of a classification task, with everything that must be said beside a result."""

    name: str
    title: str  # for people: data, classes and split in one line
    data_name: str  # "spoken-digits", "folder:<name>" or "sklearn-digits"
    split: str  # how the parts were made; `load_task` accepts it
    data_key: str  # hash of the content and of every setting that changes the inputs
    classes: tuple[str, ...]
    limits: Limits
    train: Part
    validation: Part
    test: Part
    augment: Augmentation  # for the training part only
    provenance: str  # who made the data, under which licence
    notes: tuple[str, ...] = ()  # what a reader must know: skipped files, missing classes
    words: tuple[str, ...] | None = None  # keywords of folder data; `load_task` accepts them
    metric: str = "accuracy"

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """`(C, H, W)` of one input."""
        channels, height, width = self.train.inputs.shape[1:]
        return channels, height, width

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    @property
    def parts(self) -> dict[str, Part]:
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True)
class TaskRequest:
    """What a user may choose about a task; None means the task's own default."""

    split: str | None = None
    data: Path | None = None
    words: tuple[str, ...] | None = None
    cache: Path | None = None


def content_key(content: bytes, settings: Mapping[str, object]) -> str:
    """Hash data and settings into 16 hexadecimal digits."""
    digest = hashlib.sha256(content)
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def parse_words(words: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Read `"yes,no,zoom in"` or a sequence of words."""
    if words is None:
        return None
    if isinstance(words, str):
        words = words.split(",")
    return tuple(word.strip() for word in words if word.strip())
