"""What the fidelity benchmark has found: records, verdicts, JSON and a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analognas.benchmarks.fidelity.aihwkit_network import NetworkAccuracy
from analognas.benchmarks.fidelity.trial import Check
from analognas.benchmarks.simulator_tables import Table
from analognas.benchmarks.tables import markdown_table

FORMAT_VERSION = 1
EVERYTHING = "everything"  # all effects of a tile together
LARGEST_DEVIATION = 4.5  # standard errors; of a hundred checks, one in 1,500 runs exceeds it
LARGEST_DIFFERENCE = 1e-5  # relative, of what must be exact; single precision
LARGEST_GAP = 0.003  # of the errors of two implementations


@dataclass(frozen=True)
class Constant:
    """A number that follows from the published equations by hand, and what the simulator has."""

    name: str
    expected: float
    simulator: float

    @property
    def is_met(self) -> bool:
        return math.isclose(self.simulator, self.expected, rel_tol=2e-5)  # of five digits


@dataclass(frozen=True)
class TileError:
    """Relative error of a tile in the simulator, in the NumPy implementation and in AIHWKIT.

    Means over tiles of different weights and inputs, with their standard errors. AIHWKIT is there
    where it is installed, and judges nothing: it maps programmed weights anew. `remapped` is the
    NumPy implementation with that step.
    """

    effects: str
    weights: str
    time: str
    simulator: float
    simulator_error: float
    reference: float
    reference_error: float
    aihwkit: float | None = None
    aihwkit_error: float | None = None
    remapped: float | None = None
    remapped_error: float | None = None

    @property
    def is_met(self) -> bool:
        return abs(self.simulator - self.reference) <= LARGEST_GAP


@dataclass(frozen=True)
class FidelityReport:
    """Everything that was found."""

    command: str
    facts: Mapping[str, str]
    checks: tuple[Check, ...]
    constants: tuple[Constant, ...]
    tiles: tuple[TileError, ...]
    networks: tuple[NetworkAccuracy, ...] = ()

    @property
    def failures(self) -> list[str]:
        """What deviates more than it may."""
        failed = [f"{one.effect}: {one.quantity}" for one in self.checks if not is_met(one)]
        failed += [one.name for one in self.constants if not one.is_met]
        failed += [f"{t.effects}, {t.weights}, {t.time}" for t in self.tiles if not t.is_met]
        return failed


def is_met(check: Check) -> bool:
    """Whether a check is within its statistical error, or exact where nothing is random."""
    if check.deviation is None:
        return math.isclose(check.measured, check.expected, rel_tol=LARGEST_DIFFERENCE)
    return abs(check.deviation) <= LARGEST_DEVIATION


def to_json(report: FidelityReport) -> dict[str, Any]:
    """Everything that was found, for machines."""
    return {
        "format_version": FORMAT_VERSION,
        "label": "simulated",
        "command": report.command,
        "facts": dict(report.facts),
        "failures": report.failures,
        "checks": [
            asdict(check) | {"deviation": check.deviation, "met": is_met(check)}
            for check in report.checks
        ],
        "constants": [asdict(one) | {"met": one.is_met} for one in report.constants],
        "tiles": [asdict(tile) | {"met": tile.is_met} for tile in report.tiles],
        "networks": [asdict(one) for one in report.networks],
    }


def verdict(report: FidelityReport) -> str:
    """One sentence: what was compared, and what deviates."""
    deviations = [abs(one.deviation) for one in report.checks if one.deviation is not None]
    gap = max(abs(tile.simulator - tile.reference) for tile in report.tiles)
    text = (
        f"{len(report.checks)} moments of effects, largest deviation "
        f"{max(deviations):.1f} standard errors (allowed: {LARGEST_DEVIATION}); "
        f"{len(report.constants)} constants; {len(report.tiles)} tile errors, largest difference "
        f"to the second implementation {100 * gap:.2f} points (allowed: {100 * LARGEST_GAP:g})."
    )
    return f"{text} Deviates: {'; '.join(report.failures)}." if report.failures else text


def to_markdown(report: FidelityReport, *, data_file: str) -> str:
    """Write the page; `data_file` names the JSON file beside it."""
    facts = {**report.facts, "for machines": f"`{data_file}`"}
    parts = [
        "# Fidelity of the simulator",
        f"Made by `{report.command}`.",
        verdict(report),
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
    ]
    for table in tables(report):
        rows = [[cell or "-" for cell in row] for row in table.rows]
        parts += [f"## {table.title}", table.note, markdown_table(table.columns, rows)]
    return "\n\n".join(parts) + "\n"


def tables(report: FidelityReport) -> list[Table]:
    """Everything that was found, for people."""
    together = [tile for tile in report.tiles if tile.effects == EVERYTHING]
    apart = [tile for tile in report.tiles if tile.effects != EVERYTHING]
    return [
        Table(
            "The standard AIMC model",
            "Mean over inputs of |y - y0| / |y0| in %, simulated: a 512 x 512 tile, weights "
            "N(0, 0.246) clipped to 1, inputs uniform and half of them zero, with global drift "
            "compensation. Second implementation: the same equations in NumPy, written without the "
            "simulator (`analognas/benchmarks/fidelity/tile.py`). Published for such a tile: 13 % "
            "after 1 s, and about 15 % in general (Rasch et al., Nat. Commun. 14, 5282 (2023)). "
            "AIHWKIT: the same on IBM's simulator, for comparison. Once cells are programmed, it "
            "merges the two of a weight and maps the result to conductances anew, the largest one "
            "to g_max; the others become smaller, and their 1/f noise larger. Mapped anew: the "
            "second implementation with this step.",
            TILE_COLUMNS,
            tuple(map(_tile_row, together)),
        ),
        Table(
            "The same by effect",
            "Each group of effects alone, weights as conductances.",
            TILE_COLUMNS,
            tuple(map(_tile_row, apart)),
        ),
        *_network_tables(report.networks),
        Table(
            "Every effect against its closed form",
            "Moments of independent draws beside those of the law, the clamp at zero conductance "
            "and folded exponents included. Deviation in standard errors; what is not random is "
            "compared as it is.",
            ("effect", "quantity", "closed form", "simulator", "deviation", "verdict"),
            tuple(map(_check_row, report.checks)),
        ),
        Table(
            "Constants",
            "Numbers that follow from the published equations by hand.",
            ("quantity", "by hand", "simulator", "verdict"),
            tuple(
                (one.name, f"{one.expected:g}", f"{one.simulator:.6g}", _said(met=one.is_met))
                for one in report.constants
            ),
        ),
    ]


TILE_COLUMNS = (
    "effects",
    "weights",
    "time",
    "simulator",
    "second implementation",
    "difference",
    "AIHWKIT",
    "mapped anew",
    "verdict",
)


def _tile_row(tile: TileError) -> tuple[str | None, ...]:
    return (
        tile.effects,
        tile.weights,
        tile.time,
        _percent(tile.simulator, tile.simulator_error),
        _percent(tile.reference, tile.reference_error),
        f"{100 * (tile.simulator - tile.reference):+.2f}",
        _percent(tile.aihwkit, tile.aihwkit_error),
        _percent(tile.remapped, tile.remapped_error),
        _said(met=tile.is_met),
    )


def _network_tables(networks: Sequence[NetworkAccuracy]) -> list[Table]:
    if not networks:
        return []
    one = networks[0]
    note = (
        f"Accuracy in % of one network ({one.network}, trained for this hardware on the 8 x 8 "
        f"digits; digital {100 * one.digital:.1f}) on {one.chips} chips each of the simulator and "
        f"of AIHWKIT, mean and its standard error, simulated. On: {', '.join(one.effects)}; the "
        "same weights, input ranges and column scales."
    )
    rows = [
        (
            found.time,
            _percent(found.simulator, found.simulator_error),
            _percent(found.aihwkit, found.aihwkit_error),
            f"{100 * (found.simulator - found.aihwkit):+.2f}",
        )
        for found in networks
    ]
    return [
        Table(
            "A trained network", note, ("time", "simulator", "AIHWKIT", "difference"), tuple(rows)
        )
    ]


def _percent(value: float | None, error: float | None) -> str | None:
    if value is None or error is None:
        return None
    return f"{100 * value:.2f} ± {100 * error:.2f}"


def _check_row(check: Check) -> tuple[str | None, ...]:
    return (
        check.effect,
        check.quantity,
        f"{check.expected:.6g}",
        f"{check.measured:.6g}",
        None if check.deviation is None else f"{check.deviation:+.1f}",
        _said(met=is_met(check)),
    )


def _said(*, met: bool) -> str:
    return "met" if met else "MISSED"
