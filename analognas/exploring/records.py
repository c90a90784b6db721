"""What a sweep over chips has found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from analognas.exploring.chip_variants import ChipChoice


@dataclass(frozen=True)
class ChipPoint:
    """One network on one chip.

    Args:
        network: Its title.
        choice: The chip.
        accuracy: Mean over chips, or agreement with the digital network where there are no labels.
        sd: Over chips.
        low: Lower bound over chips.
        energy_nJ: Of an inference, modelled.
        latency_us: Of an inference, modelled.
        area_mm2: Of the cores in use, modelled.
        cores: In use.
        chip_cores: That the chip has.
        pareto: Whether no other chip is as good in all of accuracy, energy, latency and area.
    """

    network: str
    choice: ChipChoice
    accuracy: float
    sd: float
    low: float
    energy_nJ: float
    latency_us: float
    area_mm2: float
    cores: int
    chip_cores: int
    pareto: bool = False

    @property
    def costs(self) -> tuple[float, float, float]:
        return self.energy_nJ, self.latency_us, self.area_mm2


@dataclass(frozen=True)
class Exploration:
    """All points of a sweep.

    Args:
        template: Name of the chip that was varied.
        score_name: "accuracy" or "agreement".
        t_s: Seconds after programming.
        chips: Simulated chips per point.
        inputs: That were classified.
        digital: Accuracy without analog effects by network; None without labels.
        points: One per network and chip.
        left_out: Chips that could not hold a network, and why.
        notes: What a reader must know.
        programmed: How often chips were programmed; all other points read the same cells.
        seconds: It took.
    """

    template: str
    score_name: str
    t_s: float
    chips: int
    inputs: int
    digital: dict[str, float | None]
    points: tuple[ChipPoint, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    programmed: int
    seconds: float

    def of(self, network: str) -> list[ChipPoint]:
        """Points of one network, the Pareto chips first, by energy."""
        mine = [point for point in self.points if point.network == network]
        return sorted(mine, key=lambda point: (not point.pareto, point.energy_nJ))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"format_version": 1, "label": "simulated and modelled", **asdict(self)}


def mark_pareto(points: Sequence[ChipPoint]) -> list[ChipPoint]:
    """Mark, for every network, the chips that no other chip beats."""
    return [
        replace(
            point,
            pareto=not any(
                _beats(other, point) for other in points if other.network == point.network
            ),
        )
        for point in points
    ]


def _beats(one: ChipPoint, other: ChipPoint) -> bool:
    mine, theirs = (-one.accuracy, *one.costs), (-other.accuracy, *other.costs)
    return mine != theirs and all(a <= b for a, b in zip(mine, theirs, strict=True))
