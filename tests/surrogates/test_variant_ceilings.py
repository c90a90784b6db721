"""The ceiling on variants against labels whose law is known."""

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import kendall_tau_b
from analognas.surrogates.variant_ceilings import estimate_variant_ceilings

SD = 0.04


def draw(rng: np.random.Generator, replicated: int = 12) -> tuple[pd.DataFrame, float]:
    """Labels of 60 networks on 4 of 8 variants each, and the tau of an oracle against one label."""
    quality = rng.uniform(-1.0, 1.0, 60)
    rows, taus = [], []
    for variant in range(8):
        members = [index for index in range(60) if (index + variant) % 2 == 0]
        true = np.clip(0.6 + 0.25 * quality[members] - 0.03 * variant, 0.0, 1.0)
        noise = SD * rng.standard_normal((3, len(members)))
        taus.append(np.mean([kendall_tau_b(true + one, true) for one in noise]))
        for place, index in enumerate(members):
            for seed in range(3 if index < replicated else 1):
                value = float(np.clip(true[place] + noise[seed, place], 0.0, 1.0))
                rows.append(
                    {"key": f"n{index}", "variant": f"v{variant}", "seed": seed, "mean": value}
                )
    return pd.DataFrame(rows), float(np.mean(taus))


def test_the_ceiling_is_that_of_a_real_oracle() -> None:
    rng = np.random.default_rng(0)
    labels, tau = draw(rng)
    found = estimate_variant_ceilings(labels, rng=rng, draws=10, resamples=15)
    assert set(found.scores.index) == {f"v{index}" for index in range(8)}
    assert found.replicated == 12
    assert found.scores["tau"].mean() == pytest.approx(tau, abs=0.06)
    assert found.tau_low < found.scores["tau"].mean() < found.tau_high
    assert np.sqrt(found.variance.at(np.array([0.6]))[0]) == pytest.approx(SD, rel=0.3)


def test_variants_with_few_networks_are_left_out() -> None:
    rng = np.random.default_rng(0)
    labels, _ = draw(rng)
    few = labels[(labels["variant"] != "v3") | labels["key"].isin(["n1", "n3", "n5"])]
    found = estimate_variant_ceilings(few, rng=rng, draws=2, resamples=2)
    assert "v3" not in found.scores.index


def test_without_replicated_networks_there_is_no_estimate() -> None:
    rng = np.random.default_rng(0)
    labels, _ = draw(rng, replicated=0)
    with pytest.raises(ValueError, match="several seeds"):
        estimate_variant_ceilings(labels, rng=rng)
