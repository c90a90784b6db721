"""Intervals hold for new networks, at the level they claim."""

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import coverage
from analognas.surrogates.calibration import Calibration, Scores, calibrate, interval
from analognas.surrogates.regions import Beyond, Region

TIMES = 5
LOW_BITS = Region("low bits", "hardware_bits", high=5.0)


def draw_networks(
    count: int, rng: np.random.Generator, prefix: str, *, variants: int = 1
) -> pd.DataFrame:
    """Errors of a network's times and variants are nearly equal: rows are not independent."""
    shape = (count, variants, TIMES)
    error = 0.03 * rng.standard_normal((count, 1, 1)) + 0.003 * rng.standard_normal(shape)
    return pd.DataFrame(
        {
            "key": np.repeat([f"{prefix}{index}" for index in range(count)], variants * TIMES),
            "variant": np.tile(np.repeat([f"v{v}" for v in range(variants)], TIMES), count),
            "mean": np.clip(0.7 + error, 0, 1).ravel(),
            "t_s": np.tile(np.arange(1.0, TIMES + 1), count * variants),
        }
    )


def predict_seventy(_seen: pd.DataFrame, _labels: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
    return np.full(len(new), 0.7)


@pytest.mark.parametrize("variants", [1, 3])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_coverage_by_network_is_the_level(level: float, variants: int) -> None:
    rng = np.random.default_rng(0)
    reached = []
    for _ in range(40):
        seen = draw_networks(60, rng, "seen", variants=variants)
        new = draw_networks(200, rng, "new", variants=variants)
        calibration = calibrate(predict_seventy, seen, seen, folds=10)
        lower, upper = interval(np.full(len(new), 0.7), calibration, level)
        reached.append(coverage(new, new["mean"], lower, upper))
    assert np.mean(reached) == pytest.approx(level, abs=0.025)


def test_every_network_and_hardware_gives_one_score() -> None:
    seen = draw_networks(23, np.random.default_rng(0), "n", variants=2)
    scores = calibrate(predict_seventy, seen, seen, folds=5).within
    assert len(scores.values) == len(scores.shares) == 46
    assert list(scores.values) == sorted(scores.values)
    assert sum(scores.shares) == pytest.approx(23)


def test_a_network_is_never_in_the_part_that_predicts_it() -> None:
    seen = draw_networks(23, np.random.default_rng(0), "n")
    predicted: list[str] = []

    def check(fit: pd.DataFrame, labels: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
        assert not set(labels["key"]) & set(new["key"])
        assert len(fit) == len(labels)
        predicted.extend(new["key"])
        return np.full(len(new), 0.7)

    calibrate(check, seen, seen, folds=5)
    assert sorted(predicted) == sorted(seen["key"])


def test_beyond_the_labels_scores_come_from_models_that_did_not_see_the_region() -> None:
    seen = draw_networks(40, np.random.default_rng(0), "n", variants=4)
    bits = seen["variant"].map({"v0": 4.0, "v1": 5.0, "v2": 6.0, "v3": 8.0})
    features = pd.DataFrame({"hardware_bits": bits})

    def check(fit: pd.DataFrame, _labels: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
        assert fit["hardware_bits"].min() == 6.0
        return np.where(new["hardware_bits"] <= 5.0, 0.4, 0.7)

    found = calibrate(check, features, seen, folds=5, regions=(LOW_BITS,))
    assert found.beyond_hardware is not None
    assert sum(found.within.shares) == sum(found.beyond_hardware.shares) == pytest.approx(40)
    assert found.beyond_hardware.half_width(0.8) > 4 * found.within.half_width(0.8)
    mean = np.full(2, 0.7)
    rows = Beyond(np.array([False, True]), np.array([False, False]))
    lower, upper = interval(mean, found, 0.8, rows)
    assert upper[1] - lower[1] > 3 * (upper[0] - lower[0])


def test_scores_of_the_largest_networks_come_from_smaller_ones() -> None:
    seen = draw_networks(40, np.random.default_rng(0), "n")
    size = seen["key"].str[1:].astype(float)
    features = pd.DataFrame({"log10_multiplications": size})

    def check(fit: pd.DataFrame, _labels: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
        sizes = new["log10_multiplications"]
        return np.full(len(new), 0.3 if sizes.min() > fit["log10_multiplications"].max() else 0.7)

    found = calibrate(check, features, seen, folds=5)
    assert found.beyond_size is not None
    assert sum(found.beyond_size.shares) == pytest.approx(8)
    assert min(found.beyond_size.values) > max(found.within.values)


def test_models_learn_from_no_more_rows_than_wanted() -> None:
    seen = draw_networks(40, np.random.default_rng(0), "n", variants=4)

    def check(fit: pd.DataFrame, _labels: pd.DataFrame, new: pd.DataFrame) -> np.ndarray:
        assert len(fit) <= 300
        return np.full(len(new), 0.7)

    assert sum(calibrate(check, seen, seen, folds=5, limit=300).within.shares) == pytest.approx(40)


def test_too_few_scores_for_a_level_give_the_whole_range() -> None:
    few = Calibration(within=Scores(values=(0.1,) * 10, shares=(1.0,) * 10))
    lower, upper = interval(np.array([0.5]), few, 0.95)
    assert (lower[0], upper[0]) == (0.0, 1.0)


def test_the_rank_of_the_score_is_exact() -> None:
    values = tuple(1e-3 * index for index in range(1, 10))  # (9 + 1) * 0.8 = the eighth
    scores = Calibration(within=Scores(values=values, shares=(1.0,) * 9))
    lower, upper = interval(np.array([0.5]), scores, 0.8)
    assert (upper - lower)[0] == pytest.approx(2 * 8e-3 * np.sqrt(0.25 + 1e-3))
