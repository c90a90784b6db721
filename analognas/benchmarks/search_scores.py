"""How good a search in a table is: values on the way, and tests between strategies.

A search sees one training of every network. It is judged by the means over all trainings that the
table has: those of the networks that look best to it.

Two questions. The *front*: hypervolume of the networks that look non-dominated in accuracy after a
day and the logarithm of the energy, from the reference point (accuracy 0, the worst energy of the
table), as a share of that of the whole table. The *accuracy*: that of the network that looks most
accurate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analognas.benchmarks.search_label_table import LabelBench
from analognas.benchmarks.search_methods import START
from analognas.benchmarks.search_table_jobs import ACCURACY, ENERGY, TableRun
from analognas.searching.hypervolumes import hypervolume

FloatArray = NDArray[np.float64]
POINTS = 61  # of a curve against seconds
NO_DIFFERENCE = "no difference"

# What is compared: the value at the end of a budget, and the mean on the way to it, from START
# evaluations on; budgets of evaluations, and of seconds.
MEASURES: Mapping[str, str] = {
    "end": "at the end, evaluations",
    "way": "on the way, evaluations",
    "end_s": "at the end, seconds",
    "way_s": "on the way, seconds",
}


@dataclass(frozen=True, eq=False)
class Judge:
    """What is true of a table."""

    truth: Mapping[str, tuple[float, float]]  # accuracy and log10 energy by key
    reference_energy_nJ: float
    whole: float  # hypervolume of the table
    best: float  # highest accuracy
    mean_seconds: float  # of a full evaluation

    @property
    def reference(self) -> tuple[float, float]:
        """As losses: minus the accuracy, log10 of the energy in nJ."""
        return (0.0, float(np.log10(self.reference_energy_nJ)))

    def share(self, keys: Sequence[str]) -> float:
        """Hypervolume of networks as a share of that of the table."""
        return self._hypervolume(keys) / self.whole

    def _hypervolume(self, keys: Sequence[str]) -> float:
        losses = np.array([(-self.truth[k][0], self.truth[k][1]) for k in keys]).reshape(-1, 2)
        return hypervolume(losses, self.reference)


@lru_cache(maxsize=8)
def judge_of(bench: LabelBench) -> Judge:
    """The means over all trainings in a table."""
    table = bench.truth
    energy = table[ENERGY].to_numpy()
    accuracy = table[ACCURACY].to_numpy()
    losses = np.stack([-accuracy, np.log10(energy)], axis=1)
    worst = float(energy.max())
    return Judge(
        truth={
            str(key): (float(a), float(np.log10(e)))
            for key, a, e in zip(table.index, accuracy, energy, strict=True)
        },
        reference_energy_nJ=worst,
        whole=hypervolume(losses, (0.0, float(np.log10(worst)))),
        best=float(accuracy.max()),
        mean_seconds=float(table["seconds"].mean()),
    )


@dataclass(frozen=True, eq=False)
class Curve:
    """Value of a search after every evaluation `(N,)`, with what was spent until then `(N,)`."""

    evaluations: FloatArray
    seconds: FloatArray
    value: FloatArray

    def at_evaluations(self, grid: FloatArray) -> FloatArray:
        return self._at(self.evaluations, grid)

    def at_seconds(self, grid: FloatArray) -> FloatArray:
        return self._at(self.seconds, grid)

    def _at(self, spent: FloatArray, grid: FloatArray) -> FloatArray:
        """The last value that was reached; 0 before the first one, held after the last."""
        place = np.searchsorted(spent, grid + 1e-9, side="right")
        return np.concatenate([[0.0], self.value])[place]


def curve_of(run: TableRun, judge: Judge) -> Curve:
    """Judge a run after every evaluation; only networks that were evaluated in full count."""
    seen: dict[str, list[float]] = {}
    values: list[float] = []
    value = 0.0
    for step in run.steps:
        if step.fidelity == 1.0 and step.accuracy is not None:
            seen.setdefault(step.key, []).append(step.accuracy)
            looks = {key: float(np.mean(found)) for key, found in seen.items()}
            if run.job.question == "front":
                value = judge.share(_front(looks, judge))
            else:
                value = judge.truth[max(looks, key=lambda key: (looks[key], key))][0]
        values.append(value)
    return Curve(
        np.cumsum([step.fidelity for step in run.steps]),
        np.cumsum([step.seconds for step in run.steps]),
        np.array(values),
    )


def _front(looks: Mapping[str, float], judge: Judge) -> list[str]:
    """Networks that look non-dominated; the energy is known."""
    order = sorted(looks, key=lambda key: (judge.truth[key][1], -looks[key], key))
    front: list[str] = []
    for key in order:
        if not front or looks[key] > looks[front[-1]]:
            front.append(key)
    return front


@dataclass(frozen=True)
class Axes:
    """Where curves are looked at."""

    evaluations: int
    seconds: float  # horizon: half of what so many evaluations take on average
    mean_seconds: float

    @classmethod
    def of(cls, judge: Judge, evaluations: int) -> Axes:
        return cls(evaluations, evaluations / 2 * judge.mean_seconds, judge.mean_seconds)

    @property
    def by_evaluations(self) -> FloatArray:
        return np.arange(1.0, self.evaluations + 1)

    @property
    def by_seconds(self) -> FloatArray:
        return np.linspace(0.0, self.seconds, POINTS)


def scores_of(curve: Curve, axes: Axes) -> dict[str, float]:
    """The MEASURES of one run."""
    start = min(START, axes.evaluations)
    first_s = min(start * axes.mean_seconds, axes.seconds)
    values = curve.at_evaluations(axes.by_evaluations)
    values_s = curve.at_seconds(axes.by_seconds)
    return {
        "end": float(values[-1]),
        "way": float(values[start - 1 :].mean()),
        "end_s": float(values_s[-1]),
        "way_s": float(values_s[axes.by_seconds >= first_s - 1e-9].mean()),
    }


@dataclass(frozen=True)
class Comparison:
    """One strategy against another in one measure, paired by seed.

    Attributes:
        difference: Mean of the first minus the second.
        wins: Seeds on which the first is better, and on which it is worse.
        p: Of the two-sided Wilcoxon signed-rank test; corrected by `holm`.
    """

    labels: str
    question: str
    measure: str
    other: str
    seeds: int
    difference: float
    wins: int
    losses: int
    p: float
    corrected: float = 1.0

    @property
    def verdict(self) -> str:
        if self.corrected >= 0.05:
            return NO_DIFFERENCE
        return "better" if self.difference > 0 else "worse"


def signed_rank(ours: FloatArray, other: FloatArray) -> float:
    """Two-sided p of the Wilcoxon signed-rank test; 1 where nothing differs."""
    differences = np.round(ours - other, 12)
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences, zero_method="wilcox").pvalue)


def holm(p: Sequence[float]) -> list[float]:
    """Correct p values for their number (Holm, Scand. J. Statist. 6, 1979)."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    largest = 0.0
    for rank, row in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[int(row)]))
        corrected[row] = largest
    return [float(value) for value in corrected]


def mean_ranks(scores: Mapping[str, FloatArray]) -> dict[str, float]:
    """Mean rank of every strategy over the seeds, 1 the best; equal values share a rank."""
    ranks = stats.rankdata(-np.stack(list(scores.values())), axis=0)
    return {name: float(row.mean()) for name, row in zip(scores, ranks, strict=True)}
