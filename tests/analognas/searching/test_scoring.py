"""Service life and yield, from numbers whose answers are known."""

import numpy as np
import pytest
from scipy.stats import norm

from analognas.errors import UserError
from analognas.searching.config import make_config
from analognas.searching.objectives import NEED_MIN_ACCURACY, TIMES_S
from analognas.searching.scoring import chip_yield, service_life_s

YEAR_S = TIMES_S["1year"]


@pytest.mark.parametrize(
    ("accuracies", "life_s"),
    [
        ((0.95, 0.95, 0.94, 0.93, 0.92), YEAR_S),  # never below
        ((0.90, 0.90, 0.90, 0.90, 0.90), YEAR_S),  # just enough
        ((0.89, 0.95, 0.95, 0.95, 0.95), 0.0),  # not enough from the start
        ((0.94, 0.94, 0.92, 0.88, 0.80), 10 ** ((np.log10(86_400.0) + np.log10(2_592_000.0)) / 2)),
        ((0.94, 0.86, 0.95, 0.95, 0.95), 60.0),  # half of the way from 1 s to 1 h, in logarithms
    ],
)
def test_the_service_life_ends_where_the_accuracy_crosses_the_wanted_one(
    accuracies: tuple[float, ...], life_s: float
) -> None:
    assert service_life_s(np.array([accuracies]), 0.9)[0] == pytest.approx(life_s)


def test_the_yield_is_that_of_a_normal_law() -> None:
    rng = np.random.default_rng(0)
    mean, sd = 0.92, 0.015
    low = mean - norm.ppf(0.95) * sd
    share = chip_yield(np.array([[mean]]), np.array([[low]]), 0.9)[0, 0]
    drawn = np.mean(rng.normal(mean, sd, size=200_000) >= 0.9)
    assert share == pytest.approx(drawn, abs=0.003)


def test_without_spread_all_chips_are_like_the_mean() -> None:
    means = np.array([[0.95, 0.90, 0.85]])
    assert chip_yield(means, means, 0.9).tolist() == [[1.0, 1.0, 0.0]]


@pytest.mark.parametrize("name", NEED_MIN_ACCURACY)
def test_objectives_that_must_know_what_is_enough_say_so(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} must know which accuracy.*--min-accuracy"):
        make_config({"task": "kws", "objectives": [name, "energy"]})
    config = make_config({"task": "kws", "objectives": [name, "energy"], "min_accuracy": 0.9})
    assert config.objectives == (name, "energy")
