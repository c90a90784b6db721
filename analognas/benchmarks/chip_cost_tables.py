"""The comparison of the cost model with published figures as tables, JSON and a page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from analognas.benchmarks.chip_cost import (
    FITTED_CHIP,
    MAIN_SOURCE,
    MODES,
    ChipCostReport,
    Comparison,
    HeldOut,
    PlacedStandIn,
    Sensitivity,
)
from analognas.benchmarks.chip_figures import STAND_IN_NOTE, TOLERANCE
from analognas.benchmarks.simulator_tables import Table
from analognas.benchmarks.tables import markdown_table

FORMAT_VERSION = 1

CONSISTENCY_NOTE = (
    "Consistency, not prediction: throughput and energy of hermes are inputs of the model, and all "
    "other rows follow from them and from its geometry; the throughput of aon-cim follows from its "
    "geometry, its cycle times and the sharing of its ADCs, which are recalled, not verified. "
    f"Allowed: {TOLERANCE:.0%}, or half of the last printed digit. The 130 ns that are often "
    "quoted belong to an earlier chip with a single core."
)
HELD_OUT_NOTE = (
    "One free factor per bit width on all component energies is fitted so that one network has its "
    "published efficiency; the efficiency of the other one is then predicted. "
)
PEAK_NOTE = (
    "With the factors that were fitted to the keyword network: efficiency with the whole array in "
    "use, beside recalled, unverified figures, which are no input."
)
SENSITIVITY_NOTE = (
    "Error of the prediction from keywords to persons, if one assumption were another one and the "
    f"factors were fitted again ({MAIN_SOURCE} figures). The assumed energies are in the chip's "
    "data sheet: of a weight (cell), an input (dac), an output (adc), a digital operation and a "
    "bit of a buffer."
)
STAND_INS_NOTE = "Modelled, with the factors that were fitted to the keyword network. "


def tables(report: ChipCostReport) -> list[Table]:
    """Everything that was found, for people."""
    bits = tuple(f"{width} bits" for width in MODES)
    comparison = ("chip", "read mode", "quantity", "known", "provenance", "model", "error")
    held_out = ("figures", "bits", "fitted on", "factor", "predicted", "paper", "model", "error")
    stand_ins = ("network", "weights", "of the array", "MACs", "bits", "TOPS/W", "energy, nJ")
    more = ("latency, us", "inferences/s", "energy by component")
    return [
        Table(
            "Figures that follow from the chip files",
            CONSISTENCY_NOTE,
            (*comparison, "verdict"),
            tuple((*_row(one), "ok" if one.is_met else "deviates") for one in report.printed),
        ),
        Table(
            f"{FITTED_CHIP}: fitted on one network, predicted for the other",
            f"{HELD_OUT_NOTE}{STAND_IN_NOTE} So an error here is that of the model and of the "
            "stand-ins together.",
            held_out,
            tuple(map(_held_out_row, report.held_out)),
        ),
        Table(
            f"{FITTED_CHIP}: peak efficiency",
            PEAK_NOTE,
            comparison,
            tuple(map(_row, report.peaks)),
        ),
        Table(
            f"{FITTED_CHIP}: how far the prediction depends on assumptions",
            SENSITIVITY_NOTE,
            ("assumption", *bits),
            tuple(map(_sensitivity_row, report.sensitivities)),
        ),
        Table(
            f"{FITTED_CHIP}: the stand-ins",
            f"{STAND_INS_NOTE}{_scope(report)}",
            (*stand_ins, *more),
            tuple(row for one in report.stand_ins for row in _stand_in_rows(one)),
        ),
    ]


def to_json(report: ChipCostReport) -> dict[str, Any]:
    """Everything that was found, for machines."""
    return {
        "format_version": FORMAT_VERSION,
        "label": "modelled",
        "command": report.command,
        "facts": dict(report.facts),
        "failures": report.failures,
        "printed": [_comparison_record(one) for one in report.printed],
        "peak_efficiencies": [_comparison_record(one) for one in report.peaks],
        "held_out": [
            asdict(one) | {"error_fraction": one.error_fraction} for one in report.held_out
        ],
        "sensitivities": [asdict(one) for one in report.sensitivities],
        "stand_ins": [
            {
                "title": one.title,
                "layers": [asdict(layer) for layer in one.placement.layers],
                "costs": {bits: cost.to_dict() for bits, cost in one.costs.items()},
            }
            for one in report.stand_ins
        ],
    }


def verdict(report: ChipCostReport) -> str:
    """Say in two sentences what agrees, and by how much predictions miss."""
    worst = max(abs(one.error_fraction) for one in report.printed)
    missed = ", ".join(
        f"{one.error_fraction:+.1%} at {one.bits} bits"
        for one in report.held_out
        if one.source == MAIN_SOURCE and one.fitted_on == report.held_out[0].fitted_on
    )
    text = (
        f"{len(report.printed)} figures follow from the chip files, largest deviation {worst:.1%}. "
        f"Fitted on {report.held_out[0].fitted_on}, the efficiency for "
        f"{report.held_out[0].predicted} is missed by {missed}."
    )
    return f"{text} Deviates: {'; '.join(report.failures)}." if report.failures else text


def to_markdown(report: ChipCostReport, *, data_file: str) -> str:
    """Write the page; `data_file` names the JSON file beside it."""
    facts = {**report.facts, "for machines": f"`{data_file}`"}
    parts = [
        "# Cost model of chips against published figures",
        f"Made by `{report.command}`.",
        verdict(report),
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
    ]
    for table in tables(report):
        rows = [[cell or "-" for cell in row] for row in table.rows]
        parts += [f"## {table.title}", table.note, markdown_table(table.columns, rows)]
    return "\n\n".join(parts) + "\n"


def _row(one: Comparison) -> tuple[str, ...]:
    printed = one.printed
    digits = max(4, len(printed.text.replace(".", "")))
    return (
        printed.chip,
        printed.read_mode,
        printed.title,
        printed.text,
        printed.trust,
        f"{one.model:.{digits}g}",
        f"{one.error_fraction:+.1%}",
    )


def _held_out_row(one: HeldOut) -> tuple[str, ...]:
    return (
        one.source,
        str(one.bits),
        one.fitted_on,
        f"{one.energy_scale:.3f} (fitted)",
        one.predicted,
        f"{one.published_TOPS_per_W:g}",
        f"{one.model_TOPS_per_W:.2f}",
        f"{one.error_fraction:+.1%}",
    )


def _sensitivity_row(one: Sensitivity) -> tuple[str, ...]:
    return (one.assumption, *(f"{one.error_fractions[bits]:+.1%}" for bits in MODES))


def _stand_in_rows(one: PlacedStandIn) -> list[tuple[str, ...]]:
    layers, positions = one.placement.layers, one.placement.rows * one.placement.columns
    weights = sum(layer.weights for layer in layers)
    macs = sum(layer.weights * layer.mvms for layer in layers)
    rows: list[tuple[str, ...]] = []
    for bits, cost in one.costs.items():
        shares = sorted(cost.components_nJ.items(), key=lambda item: -item[1])
        rows.append(
            (
                one.title,
                f"{weights:,}",
                f"{weights / positions:.1%}",
                f"{macs:,}",
                str(bits),
                f"{2e-3 * macs / cost.energy_nJ:.2f}",
                f"{cost.energy_nJ:,.0f}",
                f"{cost.latency_us:,.1f}",
                f"{cost.serial_inferences_per_s:,.0f}",
                ", ".join(f"{name} {energy / cost.energy_nJ:.0%}" for name, energy in shares),
            )
        )
    return rows


def _scope(report: ChipCostReport) -> str:
    return next(iter(report.stand_ins[0].costs.values())).scope


def _comparison_record(one: Comparison) -> dict[str, Any]:
    return asdict(one.printed) | {
        "model": one.model,
        "error_fraction": one.error_fraction,
        "met": one.is_met,
    }
