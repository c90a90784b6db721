"""The main surrogate: a smooth law of the accuracy, corrected by gradient-boosted trees.

The smooth law (`kernel_ridge`) carries over from network to network and to other hardware; trees
start most of the way to it and add the rest. Both work on log odds. Other trees predict how far
apart the chips of a network are. Same labels, same bits: one thread, fixed seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
import xgboost
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from analognas.surrogates.attribution import Contributions, shapley_values, tree_values
from analognas.surrogates.base import DEFAULT_LEVEL, SIGMAS_TO_LOW, FloatArray, Prediction
from analognas.surrogates.boosting import (
    BoostingSettings,
    Rows,
    boost,
    boosted_margin,
    booster_from_dict,
    booster_to_dict,
)
from analognas.surrogates.calibration import (
    Calibration,
    calibrate,
    check_rows,
    interval,
    interval_scale,
)
from analognas.surrogates.feature_table import TIME_COLUMN, feature_matrix
from analognas.surrogates.kernel_ridge import KernelRidge, KernelSettings, from_log_odds
from analognas.surrogates.label_table import LabelDescription
from analognas.surrogates.model_file import (
    ModelFile,
    damaged,
    library_versions,
    read_model_file,
)
from analognas.surrogates.regions import REGIONS, Ranges, Region
from analognas.surrogates.weights import label_weights, thin

# Smallest variance over chips, that of one wrong answer in some hundred.
SMALLEST_CHIP_VARIANCE = 1e-5
SPREAD_SHARE = 0.1  # where trees for the spread start, in units of the binomial sd


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TreeSettings:
    """How the parts are fitted.

    Args:
        smooth: The kernel of the law.
        smooth_share: How far the trees follow the law: they start at this share of its distance
            from the mean, and learn the rest and what it misses.
        mean: Trees that correct it.
        spread: Trees for the variance over chips.
        rows: That all of it is fitted to at most (see `thin`).
        calibration_folds: Models that calibrate the intervals.
        calibration_rows: Rows that each of those is fitted to at most.
    """

    smooth: KernelSettings = field(default_factory=KernelSettings)
    smooth_share: Annotated[float, Field(ge=0, le=1)] = 0.75
    mean: BoostingSettings = field(default_factory=BoostingSettings)
    spread: BoostingSettings = field(
        default_factory=lambda: BoostingSettings(trees=100, depth=3, learning_rate=0.05)
    )
    rows: Annotated[int, Field(ge=1)] = 20_000
    calibration_folds: Annotated[int, Field(ge=2)] = 9
    calibration_rows: Annotated[int, Field(ge=1)] = 5_000


class XGBoostSurrogate:
    """Smooth law and trees for the mean, trees for the spread over chips."""

    kind = "xgboost"

    def __init__(
        self,
        settings: TreeSettings | None = None,
        *,
        n_jobs: int = 1,
        regions: Sequence[Region] = REGIONS,
    ) -> None:
        """Prepare an unfitted surrogate; more than one thread may change the last bits."""
        self.settings = settings if settings is not None else TreeSettings()
        self.n_jobs = n_jobs
        self.columns: tuple[str, ...] = ()
        self.description: LabelDescription | None = None
        self.ranges: Ranges | None = None
        self._regions = tuple(regions)
        self._smooth: KernelRidge | None = None
        self._boosters: dict[str, xgboost.Booster] = {}
        self._calibration: Calibration | None = None

    def fit(
        self,
        features: pd.DataFrame,
        targets: pd.DataFrame,
        *,
        description: LabelDescription | None = None,
    ) -> Self:
        """See `Surrogate.fit`. Every column of `features` becomes a feature."""
        if TIME_COLUMN not in features.columns:
            raise ValueError(f"`features` must hold `{TIME_COLUMN}`. Add it with `with_times`.")
        check_rows(features, targets)
        self.columns = tuple(features.columns)
        self.description = description
        self.ranges = Ranges.of(features)
        kept = thin(targets, self.settings.rows)
        features, targets = features.iloc[kept], targets.iloc[kept]
        self._calibration = calibrate(
            self._fit_predict_mean,
            features,
            targets,
            folds=self.settings.calibration_folds,
            regions=self._regions,
            limit=self.settings.calibration_rows,
        )
        self._smooth, self._boosters["mean"] = self._fit_mean(features, targets)
        self._boosters["spread"] = self._fit_spread(features, targets)
        return self

    def predict(self, features: pd.DataFrame, *, level: float = DEFAULT_LEVEL) -> Prediction:
        """See `Surrogate.predict`."""
        smooth, ranges, calibration = self._require_fitted()
        matrix = feature_matrix(features, self.columns)
        margin = boosted_margin(
            self._boosters["mean"], matrix, self._start(smooth, smooth.margin(matrix))
        )
        mean = from_log_odds(margin)
        spread = boosted_margin(self._boosters["spread"], matrix, _spread_margin(mean))
        low = mean - SIGMAS_TO_LOW * np.exp(spread / 2.0)
        beyond = ranges.beyond(features)
        lower, upper = interval(mean, calibration, level, beyond)
        return Prediction(
            mean,
            lower,
            upper,
            quantile_05=np.clip(low, 0.0, mean),
            rank_score=margin,
            beyond=beyond.hardware | beyond.size,
        )

    def contributions(
        self, row: pd.DataFrame, others: pd.DataFrame, groups: Mapping[str, Sequence[str]]
    ) -> Contributions:
        """Take the log odds of the predicted mean of one row apart (see `attribution`).

        Args:
            row: One row with the fitted columns.
            others: Rows whose average it is compared with.
            groups: Columns that belong together; every fitted column must be in one of them.
        """
        smooth = self._require_fitted()[0]
        place = {name: index for index, name in enumerate(self.columns)}
        missing = set(place) - {name for names in groups.values() for name in names}
        if missing:
            raise ValueError(f"Every column must be in a group, but {sorted(missing)} are not.")
        columns = {
            group: [place[name] for name in names if name in place]
            for group, names in groups.items()
        }
        one, many = (feature_matrix(frame, self.columns) for frame in (row, others))
        booster = self._boosters["mean"]
        values = tree_values(booster, np.concatenate([one, many]))
        above = values[0] - values[1:].mean(axis=0)
        return Contributions(
            base=float(
                boosted_margin(booster, many, self._start(smooth, smooth.margin(many))).mean()
            ),
            total=float(boosted_margin(booster, one, self._start(smooth, smooth.margin(one)))[0]),
            trees={group: float(above[places].sum()) for group, places in columns.items()},
            smooth=shapley_values(
                lambda rows: self._start(smooth, smooth.margin(rows)), one[0], many, columns
            ),
        )

    def to_json(self) -> str:
        """See `Surrogate.to_json`. The trees are stored in XGBoost's own JSON form."""
        smooth, ranges, calibration = self._require_fitted()
        content: dict[str, Any] = {
            "settings": asdict(self.settings),
            "smooth": smooth.to_dict(),
            **{name: booster_to_dict(booster) for name, booster in self._boosters.items()},
        }
        return ModelFile(
            kind=self.kind,
            columns=self.columns,
            description=self.description,
            ranges=ranges,
            calibration=calibration,
            content=content,
            libraries=library_versions("xgboost", "numpy"),
        ).to_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """See `Surrogate.from_json`."""
        file = read_model_file(text, cls.kind)
        try:
            surrogate = cls(TypeAdapter(TreeSettings).validate_python(file.content["settings"]))
            surrogate._smooth = KernelRidge.from_dict(
                file.content["smooth"], file.columns, surrogate.settings.smooth
            )
            for name in ("mean", "spread"):
                surrogate._boosters[name] = booster_from_dict(
                    file.content[name], features=len(file.columns), n_jobs=surrogate.n_jobs
                )
        except KeyError as error:
            raise damaged(f"{error} is missing") from error
        except (ValidationError, TypeError, ValueError) as error:
            raise damaged(str(error)) from error
        surrogate.columns = file.columns
        surrogate.description = file.description
        surrogate.ranges = file.ranges
        surrogate._calibration = file.calibration
        return surrogate

    def _require_fitted(self) -> tuple[KernelRidge, Ranges, Calibration]:
        if self._smooth is None or self.ranges is None or self._calibration is None:
            raise ValueError("A surrogate must be fitted before it is used. Call `fit` first.")
        return self._smooth, self.ranges, self._calibration

    def _fit_predict_mean(
        self, seen: pd.DataFrame, targets: pd.DataFrame, new: pd.DataFrame
    ) -> FloatArray:
        smooth, booster = self._fit_mean(seen, targets)
        matrix = feature_matrix(new, self.columns)
        return from_log_odds(
            boosted_margin(booster, matrix, self._start(smooth, smooth.margin(matrix)))
        )

    def _fit_mean(
        self, features: pd.DataFrame, targets: pd.DataFrame
    ) -> tuple[KernelRidge, xgboost.Booster]:
        """Cross entropy on fractions: errors count as in a binomial, predictions stay in (0, 1)."""
        matrix = feature_matrix(features, self.columns)
        mean = targets["mean"].to_numpy(dtype=np.float64)
        weight = label_weights(targets)
        smooth, odds = KernelRidge.fit(self.columns, matrix, mean, weight, self.settings.smooth)
        # No constraint on time: on some cells the first hour improves the accuracy, because the
        # noise of nearly empty cells drifts away faster than the weights.
        rows = Rows(matrix, mean, weight, self._start(smooth, odds))
        booster = boost(rows, "reg:logistic", self.settings.mean, n_jobs=self.n_jobs)
        return smooth, booster

    def _start(self, smooth: KernelRidge, odds: FloatArray) -> FloatArray:
        """Log odds that the trees start from, by those of the law."""
        return smooth.level + self.settings.smooth_share * (odds - smooth.level)

    def _fit_spread(self, features: pd.DataFrame, targets: pd.DataFrame) -> xgboost.Booster:
        """Gamma deviance of variances over chips, which scatter in proportion to what they are."""
        variance = targets["sd"].to_numpy(dtype=np.float64) ** 2
        degrees = (targets["chips"] - 1.0) * targets["seeds"]
        rows = Rows(
            feature_matrix(features, self.columns),
            np.maximum(variance, SMALLEST_CHIP_VARIANCE),
            np.maximum(degrees.to_numpy(dtype=np.float64), 1e-3),
            _spread_margin(targets["mean"].to_numpy(dtype=np.float64)),
        )
        return boost(rows, "reg:gamma", self.settings.spread, n_jobs=self.n_jobs)


def _spread_margin(mean: FloatArray) -> FloatArray:
    """Where the logarithm of the variance over chips starts: a share of the binomial one."""
    return np.asarray(2.0 * np.log(SPREAD_SHARE * interval_scale(mean)))
