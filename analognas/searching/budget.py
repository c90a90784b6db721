"""When a search ends."""

from __future__ import annotations

import math
import re

from pydantic.dataclasses import dataclass

from analognas.errors import UserError

UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Budget:
    """So many evaluations or seconds, whichever ends first; None is no limit.

    An evaluation at a fidelity of 0.25 counts as a quarter. Seconds are those that the evaluator
    charges, and if it charges none, those that have passed. With a limit of seconds, even an
    infinite one, strategies learn what evaluations take; without, a search repeats exactly.
    """

    evaluations: float | None = None
    seconds: float | None = None

    def is_within(self, other: Budget) -> bool:
        """Whether neither limit is larger than that of `other`."""
        pairs = ((self.evaluations, other.evaluations), (self.seconds, other.seconds))
        return all(_number(mine) <= _number(theirs) for mine, theirs in pairs)


def _number(limit: float | None) -> float:
    return math.inf if limit is None else limit


def parse_budget(budget: int | str | Budget) -> Budget:
    """Read `2000` as evaluations, `"10m"`, `"90s"` or `"2h"` as time."""
    if isinstance(budget, Budget):
        limits = [limit for limit in (budget.evaluations, budget.seconds) if limit is not None]
        if not all(limit > 0 for limit in limits) or not any(map(math.isfinite, limits)):
            raise UserError(f"A budget must have a positive limit that ends, but got {budget}.")
        return budget
    text = str(budget)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match and float(match[1]) > 0:
        return Budget(seconds=UNIT_SECONDS[match[2]] * float(match[1]))
    if text.isdecimal() and int(text) > 0:
        return Budget(evaluations=int(text))
    raise UserError(
        "The budget must be a number of evaluations (2000) or a time in minutes (10m), seconds "
        f"(90s) or hours (2h), but got {text!r}."
    )
