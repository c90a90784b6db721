"""What the labels say about choices: differences between networks of equal size, with intervals.

Regression of the simulated accuracy on all choices at once, with parameters and multiplications
(logarithms, their squares and product) as further regressors. Intervals are a bootstrap over
networks. These are differences between networks that somebody drew, not effects of a change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import log2
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analognas.errors import UserError, checking
from analognas.records import EVALUATION_TIMES_S
from analognas.search_spaces import Architecture, Convolution
from analognas.search_spaces.layers import downsampling
from analognas.surrogate_fitting import read_labels
from analognas.surrogates import LABEL_SETS, LabelTable, load_labels

if TYPE_CHECKING:
    from analognas.tasks import Task

FloatArray = NDArray[np.float64]

TIMES_S = (EVALUATION_TIMES_S["1 day"], EVALUATION_TIMES_S["1 month"])
RESAMPLES = 1000
INTERVAL = (0.05, 0.95)
FEWEST = 10  # networks on either side of a choice


@dataclass(frozen=True)
class Contrast:
    """A choice as one number per network.

    Args:
        name: Of the choice.
        words: What the difference is between: one more of the number.
        value: Of a network.
        yes_no: Whether the number is 1 or 0, or lies anywhere.
    """

    name: str
    words: str
    value: Callable[[Architecture], float]
    yes_no: bool = False


def _convolutions(arch: Architecture) -> list[Convolution]:
    return [one for block in arch.choices for one in block.convolutions]


def _spatial(arch: Architecture) -> list[Convolution]:
    """Those that look further than one position; the stem is one of them."""
    return [one for one in _convolutions(arch) if one.kind != "pointwise"]


def _wide_for_its_depth(arch: Architecture) -> float:
    layers = _convolutions(arch)
    return log2(sum(one.width for one in layers) / len(layers)) - log2(len(layers))


def _kernels(arch: Architecture) -> float:
    layers = _spatial(arch)
    return sum(log2(one.kernel[0] * one.kernel[1]) for one in layers) / len(layers)


def _depthwise(arch: Architecture) -> float:
    """Twice the share, so that one more is half of the layers."""
    layers = _spatial(arch)
    return 2.0 * sum(one.kind == "depthwise" for one in layers) / len(layers)


CONTRASTS: tuple[Contrast, ...] = (
    Contrast("wide against deep", "twice the width for the depth", _wide_for_its_depth),
    Contrast(
        "skips",
        "with against without",
        lambda arch: float(any(block.shortcut != "none" for block in arch.choices)),
        yes_no=True,
    ),
    Contrast("depthwise", "half of the layers with kernels against none", _depthwise),
    Contrast("kernel size", "twice the area of kernels", _kernels),
    Contrast("strides", "twice the downsampling", lambda arch: log2(max(downsampling(arch), 1.0))),
)


@dataclass(frozen=True)
class Difference:
    """Between networks of equal size at one time, as fractions, with the ends of the interval."""

    t_s: float
    estimate: float
    lower: float
    upper: float

    @property
    def settled(self) -> bool:
        """Whether the interval keeps to one side of zero."""
        return self.lower > 0 or self.upper < 0


@dataclass(frozen=True)
class LabelEffect:
    """What the labels say about one choice; no differences where there are too few networks."""

    contrast: Contrast
    counts: tuple[int, int]  # without and with, or below and above the median
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "choice": self.contrast.name,
            "difference_between": self.contrast.words,
            "networks": list(self.counts),
            "differences": [asdict(one) for one in self.differences],
            "label": "simulated, adjusted for size and the other choices",
        }


@dataclass(frozen=True, eq=False)
class Named:
    """A label set with its name."""

    name: str
    table: LabelTable


def labels_of(task: Task, wanted: str | None) -> Named | None:
    """The label set that was asked for, or the largest shipped one of these data; None if none is.

    Raises:
        UserError: The wanted one cannot be read, or is about another task.
    """
    if wanted is not None:
        table = read_labels(wanted)
        about = table.description()
        if about.task != task.name:
            raise UserError(
                f"--labels must be of the task {task.name!r}, but {wanted} is of {about.task!r}."
            )
        return Named(wanted, table)
    found = []
    for name in LABEL_SETS:
        about = (table := load_labels(name)).description()
        if (about.task, about.data_name, about.split) == (task.name, task.data_name, task.split):
            key = (about.data_key == task.data_key, about.architectures)
            found.append((key, Named(name, table)))
    return max(found, key=lambda entry: entry[0])[1] if found else None


def label_effects(table: LabelTable) -> tuple[LabelEffect, ...]:
    """Compare labelled networks on the nominal hardware, choice by choice.

    Args:
        table: The labels; times that they lack are left out.
    """
    with checking("labels"):
        archs = [Architecture.from_dict(record) for record in table.architectures().values()]
    keys = [arch.key for arch in archs]
    values = np.array([[one.value(arch) for one in CONTRASTS] for arch in archs])
    counts = [_sides(one, column) for one, column in zip(CONTRASTS, values.T, strict=True)]
    told = [place for place, count in enumerate(counts) if min(count) >= FEWEST]
    design = np.column_stack([values[:, told], _size(table, keys)])
    picks = np.random.default_rng(0).integers(len(keys), size=(RESAMPLES, len(keys)))
    means = table.means().groupby(["t_s", "key"])["mean"].mean()
    differences: dict[int, list[Difference]] = {place: [] for place in range(len(CONTRASTS))}
    for t_s in (t_s for t_s in TIMES_S if t_s in table.times_s):
        labels = means[t_s].loc[keys].to_numpy()
        slopes = _slopes(design, labels)
        drawn = np.stack([_slopes(design[pick], labels[pick]) for pick in picks])
        lower, upper = np.quantile(drawn, INTERVAL, axis=0)
        for column, place in enumerate(told):
            ends = (slopes[column], lower[column], upper[column])
            differences[place].append(Difference(t_s, *map(float, ends)))
    return tuple(
        LabelEffect(one, counts[place], tuple(differences[place]))
        for place, one in enumerate(CONTRASTS)
    )


def _sides(contrast: Contrast, values: FloatArray) -> tuple[int, int]:
    """Networks without and with, or at most and above the median."""
    above = int((values > (0.5 if contrast.yes_no else np.median(values))).sum())
    return len(values) - above, above


def _size(table: LabelTable, keys: Sequence[str]) -> FloatArray:
    """Level and size of every network, `(N, 6)`."""
    networks = table.networks.drop_duplicates("key").set_index("key").loc[list(keys)]
    p, m = (
        np.log10(networks[what].to_numpy(dtype=np.float64))
        for what in ("parameters", "multiplications")
    )
    p, m = p - p.mean(), m - m.mean()
    return np.column_stack([np.ones(len(p)), p, m, p * p, m * m, p * m])


def _slopes(design: FloatArray, labels: FloatArray) -> FloatArray:
    """Least-squares coefficients of all columns."""
    return np.asarray(np.linalg.lstsq(design, labels, rcond=None)[0])


def in_words(effects: Sequence[LabelEffect]) -> tuple[str, ...]:
    """What is settled at the last time, in words about networks that are otherwise alike."""
    found = []
    for effect in effects:
        if effect.differences and (last := effect.differences[-1]).settled:
            better = "more" if last.estimate > 0 else "less"
            ends = sorted((abs(100 * last.lower), abs(100 * last.upper)))
            found.append(
                f"{effect.contrast.name}, {effect.contrast.words}: "
                f"{abs(100 * last.estimate):.1f} points {better} accurate "
                f"({ends[0]:.1f} to {ends[1]:.1f})"
            )
    return tuple(found)
