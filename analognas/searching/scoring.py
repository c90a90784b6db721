"""What a candidate is worth before it is trained: predictions of a surrogate and modelled cost.

Two quantities need an accuracy that is enough. The *service life* is the time until the predicted
mean accuracy falls below it: between the five times it is interpolated linearly over the logarithm
of time; a network that never falls below it within the year lives one year, and one that is below
it after 1 s lives 0 s. The *yield* at a time takes the accuracy over chips to be normal with the
predicted mean and 5 % quantile: `yield = Phi((mean - enough) / sd)`, `sd = (mean - low) / 1.645`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from analognas.searching.candidates import Result, Trial
from analognas.searching.designs import Design, as_design
from analognas.searching.objectives import NEED_MIN_ACCURACY, OBJECTIVES, TIMES_S

if TYPE_CHECKING:
    import pandas as pd

    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.simulator.chip import Cost
    from analognas.surrogates.base import Prediction, Surrogate

Network: TypeAlias = "Architecture | Design"  # a plain network is a design on plain hardware
Scores = Mapping[str, float]  # by name of the objective
FloatArray = NDArray[np.float64]

SIGMAS_TO_LOW = 1.6448536269514722  # of a normal law, from its mean to its 5 % quantile


@dataclass(frozen=True)
class Interval:
    """A predicted accuracy with its calibrated bounds, as fractions."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True)
class SurrogateScorer:
    """Predicts accuracy with a fitted surrogate and models cost by placing the layers on the chip.

    Args:
        space: Knows the layers of its networks.
        cost: Of a network, whose layers are placed on a chip.
        surrogate: Fitted; it may want any of the columns that `features` gives.
        features: Networks to a table with one row per network and time of `TIMES_S`, the times of a
            network being neighbours.
        min_accuracy: Which accuracy is enough, for service life and yield; None leaves them out.
    """

    space: SearchSpace
    cost: Callable[[Network], Cost]
    surrogate: Surrogate
    features: Callable[[Sequence[Network]], pd.DataFrame]
    min_accuracy: float | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The objectives that every network gets."""
        needy = () if self.min_accuracy is not None else NEED_MIN_ACCURACY
        return tuple(name for name in OBJECTIVES if name not in needy)

    @property
    def replicable(self) -> bool:
        return False

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        """See `Evaluator.evaluate`."""
        return [Result(row) for row in self.score([trial.arch for trial in trials])]

    def score(self, archs: Sequence[Network]) -> list[Scores]:
        """Return one row per network; the whole batch is predicted at once."""
        shape = (len(archs), len(TIMES_S))
        prediction = self._predict(archs)
        mean = np.clip(prediction.mean, 0.0, 1.0).reshape(shape)
        low = np.clip(prediction.quantile_05, 0.0, 1.0).reshape(shape)
        columns = self._accuracies(mean, low)
        rows: list[Scores] = []
        for index, arch in enumerate(archs):
            cost = self.cost(arch)
            row = {name: float(values[index]) for name, values in columns.items()} | {
                "energy": cost.energy_nJ,
                "latency": cost.latency_us,
                "cores": float(cost.cores),
                "area": cost.area_mm2,
                "parameters": float(self.space.parameters(as_design(arch).arch)),
            }
            rows.append({name: row[name] for name in self.metrics})
        return rows

    def _accuracies(self, mean: FloatArray, low: FloatArray) -> dict[str, FloatArray]:
        """Everything that follows from mean and 5 % quantile `(N, times)`."""
        times = {word: position for position, word in enumerate(TIMES_S)}
        columns = {f"accuracy@{word}": mean[:, t] for word, t in times.items()}
        columns |= {f"accuracy-low@{word}": low[:, t] for word, t in times.items()}
        columns["accuracy-worst"] = mean.min(axis=1)
        columns["drop"] = mean[:, times["1s"]] - mean[:, times["1month"]]
        if self.min_accuracy is not None:
            columns["service-life"] = service_life_s(mean, self.min_accuracy)
            shares = chip_yield(mean, low, self.min_accuracy)
            columns |= {f"yield@{word}": shares[:, t] for word, t in times.items()}
        return columns

    def intervals(self, arch: Network) -> dict[float, Interval]:
        """Predict one network at every time, with bounds; keys are seconds after programming."""
        prediction = self._predict([arch])
        bands = np.stack([prediction.mean, prediction.lower, prediction.upper], axis=1)
        return {
            t_s: Interval(*(float(value) for value in np.clip(band, 0.0, 1.0)))
            for t_s, band in zip(TIMES_S.values(), bands, strict=True)
        }

    def _predict(self, archs: Sequence[Network]) -> Prediction:
        return self.surrogate.predict(self.features(archs))


def service_life_s(mean: FloatArray, enough: float) -> FloatArray:
    """Seconds until the accuracy falls below `enough`, from 0 to those of a year.

    Args:
        mean: Accuracy at the times of TIMES_S, `(N, 5)`.
        enough: The accuracy that is enough.
    """
    seconds = np.array(list(TIMES_S.values()))
    log_t = np.log10(seconds)
    lives = np.full(len(mean), seconds[-1])
    for row, accuracies in enumerate(mean):
        below = np.flatnonzero(accuracies < enough)
        if len(below) == 0:
            continue
        t = int(below[0])
        if t == 0:
            lives[row] = 0.0
            continue
        fallen = (accuracies[t - 1] - enough) / (accuracies[t - 1] - accuracies[t])
        lives[row] = 10.0 ** (log_t[t - 1] + fallen * (log_t[t] - log_t[t - 1]))
    return lives


def chip_yield(mean: FloatArray, low: FloatArray, enough: float) -> FloatArray:
    """Share of chips whose accuracy is at least `enough`, of any shape; see the law above."""
    margin = mean - enough
    sd = (mean - low) / SIGMAS_TO_LOW
    certain = np.where(margin >= 0, 1.0, 0.0)
    spread = sd > 0
    shares = np.where(spread, ndtr(margin / np.where(spread, sd, 1.0)), certain)
    return np.asarray(shares, dtype=np.float64)
