"""The estimated ceiling against labels whose law is known."""

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from analognas.surrogates import NoiseCeiling, estimate_noise_ceiling, kendall_tau_b

FloatArray = NDArray[np.float64]


def draw_true(kind: str, count: int, rng: np.random.Generator) -> FloatArray:
    if kind == "wide":
        return rng.uniform(0.3, 0.95, count)
    if kind == "crowded at the top":
        top = 0.97 + 0.008 * rng.standard_normal(count)
        return np.where(rng.random(count) < 0.3, rng.uniform(0.2, 0.7, count), top)
    return expit(2.2 + rng.standard_normal(count))


def draw_labels(
    true: FloatArray, sd: FloatArray, replicated: int, rng: np.random.Generator
) -> pd.DataFrame:
    seeds = np.where(np.arange(len(true)) < replicated, 3, 1)
    keys = np.repeat(np.arange(len(true)), seeds)
    return pd.DataFrame(
        {"key": keys.astype(str), "mean": true[keys] + sd[keys] * rng.standard_normal(len(keys))}
    )


def true_tau(true: FloatArray, sd: FloatArray, rng: np.random.Generator) -> float:
    draws = [kendall_tau_b(true + sd * rng.standard_normal(len(true)), true) for _ in range(20)]
    return float(np.mean(draws))


def estimate(labels: pd.DataFrame, rng: np.random.Generator) -> NoiseCeiling:
    return estimate_noise_ceiling(labels, rng=rng, draws=40, resamples=50, draws_per_resample=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wide", "crowded at the top", "bell"])
@pytest.mark.parametrize("binomial", [True, False])
def test_the_interval_covers_the_tau_of_a_real_oracle(kind: str, binomial: bool) -> None:
    covered = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        true = draw_true(kind, 120, rng)
        variance = 0.002 * np.clip(true * (1.0 - true), 0.0, None) if binomial else 0.015**2
        sd = np.sqrt(variance) * np.ones_like(true)
        ceiling = estimate(draw_labels(true, sd, 20, rng), rng)
        covered.append(ceiling.tau_low <= true_tau(true, sd, rng) <= ceiling.tau_high)
    assert sum(covered) >= 3


def test_the_seed_variance_is_recovered() -> None:
    rng = np.random.default_rng(0)
    true = draw_true("wide", 400, rng)
    ceiling = estimate(draw_labels(true, np.full(400, 0.02), 400, rng), rng)
    assert ceiling.seed_sd == pytest.approx(0.02, rel=0.1)
    assert ceiling.rmse == pytest.approx(0.02, rel=0.1)
    assert (ceiling.networks, ceiling.replicated) == (400, 400)


def test_labels_without_noise_have_no_ceiling() -> None:
    rng = np.random.default_rng(0)
    true = draw_true("wide", 60, rng)
    ceiling = estimate(draw_labels(true, np.zeros(60), 20, rng), rng)
    assert ceiling.tau > 0.99
    assert ceiling.seed_sd == pytest.approx(0.0, abs=1e-6)


def test_more_noise_lowers_the_ceiling() -> None:
    rng = np.random.default_rng(0)
    true = draw_true("bell", 120, rng)
    taus = [estimate(draw_labels(true, np.full(120, sd), 40, rng), rng).tau for sd in (0.005, 0.03)]
    assert taus == sorted(taus, reverse=True)


def test_the_same_generator_gives_the_same_ceiling() -> None:
    labels = draw_labels(np.linspace(0.5, 0.9, 30), np.full(30, 0.02), 10, np.random.default_rng(0))
    first, second = (estimate(labels, np.random.default_rng(1)) for _ in range(2))
    assert first == second


def test_without_replicated_networks_there_is_no_estimate() -> None:
    labels = draw_labels(np.linspace(0.5, 0.9, 30), np.full(30, 0.02), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="several seeds"):
        estimate(labels, np.random.default_rng(0))
