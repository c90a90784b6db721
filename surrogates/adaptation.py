"""A fitted surrogate corrected with a few labels from another device or other data.

In log odds, the correction is a shift, a stretch of the differences between networks, a slope over
the logarithm of time, and a smooth residual over architectures. Each is held back: how much is
chosen by leaving out one of the new networks after another. Ten labels move the level and the
spread; what orders networks comes from the surrogate that was fitted on hundreds.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked_dataclass

from analognas.surrogates.base import DEFAULT_LEVEL, SIGMAS_TO_LOW, FloatArray, Prediction
from analognas.surrogates.calibration import Calibration, Scores, interval, interval_scale
from analognas.surrogates.feature_table import TIME_COLUMN, feature_matrix, is_network_column
from analognas.surrogates.kernel_ridge import from_log_odds, log_odds
from analognas.surrogates.label_table import LabelDescription
from analognas.surrogates.model_file import (
    ModelFile,
    damaged,
    library_versions,
    read_model_file,
)
from analognas.surrogates.regions import Ranges
from analognas.surrogates.xgboost_trees import XGBoostSurrogate

KIND = "adapted"
MINIMUM_NETWORKS = 5
# What is tried: how far stretch and slope are held back, and how much a residual may explain.
PENALTIES = (0.1, 1.0, 10.0, 100.0)
RESIDUAL_SHARES = (0.0, 0.1, 0.3, 1.0)
RESIDUAL_LENGTH = 2.0  # in units of the root of the number of columns


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Correction:
    """Log odds `odds + shift + stretch (odds - centre) + slope (log10_t_s - time) + residual`."""

    penalty: float
    residual_share: float
    centre: float
    time: float
    shift: float
    stretch: float
    slope: float
    columns: tuple[str, ...]  # of the residual
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    networks: tuple[tuple[float, ...], ...]  # standardised
    weights: tuple[float, ...]
    spread_over_chips: float  # factor on the surrogate's

    def apply(self, odds: FloatArray, time: FloatArray, matrix: FloatArray) -> FloatArray:
        """Correct log odds `(N,)` at `log10_t_s` `(N,)` of networks with `columns` `(N, F)`."""
        corrected = odds + self.shift + self.stretch * (odds - self.centre)
        corrected = corrected + self.slope * (time - self.time)
        if not self.residual_share:
            return corrected
        standard = (matrix - self.mean) / np.array(self.spread)
        kernel = _kernel(standard, np.array(self.networks))
        residual = np.round(kernel @ np.array(self.weights), 7)  # as in `KernelRidge.margin`
        return np.asarray(corrected + self.residual_share * residual)


@dataclass(frozen=True)
class AdaptationErrors:
    """RMSE of accuracies of the new networks, without a correction and each by the others'."""

    before: float
    after: float


class AdaptedSurrogate:
    """A surrogate with a correction."""

    kind = KIND

    def __init__(self, base: XGBoostSurrogate) -> None:
        self.base = base
        self.description: LabelDescription | None = None
        self.ranges: Ranges | None = None
        self.errors: AdaptationErrors | None = None  # of the last fit
        self._correction: Correction | None = None
        self._calibration: Calibration | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.base.columns

    def fit(
        self,
        features: pd.DataFrame,
        targets: pd.DataFrame,
        *,
        description: LabelDescription | None = None,
    ) -> Self:
        """See `Surrogate.fit`; the base stays as it is.

        Raises:
            ValueError: There are fewer than five networks.
        """
        networks = targets["key"].nunique()
        if len(features) != len(targets):
            raise ValueError(
                "`features` and `targets` must have the same rows, but got "
                f"{len(features)} and {len(targets)}. Line them up with `rows_of`."
            )
        if networks < MINIMUM_NETWORKS:
            raise ValueError(
                f"A surrogate is adapted with at least {MINIMUM_NETWORKS} networks, but got "
                f"{networks}. Label more; ten to twenty are a good number."
            )
        problem = _Problem.of(self.base.predict(features), features, targets)
        penalty, share, left_out = problem.choose()
        actual = targets["mean"].to_numpy(dtype=np.float64)
        before, after = from_log_odds(problem.odds), from_log_odds(left_out)
        self.errors = AdaptationErrors(_rmse(before, actual), _rmse(after, actual))
        self._correction = problem.solve(np.ones(len(actual), dtype=np.bool_), penalty, share)
        self._calibration = Calibration(
            within=Scores.of(np.abs(actual - after) / interval_scale(after), targets)
        )
        self.description = description
        self.ranges = _join(self.base.ranges, Ranges.of(features))
        return self

    def predict(self, features: pd.DataFrame, *, level: float = DEFAULT_LEVEL) -> Prediction:
        """See `Surrogate.predict`."""
        correction, ranges, calibration = self._require_fitted()
        base = self.base.predict(features)
        time = feature_matrix(features, [TIME_COLUMN])[:, 0]
        matrix = feature_matrix(features, correction.columns)
        odds = correction.apply(log_odds(base.mean), time, matrix)
        mean = from_log_odds(odds)
        beyond = ranges.beyond(features)
        lower, upper = interval(mean, calibration, level, beyond)
        gap = correction.spread_over_chips * (base.mean - base.quantile_05)
        return Prediction(
            mean,
            lower,
            upper,
            quantile_05=np.clip(mean - gap, 0.0, mean),
            rank_score=odds,
            beyond=beyond.hardware | beyond.size,
        )

    def to_json(self) -> str:
        """See `Surrogate.to_json`."""
        correction, ranges, calibration = self._require_fitted()
        return ModelFile(
            kind=self.kind,
            columns=self.columns,
            description=self.description,
            ranges=ranges,
            calibration=calibration,
            content={"base": json.loads(self.base.to_json()), "correction": asdict(correction)},
            libraries=library_versions("numpy"),
        ).to_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """See `Surrogate.from_json`."""
        file = read_model_file(text, cls.kind)
        try:
            surrogate = cls(XGBoostSurrogate.from_json(json.dumps(file.content["base"])))
            surrogate._correction = TypeAdapter(Correction).validate_python(
                file.content["correction"]
            )
        except KeyError as error:
            raise damaged(f"{error} is missing") from error
        except ValidationError as error:
            raise damaged(str(error)) from error
        surrogate.description, surrogate.ranges = file.description, file.ranges
        surrogate._calibration = file.calibration
        return surrogate

    def _require_fitted(self) -> tuple[Correction, Ranges, Calibration]:
        if self._correction is None or self.ranges is None or self._calibration is None:
            raise ValueError("A surrogate must be fitted before it is used. Call `fit` first.")
        return self._correction, self.ranges, self._calibration


@dataclass(frozen=True, eq=False)
class _Problem:
    """Log odds as they are predicted and as they should be, row by row."""

    odds: FloatArray
    wanted: FloatArray
    weight: FloatArray  # one per network together
    time: FloatArray  # log10_t_s
    matrix: FloatArray  # of `columns`
    keys: NDArray[np.str_]
    columns: tuple[str, ...]
    spread_over_chips: float

    @classmethod
    def of(cls, base: Prediction, features: pd.DataFrame, targets: pd.DataFrame) -> "_Problem":
        keys = targets["key"].to_numpy(dtype=np.str_)
        columns = tuple(
            name
            for name in features.columns
            if is_network_column(name) and features[name].nunique() > 1
        )
        predicted = float((((base.mean - base.quantile_05) / SIGMAS_TO_LOW) ** 2).mean())
        found = float((targets["sd"] ** 2).mean())
        return cls(
            log_odds(base.mean),
            log_odds(targets["mean"].to_numpy(dtype=np.float64)),
            1.0 / targets.groupby("key")["t_s"].transform("size").to_numpy(dtype=np.float64),
            feature_matrix(features, [TIME_COLUMN])[:, 0],
            feature_matrix(features, columns),
            keys,
            columns,
            float(np.sqrt(found / predicted)) if predicted > 0 else 1.0,
        )

    def choose(self) -> tuple[float, float, FloatArray]:
        """Penalty, share of the residual, and what they predict of networks that are left out."""
        found = []
        for penalty, share in product(PENALTIES, RESIDUAL_SHARES):
            odds = np.empty(len(self.odds))
            for key in np.unique(self.keys):
                out = self.keys == key
                correction = self.solve(~out, penalty, share)
                odds[out] = correction.apply(self.odds[out], self.time[out], self.matrix[out])
            error = from_log_odds(odds) - from_log_odds(self.wanted)
            found.append((float(self.weight @ error**2), penalty, share, odds))
        # Of equal errors the one that corrects least.
        _, penalty, share, odds = min(found, key=lambda one: (one[0], -one[1], one[2]))
        return penalty, share, odds

    def solve(self, rows: NDArray[np.bool_], penalty: float, share: float) -> Correction:
        """The correction that fits some of the rows; the shift alone is held back little."""
        odds, weight = self.odds[rows], self.weight[rows]
        time = self.time[rows]
        centre, middle = (float(np.average(x, weights=weight)) for x in (odds, time))
        design = np.column_stack([np.ones_like(odds), odds - centre, time - middle])
        left = self.wanted[rows] - odds
        held = np.diag([0.1, penalty, penalty])
        square = (design.T * weight) @ design + held
        shift, stretch, slope = np.linalg.solve(square, (design.T * weight) @ left).tolist()
        left = left - design @ (shift, stretch, slope)
        keys, first = np.unique(self.keys[rows], return_index=True)
        matrix = self.matrix[rows][first]
        mean, spread = matrix.mean(axis=0), matrix.std(axis=0)
        spread = np.where(spread > 1e-9 * (1.0 + np.abs(mean)), spread, 1e9)
        standard = (matrix - mean) / spread
        total = np.array([np.average(left[self.keys[rows] == key]) for key in keys])
        kernel = _kernel(standard, standard) + np.eye(len(keys))
        return Correction(
            penalty=penalty,
            residual_share=share,
            centre=centre,
            time=middle,
            shift=shift,
            stretch=max(stretch, -0.9),  # the order of networks is never turned round
            slope=slope,
            columns=self.columns,
            mean=tuple(mean.tolist()),
            spread=tuple(spread.tolist()),
            networks=tuple(tuple(row) for row in standard.tolist()),
            weights=tuple(np.linalg.solve(kernel, total).tolist()),
            spread_over_chips=self.spread_over_chips,
        )


def _kernel(a: FloatArray, b: FloatArray) -> FloatArray:
    """Matern kernel of smoothness 3/2 of standardised networks."""
    scale = np.sqrt(3.0) / (RESIDUAL_LENGTH * np.sqrt(max(a.shape[1], 1)))
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)
    distance = np.sqrt(np.maximum(squares, 0.0)) * scale
    return np.asarray((1.0 + distance) * np.exp(-distance))


def _rmse(predicted: FloatArray, actual: FloatArray) -> float:
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def _join(base: Ranges | None, new: Ranges) -> Ranges:
    """From the lowest to the highest of both."""
    if base is None:
        return new

    def both(
        one: dict[str, tuple[float, float]], other: dict[str, tuple[float, float]]
    ) -> dict[str, tuple[float, float]]:
        names: Sequence[str] = [*one, *(name for name in other if name not in one)]
        ends = {name: [*one.get(name, ()), *other.get(name, ())] for name in names}
        return {name: (min(values), max(values)) for name, values in ends.items()}

    return Ranges(hardware=both(base.hardware, new.hardware), size=both(base.size, new.size))
