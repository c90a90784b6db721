"""The table of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from analognas.exploring.records import ChipPoint, Exploration

COLUMNS = (
    *("network", "#", "core", "cells", "read mode", "ADC bits", "compensation"),
    *("accuracy", "sd", "energy, nJ", "latency, us", "area, mm2", "cores", "Pareto"),
)
FORMATS = {"accuracy": ".4f", "sd": ".4f"}


def chip_table(found: Exploration, *, pareto_only: bool) -> tuple[list[str], list[list[object]]]:
    """One row per network and chip, the Pareto chips first, numbered as in the picture."""
    names = [found.score_name if name == "accuracy" else name for name in COLUMNS]
    rows: list[list[object]] = []
    for network in dict.fromkeys(point.network for point in found.points):
        for number, point in enumerate(found.of(network), start=1):
            if point.pareto or not pareto_only:
                rows.append(_row(number, point))
    return names, rows


def short_table(found: Exploration, *, pareto_only: bool) -> tuple[list[str], list[list[object]]]:
    """The same without columns that say the same in every row."""
    names, rows = chip_table(found, pareto_only=pareto_only)
    idle = {"network": len(found.digital) == 1, "Pareto": pareto_only}
    kept = [place for place, name in enumerate(names) if not idle.get(name, False)]
    return [names[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _row(number: int, point: ChipPoint) -> list[object]:
    choice = point.choice
    return [
        *(point.network, number, choice.core_size, choice.cells, choice.read_mode),
        *(choice.adc_bits, choice.compensation, point.accuracy, point.sd),
        *(point.energy_nJ, point.latency_us, point.area_mm2, point.cores),
        point.pareto,
    ]


def summary(found: Exploration) -> list[str]:
    """What a reader must know beside the table."""
    best = [point for point in found.points if point.pareto]
    lines = [
        f"Points: {len(found.points)}, of them Pareto chips: {len(best)}: no other chip is as "
        f"good in {found.score_name}, energy, latency and area. Simulated chips per point: "
        f"{found.chips}; inputs: {found.inputs}; differences below the sd mean nothing. Times that "
        f"chips were programmed: {found.programmed}; converters, read mode and compensation read "
        "the same cells.",
        "Energy, latency and area are modelled. What a change of the template costs is assumed: a "
        "weight in proportion to its cells, a row driver to its columns, an ADC doubled per bit. "
        "Compensation is not charged.",
    ]
    for network, digital in found.digital.items():
        if digital is not None:
            lines.append(f"{network} without analog effect: {digital:.4f}.")
    return [*lines, *_shortened(found.left_out), *found.notes]


def _shortened(texts: Sequence[str]) -> list[str]:
    more = [f"and {len(texts) - 3} more chips that are too small."] if len(texts) > 3 else []
    return [f"Left out: {text}" for text in texts[:3]] + more
