"""What a prediction owes to which groups of columns, against the average of other rows.

Trees give SHAP values of their own (Lundberg et al., Nat. Mach. Intell. 2, 56 (2020)): those of a
row less the mean of those of the other rows. The smooth part gets Shapley values of whole groups,
exactly, from all coalitions: columns outside of a coalition take the values of the other rows, one
after another (Strumbelj & Kononenko, J. Mach. Learn. Res. 11, 1 (2010)). Both add up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
import xgboost
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MOST_GROUPS = 12  # that differ between the row and the others: the work doubles with each
COALITIONS_AT_ONCE = 64


@dataclass(frozen=True)
class Contributions:
    """Log odds of one row, taken apart.

    Args:
        base: Mean log odds of the other rows.
        total: Log odds of the row.
        trees: What each group adds in the trees.
        smooth: What each group adds in the smooth part. Both together lead from `base` to `total`.
    """

    base: float
    total: float
    trees: Mapping[str, float]
    smooth: Mapping[str, float]

    @property
    def groups(self) -> dict[str, float]:
        """What each group adds in all."""
        return {name: self.trees[name] + self.smooth[name] for name in self.trees}


def tree_values(booster: xgboost.Booster, matrix: FloatArray) -> FloatArray:
    """XGBoost's SHAP values of rows `(N, F)`, in the units of the objective's link."""
    data = xgboost.DMatrix(matrix, base_margin=np.zeros(len(matrix)), nthread=1)
    values = booster.predict(data, pred_contribs=True)
    return np.asarray(values, dtype=np.float64)[:, :-1]  # the last is what no feature explains


def shapley_values(
    function: Callable[[FloatArray], FloatArray],
    row: FloatArray,
    others: FloatArray,
    groups: Mapping[str, Sequence[int]],
) -> dict[str, float]:
    """Exact Shapley values of groups of columns.

    Args:
        function: Rows `(N, F)` to values `(N,)`.
        row: `(F,)`.
        others: `(M, F)`; columns outside of a coalition have their values.
        groups: Positions of the columns of each group; together all in which `row` differs.

    Returns:
        One value per group; their sum is `function(row)` less the mean of `function(others)`.

    Raises:
        ValueError: There are too many groups that differ.
    """
    differing = [
        name for name, places in groups.items() if np.any(others[:, list(places)] != row[places])
    ]
    count = len(differing)
    if count > MOST_GROUPS:
        raise ValueError(f"At most {MOST_GROUPS} groups may differ, but {count} do. Join some.")
    inside = (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1  # (coalitions, groups)
    columns = np.zeros((count, len(row)), dtype=np.bool_)
    for place, name in enumerate(differing):
        columns[place, list(groups[name])] = True
    worth = np.empty(len(inside))
    for start in range(0, len(inside), COALITIONS_AT_ONCE):
        part = slice(start, start + COALITIONS_AT_ONCE)
        taken = inside[part] @ columns  # (coalitions, F)
        rows = np.where(taken[:, None, :], row, others[None, :, :])
        values = function(rows.reshape(-1, len(row)))
        worth[part] = values.reshape(len(taken), len(others)).mean(axis=1)
    sizes = inside.sum(axis=1)
    share = np.array(
        [factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)]
    )
    found = dict.fromkeys(groups, 0.0)
    for place, name in enumerate(differing):
        without = np.flatnonzero(~inside[:, place])
        gains = worth[without + 2**place] - worth[without]
        found[name] = float(share[sizes[without]] @ gains)
    return found
