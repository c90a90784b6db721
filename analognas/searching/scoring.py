"""What a candidate is worth before it is trained: predictions of a surrogate and modelled cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from analognas.searching.objectives import OBJECTIVES, TIMES_S
from analognas.shapes import place_architecture
from analognas.simulator.chip import ChipSpec, estimate_cost
from analognas.surrogates.feature_table import with_times

if TYPE_CHECKING:
    import pandas as pd

    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.surrogates.base import Prediction, Surrogate

Scores = Mapping[str, float]  # one value for every entry of OBJECTIVES


class Scorer(Protocol):
    """Scores networks without training them."""

    def score(self, archs: Sequence[Architecture]) -> Sequence[Scores]:
        """Return one row per network; the whole batch is predicted at once."""
        ...


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
        chip: Where the layers are placed.
        surrogate: Fitted; it may want any of the columns that `features` gives.
        features: Networks to a table with one row each.
    """

    space: SearchSpace
    chip: ChipSpec
    surrogate: Surrogate
    features: Callable[[Sequence[Architecture]], pd.DataFrame]

    def score(self, archs: Sequence[Architecture]) -> list[Scores]:
        times = {word: position for position, word in enumerate(TIMES_S)}
        shape = (len(archs), len(times))
        prediction = self._predict(archs)
        mean = np.clip(prediction.mean, 0.0, 1.0).reshape(shape)
        low_rows = prediction.lower if prediction.quantile_05 is None else prediction.quantile_05
        low = np.clip(low_rows, 0.0, 1.0).reshape(shape)
        rows: list[Scores] = []
        for index, arch in enumerate(archs):
            cost = estimate_cost(place_architecture(self.space, arch, self.chip), self.chip)
            row = {f"accuracy@{word}": float(mean[index, t]) for word, t in times.items()} | {
                "accuracy-low@1day": float(low[index, times["1day"]]),
                "drop": float(mean[index, times["1s"]] - mean[index, times["1month"]]),
                "energy": cost.energy_nJ,
                "latency": cost.latency_us,
                "cores": float(cost.cores),
                "parameters": float(self.space.parameters(arch)),
            }
            rows.append({name: row[name] for name in OBJECTIVES})
        return rows

    def intervals(self, arch: Architecture) -> dict[float, Interval]:
        """Predict one network at every time, with bounds; keys are seconds after programming."""
        prediction = self._predict([arch])
        bands = np.stack([prediction.mean, prediction.lower, prediction.upper], axis=1)
        return {
            t_s: Interval(*(float(value) for value in np.clip(band, 0.0, 1.0)))
            for t_s, band in zip(TIMES_S.values(), bands, strict=True)
        }

    def _predict(self, archs: Sequence[Architecture]) -> Prediction:
        return self.surrogate.predict(with_times(self.features(archs), tuple(TIMES_S.values())))
