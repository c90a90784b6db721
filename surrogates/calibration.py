"""Prediction intervals that hold for new networks, by cross-conformal calibration.

A network's labels at several times on one hardware are one observation, not several: its score
there is the largest scaled error over the times, predicted by a model that never saw this network
(Vovk, "Cross-conformal predictors", 2015; Romano et al. 2019 for scaled scores). A network on many
kinds of hardware counts as one network still: each of its scores has its share in it (Dunn,
Wasserman & Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", 2022).
The band at level 0.8 therefore promises: a new network on one of these kinds of hardware stays
inside at all times with probability 0.8.

Beyond the hardware or the sizes that were learned from there is no such promise. There the scores
come from models that did not see a region of the hardware, or the largest networks, either.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from analognas.surrogates.folds import fold_of_rows
from analognas.surrogates.regions import Beyond, Region, largest, usable_regions
from analognas.surrogates.weights import thin

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
FitPredict = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], FloatArray]

# Keeps the scale away from zero near accuracies of 0 and 1: there it is 0.03.
_SMALLEST_VARIANCE = 1e-3


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Scores:
    """Conformity scores in ascending order; the shares of a network's scores add up to one."""

    values: tuple[float, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, errors: FloatArray, targets: pd.DataFrame) -> "Scores":
        """Scores of scaled errors, one per row of `targets`: the largest over the times."""
        frame = pd.DataFrame({"key": targets["key"].to_numpy(), "error": errors})
        frame["variant"] = targets["variant"].to_numpy()
        scores = frame.groupby(["key", "variant"])["error"].max()
        shares = 1.0 / scores.groupby("key").transform("size")
        order = np.argsort(scores.to_numpy(), kind="stable")
        return cls(
            values=tuple(np.round(scores.to_numpy()[order], 6).tolist()),
            shares=tuple(shares.to_numpy()[order].tolist()),
        )

    def half_width(self, level: float) -> float:
        """Half the band in units of the scale; infinite if there are too few networks for it.

        With `n` networks it is the score below which `ceil((n + 1) level)` of them lie.
        """
        below = np.cumsum(self.shares)
        networks = round(float(below[-1])) if len(below) else 0
        # The subtraction keeps rounding in the product from asking for one network more.
        rank = int(np.ceil((networks + 1) * level - 1e-9))
        if rank > networks:
            return float("inf")
        return self.values[min(int(np.searchsorted(below, rank - 1e-6)), len(below) - 1)]


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Calibration:
    """Scores for what is like the labels, and beyond their hardware or sizes (None: not known)."""

    within: Scores
    beyond_hardware: Scores | None = None
    beyond_size: Scores | None = None


def calibrate(
    fit_predict: FitPredict,
    features: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    folds: int,
    regions: Sequence[Region] = (),
    limit: int | None = None,
) -> Calibration:
    """Score every network by a model fitted without it.

    Every model leaves out a part of the networks and a region of the hardware, one region after
    another: its networks give scores inside the labels, and in that region scores beyond them. One
    further model leaves out the largest networks.

    Args:
        fit_predict: Takes features and targets to learn from and features to predict; returns the
            predicted mean accuracy.
        features: One row per network, hardware and time.
        targets: The same rows; columns `key`, `variant` and `mean` are used.
        folds: Number of models; fewer if there are fewer networks.
        regions: Of the hardware; those without rows are passed over.
        limit: Rows that a model learns from at most.
    """
    check_rows(features, targets)
    keys = targets["key"].tolist()
    actual = targets["mean"].to_numpy(dtype=np.float64)
    fold = fold_of_rows(keys, min(folds, len(set(keys))), salt="calibration")
    usable = usable_regions(features, keys, regions)
    errors = np.empty(len(keys))
    beyond = np.zeros(len(keys), dtype=np.bool_)

    def judge(left_out: BoolArray, judged: BoolArray) -> FloatArray:
        seen = np.flatnonzero(~left_out)
        seen = seen[thin(targets.iloc[seen], limit or len(seen))]
        mean = fit_predict(features.iloc[seen], targets.iloc[seen], features[judged])
        return np.asarray(np.abs(actual[judged] - mean) / interval_scale(mean))

    for index in range(int(fold.max()) + 1):
        held_out = fold == index
        region = np.zeros(len(keys), dtype=np.bool_)
        if usable:
            region = usable[index % len(usable)].mask(features)
        errors[held_out] = judge(held_out | region, held_out)
        beyond |= held_out & region
    large = largest(features, keys)
    enough = large.sum() > 0 and len(set(targets["key"][~large])) >= 2
    return Calibration(
        within=Scores.of(errors[~beyond], targets[~beyond]),
        beyond_hardware=Scores.of(errors[beyond], targets[beyond]) if beyond.any() else None,
        beyond_size=Scores.of(judge(large, large), targets[large]) if enough else None,
    )


def check_rows(features: pd.DataFrame, targets: pd.DataFrame) -> None:
    """Raise a ValueError unless both tables have as many rows, at least one."""
    if len(features) != len(targets) or len(targets) == 0:
        raise ValueError(
            "`features` and `targets` must have the same rows, at least one, but got "
            f"{len(features)} and {len(targets)}. Line them up with `rows_of`."
        )


def interval_scale(mean: FloatArray) -> FloatArray:
    """How uncertain an accuracy is by its level alone: the binomial sd, floored."""
    return np.sqrt(mean * (1.0 - mean) + _SMALLEST_VARIANCE)


def interval(
    mean: FloatArray, calibration: Calibration, level: float, beyond: Beyond | None = None
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end of the band around predicted accuracies.

    Where there are too few scores for the level, the band is everything from 0 to 1. Beyond the
    labels it is never narrower than within.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"`0 < level < 1` must hold, but got level={level}.")
    half = np.full(len(mean), calibration.within.half_width(level))
    if beyond is not None:
        for rows, scores in (
            (beyond.hardware, calibration.beyond_hardware),
            (beyond.size, calibration.beyond_size),
        ):
            if scores is not None:
                half[rows] = np.maximum(half[rows], scores.half_width(level))
    width = half * interval_scale(mean)
    return np.clip(mean - width, 0.0, 1.0), np.clip(mean + width, 0.0, 1.0)
