"""What a network must reach, where its decoder cannot enforce it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analognas.errors import UserError

WRITTEN = re.compile(r"\s*([^<>=\s]+)\s*(<=|>=)\s*([-+0-9.eE]+)\s*")


@dataclass(frozen=True)
class Demand:
    """A bound on one metric."""

    metric: str
    at_most: bool
    bound: float

    def violation(self, scores: Mapping[str, float]) -> float:
        """By how much the bound is missed, as a fraction of it; 0 if it is kept."""
        excess = (scores[self.metric] - self.bound) * (1.0 if self.at_most else -1.0)
        return max(0.0, excess) / (abs(self.bound) or 1.0)

    def __str__(self) -> str:
        return f"{self.metric}{'<=' if self.at_most else '>='}{self.bound:g}"


def parse_demand(text: str) -> Demand:
    """Read `"cores<=32"` or `"accuracy>=0.9"`."""
    match = WRITTEN.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        return Demand(match[1], match[2] == "<=", float(match[3]))
    except ValueError:
        raise UserError(
            f'A demand must be written like "cores<=32" or "accuracy>=0.9", but got {text!r}.'
        ) from None


def violation(demands: Sequence[Demand], scores: Mapping[str, float]) -> float:
    """By how much the demands are missed, summed; 0 if all are met."""
    return sum(demand.violation(scores) for demand in demands)


def predicted_demands(
    min_accuracy: float | None = None, max_drop: float | None = None
) -> tuple[Demand, ...]:
    """Accuracy after one day at least, accuracy lost from 1 s to 1 month at most."""
    found = []
    if min_accuracy is not None:
        found.append(Demand("accuracy@1day", at_most=False, bound=min_accuracy))
    if max_drop is not None:
        found.append(Demand("drop", at_most=True, bound=max_drop))
    return tuple(found)
