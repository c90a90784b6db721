"""Intervals hold for new networks, at the level they claim."""

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import coverage
from analognas.surrogates.calibration import conformity_scores, interval

TIMES = 5


def draw_networks(count: int, rng: np.random.Generator, prefix: str) -> pd.DataFrame:
    """Errors of a network's times are nearly equal: rows are no independent observations."""
    error = 0.03 * rng.standard_normal(count)[:, None] + 0.003 * rng.standard_normal((count, TIMES))
    return pd.DataFrame(
        {
            "key": np.repeat([f"{prefix}{index}" for index in range(count)], TIMES),
            "mean": np.clip(0.7 + error, 0, 1).ravel(),
        }
    )


def predict_seventy(_seen: pd.DataFrame, _labels: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
    return np.full(len(new), 0.7)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_coverage_by_network_is_the_level(level: float) -> None:
    rng = np.random.default_rng(0)
    reached = []
    for _ in range(60):
        seen = draw_networks(60, rng, "seen")
        new = draw_networks(200, rng, "new")
        scores = conformity_scores(predict_seventy, seen, seen, folds=10)
        lower, upper = interval(np.full(len(new), 0.7), scores.tolist(), level)
        reached.append(coverage(new["key"].tolist(), new["mean"], lower, upper))
    assert np.mean(reached) == pytest.approx(level, abs=0.02)


def test_every_network_gives_one_score() -> None:
    seen = draw_networks(23, np.random.default_rng(0), "n")
    scores = conformity_scores(predict_seventy, seen, seen, folds=5)
    assert scores.shape == (23,)
    assert np.all(np.diff(scores) >= 0)


def test_a_network_is_never_in_the_part_that_predicts_it() -> None:
    seen = draw_networks(23, np.random.default_rng(0), "n")
    predicted: list[str] = []

    def check(fit: pd.DataFrame, labels: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
        assert not set(labels["key"]) & set(new["key"])
        assert len(fit) == len(labels)
        predicted.extend(new["key"])
        return np.full(len(new), 0.7)

    conformity_scores(check, seen, seen, folds=5)
    assert sorted(predicted) == sorted(seen["key"])


def test_too_few_scores_for_a_level_give_the_whole_range() -> None:
    lower, upper = interval(np.array([0.5]), [0.1] * 10, 0.95)
    assert (lower[0], upper[0]) == (0.0, 1.0)


def test_the_rank_of_the_score_is_exact() -> None:
    scores = [float(index) for index in range(1, 10)]  # (9 + 1) * 0.8 = the eighth
    lower, upper = interval(np.array([0.5]), [score * 1e-3 for score in scores], 0.8)
    assert (upper - lower)[0] == pytest.approx(2 * 8e-3 * np.sqrt(0.25 + 1e-3))
