"""Gradient-boosted trees by XGBoost: same labels, same bits, stored as XGBoost's own JSON."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked_dataclass

FloatArray = NDArray[np.float64]


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class BoostingSettings:
    """How trees are grown: shallow and strongly regularised, made for few networks."""

    trees: Annotated[int, Field(ge=1)] = 300
    depth: Annotated[int, Field(ge=1)] = 4
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    row_fraction: Annotated[float, Field(gt=0, le=1)] = 0.7
    column_fraction: Annotated[float, Field(gt=0, le=1)] = 0.4
    l2: Annotated[float, Field(ge=0)] = 2.0
    minimum_child_weight: Annotated[float, Field(ge=0)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class Rows:
    """What trees learn from: features `(N, F)`, labels, weights, and where they start."""

    matrix: FloatArray
    label: FloatArray
    weight: FloatArray
    margin: FloatArray  # the trees add to it, in the units of the objective's link


def boost(rows: Rows, objective: str, how: BoostingSettings, *, n_jobs: int = 1) -> xgboost.Booster:
    """Grow trees; more than one thread may change the last bits."""
    data = xgboost.DMatrix(
        rows.matrix,
        label=rows.label,
        weight=rows.weight,
        base_margin=rows.margin,
        nthread=n_jobs,
    )
    parameters = {
        "objective": objective,
        "max_depth": how.depth,
        "eta": how.learning_rate,
        "subsample": how.row_fraction,
        "colsample_bytree": how.column_fraction,
        "lambda": how.l2,
        "min_child_weight": how.minimum_child_weight,
        "tree_method": "hist",
        "seed": how.seed,
        "nthread": n_jobs,
        "verbosity": 0,
    }
    return xgboost.train(parameters, data, num_boost_round=how.trees)


def boosted_margin(booster: xgboost.Booster, matrix: FloatArray, margin: FloatArray) -> FloatArray:
    """`margin` plus what the trees add, in the units of the objective's link."""
    if len(matrix) == 0:
        return np.zeros(0)
    added = booster.inplace_predict(matrix, predict_type="margin", base_margin=margin)
    return np.asarray(added, dtype=np.float64)


def booster_to_dict(booster: xgboost.Booster) -> dict[str, Any]:
    """XGBoost's own JSON form."""
    content: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    return content


def booster_from_dict(content: Any, *, features: int, n_jobs: int = 1) -> xgboost.Booster:
    """Read back `booster_to_dict()`; a ValueError says what is wrong with foreign data."""
    booster = xgboost.Booster({"nthread": n_jobs})
    try:
        booster.load_model(bytearray(json.dumps(content).encode()))
        found = booster.num_features()
    except xgboost.core.XGBoostError as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if found != features:
        raise ValueError(f"the trees have {found} features, but `columns` {features}")
    return booster
