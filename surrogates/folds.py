"""Splits by network: all rows of a network fall into the same part."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fold_of_rows(keys: Sequence[str], folds: int, *, salt: str = "") -> NDArray[np.int64]:
    """Deal the networks out to folds of equal size (within one), in the order of a hash of the key.

    The split depends on the set of keys and on `salt` alone, not on the order of rows.

    Returns:
        The fold, 0 to `folds - 1`, of every row.
    """
    unique = sorted(set(keys), key=lambda key: hashlib.sha256(f"{salt}/{key}".encode()).digest())
    if not 2 <= folds <= len(unique):
        raise ValueError(
            f"`2 <= folds <= networks` must hold, but {len(unique)} labelled networks are to be "
            f"cut into {folds} parts. Label more networks."
        )
    fold = {key: index % folds for index, key in enumerate(unique)}
    return np.array([fold[key] for key in keys], dtype=np.int64)
