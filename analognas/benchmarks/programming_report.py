"""What the programming benchmark has found: records, and gradient descent against the rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev

from analognas.benchmarks.programming_cases import (
    CAREFUL,
    DENSE,
    FINE,
    GDP,
    SPARSE,
    UNIFORM,
    VERIFY,
    Case,
)
from analognas.benchmarks.programming_cores import CoreResult
from analognas.benchmarks.programming_network import NetworkReport
from analognas.simulator.programming import Match

KINDS = (DENSE, UNIFORM, SPARSE)
# Two-sided 95 % points of Student's t, by degrees of freedom; 1.96 beyond.
T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13)


@dataclass(frozen=True)
class ProgrammingReport:
    """Everything that was found."""

    command: str
    facts: Mapping[str, str]
    seeds: int
    cores: tuple[CoreResult, ...]
    matches: Mapping[str, Match]
    network: NetworkReport

    def errors(self, case: Case, method: str, kind: str) -> list[float]:
        """One error per seed."""
        return [one.errors[kind] for one in self.cores if one.case == case and one.method == method]

    @property
    def cases(self) -> list[Case]:
        return list(dict.fromkeys(one.case for one in self.cores))


@dataclass(frozen=True)
class Difference:
    """Error of gradient descent minus another method's on the same cores."""

    case: Case
    kind: str
    other: str
    mean: float
    half_width: float  # of the 95 % interval over seeds

    @property
    def is_loss(self) -> bool:
        """Whether gradient descent is worse, beyond chance."""
        return self.mean > self.half_width


def interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval (Student's t); 0 for a single value."""
    values = list(values)
    if len(values) < 2:
        return fmean(values), 0.0
    degrees = len(values) - 1
    t = T_95[degrees - 1] if degrees <= len(T_95) else 1.96
    return fmean(values), t * stdev(values) / math.sqrt(len(values))


def differences(report: ProgrammingReport) -> Iterator[Difference]:
    """`gdp` against every form of write-and-verify, case by case, paired by seed."""
    for case in report.cases:
        for other in (VERIFY, FINE, CAREFUL):
            if other not in case.methods or GDP not in case.methods:
                continue
            for kind in KINDS:
                ours, theirs = (report.errors(case, name, kind) for name in (GDP, other))
                mean, half = interval(a - b for a, b in zip(ours, theirs, strict=True))
                yield Difference(case, kind, other, mean, half)
