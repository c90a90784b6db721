"""What a surrogate has to beat: the parameter count, and knowing nothing about the network."""

from dataclasses import asdict
from typing import Self

import numpy as np
import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from analognas.surrogates.base import DEFAULT_LEVEL, SIGMAS_TO_LOW, FloatArray, Prediction
from analognas.surrogates.calibration import Calibration, calibrate, interval
from analognas.surrogates.feature_table import TIME_COLUMN, feature_matrix
from analognas.surrogates.label_table import LabelDescription
from analognas.surrogates.model_file import (
    ModelFile,
    damaged,
    library_versions,
    read_model_file,
)
from analognas.surrogates.regions import Ranges

PARAMETERS_COLUMN = "log10_parameters"
CALIBRATION_FOLDS = 10


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Line:
    """`accuracy = level(t) + slope (x - centre)`; the level is interpolated between the times."""

    log10_t_s: tuple[float, ...]  # ascending; before and after them the level stays
    level: tuple[float, ...]
    centre: float = 0.0
    slope: float = 0.0

    def accuracy(self, log10_t_s: FloatArray, x: FloatArray) -> FloatArray:
        level = np.interp(log10_t_s, self.log10_t_s, self.level)
        return np.clip(level + self.advantage(x), 0.0, 1.0)

    def advantage(self, x: FloatArray) -> FloatArray:
        """Accuracy above that of the average network at the same time; it orders networks."""
        return self.slope * (x - self.centre)


class LineSurrogate:
    """Mean accuracy at a time plus a straight line in one feature, or none."""

    def __init__(self, kind: str, column: str | None) -> None:
        self.kind = kind
        self.column = column
        self.description: LabelDescription | None = None
        self._mean: Line | None = None
        self.ranges: Ranges | None = None
        self._calibration: Calibration | None = None
        self._sd = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        return (TIME_COLUMN,) if self.column is None else (self.column, TIME_COLUMN)

    def fit(
        self,
        features: pd.DataFrame,
        targets: pd.DataFrame,
        *,
        description: LabelDescription | None = None,
    ) -> Self:
        """See `Surrogate.fit`."""
        self.description = description
        self._calibration = calibrate(
            lambda seen, labels, new: self._apply(self._fit_line(seen, labels), new),
            features,
            targets,
            folds=CALIBRATION_FOLDS,
        )
        self.ranges = Ranges.of(features)
        self._mean = self._fit_line(features, targets)
        self._sd = float(np.sqrt((targets["sd"] ** 2).mean()))
        return self

    def predict(self, features: pd.DataFrame, *, level: float = DEFAULT_LEVEL) -> Prediction:
        """See `Surrogate.predict`."""
        line, ranges, calibration = self._require_fitted()
        mean = self._apply(line, features)
        beyond = ranges.beyond(features)
        lower, upper = interval(mean, calibration, level, beyond)
        return Prediction(
            mean,
            lower,
            upper,
            quantile_05=np.clip(mean - SIGMAS_TO_LOW * self._sd, 0.0, mean),
            rank_score=line.advantage(self._inputs(features)[1]),
            beyond=beyond.hardware | beyond.size,
        )

    def to_json(self) -> str:
        """See `Surrogate.to_json`."""
        line, ranges, calibration = self._require_fitted()
        return ModelFile(
            kind=self.kind,
            columns=self.columns,
            description=self.description,
            ranges=ranges,
            calibration=calibration,
            content={"mean": asdict(line), "sd": self._sd},
            libraries=library_versions("numpy"),
        ).to_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """See `Surrogate.from_json`."""
        file = read_model_file(text)
        column = next((name for name in file.columns if name != TIME_COLUMN), None)
        surrogate = cls(file.kind, column)
        try:
            surrogate._mean = TypeAdapter(Line).validate_python(file.content["mean"])
            surrogate._sd = TypeAdapter(float).validate_python(file.content["sd"])
        except KeyError as error:
            raise damaged(f"{error} is missing") from error
        except ValidationError as error:
            raise damaged(str(error)) from error
        surrogate.description, surrogate.ranges = file.description, file.ranges
        surrogate._calibration = file.calibration
        return surrogate

    def _require_fitted(self) -> tuple[Line, Ranges, Calibration]:
        if self._mean is None or self.ranges is None or self._calibration is None:
            raise ValueError("A surrogate must be fitted before it is used. Call `fit` first.")
        return self._mean, self.ranges, self._calibration

    def _inputs(self, features: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
        matrix = feature_matrix(features, self.columns)
        x = np.zeros(len(matrix)) if self.column is None else matrix[:, 0]
        return matrix[:, -1], x

    def _apply(self, line: Line, features: pd.DataFrame) -> FloatArray:
        return line.accuracy(*self._inputs(features))

    def _fit_line(self, features: pd.DataFrame, targets: pd.DataFrame) -> Line:
        log10_t_s, x = self._inputs(features)
        weight = targets["seeds"].to_numpy(dtype=np.float64)
        y = targets["mean"].to_numpy(dtype=np.float64)
        times, which = np.unique(log10_t_s, return_inverse=True)
        level = np.bincount(which, weight * y) / np.bincount(which, weight)
        centre = float(np.average(x, weights=weight))
        spread = float(np.sum(weight * (x - centre) ** 2))
        covariance = float(np.sum(weight * (x - centre) * (y - level[which])))
        return Line(
            log10_t_s=tuple(times.tolist()),
            level=tuple(level.tolist()),
            centre=centre,
            slope=covariance / spread if spread > 0 else 0.0,
        )
