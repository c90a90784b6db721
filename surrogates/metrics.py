"""How well predictions order networks, and how far they are off.

A ranking of equal predictions is no ranking: rank correlations of a constant are NaN, never 0.
"""

from math import comb

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

FloatArray = NDArray[np.float64]

TOP_FRACTION = 0.25
PICKS = 10


def kendall_tau_b(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Kendall's tau-b: agreement of orders from -1 to 1, corrected for ties; NaN for constants."""
    actual, predicted = _pair(actual, predicted)
    if _constant(actual) or _constant(predicted):
        return float("nan")
    return float(stats.kendalltau(actual, predicted, variant="b").statistic)


def spearman(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Spearman's correlation of ranks; NaN for constants."""
    actual, predicted = _pair(actual, predicted)
    if _constant(actual) or _constant(predicted):
        return float("nan")
    return float(stats.spearmanr(actual, predicted).statistic)


def tau_top_quarter(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Kendall's tau-b among the networks that are truly in the top quarter (ties included)."""
    actual, predicted = _pair(actual, predicted)
    top = actual >= np.quantile(actual, 1.0 - TOP_FRACTION)
    return kendall_tau_b(actual[top], predicted[top])


def regret_best_of_ten(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Best true value minus the best true value among the ten predicted best.

    Where equal predictions compete for the last places, the expectation over a fair draw: a
    constant prediction has the regret of ten networks picked at random.
    """
    actual, predicted = _pair(actual, predicted)
    if len(actual) <= PICKS:
        return 0.0
    threshold = np.sort(predicted)[-PICKS]
    sure = actual[predicted > threshold]
    tied = np.sort(actual[predicted == threshold])[::-1]
    draws = PICKS - len(sure)
    best_sure = float(sure.max()) if len(sure) else -np.inf
    expected = sum(
        max(best_sure, float(value)) * comb(len(tied) - 1 - index, draws - 1)
        for index, value in enumerate(tied)
    ) / comb(len(tied), draws)
    return float(actual.max() - expected)


def recall_of_ten(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Share of the ten truly best networks among the ten predicted best.

    Of networks that are equal at the end of a list the first ones count.
    """
    actual, predicted = _pair(actual, predicted)
    best, chosen = (set(np.argsort(-v, kind="stable")[:PICKS]) for v in (actual, predicted))
    return len(best & chosen) / len(best)


def rmse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Root of the mean squared error."""
    actual, predicted = _pair(actual, predicted)
    return float(np.sqrt(np.mean((actual - predicted) ** 2)))


def mean_absolute_error(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean of the absolute errors."""
    actual, predicted = _pair(actual, predicted)
    return float(np.mean(np.abs(actual - predicted)))


def coverage(groups: pd.DataFrame, actual: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Share of networks (not of rows) whose values all lie within their intervals.

    Args:
        groups: Columns `key` and `variant`: a network counts by the share of its kinds of hardware
            on which all its values lie inside.
        actual: Values `(N,)`.
        lower: Lower ends.
        upper: Upper ends.
    """
    actual, lower = _pair(actual, lower)
    actual, upper = _pair(actual, upper)
    frame = groups[["key", "variant"]].reset_index(drop=True)
    inside = frame.assign(inside=(lower <= actual) & (actual <= upper))
    by_hardware = inside.groupby(["key", "variant"])["inside"].all()
    return float(by_hardware.groupby("key").mean().mean())


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0:
        raise ValueError(
            "Both arrays must be one-dimensional, of equal length and not empty, but got shapes "
            f"{a.shape} and {b.shape}."
        )
    return a, b


def _constant(values: FloatArray) -> bool:
    return bool(np.all(values == values[0]))
