"""Ranking metrics, ties and constants among them."""

import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognas.surrogates import (
    coverage,
    kendall_tau_b,
    regret_best_of_ten,
    rmse,
    spearman,
    tau_top_quarter,
)
from analognas.surrogates.metrics import mean_absolute_error, recall_of_ten

VALUES = st.lists(st.floats(0, 1, width=16), min_size=3, max_size=30)


def tau_b_by_counting(a: list[float], b: list[float]) -> float:
    pairs = [(i, j) for i in range(len(a)) for j in range(i)]
    signs = [(np.sign(a[i] - a[j]), np.sign(b[i] - b[j])) for i, j in pairs]
    untied_a = sum(x != 0 for x, _ in signs)
    untied_b = sum(y != 0 for _, y in signs)
    if untied_a == 0 or untied_b == 0:
        return math.nan
    return float(sum(x * y for x, y in signs) / math.sqrt(untied_a * untied_b))


@given(VALUES, st.randoms())
def test_tau_b_is_that_of_counting_pairs(values: list[float], source: random.Random) -> None:
    other = [round(source.random() * 4) / 4 for _ in values]
    np.testing.assert_allclose(
        kendall_tau_b(values, other), tau_b_by_counting(values, other), atol=1e-12
    )


@pytest.mark.parametrize("metric", [kendall_tau_b, spearman])
def test_a_perfect_order_has_correlation_one_and_the_reverse_minus_one(metric) -> None:  # type: ignore[no-untyped-def]
    values = np.arange(9.0)
    assert metric(values, np.exp(values)) == pytest.approx(1.0)
    assert metric(values, -values) == pytest.approx(-1.0)


@pytest.mark.parametrize("metric", [kendall_tau_b, spearman, tau_top_quarter])
def test_a_ranker_that_says_the_same_of_every_network_is_visible(metric) -> None:  # type: ignore[no-untyped-def]
    assert math.isnan(metric(np.arange(20.0), np.full(20, 0.7)))


def test_tau_in_the_top_quarter_does_not_look_at_the_rest() -> None:
    actual = np.arange(40.0)
    predicted = actual.copy()
    predicted[:30] = 7.0
    assert tau_top_quarter(actual, predicted) == pytest.approx(1.0)
    predicted[30:] = -predicted[30:]
    assert tau_top_quarter(actual, predicted) == pytest.approx(-1.0)


def test_regret_is_the_loss_of_trusting_the_ten_predicted_best() -> None:
    actual = np.linspace(0.5, 0.9, 41)
    assert regret_best_of_ten(actual, actual) == pytest.approx(0.0)
    assert regret_best_of_ten(actual, -actual) == pytest.approx(0.9 - 0.59)
    assert regret_best_of_ten(actual[:8], -actual[:8]) == 0.0


def test_regret_of_a_constant_is_that_of_ten_random_networks() -> None:
    rng = np.random.default_rng(0)
    actual = rng.random(25)
    drawn = [regret_best_of_ten(actual, rng.permutation(25)) for _ in range(4000)]
    expected = regret_best_of_ten(actual, np.zeros(25))
    assert expected == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(4000))


def test_a_tie_at_the_tenth_place_is_shared() -> None:
    actual = np.r_[np.full(9, 0.5), 0.9, 0.7, np.full(20, 0.1)]
    predicted = np.r_[np.full(9, 3.0), 2.0, 2.0, np.zeros(20)]
    assert regret_best_of_ten(actual, predicted) == pytest.approx(0.5 * 0.0 + 0.5 * 0.2)


def test_errors_are_in_the_unit_of_the_values() -> None:
    assert rmse([0.5, 0.5], [0.6, 0.4]) == pytest.approx(0.1)
    assert mean_absolute_error([0.5, 0.5], [0.6, 0.5]) == pytest.approx(0.05)


def test_coverage_counts_networks_not_rows() -> None:
    groups = pd.DataFrame({"key": ["a", "a", "a", "b"], "variant": "nominal"})
    actual = [0.5, 0.5, 0.9, 0.5]  # one of four rows is outside, but one of two networks
    assert coverage(groups, actual, [0.4] * 4, [0.6] * 4) == 0.5


def test_a_network_outside_on_one_of_two_kinds_of_hardware_counts_half() -> None:
    groups = pd.DataFrame({"key": ["a", "a", "b"], "variant": ["x", "y", "x"]})
    assert coverage(groups, [0.9, 0.5, 0.5], [0.4] * 3, [0.6] * 3) == 0.75


def test_recall_counts_the_best_ten_that_are_found() -> None:
    actual = np.arange(40.0)
    assert recall_of_ten(actual, actual) == 1.0
    assert recall_of_ten(actual, -actual) == 0.0
    shifted = np.where(actual < 5, actual + 100, actual)  # five wrong ones take half the places
    assert recall_of_ten(actual, shifted) == 0.5


def test_arrays_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        kendall_tau_b([1.0, 2.0], [1.0])
