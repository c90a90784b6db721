"""Numbers of a benchmark table: spread over chips and trainings, paired differences by speaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analognas.benchmarks.measuring import Measurement

FloatArray = NDArray[np.float64]
RESAMPLES = 10_000
FEW_SPEAKERS = 10  # below, an interval over speakers only hints at a direction


@dataclass(frozen=True)
class Spread:
    """Accuracy of one network at one time.

    `sd` is over all chips of all trainings, `sd_trainings` over the means of the trainings alone.
    """

    mean: float
    sd: float
    sd_trainings: float


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of one network minus another's, paired by speaker."""

    mean: float
    lower: float  # 95 % bootstrap interval over speakers
    upper: float
    better: int  # speakers on whom the first is better
    speakers: int


def spread_at(measurements: Sequence[Measurement], t_s: float) -> Spread:
    """Summarise the trainings of one network at one time."""
    analogs = [one.evaluation.analog for one in measurements]
    rows = [np.array(analog.accuracy[analog.times_s.index(t_s)]) for analog in analogs]
    everything = np.concatenate(rows)
    means = np.array([row.mean() for row in rows])
    return Spread(
        float(everything.mean()),
        float(everything.std(ddof=1)) if len(everything) > 1 else 0.0,
        float(means.std(ddof=1)) if len(means) > 1 else 0.0,
    )


def by_speaker(measurements: Sequence[Measurement], t_s: float) -> dict[str, float]:
    """Accuracy on each speaker's recordings, mean over chips and trainings."""
    index = measurements[0].evaluation.analog.times_s.index(t_s)
    return {
        name: float(np.mean([one.speakers[name][index] for one in measurements]))
        for name in measurements[0].speakers
    }


def paired_difference(
    first: Mapping[str, float], second: Mapping[str, float], *, rng: np.random.Generator
) -> PairedDifference:
    """Compare two networks speaker by speaker, with a bootstrap over speakers."""
    names = sorted(first)
    differences: FloatArray = np.array([first[name] - second[name] for name in names])
    chosen = rng.integers(len(names), size=(RESAMPLES, len(names)))
    lower, upper = np.quantile(differences[chosen].mean(axis=1), [0.025, 0.975])
    return PairedDifference(
        float(differences.mean()),
        float(lower),
        float(upper),
        int((differences > 0).sum()),
        len(names),
    )
