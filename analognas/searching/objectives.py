"""What a search can optimise: every objective with its direction, unit and origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analognas.errors import UserError, lookup
from analognas.records import EVALUATION_TIMES_S

Direction = Literal["maximize", "minimize"]
Origin = Literal["predicted", "modelled", "counted"]


@dataclass(frozen=True)
class Objective:
    """One quantity of a candidate.

    `origin` says what kind of number it is: predicted by the surrogate, modelled by the cost model,
    or counted exactly.
    """

    name: str
    title: str
    direction: Direction
    unit: str
    origin: Origin

    @property
    def heading(self) -> str:
        """The column's name in tables: quantity, unit and origin."""
        return f"{self.title} ({self.unit}, {self.origin})"

    @property
    def sign(self) -> float:
        """1 where larger is better, -1 where smaller is."""
        return 1.0 if self.direction == "maximize" else -1.0


# The word behind the @ of an objective, and the time after programming that it stands for.
TIMES_S: Mapping[str, float] = {
    "1s": EVALUATION_TIMES_S["1 s"],
    "1h": EVALUATION_TIMES_S["1 hour"],
    "1day": EVALUATION_TIMES_S["1 day"],
    "1month": EVALUATION_TIMES_S["1 month"],
    "1year": EVALUATION_TIMES_S["1 year"],
}

OBJECTIVES: Mapping[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective("accuracy@1s", "accuracy after 1 s", "maximize", "fraction", "predicted"),
        Objective("accuracy@1h", "accuracy after 1 h", "maximize", "fraction", "predicted"),
        Objective("accuracy@1day", "accuracy after 1 day", "maximize", "fraction", "predicted"),
        Objective("accuracy@1month", "accuracy after 1 month", "maximize", "fraction", "predicted"),
        Objective("accuracy@1year", "accuracy after 1 year", "maximize", "fraction", "predicted"),
        Objective(
            "accuracy-low@1day",
            "5 % quantile of the accuracy after 1 day",
            "maximize",
            "fraction",
            "predicted",
        ),
        Objective("drop", "accuracy lost from 1 s to 1 month", "minimize", "fraction", "predicted"),
        Objective("energy", "energy per inference", "minimize", "nJ", "modelled"),
        Objective("latency", "latency", "minimize", "us", "modelled"),
        Objective("cores", "cores", "minimize", "cores", "counted"),
        Objective("parameters", "parameters", "minimize", "parameters", "counted"),
    )
}

DEFAULT_OBJECTIVES = ("accuracy@1day", "energy")


def select_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """Look objectives up; unknown names are answered with the known ones, repeated ones refused."""
    if not names:
        raise UserError(f"At least one objective is needed. Choose from: {', '.join(OBJECTIVES)}.")
    if len(set(names)) < len(names):
        raise UserError(f"Every objective may be given once, but got {', '.join(names)}.")
    return tuple(lookup(OBJECTIVES, name, "objective") for name in names)
