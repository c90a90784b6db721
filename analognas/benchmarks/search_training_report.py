"""What the searches that train came to: scores per run, paired differences, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analognas.benchmarks.search_methods import OURS
from analognas.benchmarks.search_training_jobs import (
    CONTESTANTS,
    GUIDED,
    Effort,
    TrainingJob,
    TrainingRun,
    read_training_run,
)
from analognas.benchmarks.search_training_work import front_hypervolume

FloatArray = NDArray[np.float64]
POINTS = 61

# Every run has these: hypervolumes from one reference point, accuracies after a day as fractions.
# Found: as the search saw its finalists. Fresh: the same networks trained again, on fresh chips.
MEASURES: Mapping[str, str] = {
    "hypervolume_fresh": "hypervolume, fresh, test part",
    "best_fresh": "best accuracy, fresh, test part",
    "hypervolume_found": "hypervolume as found",
    "best_found": "best accuracy as found",
    "hypervolume_validation": "hypervolume, fresh, validation part",
    "best_validation": "best accuracy, fresh, validation part",
}
COMPARED = ("hypervolume_fresh", "best_fresh")


@dataclass(frozen=True)
class TrainingScore:
    """One run; `values` by the names of MEASURES, empty if it failed."""

    run: TrainingRun
    values: Mapping[str, float]

    @property
    def gap(self) -> float:
        """By how much the best network's accuracy was seen too good, on the validation part."""
        return self.values["best_found"] - self.values["best_validation"]


@dataclass(frozen=True)
class PairedInterval:
    """One method minus another, mean over seeds with a 95 % t interval; no test of anything."""

    method: str
    other: str
    measure: str
    seeds: int
    mean: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class TrainingReport:
    """Everything that was found in searches that train.

    Attributes:
        effort: Budget and judgement.
        scores: One per finished run.
        intervals: Both of ours minus every other method.
        curves: Mean value as found by method and measure, against `seconds`.
        seconds: `(N,)`.
        unfinished: Names of the runs that are still to be done.
    """

    effort: Effort
    scores: tuple[TrainingScore, ...]
    intervals: tuple[PairedInterval, ...]
    curves: Mapping[tuple[str, str], FloatArray]
    seconds: FloatArray
    unfinished: tuple[str, ...]

    def of(self, method: str) -> list[TrainingScore]:
        return [one for one in self.scores if one.run.method == method]

    def sound(self, method: str) -> list[TrainingScore]:
        """Those that did not fail."""
        return [one for one in self.of(method) if one.run.failure is None]


def training_report(jobs: Sequence[TrainingJob], effort: Effort) -> TrainingReport:
    """Read and judge what is finished."""
    scores, unfinished = [], []
    for job in jobs:
        run = read_training_run(job)
        if run is None:
            unfinished.append(job.name)
        else:
            scores.append(TrainingScore(run, {} if run.failure else values_of(run)))
    seconds = np.linspace(0.0, effort.seconds, POINTS)
    return TrainingReport(
        effort=effort,
        scores=tuple(scores),
        intervals=tuple(_intervals(scores)),
        curves=_curves(scores, seconds),
        seconds=seconds,
        unfinished=tuple(unfinished),
    )


def values_of(run: TrainingRun) -> dict[str, float]:
    """The MEASURES of a run."""
    energies = [one.energy_nJ for one in run.finalists]
    seen = {
        "found": [one.found for one in run.finalists],
        "validation": [float(np.mean(one.validation)) for one in run.finalists],
        "fresh": [float(np.mean(one.test)) for one in run.finalists],
    }
    looks_best = int(np.argmax(seen["found"]))
    values = {}
    for name, accuracies in seen.items():
        places = list(zip(accuracies, energies, strict=True))
        values[f"hypervolume_{name}"] = front_hypervolume(places)
        values[f"best_{name}"] = accuracies[looks_best]
    return values


def curve_of(run: TrainingRun, measure: str, seconds: FloatArray) -> FloatArray:
    """As the search saw it: best accuracy, or hypervolume, of the full trainings until then."""
    seen: dict[str, list[float]] = {}
    energy: dict[str, float] = {}
    spent, values = [0.0], [0.0]
    for step in run.steps:
        if step.fidelity == 1.0 and step.accuracy is not None and step.energy_nJ is not None:
            seen.setdefault(step.key, []).append(step.accuracy)
            energy[step.key] = step.energy_nJ
        places = [(float(np.mean(found)), energy[key]) for key, found in seen.items()]
        spent.append(spent[-1] + step.seconds)
        if measure == "best_found":
            values.append(max((accuracy for accuracy, _ in places), default=0.0))
        else:
            values.append(front_hypervolume(places))
    place = np.searchsorted(np.array(spent), seconds + 1e-9, side="right") - 1
    return np.array(values)[place]


def _curves(
    scores: Sequence[TrainingScore], seconds: FloatArray
) -> dict[tuple[str, str], FloatArray]:
    found: dict[tuple[str, str], list[FloatArray]] = {}
    for one in scores:
        if one.run.failure is None:
            for measure in ("hypervolume_found", "best_found"):
                curve = curve_of(one.run, measure, seconds)
                found.setdefault((one.run.method, measure), []).append(curve)
    return {place: np.mean(curves, axis=0) for place, curves in found.items()}


def _intervals(scores: Sequence[TrainingScore]) -> list[PairedInterval]:
    by_method: dict[str, dict[int, TrainingScore]] = {}
    for one in scores:
        if one.run.failure is None:
            by_method.setdefault(one.run.method, {})[one.run.seed] = one
    found = []
    for measure in COMPARED:
        for method in (OURS, GUIDED):
            for other in CONTESTANTS:
                ours, theirs = by_method.get(method, {}), by_method.get(other, {})
                seeds = sorted(ours.keys() & theirs.keys())
                if len(seeds) < 2 or other in (method, GUIDED):
                    continue
                found.append(
                    paired_interval(
                        method,
                        other,
                        measure,
                        [ours[s].values[measure] - theirs[s].values[measure] for s in seeds],
                    )
                )
    return found


def paired_interval(
    method: str, other: str, measure: str, differences: Sequence[float]
) -> PairedInterval:
    """Mean and 95 % t interval of paired differences; two at least."""
    values = np.array(differences)
    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return PairedInterval(method, other, measure, len(values), mean, mean - half, mean + half)
