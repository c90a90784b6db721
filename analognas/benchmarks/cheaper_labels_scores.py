"""How well cheap labels order networks, against labels from full trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analognas.benchmarks.cheaper_labels_jobs import (
    ARMS,
    FULL,
    INHERITED,
    SHORT,
    TIMES,
    Result,
)
from analognas.surrogates import NoiseCeiling
from analognas.surrogates.metrics import kendall_tau_b, regret_best_of_ten, tau_top_quarter

FloatArray = NDArray[np.float64]

RESAMPLES = 2_000
WANTED_SHARE = 0.8  # of the noise ceiling
WANTED_SPEEDUP = 5.0  # fewer seconds of training than a full label
SPEEDUP_TOLERANCE = 0.95  # what loading and clocks may take from it


@dataclass(frozen=True)
class Reference:
    """A network's label from a full training: accuracy at `TIMES`, and what it took."""

    key: str
    accuracy: Mapping[str, float]
    training_seconds: float
    evaluation_seconds: float


@dataclass(frozen=True)
class Score:
    """Labels of one arm against the reference at one time.

    `tau_low` to `tau_high` is the central 95 % of a bootstrap over networks.
    """

    arm: str
    time: str
    networks: int
    tau: float
    tau_low: float
    tau_high: float
    share_of_ceiling: float
    tau_top_quarter: float
    regret_best_of_ten: float
    mean_accuracy: float

    @property
    def passes(self) -> bool:
        """Whether the order is good enough to do without full trainings."""
        return self.share_of_ceiling >= WANTED_SHARE


@dataclass(frozen=True)
class Difference:
    """Tau of one arm minus that of another on the same networks; 95 % bootstrap interval."""

    arm: str
    other: str
    time: str
    tau: float
    low: float
    high: float

    @property
    def is_gain(self) -> bool:
        return self.low > 0


@dataclass(frozen=True)
class Cost:
    """Processor seconds of training per label of one arm, and how many times fewer than `FULL`."""

    arm: str
    cpu_seconds: float
    speedup: float
    labels_per_hour: float  # training alone, one thread
    labels_per_hour_measured: float  # with a measurement as the reference had it

    @property
    def passes(self) -> bool:
        return self.speedup >= SPEEDUP_TOLERANCE * WANTED_SPEEDUP


def score(
    arm: str,
    results: Sequence[Result],
    references: Mapping[str, Reference],
    ceilings: Mapping[str, NoiseCeiling],
    *,
    seed: int,
) -> list[Score]:
    """Score the labels of one arm at every time."""
    found = []
    for time in TIMES:
        actual, cheap = _pairs(results, references, time)
        tau = kendall_tau_b(actual, cheap)
        low, high = _interval(resampled_tau(actual, cheap, _resamples(len(actual), seed)))
        found.append(
            Score(
                arm=arm,
                time=time,
                networks=len(actual),
                tau=tau,
                tau_low=low,
                tau_high=high,
                share_of_ceiling=tau / ceilings[time].tau,
                tau_top_quarter=tau_top_quarter(actual, cheap),
                regret_best_of_ten=regret_best_of_ten(actual, cheap),
                mean_accuracy=float(cheap.mean()),
            )
        )
    return found


def compare(
    arm: str,
    other: str,
    results: Mapping[str, Sequence[Result]],
    references: Mapping[str, Reference],
    *,
    seed: int,
) -> list[Difference]:
    """Compare two arms on the same networks at every time; both must have them in one order."""
    found = []
    for time in TIMES:
        actual, ours = _pairs(results[arm], references, time)
        _, theirs = _pairs(results[other], references, time)
        counts = _resamples(len(actual), seed)
        low, high = _interval(
            resampled_tau(actual, ours, counts) - resampled_tau(actual, theirs, counts)
        )
        tau = kendall_tau_b(actual, ours) - kendall_tau_b(actual, theirs)
        found.append(Difference(arm, other, time, tau, low, high))
    return found


def costs(
    results: Mapping[str, Sequence[Result]], references: Mapping[str, Reference]
) -> list[Cost]:
    """Seconds per label of every arm, on the targets alone."""
    keys = [one.key for one in results[FULL]]
    measuring = float(np.mean([references[key].evaluation_seconds for key in keys]))
    full = _cpu_seconds(results[FULL])
    return [
        Cost(
            arm,
            (seconds := _cpu_seconds(results[arm])),
            full / seconds,
            3600 / seconds,
            3600 / (seconds + measuring),
        )
        for arm in ARMS
    ]


def verdict(
    scores: Sequence[Score], differences: Sequence[Difference], costs: Sequence[Cost]
) -> str:
    """Whether inherited weights, or short trainings alone, may stand for full trainings."""
    cost = {one.arm: one for one in costs}
    words = []
    for arm in (SHORT, INHERITED):
        mine = [one for one in scores if one.arm == arm]
        figures = ", ".join(
            f"{one.tau:.2f} [{one.tau_low:.2f}, {one.tau_high:.2f}] "
            f"({100 * one.share_of_ceiling:.0f} % of the ceiling) after {one.time}"
            for one in mine
        )
        good = all(one.passes for one in mine) and cost[arm].passes
        words.append(
            f"`{arm}` orders the networks with tau {figures} at {cost[arm].speedup:.1f} times "
            f"fewer seconds of training: {'enough' if good else 'not enough'} "
            f"({100 * WANTED_SHARE:.0f} % of the ceiling at {WANTED_SPEEDUP:g} times fewer, within "
            f"{100 * (1 - SPEEDUP_TOLERANCE):.0f} %, are asked for)."
        )
    gains = [one for one in differences if (one.arm, one.other) == (INHERITED, SHORT)]
    kept = is_kept(scores, differences, costs)
    told = ", ".join(
        f"{one.tau:+.2f} [{one.low:+.2f}, {one.high:+.2f}] after {one.time}" for one in gains
    )
    words.append(
        f"Inherited weights change tau by {told}. They are {'kept' if kept else 'not kept'}: the "
        "gain must lie beyond its interval at every time."
    )
    return " ".join(words)


def is_kept(
    scores: Sequence[Score], differences: Sequence[Difference], costs: Sequence[Cost]
) -> bool:
    """Whether inheritance is good enough, cheap enough, and better than a short training."""
    return (
        all(one.passes for one in scores if one.arm == INHERITED)
        and all(one.passes for one in costs if one.arm == INHERITED)
        and all(one.is_gain for one in differences if (one.arm, one.other) == (INHERITED, SHORT))
    )


def seed_labels(rows: Sequence[tuple[str, float]]) -> pd.DataFrame:
    """Key and mean accuracy of every training, as the noise ceiling takes them."""
    return pd.DataFrame(rows, columns=["key", "mean"])


def _pairs(
    results: Sequence[Result], references: Mapping[str, Reference], time: str
) -> tuple[FloatArray, FloatArray]:
    """Accuracies of full and cheap labels, `(N,)` each."""
    return (
        np.array([references[one.key].accuracy[time] for one in results]),
        np.array([one.mean_at(time) for one in results]),
    )


def resampled_tau(first: FloatArray, second: FloatArray, counts: FloatArray) -> FloatArray:
    """Kendall's tau-b of resampled networks, `(R,)`.

    Args:
        first: `(N,)`.
        second: `(N,)`.
        counts: `(R, N)`, how often each network occurs in each resample.
    """
    one = np.sign(first[:, None] - first[None, :])
    two = np.sign(second[:, None] - second[None, :])

    def over_pairs(matrix: FloatArray) -> FloatArray:
        total: FloatArray = ((counts @ matrix) * counts).sum(axis=1)
        return total

    # Copies of a network are ties in both, and count in neither sum.
    untied = over_pairs(np.abs(one)) * over_pairs(np.abs(two))
    tau: FloatArray = over_pairs(one * two) / np.sqrt(untied)
    return tau


def _resamples(count: int, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return drawn.astype(np.float64)


def _interval(values: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    return low, high


def _cpu_seconds(results: Sequence[Result]) -> float:
    return float(np.mean([one.cpu_seconds for one in results]))
