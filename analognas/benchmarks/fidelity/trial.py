"""What a check of an effect is, and how draws are compared with a law."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import torch
from torch import Tensor

from analognas.benchmarks.fidelity.laws import Moments
from analognas.simulator import spawn_generator


@dataclass(frozen=True)
class Check:
    """A measured moment of an effect beside its closed form; without an error it must be exact."""

    effect: str
    quantity: str
    expected: float
    measured: float
    standard_error: float | None

    @property
    def deviation(self) -> float | None:
        """In standard errors."""
        if not self.standard_error:
            return None
        return (self.measured - self.expected) / self.standard_error


@dataclass(frozen=True)
class Trial:
    """What a check may use: its random numbers, how many of them, and the precision of reads."""

    seed: int
    draws: int
    dtype: torch.dtype = torch.float64

    def generator(self, *path: str) -> torch.Generator:
        return spawn_generator(self.seed, "fidelity", *path)


Measure = Callable[[Trial, str], Iterator[Check]]


def moments(effect: str, quantity: str, values: Tensor, law: Moments) -> Iterator[Check]:
    """Compare mean and standard deviation of independent draws with a law."""
    values = values.double().flatten()
    n, mean = values.numel(), float(values.mean())
    centred = values - mean
    variance = float(centred.square().mean())
    spread = math.sqrt(variance)
    # The standard error of a standard deviation, from the fourth moment.
    fourth = float(centred.pow(4).mean())
    error = math.sqrt(max(fourth - variance**2, 0.0) / n) / (2 * spread) if spread > 0 else None
    yield Check(effect, f"mean {quantity}", law.mean, mean, spread / math.sqrt(n) or None)
    yield Check(effect, f"sd {quantity}", law.spread, spread, error)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """The mean of at least two values, and its standard error."""
    return fmean(values), stdev(values) / math.sqrt(len(values))
