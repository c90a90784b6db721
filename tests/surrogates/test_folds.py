"""Splits by network."""

import numpy as np
import pytest

from analognas.surrogates.folds import fold_of_rows

KEYS = [f"{index:012x}" for index in range(23)]


def test_all_rows_of_a_network_are_in_one_fold() -> None:
    fold = fold_of_rows(KEYS * 3, 5)
    np.testing.assert_array_equal(fold[:23], fold[23:46])
    np.testing.assert_array_equal(fold[:23], fold[46:])


def test_folds_are_equally_large_within_one() -> None:
    assert set(np.bincount(fold_of_rows(KEYS, 5))) == {4, 5}


def test_the_split_does_not_depend_on_the_order_of_rows() -> None:
    np.testing.assert_array_equal(fold_of_rows(KEYS[::-1], 5)[::-1], fold_of_rows(KEYS, 5))


def test_another_salt_is_another_split() -> None:
    assert np.any(fold_of_rows(KEYS, 5, salt="a") != fold_of_rows(KEYS, 5, salt="b"))


@pytest.mark.parametrize("folds", [1, 24])
def test_impossible_splits_are_refused(folds: int) -> None:
    with pytest.raises(ValueError, match="folds"):
        fold_of_rows(KEYS, folds)
