"""What an analysis of the simulator has found, as tables and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from analognas.benchmarks.tables import markdown_table
from analognas.reporting.wording import time_name
from analognas.simulator import SIMULATOR_VERSION

if TYPE_CHECKING:
    from analognas.analyzing import NetworkAnalysis, TileAnalysis
    from analognas.simulator import Hardware

FORMAT_VERSION = 1
ERROR_IS = "Error: mean over inputs of |y - y0| / |y0|, y0 being the exact output. Simulated."


@dataclass(frozen=True)
class ShownTable:
    """A table for people; `formats` are those of its columns of numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    note: str = ""
    formats: Mapping[str, str] = field(default_factory=dict)


def tile_tables(analysis: TileAnalysis) -> list[ShownTable]:
    """Error over time, and by effect."""
    work = analysis.workload
    times = ShownTable(
        f"{work.rows} x {work.columns} weights on {_named(analysis.hardware)}, "
        f"{analysis.chips} chips, seed {analysis.seed}",
        ("time after programming", "error, %", "sd over chips"),
        tuple((time_name(e.t_s), 100 * e.mean, 100 * e.spread) for e in analysis.errors),
        " ".join(part for part in (ERROR_IS, analysis.note) if part),
        {"error, %": ".2f", "sd over chips": ".2f"},
    )
    return [times, _budget(analysis)] if analysis.budget else [times]


def network_tables(analysis: NetworkAnalysis) -> list[ShownTable]:
    """Errors of the layers, conductances, sensitivity."""
    tables = [_layers(analysis), _conductances(analysis)]
    if analysis.sensitivity is not None:
        tables.append(_sensitivity(analysis))
    return tables


def to_page(title: str, command: str, tables: Sequence[ShownTable]) -> str:
    """Write tables as a Markdown page."""
    parts = [f"# {title}", f"Made by `{command}`, simulator {SIMULATOR_VERSION}."]
    for table in tables:
        rows = [
            [_text(value, table.formats.get(name)) for name, value in named]
            for named in (zip(table.columns, row, strict=True) for row in table.rows)
        ]
        parts += [f"## {table.title}", markdown_table(table.columns, rows)]
        if table.note:
            parts.append(table.note)
    return "\n\n".join(parts) + "\n"


def tile_json(analysis: TileAnalysis) -> dict[str, Any]:
    """Everything that was found, for machines; errors are fractions."""
    return {
        "format_version": FORMAT_VERSION,
        "label": "simulated",
        "simulator_version": SIMULATOR_VERSION,
        "hardware": analysis.hardware.name,
        "hardware_hash": analysis.hardware.hash,
        "workload": asdict(analysis.workload),
        "chips": analysis.chips,
        "seed": analysis.seed,
        "errors": [asdict(error) for error in analysis.errors],
        "budget": [
            {
                "effect": record.effect,
                "t_s": record.t_s,
                "alone": record.alone.mean,
                "without": record.without.mean,
                "total": record.total.mean,
                "share": record.share,
            }
            for record in analysis.budget
        ],
    }


def network_json(analysis: NetworkAnalysis) -> dict[str, Any]:
    """Everything that was found, for machines; errors and accuracies are fractions."""
    sensitivity = analysis.sensitivity
    return {
        "format_version": FORMAT_VERSION,
        "label": "simulated",
        "simulator_version": SIMULATOR_VERSION,
        "network": analysis.title,
        "hardware": analysis.hardware.name,
        "hardware_hash": analysis.hardware.hash,
        "part": analysis.part,
        "inputs": analysis.inputs,
        "chips": analysis.chips,
        "layers": [asdict(error) for error in analysis.errors],
        "conductances": [asdict(histogram) for histogram in analysis.conductances],
        "sensitivity": sensitivity and {"t_s": analysis.sensitivity_t_s, **asdict(sensitivity)},
    }


def _budget(analysis: TileAnalysis) -> ShownTable:
    times = tuple(dict.fromkeys(record.t_s for record in analysis.budget))
    columns = ["effect"]
    formats: dict[str, str] = {}
    for t_s in times:
        after = time_name(t_s)
        new = (f"alone, % ({after})", f"removed, % ({after})", f"share, % ({after})")
        columns += new
        formats |= dict(zip(new, (".2f", ".2f", ".1f"), strict=True))
    rows = []
    for effect in dict.fromkeys(record.effect for record in analysis.budget):
        row: list[object] = [effect]
        for record in analysis.budget:
            if record.effect == effect:
                share = round(100 * record.share, 1) + 0.0  # no "-0.0"
                row += [100 * record.alone.mean, 100 * record.without.mean, share]
        rows.append(tuple(row))
    return ShownTable(
        "Error by effect",
        tuple(columns),
        tuple(rows),
        "Alone: with this effect and no other. Removed: with every effect but this. Share: part of "
        "the squared error that goes with it; negative if it hides some of another's.",
        formats,
    )


def _layers(analysis: NetworkAnalysis) -> ShownTable:
    times = tuple(dict.fromkeys(error.t_s for error in analysis.errors))
    own = [f"own, % ({time_name(t_s)})" for t_s in times]
    last = f"accumulated, % ({time_name(times[-1])})"
    rows = []
    for layer in dict.fromkeys(error.layer for error in analysis.errors):
        errors = [error for error in analysis.errors if error.layer == layer]
        accumulated = errors[-1].accumulated
        together = None if accumulated is None else 100 * accumulated
        rows.append((layer, *(100 * error.own for error in errors), together))
    return ShownTable(
        f"Errors of the layers of {analysis.title} on {_named(analysis.hardware)}, "
        f"{analysis.chips} chips, {analysis.inputs} inputs of the {analysis.part} part",
        ("layer", *own, last),
        tuple(rows),
        f"{ERROR_IS} Own: against the exact layer on the same input. Accumulated: against this "
        f"layer in the network without analog effects. {analysis.note}".rstrip(),
        dict.fromkeys([*own, last], ".2f"),
    )


def _conductances(analysis: NetworkAnalysis) -> ShownTable:
    rows = []
    pairs = zip(analysis.conductances[0::2], analysis.conductances[1::2], strict=True)
    for programmed, aged in pairs:
        rows.append(
            (
                programmed.layer,
                programmed.mean_uS,
                programmed.spread_uS,
                aged.mean_uS,
                aged.spread_uS,
            )
        )
    after = time_name(analysis.conductances[-1].t_s)
    numbers = ("programmed, uS", "sd over cells", f"after {after}, uS", f"sd after {after}")
    return ShownTable(
        "Conductances", ("layer", *numbers), tuple(rows), "", dict.fromkeys(numbers, ".3f")
    )


def _sensitivity(analysis: NetworkAnalysis) -> ShownTable:
    found = analysis.sensitivity
    assert found is not None
    numbers = ("only this analog", "only this digital")
    return ShownTable(
        f"Accuracy by layer, {time_name(analysis.sensitivity_t_s)} after programming (simulated)",
        ("layer", "weights", *numbers),
        tuple((one.layer, one.weights, one.only_analog, one.only_digital) for one in found.layers),
        f"All layers digital: {found.all_digital:.4f}; all analog: {found.all_analog:.4f}. "
        f"Mean over {analysis.chips} chips and {analysis.inputs} inputs.",
        dict.fromkeys(numbers, ".4f"),
    )


def _named(hardware: Hardware) -> str:
    return f"{hardware.name} ({hardware.hash})"


def _text(value: object, specification: str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return format(value, specification or ".4g")
    return str(value)
