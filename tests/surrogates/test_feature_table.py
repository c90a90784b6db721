"""Tables of named features."""

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import rows_of, with_times
from analognas.surrogates.feature_table import feature_matrix

FEATURES = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=["x", "y"])


def test_the_times_of_a_network_are_neighbours() -> None:
    rows = with_times(FEATURES, (1.0, 100.0))
    assert rows.index.tolist() == ["x", "x", "y", "y"]
    assert rows["a"].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert rows["log10_t_s"].tolist() == [0.0, 2.0, 0.0, 2.0]


def test_times_given_again_replace_the_old_ones() -> None:
    again = with_times(with_times(FEATURES, (1.0,)), (10.0,))
    assert again["log10_t_s"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("times_s", [(), (0.0,), (1.0, -1.0)])
def test_impossible_times_are_refused(times_s: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="positive seconds"):
        with_times(FEATURES, times_s)


def test_features_are_lined_up_with_their_labels() -> None:
    targets = pd.DataFrame({"key": ["y", "x", "y"], "t_s": [1.0, 10.0, 100.0]})
    rows = rows_of(FEATURES, targets)
    assert rows["b"].tolist() == [4.0, 3.0, 4.0]
    np.testing.assert_allclose(rows["log10_t_s"], [0.0, 1.0, 2.0])


def test_a_labelled_network_without_features_is_named() -> None:
    with pytest.raises(ValueError, match="'z'"):
        rows_of(FEATURES, pd.DataFrame({"key": ["z"], "t_s": [1.0]}))


def test_columns_come_in_the_order_asked_for() -> None:
    np.testing.assert_array_equal(feature_matrix(FEATURES, ["b", "a"]), [[3.0, 1.0], [4.0, 2.0]])


def test_text_is_no_feature() -> None:
    with pytest.raises(ValueError, match="number"):
        feature_matrix(FEATURES.assign(a="wide"), ["a"])
