"""How well a perfect predictor could do against labels that are themselves noisy.

Training a network again gives another accuracy. From networks trained under several seeds the
variance of a single label is fitted; the distribution of the true values (means over infinitely
many seeds) follows by taking this variance out of the labels (deconvolution). An oracle that knows
the true values is then scored against one simulated noisy label per network.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from analognas.surrogates.metrics import (
    kendall_tau_b,
    recall_of_ten,
    regret_best_of_ten,
    rmse,
    spearman,
    tau_top_quarter,
)

FloatArray = NDArray[np.float64]

_GRID = 400
_EM_STEPS = 15
_SMALLEST_VARIANCE = 1e-8


@dataclass(frozen=True)
class SeedVariance:
    """Variance of a label over training seeds: `constant + binomial p (1 - p)` at accuracy `p`."""

    constant: float
    binomial: float

    def at(self, accuracy: FloatArray) -> FloatArray:
        return self.constant + self.binomial * accuracy * (1.0 - accuracy)


@dataclass(frozen=True)
class NoiseCeiling:
    """What an oracle that knows every true value reaches against one noisy label per network.

    `tau_low` to `tau_high` is the central 90 % of a bootstrap over networks.
    """

    tau: float
    tau_low: float
    tau_high: float
    spearman: float
    tau_top_quarter: float
    regret_best_of_ten: float
    recall_of_ten: float
    rmse: float
    seed_sd: float  # of one label, root mean square over the networks
    variance: SeedVariance
    networks: int
    replicated: int


def estimate_noise_ceiling(
    labels: pd.DataFrame,
    *,
    rng: np.random.Generator,
    draws: int = 100,
    resamples: int = 200,
    draws_per_resample: int = 4,
) -> NoiseCeiling:
    """Score an oracle against single noisy labels of the labelled networks at one time.

    Args:
        labels: Columns `key` and `mean` (accuracy, mean over chips), one row per network and seed;
            at least two networks under several seeds.
        rng: For the simulated labels and the bootstrap.
        draws: Simulated sets of labels for the scores.
        resamples: Bootstrap samples of networks for the interval of tau.
        draws_per_resample: Simulated sets of labels in each.
    """
    networks = Networks.of(labels)
    variance = networks.fit_variance()
    sampler = OracleSampler(networks, variance)
    scores = [score_oracle(*sampler.draw(rng)) for _ in range(draws)]
    tau, rank_correlation, tau_top, regret, recall, error = np.mean(scores, axis=0).tolist()
    resampled = _bootstrap_tau(networks, resamples, draws_per_resample, rng)
    # A resample holds copies, which an oracle cannot order: only the spread of its taus is used.
    low, high = (tau + np.quantile(resampled, (0.05, 0.95)) - np.mean(resampled)).tolist()
    return NoiseCeiling(
        tau=tau,
        tau_low=max(low, -1.0),
        tau_high=min(high, 1.0),
        spearman=rank_correlation,
        tau_top_quarter=tau_top,
        regret_best_of_ten=regret,
        recall_of_ten=recall,
        rmse=error,
        seed_sd=float(np.sqrt(variance.at(networks.mean).mean())),
        variance=variance,
        networks=len(networks.mean),
        replicated=networks.replicated,
    )


def score_oracle(true: FloatArray, noisy: FloatArray) -> tuple[float, ...]:
    """Tau, Spearman, tau in the top quarter, regret, recall of ten, RMSE of the true values."""
    return (
        kendall_tau_b(noisy, true),
        spearman(noisy, true),
        tau_top_quarter(noisy, true),
        regret_best_of_ten(noisy, true),
        recall_of_ten(noisy, true),
        rmse(noisy, true),
    )


def fit_seed_variance(labels: pd.DataFrame) -> SeedVariance:
    """Fit the variance over seeds from the networks with at least two; columns `key`, `mean`."""
    return Networks.of(labels).fit_variance()


@dataclass(frozen=True)
class Networks:
    """Labels of every network over its seeds: mean, sample variance (0 for one seed), number."""

    mean: FloatArray
    sample_variance: FloatArray
    seeds: FloatArray

    @classmethod
    def of(cls, labels: pd.DataFrame) -> "Networks":
        groups = labels.groupby("key")["mean"]
        return cls(
            groups.mean().to_numpy(dtype=np.float64),
            np.asarray(groups.var(ddof=1).fillna(0.0), dtype=np.float64),
            np.asarray(groups.size(), dtype=np.float64),
        )

    @property
    def replicated(self) -> int:
        """How many are labelled under several seeds."""
        return int((self.seeds >= 2).sum())

    def take(self, index: NDArray[np.int64]) -> "Networks":
        return Networks(self.mean[index], self.sample_variance[index], self.seeds[index])

    def fit_variance(self) -> SeedVariance:
        """Least squares on the sample variances, coefficients kept from becoming negative.

        A sample variance scatters in proportion to what it estimates, so each is weighted by its
        degrees of freedom and the inverse square of its expectation, which is iterated.
        """
        if self.replicated < 2:
            raise ValueError(
                "The noise ceiling needs at least 2 networks trained under several seeds, but got "
                f"{self.replicated}. Label some networks under more seeds."
            )
        several = self.seeds >= 2
        mean, sample, dof = self.mean[several], self.sample_variance[several], self.seeds[several]
        dof = dof - 1.0
        design = np.column_stack([np.ones_like(mean), mean * (1.0 - mean)])
        expected = np.full_like(mean, np.average(sample, weights=dof))
        for _ in range(10):
            weight = np.sqrt(dof) / np.maximum(expected, _SMALLEST_VARIANCE)
            (constant, binomial), _residual = nnls(design * weight[:, None], sample * weight)
            expected = constant + binomial * mean * (1.0 - mean)
        return SeedVariance(float(constant), float(binomial))


class OracleSampler:
    """Draws true values and one noisy label for every network.

    The distribution of true values on a grid is found by expectation maximisation, stopped early:
    run to its end it would collapse onto a few values. Each network's true value is then drawn from
    its own posterior.
    """

    def __init__(self, networks: Networks, variance: SeedVariance) -> None:
        self._variance = variance
        low, high = float(networks.mean.min()), float(networks.mean.max())
        margin = 0.1 * (high - low) + 1e-3
        edges = np.linspace(max(0.0, low - margin), min(1.0, high + margin), _GRID + 1)
        self._grid = (edges[1:] + edges[:-1]) / 2.0
        self._step = float(edges[1] - edges[0])
        spread = np.maximum(variance.at(self._grid), (self._step / 2.0) ** 2)
        label_variance = spread[None, :] / networks.seeds[:, None]
        error = networks.mean[:, None] - self._grid[None, :]
        exponent = -0.5 * (error**2 / label_variance + np.log(label_variance))
        likelihood = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        weights = np.full(_GRID, 1.0 / _GRID)
        for _ in range(_EM_STEPS):
            posterior = likelihood * weights
            posterior /= posterior.sum(axis=1, keepdims=True)
            weights = posterior.mean(axis=0)
        self._cumulative = np.cumsum(posterior, axis=1)

    def draw(self, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Return true values and noisy labels, each one per network."""
        uniform = rng.random(len(self._cumulative))[:, None]
        index = np.minimum((self._cumulative < uniform).sum(axis=1), _GRID - 1)
        jitter = (rng.random(len(index)) - 0.5) * self._step
        true = np.clip(self._grid[index] + jitter, 0.0, 1.0)
        noise = rng.standard_normal(len(index)) * np.sqrt(self._variance.at(true))
        return true, true + noise


def _bootstrap_tau(
    networks: Networks, resamples: int, draws: int, rng: np.random.Generator
) -> list[float]:
    """Tau of the oracle for resampled networks, everything fitted anew each time."""
    taus: list[float] = []
    count = len(networks.mean)
    while len(taus) < resamples:
        sample = networks.take(rng.integers(count, size=count))
        if sample.replicated < 2:
            continue
        sampler = OracleSampler(sample, sample.fit_variance())
        pairs = [sampler.draw(rng) for _ in range(draws)]
        taus.append(float(np.mean([kendall_tau_b(noisy, true) for true, noisy in pairs])))
    return taus
