"""Noise ceilings on variants of the hardware, where few chips and inputs add to the noise.

On every variant a part of the networks is labelled, and few of them under several seeds. The
variance of a label over seeds depends on its accuracy far more than on the variant; it is fitted
once to all of them. It holds everything that differs between two seeds: the training and the chips.
The inputs are the same for all networks, and so is most of the error that they make: it is not part
of the noise, a ranking on these inputs is what is predicted. Oracle and labels are then drawn for
each variant alone, as for the nominal hardware.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analognas.surrogates.metrics import kendall_tau_b
from analognas.surrogates.noise_ceiling import (
    Networks,
    OracleSampler,
    SeedVariance,
    score_oracle,
)

MINIMUM_NETWORKS = 10  # on a variant whose networks are put in order
COLUMNS = ("tau", "spearman", "tau_top_quarter", "regret_best_of_ten", "recall_of_ten", "rmse")


@dataclass(frozen=True, eq=False)
class VariantCeilings:
    """What an oracle reaches on every variant.

    Attributes:
        scores: Indexed by variant, columns as in `NoiseCeiling`.
        tau_low: Of the mean tau over the variants, central 90 % of a bootstrap over networks.
        tau_high: The upper end.
        variance: Of a label over seeds.
        replicated: Networks that it was fitted from.
    """

    scores: pd.DataFrame
    tau_low: float
    tau_high: float
    variance: SeedVariance
    replicated: int


def estimate_variant_ceilings(
    labels: pd.DataFrame,
    *,
    rng: np.random.Generator,
    draws: int = 20,
    resamples: int = 40,
    variants_per_resample: int = 8,
) -> VariantCeilings:
    """Score an oracle against single noisy labels on each variant, at one time.

    Args:
        labels: Columns `key`, `variant` and `mean`, one row per network, variant and seed; at least
            two networks under several seeds.
        rng: For the simulated labels and the bootstrap.
        draws: Simulated sets of labels for each variant.
        resamples: Bootstrap samples of networks.
        variants_per_resample: Variants that are simulated in each, drawn at random.
    """
    variance = _fit_variance(labels)
    by_variant = {str(name): part for name, part in labels.groupby("variant")}
    sizes = {name: part["key"].nunique() for name, part in by_variant.items()}
    usable = [name for name, size in sizes.items() if size >= MINIMUM_NETWORKS]
    rows = {}
    for name in usable:
        sampler = OracleSampler(Networks.of(by_variant[name]), variance)
        rows[name] = np.nanmean([score_oracle(*sampler.draw(rng)) for _ in range(draws)], axis=0)
    scores = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    low, high = np.nan, np.nan
    if usable:
        taus = [
            _resampled_tau(labels, usable, variants_per_resample, rng) for _ in range(resamples)
        ]
        # Only the spread is used: a resample holds copies, which an oracle cannot order.
        ends = np.quantile(taus, (0.05, 0.95)) - np.mean(taus) + scores["tau"].mean()
        low, high = max(float(ends[0]), -1.0), min(float(ends[1]), 1.0)
    seeds = labels.groupby("key")["seed"].nunique()
    return VariantCeilings(scores, low, high, variance, int((seeds >= 2).sum()))


def _fit_variance(labels: pd.DataFrame) -> SeedVariance:
    """From all variants together: a network on a variant is what is labelled again."""
    pairs = labels["key"] + "/" + labels["variant"]
    return Networks.of(labels.assign(key=pairs)).fit_variance()


def _resampled_tau(
    labels: pd.DataFrame, usable: list[str], count: int, rng: np.random.Generator
) -> float:
    """Tau of the oracle on a few variants for resampled networks, the variance fitted anew."""
    groups = {str(key): part for key, part in labels.groupby("key")}
    several = {key: part for key, part in groups.items() if part["seed"].nunique() >= 2}
    drawn = rng.choice(list(several), size=len(several))
    copies = [several[key].assign(key=f"{key}/{place}") for place, key in enumerate(drawn)]
    variance = _fit_variance(pd.concat(copies))
    taus = []
    for name in rng.choice(usable, size=min(count, len(usable)), replace=False):
        networks = Networks.of(labels[labels["variant"] == name])
        places = rng.integers(len(networks.mean), size=len(networks.mean))
        true, noisy = OracleSampler(networks.take(places), variance).draw(rng)
        taus.append(kendall_tau_b(noisy, true))
    return float(np.mean(taus))
