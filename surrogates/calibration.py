"""Prediction intervals that hold for new networks, by cross-conformal calibration.

A network's labels at several times are one observation, not several: each network gives one
conformity score, the largest scaled error over its times, predicted by a model that never saw this
network (Vovk, "Cross-conformal predictors", 2015; Romano et al. 2019 for scaled scores). The band
at level 0.8 therefore promises: of new networks, 80 % stay inside at all times.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analognas.surrogates.folds import fold_of_rows

FloatArray = NDArray[np.float64]
FitPredict = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], FloatArray]

# Keeps the scale away from zero near accuracies of 0 and 1: there it is 0.03.
_SMALLEST_VARIANCE = 1e-3


def conformity_scores(
    fit_predict: FitPredict, features: pd.DataFrame, targets: pd.DataFrame, *, folds: int
) -> FloatArray:
    """Score every network by a model fitted without it.

    Args:
        fit_predict: Takes features and targets to learn from and features to predict; returns the
            predicted mean accuracy.
        features: One row per network and time.
        targets: The same rows; columns `key` and `mean` are used.
        folds: Number of models; fewer if there are fewer networks.

    Returns:
        Ascending scores, one per network.
    """
    if len(features) != len(targets) or len(targets) == 0:
        raise ValueError(
            "`features` and `targets` must have the same rows, at least one, but got "
            f"{len(features)} and {len(targets)}. Line them up with `rows_of`."
        )
    keys = targets["key"].tolist()
    fold = fold_of_rows(keys, min(folds, len(set(keys))), salt="calibration")
    errors = np.empty(len(keys))
    actual = targets["mean"].to_numpy(dtype=np.float64)
    for index in range(int(fold.max()) + 1):
        held_out = fold == index
        mean = fit_predict(features[~held_out], targets[~held_out], features[held_out])
        errors[held_out] = np.abs(actual[held_out] - mean) / interval_scale(mean)
    by_network = pd.Series(errors).groupby(np.asarray(keys)).max()
    return np.sort(by_network.to_numpy(dtype=np.float64))


def interval_scale(mean: FloatArray) -> FloatArray:
    """How uncertain an accuracy is by its level alone: the binomial sd, floored."""
    return np.sqrt(mean * (1.0 - mean) + _SMALLEST_VARIANCE)


def interval(
    mean: FloatArray, scores: Sequence[float], level: float
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end of the band around predicted accuracies.

    With `n` scores the half width is the `ceil((n + 1) level)`-th of them; if there are too few for
    the level, the band is everything from 0 to 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"`0 < level < 1` must hold, but got level={level}.")
    # The subtraction keeps rounding in the product from asking for one score more.
    rank = int(np.ceil((len(scores) + 1) * level - 1e-9))
    if rank > len(scores):
        return np.zeros_like(mean), np.ones_like(mean)
    half_width = scores[rank - 1] * interval_scale(mean)
    return np.clip(mean - half_width, 0.0, 1.0), np.clip(mean + half_width, 0.0, 1.0)
