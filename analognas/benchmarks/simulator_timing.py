"""Time a piece of work against a reference: in turns, so that both meet the same machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as record

Work = Callable[[], object]


@record(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Effort:
    """How thoroughly to measure.

    Args:
        chips: Simulated chips of the evaluation.
        pairs: Fewest pairs of reference and candidate.
        seconds: Pairs are added until so much time was spent.
        block_seconds: Short work is repeated within a sample until it takes so long.
        repetitions: Measurements of every point of a line; the shortest counts.
        ratios_only: Leave out memory, linearity and profiles.
    """

    chips: Annotated[int, Ge(1)] = 25
    pairs: Annotated[int, Ge(1)] = 3
    seconds: Annotated[float, Ge(0)] = 8.0
    block_seconds: Annotated[float, Gt(0)] = 0.1
    repetitions: Annotated[int, Ge(1)] = 2
    ratios_only: bool = False

    @property
    def few_pairs(self) -> Effort:
        """For parts of what was measured as a whole."""
        return replace(self, pairs=min(self.pairs, 3), seconds=min(self.seconds, 2.0))


LONG_S = 20.0  # a run that takes so long is not repeated to find out what it takes

FULL = Effort()
QUICK = Effort(chips=2, pairs=3, seconds=0.2, block_seconds=0.02, repetitions=1, ratios_only=True)


@dataclass(frozen=True)
class Comparison:
    """Seconds of reference and candidate, measured in turns."""

    reference_s: tuple[float, ...]
    candidate_s: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Candidate over the reference that ran just before it."""
        return tuple(c / r for r, c in zip(self.reference_s, self.candidate_s, strict=True))

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def reference_median_s(self) -> float:
        return statistics.median(self.reference_s)

    @property
    def candidate_median_s(self) -> float:
        return statistics.median(self.candidate_s)


@dataclass(frozen=True)
class Line:
    """Cost over a size, `seconds = fixed_s + per_unit_s * size`, fitted by least squares."""

    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    fixed_s: float
    per_unit_s: float

    @property
    def largest_deviation(self) -> float:
        """Largest distance of a measured point from the line, as a fraction of the line there."""
        fitted = [self.fixed_s + self.per_unit_s * size for size in self.sizes]
        return max(abs(s - f) / f for s, f in zip(self.seconds, fitted, strict=True))


def compare(
    reference: Work, candidate: Work, effort: Effort, *, device: torch.device
) -> Comparison:
    """Run both in turns and time them; the first run of each, which compiles, is not counted."""
    reference_runs = _runs_per_sample(reference, effort, device)
    candidate_runs = _runs_per_sample(candidate, effort, device)
    reference_s: list[float] = []
    candidate_s: list[float] = []
    start = time.perf_counter()
    while len(reference_s) < effort.pairs or time.perf_counter() - start < effort.seconds:
        reference_s.append(seconds_of(reference, reference_runs, device=device))
        candidate_s.append(seconds_of(candidate, candidate_runs, device=device))
    return Comparison(tuple(reference_s), tuple(candidate_s))


def seconds_of(work: Work, runs: int = 1, *, device: torch.device) -> float:
    """Mean duration of one run out of `runs`."""
    _wait(device)
    start = time.perf_counter()
    for _ in range(runs):
        work()
    _wait(device)
    return (time.perf_counter() - start) / runs


def shortest_s(work: Work, effort: Effort, *, device: torch.device) -> float:
    """Shortest duration of a few samples, the first run not counted."""
    runs = _runs_per_sample(work, effort, device)
    return min(seconds_of(work, runs, device=device) for _ in range(effort.repetitions))


def fit_line(sizes: Sequence[int], seconds: Sequence[float]) -> Line:
    """Fit a straight line to durations over at least two different sizes."""
    per_unit_s, fixed_s = statistics.linear_regression(sizes, seconds)
    return Line(tuple(sizes), tuple(seconds), fixed_s, per_unit_s)


def _runs_per_sample(work: Work, effort: Effort, device: torch.device) -> int:
    first = seconds_of(work, device=device)
    if first > LONG_S:
        return 1
    once = seconds_of(work, device=device)
    return max(1, round(effort.block_seconds / max(once, 1e-9)))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
