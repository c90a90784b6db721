"""The programming benchmark as a page and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from statistics import fmean
from typing import Any

from analognas.benchmarks.programming_cases import (
    CAREFUL,
    DENSE,
    FINE,
    GDP,
    INPUT_SIGMA,
    MEANINGS,
    METHODS,
    SPARSE,
    UNIFORM,
    VECTORS,
    VERIFY,
    ZERO_FRACTION,
)
from analognas.benchmarks.programming_report import (
    ProgrammingReport,
    differences,
)
from analognas.benchmarks.programming_tables import tables
from analognas.benchmarks.tables import markdown_table

FORMAT_VERSION = 1


def to_json(report: ProgrammingReport) -> dict[str, Any]:
    """Everything that was found, for machines."""
    return {
        "format_version": FORMAT_VERSION,
        "label": "simulated",
        "command": report.command,
        "facts": dict(report.facts),
        "methods": {name: asdict(method) for name, method in METHODS.items()},
        "cores": _columns(report),
        "matches": {name: asdict(match) for name, match in report.matches.items()},
        "network": asdict(report.network),
    }


def _columns(report: ProgrammingReport) -> dict[str, Any]:
    """Every core as a row, in the order of `columns`."""
    rows = [
        {
            "case": one.case.name,
            "devices_per_polarity": one.case.devices,
            "adc_bits": one.case.adc_bits,
            "ir_drop": one.case.ir_drop,
            "t_s": one.case.t_s,
            "weights": one.case.weights,
            "hardware_hash": one.case.hardware.hash,
            "method": one.method,
            "seed": one.seed,
            **{f"error, {kind}": round(error, 6) for kind, error in one.errors.items()},
            **asdict(one.log),
            "seconds": round(one.seconds, 3),
        }
        for one in report.cores
    ]
    return {"columns": list(rows[0]), "rows": [list(row.values()) for row in rows]}


def verdict(report: ProgrammingReport) -> str:
    """How often gradient descent wins and loses, and what it costs."""
    everything = [one for one in differences(report) if one.other != CAREFUL]
    careful = [one for one in differences(report) if one.other == CAREFUL]
    return (
        f"At equal pulses `{GDP}` has a smaller error than `{VERIFY}` and `{FINE}` in "
        f"{sum(one.mean < -one.half_width for one in everything)} of {len(everything)} comparisons "
        f"and a larger one in {sum(one.is_loss for one in everything)}. Against `{CAREFUL}`, which "
        f"takes more pulses, it wins {sum(one.mean < -one.half_width for one in careful)} and "
        f"loses {sum(one.is_loss for one in careful)} of {len(careful)}. {_cost(report)}"
    )


def _cost(report: ProgrammingReport) -> str:
    """Energy and time of gradient descent beside `verify, fine reads`, over the grid."""
    parts = []
    for name, unit in (("energy_uJ", "energy"), ("time_ms", "time")):
        ours, theirs = (
            fmean(getattr(r.log, name) for r in report.cores if not r.case.name and r.method == m)
            for m in (GDP, FINE)
        )
        parts.append(f"{ours / theirs:.1f} times the {unit}")
    return f"Its random products take {' and '.join(parts)} of `{FINE}` (modelled)."


def to_markdown(report: ProgrammingReport, *, data_file: str) -> str:
    """Write the page; `data_file` names the JSON file beside it."""
    facts = {**report.facts, "for machines": f"`{data_file}`"}
    methods = "\n".join(f"- `{name}`: {meaning}." for name, meaning in MEANINGS.items())
    parts = [
        "# Programming: cell by cell against gradient descent",
        f"Made by `{report.command}`. All numbers are simulated.",
        verdict(report),
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
        "## What is compared",
        "Cores of 256 x 256 weights (normal, largest of a column 1), a pair of cells per weight, "
        "one or two devices per cell. Every method writes the same kind of device (SET pulses "
        "accumulate, their effect scatters and depends on history; RESET: Nandakumar et al., "
        "J. Appl. Phys. 124, 152135 (2018), coefficients second-hand) from the same RESET state "
        "and reads through converters with the same noise. Hyper-parameters were chosen on other "
        "random weights and are the same everywhere.",
        methods,
        f"Error: mean over {VECTORS:,} held-out inputs of |y - y0| / |y0|. {DENSE.capitalize()}: "
        f"N(0, {INPUT_SIGMA:.2f}) clipped to 1; {DENSE} inputs are not those of the descent, which "
        f"are {UNIFORM}; {SPARSE}: magnitudes of the same, {100 * ZERO_FRACTION:.0f} % zeros.",
    ]
    for table in tables(report):
        rows = [[cell or "-" for cell in row] for row in table.rows]
        parts += [f"## {table.title}", table.note, markdown_table(list(table.columns), rows)]
    return "\n\n".join(part for part in parts if part) + "\n"
