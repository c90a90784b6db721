"""The main surrogate: gradient-boosted trees for accuracy, low quantile and order.

Made for label tables of about a hundred networks: shallow, strongly regularised trees.
Same labels, same bits: one thread, a fixed seed.
"""

import json
from dataclasses import asdict
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
import xgboost
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from analognas.surrogates.base import DEFAULT_LEVEL, FloatArray, Prediction
from analognas.surrogates.calibration import conformity_scores, interval
from analognas.surrogates.feature_table import TIME_COLUMN, feature_matrix
from analognas.surrogates.label_table import LabelDescription
from analognas.surrogates.model_file import ModelFile, library_versions, read_model_file


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class TreeSettings:
    """How the trees are grown."""

    trees: Annotated[int, Field(ge=1)] = 300
    depth: Annotated[int, Field(ge=1)] = 3
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    row_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    column_fraction: Annotated[float, Field(gt=0, le=1)] = 0.4
    l2: Annotated[float, Field(ge=0)] = 2.0
    minimum_child_weight: Annotated[float, Field(ge=0)] = 1.0
    pairs: Annotated[int, Field(ge=1)] = 8  # comparisons per network and time, for the order
    calibration_folds: Annotated[int, Field(ge=2)] = 10
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class RankScale:
    """Centre and spread of the raw rank scores of the networks learned from.

    They make the scores of models fitted on different networks comparable.
    """

    centre: float
    spread: Annotated[float, Field(gt=0)]


class XGBoostSurrogate:
    """Three boosted models: mean accuracy, 5 % quantile over chips, order at equal time."""

    kind = "xgboost"

    def __init__(self, settings: TreeSettings | None = None, *, n_jobs: int = 1) -> None:
        """Prepare an unfitted surrogate; more than one thread may change the last bits."""
        self.settings = settings if settings is not None else TreeSettings()
        self.n_jobs = n_jobs
        self.columns: tuple[str, ...] = ()
        self.description: LabelDescription | None = None
        self._boosters: dict[str, xgboost.Booster] = {}
        self._rank_scale = RankScale(centre=0.0, spread=1.0)
        self._scores: tuple[float, ...] = ()

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
        self.columns = tuple(features.columns)
        self.description = description
        self._scores = tuple(
            conformity_scores(
                self._fit_predict_mean, features, targets, folds=self.settings.calibration_folds
            ).tolist()
        )
        matrix = feature_matrix(features, self.columns)
        self._boosters = {
            "mean": self._fit_accuracy(matrix, targets, "mean"),
            "low": self._fit_accuracy(matrix, targets, "low"),
            "rank": self._fit_rank(matrix, targets),
        }
        raw = self._raw(self._boosters["rank"], matrix)
        self._rank_scale = RankScale(centre=float(raw.mean()), spread=float(raw.std()) or 1.0)
        return self

    def predict(self, features: pd.DataFrame, *, level: float = DEFAULT_LEVEL) -> Prediction:
        """See `Surrogate.predict`."""
        self._require_fitted()
        matrix = feature_matrix(features, self.columns)
        mean = self._raw(self._boosters["mean"], matrix)
        low = np.minimum(self._raw(self._boosters["low"], matrix), mean)
        raw_rank = self._raw(self._boosters["rank"], matrix)
        lower, upper = interval(mean, self._scores, level)
        rank_score = (raw_rank - self._rank_scale.centre) / self._rank_scale.spread
        return Prediction(mean, lower, upper, quantile_05=low, rank_score=rank_score)

    def to_json(self) -> str:
        """See `Surrogate.to_json`. The trees are stored in XGBoost's own JSON form."""
        self._require_fitted()
        content: dict[str, Any] = {
            "settings": asdict(self.settings),
            "rank_scale": asdict(self._rank_scale),
        }
        for name, booster in self._boosters.items():
            content[name] = json.loads(bytes(booster.save_raw("json")))
        return ModelFile(
            kind=self.kind,
            columns=self.columns,
            description=self.description,
            scores=self._scores,
            content=content,
            libraries=library_versions("xgboost", "numpy"),
        ).to_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """See `Surrogate.from_json`."""
        file = read_model_file(text, cls.kind)
        try:
            surrogate = cls(TypeAdapter(TreeSettings).validate_python(file.content["settings"]))
            surrogate._rank_scale = TypeAdapter(RankScale).validate_python(
                file.content["rank_scale"]
            )
            for name in ("mean", "low", "rank"):
                booster = xgboost.Booster({"nthread": surrogate.n_jobs})
                booster.load_model(bytearray(json.dumps(file.content[name]).encode()))
                if booster.num_features() != len(file.columns):
                    raise ValueError(
                        f"`{name}` has {booster.num_features()} features, but `columns` "
                        f"{len(file.columns)}"
                    )
                surrogate._boosters[name] = booster
        except KeyError as error:
            raise _damaged(f"{error} is missing") from error
        except ValidationError as error:
            raise _damaged(str(error)) from error
        except (ValueError, xgboost.core.XGBoostError) as error:
            raise _damaged(str(error).splitlines()[0]) from error
        surrogate.columns = file.columns
        surrogate.description = file.description
        surrogate._scores = file.scores
        return surrogate

    def _require_fitted(self) -> None:
        if not self._boosters:
            raise ValueError("A surrogate must be fitted before it is used. Call `fit` first.")

    def _fit_predict_mean(
        self, seen: pd.DataFrame, targets: pd.DataFrame, new: pd.DataFrame
    ) -> FloatArray:
        booster = self._fit_accuracy(feature_matrix(seen, self.columns), targets, "mean")
        return self._raw(booster, feature_matrix(new, self.columns))

    def _fit_accuracy(
        self, matrix: FloatArray, targets: pd.DataFrame, column: str
    ) -> xgboost.Booster:
        """Cross entropy on fractions: errors count as in a binomial, predictions stay in (0, 1)."""
        data = xgboost.DMatrix(
            matrix,
            label=targets[column].to_numpy(dtype=np.float64),
            weight=targets["seeds"].to_numpy(dtype=np.float64),
            nthread=self.n_jobs,
        )
        # No constraint on time: on some cells the first hour improves the accuracy, because the
        # noise of nearly empty cells drifts away faster than the weights.
        return self._train(data, {"objective": "reg:logistic"})

    def _fit_rank(self, matrix: FloatArray, targets: pd.DataFrame) -> xgboost.Booster:
        """Pairwise ranking loss; networks are compared at the same time only."""
        _, query = np.unique(targets["t_s"].to_numpy(dtype=np.float64), return_inverse=True)
        order = np.argsort(query, kind="stable")
        data = xgboost.DMatrix(
            matrix[order],
            label=targets["mean"].to_numpy(dtype=np.float64)[order],
            qid=query[order],
            nthread=self.n_jobs,
        )
        parameters = {
            "objective": "rank:pairwise",
            "lambdarank_pair_method": "mean",
            "lambdarank_num_pair_per_sample": self.settings.pairs,
        }
        return self._train(data, parameters)

    def _train(self, data: xgboost.DMatrix, parameters: dict[str, Any]) -> xgboost.Booster:
        settings = self.settings
        common = {
            "max_depth": settings.depth,
            "eta": settings.learning_rate,
            "subsample": settings.row_fraction,
            "colsample_bytree": settings.column_fraction,
            "lambda": settings.l2,
            "min_child_weight": settings.minimum_child_weight,
            "tree_method": "hist",
            "seed": settings.seed,
            "nthread": self.n_jobs,
            "verbosity": 0,
        }
        return xgboost.train({**common, **parameters}, data, num_boost_round=settings.trees)

    def _raw(self, booster: xgboost.Booster, matrix: FloatArray) -> FloatArray:
        return np.asarray(booster.inplace_predict(matrix), dtype=np.float64)


def _damaged(why: str) -> ValueError:
    return ValueError(
        f"The surrogate file is damaged: {why}. Fit it again with `analognas surrogate fit`."
    )
