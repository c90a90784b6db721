"""Feature tables: named numeric columns, one row per network, or per network and time."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

TIME_COLUMN = "log10_t_s"
# Names say what a column is about: the hardware alone, network and hardware together, the time; all
# others describe the network and how it lies on tiles.
HARDWARE_PREFIX = "hardware_"
JOINT_PREFIX = "joint_"


def is_hardware_column(name: str) -> bool:
    """Whether a column describes the hardware, or the time on it."""
    return name == TIME_COLUMN or name.startswith(HARDWARE_PREFIX)


def is_joint_column(name: str) -> bool:
    """Whether a column describes what a network meets on a hardware."""
    return name.startswith(JOINT_PREFIX)


def is_network_column(name: str) -> bool:
    """Whether a column describes the network, or how it lies on tiles."""
    return not is_hardware_column(name) and not is_joint_column(name)


def with_times(features: pd.DataFrame, times_s: Sequence[float]) -> pd.DataFrame:
    """Repeat every row for every time and add the column `log10_t_s`.

    Returns:
        A table of `N x T` rows, the times of a network being neighbours: a prediction's arrays
        reshape to `(N, T)`. The index, if any, is repeated with the rows.
    """
    if not times_s or min(times_s) <= 0:
        raise ValueError(f"`times_s` must hold positive seconds, but got {list(times_s)}.")
    repeated = features.loc[:, features.columns != TIME_COLUMN].iloc[
        np.repeat(np.arange(len(features)), len(times_s))
    ]
    log10_t_s = np.tile(np.log10(np.asarray(times_s, dtype=np.float64)), len(features))
    return repeated.assign(**{TIME_COLUMN: log10_t_s})


def rows_of(features: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """Line a table of networks up with their labels.

    Args:
        features: One row per network, indexed by key.
        targets: Columns `key` and `t_s`, any number of rows per network.

    Returns:
        One row per row of `targets`, with `log10_t_s`.
    """
    missing = sorted(set(targets["key"]) - set(features.index))
    if missing:
        raise ValueError(
            f"Every labelled network needs features, but {len(missing)} have none, for example "
            f"{missing[0]!r}. Compute the features of all architectures in the label table."
        )
    rows = features.loc[targets["key"].tolist()]
    return rows.assign(**{TIME_COLUMN: np.log10(targets["t_s"].to_numpy(dtype=np.float64))})


def feature_matrix(features: pd.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    """Take the named columns in the given order.

    Raises:
        ValueError: A column is missing, or holds something else than finite numbers.
    """
    missing = [name for name in columns if name not in features.columns]
    if missing:
        raise ValueError(
            f"The surrogate needs the feature columns {missing}, which the table lacks. "
            "Compute features with the version of analognas that fitted the surrogate."
        )
    try:
        matrix = features.loc[:, list(columns)].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Every feature must be a number: {error}.") from error
    finite = np.isfinite(matrix).all(axis=0)
    if not finite.all():
        bad = [name for name, good in zip(columns, finite, strict=True) if not good]
        raise ValueError(f"Every feature must be finite, but these columns are not: {bad}.")
    return matrix
