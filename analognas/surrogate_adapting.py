"""Adapt a fitted surrogate to another device or other data, and measure what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analognas.errors import UserError, checking
from analognas.simulator import Hardware
from analognas.surrogate_fitting import label_features
from analognas.surrogates import (
    AdaptedSurrogate,
    LabelTable,
    Surrogate,
    XGBoostSurrogate,
    coverage,
    kendall_tau_b,
    rmse,
)
from analognas.surrogates.evaluation import ONE_DAY_S, uncalibrated

FEWEST_TO_JUDGE = 10  # networks that are left to judge on
UNADAPTED, ADAPTED, SCRATCH = "not adapted", "adapted", "fitted anew"


@dataclass(frozen=True)
class AdaptationScore:
    """Of the networks that gave no labels; means over seeds, `sd` of tau over the seeds."""

    method: str
    networks: int  # that gave labels
    tau: float  # after a day on the nominal hardware of the labels
    sd: float
    rmse: float  # over all times
    coverage: float  # of the 80 % interval; NaN where none is claimed
    width: float


def adapt_surrogate(
    base: Surrogate, table: LabelTable, hardware: Hardware | None = None
) -> AdaptedSurrogate:
    """Correct a fitted surrogate with a label table of few networks.

    Args:
        base: As `analognas surrogate fit` makes it.
        table: The new labels, usually of 10 to 20 networks.
        hardware: That they were made on; None looks for it among the presets.
    """
    if not isinstance(base, XGBoostSurrogate):
        raise UserError(
            f"A surrogate must be one that `analognas surrogate fit` made to be adapted, but got "
            f"one of the kind {getattr(base, 'kind', type(base).__name__)!r}. "
            "Adapt the one that it was made from."
        )
    features = label_features(table, hardware)
    with checking("labels"):
        adapted = AdaptedSurrogate(base)
        return adapted.fit(features, table.targets(), description=table.description())


def judge_adaptation(
    base: XGBoostSurrogate,
    table: LabelTable,
    hardware: Hardware | None = None,
    *,
    counts: Sequence[int] = (10, 20),
    seeds: int = 5,
) -> list[AdaptationScore]:
    """Adapt with some networks of a label table and judge on its others.

    Beside it stand the surrogate as it is, and the main surrogate fitted on the same few networks.
    """
    features, targets = label_features(table, hardware), table.targets()
    keys = np.array(sorted(targets["key"].unique()))
    found = []
    for count in counts:
        if len(keys) < count + FEWEST_TO_JUDGE:
            continue
        trials: dict[str, list[list[float]]] = {name: [] for name in (UNADAPTED, ADAPTED, SCRATCH)}
        for seed in range(seeds):
            chosen = np.random.default_rng(seed).permutation(keys)[:count].tolist()
            learn = targets["key"].isin(chosen).to_numpy()
            makers: dict[str, Surrogate] = {
                UNADAPTED: base,
                ADAPTED: AdaptedSurrogate(base).fit(features[learn], targets[learn]),
                SCRATCH: uncalibrated().fit(features[learn], targets[learn]),
            }
            for name, surrogate in makers.items():
                trials[name].append(_judge(surrogate, features[~learn], targets[~learn]))
        for name, rows in trials.items():
            tau, error, inside, width = np.mean(rows, axis=0).tolist()
            sd = float(np.std([row[0] for row in rows], ddof=1)) if seeds > 1 else float("nan")
            claimed = name == ADAPTED
            found.append(
                AdaptationScore(
                    name,
                    count,
                    tau,
                    sd,
                    error,
                    inside if claimed else float("nan"),
                    width if claimed else float("nan"),
                )
            )
    return found


def _judge(surrogate: Surrogate, features: pd.DataFrame, targets: pd.DataFrame) -> list[float]:
    prediction = surrogate.predict(features)
    actual = targets["mean"].to_numpy(dtype=np.float64)
    times = targets["t_s"]
    one_day = (times == (ONE_DAY_S if (times == ONE_DAY_S).any() else times.max())).to_numpy()
    return [
        kendall_tau_b(actual[one_day], prediction.rank_score[one_day]),
        rmse(actual, prediction.mean),
        coverage(targets, actual, prediction.lower, prediction.upper),
        float((prediction.upper - prediction.lower).mean()),
    ]
