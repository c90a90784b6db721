"""What a search can optimise: every objective with its direction, unit and origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from analognas.errors import UserError, lookup
from analognas.records import EVALUATION_TIMES_S

Direction = Literal["maximize", "minimize"]
Origin = Literal["predicted", "simulated, validation part", "modelled", "counted", "evaluated"]


@dataclass(frozen=True)
class Objective:
    """One quantity of a candidate.

    `origin` says what kind of number it is: predicted by the surrogate, simulated with a trained
    network on the validation part, modelled by the cost model, counted exactly, or whatever an
    evaluator of the user returned.
    """

    name: str
    title: str
    direction: Direction
    unit: str = ""
    origin: Origin = "evaluated"

    @property
    def heading(self) -> str:
        """The column's name in tables: quantity, unit and origin."""
        return f"{self.title} ({', '.join(part for part in (self.unit, self.origin) if part)})"

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
TIME_TITLES: Mapping[str, str] = {
    "1s": "1 s",
    "1h": "1 h",
    "1day": "1 day",
    "1month": "1 month",
    "1year": "1 year",
}


def _at_every_time(name: str, title: str) -> tuple[Objective, ...]:
    return tuple(
        Objective(f"{name}@{word}", f"{title} after {spoken}", "maximize", "fraction", "predicted")
        for word, spoken in TIME_TITLES.items()
    )


OBJECTIVES: Mapping[str, Objective] = {
    objective.name: objective
    for objective in (
        *_at_every_time("accuracy", "accuracy"),
        Objective(
            "accuracy-worst", "lowest accuracy within 1 year", "maximize", "fraction", "predicted"
        ),
        *_at_every_time("accuracy-low", "5 % quantile of the accuracy"),
        Objective("drop", "accuracy lost from 1 s to 1 month", "minimize", "fraction", "predicted"),
        Objective(
            "service-life",
            "time until the accuracy is too low, at most 1 year",
            "maximize",
            "s",
            "predicted",
        ),
        *_at_every_time("yield", "share of chips that are accurate enough"),
        Objective("energy", "energy per inference", "minimize", "nJ", "modelled"),
        Objective("latency", "latency", "minimize", "us", "modelled"),
        Objective("cores", "cores", "minimize", "cores", "counted"),
        Objective("area", "area of the cores in use", "minimize", "mm2", "modelled"),
        Objective("parameters", "parameters", "minimize", "parameters", "counted"),
    )
}


def simulated(objective: Objective) -> Objective:
    """The objective under the origin that it has once a network is trained and measured."""
    if objective.origin != "predicted":
        return objective
    return replace(objective, origin="simulated, validation part")


# The same for networks that a search trains instead of predicting them.
SIMULATED_OBJECTIVES: Mapping[str, Objective] = {
    name: simulated(objective) for name, objective in OBJECTIVES.items()
}
# Objectives that say how long, or on how many chips, the accuracy is at least `min_accuracy`.
NEED_MIN_ACCURACY = ("service-life", *(f"yield@{word}" for word in TIMES_S))

DEFAULT_OBJECTIVES = ("accuracy@1day", "energy")
SHORT_DIRECTIONS: Mapping[str, Direction] = {"max": "maximize", "min": "minimize"}


def select_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """Look objectives up; unknown names are answered with the known ones, repeated ones refused."""
    return unrepeated([lookup(OBJECTIVES, name, "objective") for name in names])


def read_objective(wanted: str | Objective) -> Objective:
    """Read a name of the catalogue, or `"max:METRIC"` and `"min:METRIC"` for one's own."""
    if isinstance(wanted, Objective):
        return wanted
    direction, separator, metric = str(wanted).partition(":")
    if separator and metric and direction in SHORT_DIRECTIONS:
        return Objective(metric, metric, SHORT_DIRECTIONS[direction])
    if wanted in OBJECTIVES:
        return OBJECTIVES[wanted]
    raise UserError(
        f"Unknown objective {wanted!r}. Write max:NAME or min:NAME for a metric of your evaluator, "
        f"or choose from: {', '.join(OBJECTIVES)}."
    )


def unrepeated(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """Refuse no objective at all, and one that is given twice."""
    if not objectives:
        raise UserError(f"At least one objective is needed. Choose from: {', '.join(OBJECTIVES)}.")
    names = [objective.name for objective in objectives]
    if len(set(names)) < len(names):
        raise UserError(f"Every objective may be given once, but got {', '.join(names)}.")
    return tuple(objectives)


def check_min_accuracy(names: Sequence[str], min_accuracy: float | None) -> None:
    """Refuse objectives that look at an accuracy that nobody gave."""
    needy = [name for name in names if name in NEED_MIN_ACCURACY]
    if needy and min_accuracy is None:
        raise UserError(
            f"{' and '.join(needy)} must know which accuracy is enough, but `min_accuracy` is not "
            "given. Add --min-accuracy, 0.9 for example."
        )
