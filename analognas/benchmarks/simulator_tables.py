"""The speed of the simulator as tables, as JSON and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from analognas.benchmarks.simulator_records import (
    FORMAT_VERSION,
    OURS,
    SpeedReport,
    SpeedRow,
)
from analognas.benchmarks.simulator_timing import Comparison
from analognas.benchmarks.simulator_work import TIMES_S, TRAINING
from analognas.benchmarks.tables import markdown_table

BATCHES = 10
TIMES = len(TIMES_S)


@dataclass(frozen=True)
class Table:
    """Cells are texts, or None for a dash."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


def tables(report: SpeedReport) -> list[Table]:
    """Everything that was found, for people; a table without rows is left out."""
    found = [
        _speed(report),
        _beside(report),
        _parts(report),
        _formats(report),
        _memory(report),
        _lines(report),
        _places(report),
    ]
    return [table for table in found if table.rows]


def to_json(report: SpeedReport) -> dict[str, Any]:
    """Everything that was found, for machines: every measured duration, ratios and verdicts.

    JSON has no infinity: it becomes null.
    """
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "command": report.command,
        "facts": dict(report.facts),
        "models": dict(report.models),
        "settings": {
            name: asdict(setting) | {"hardware_hash": setting.hardware.hash}
            for name, setting in report.settings.items()
        },
        "speed": [_speed_record(row) for row in report.speed],
        "formats": [asdict(row) | {"fastest": row.fastest} for row in report.formats],
        "parts": [asdict(row) for row in report.parts],
        "memory": [
            asdict(row) | {"ratio": row.ratio, "growth_ratio": row.growth_ratio}
            for row in report.memory
        ],
        "lines": [
            asdict(row) | {"largest_deviation": row.line.largest_deviation} for row in report.lines
        ],
        "profiles": [asdict(row) for row in report.profiles],
    }
    plain: dict[str, Any] = _finite(content)
    return plain


def to_markdown(report: SpeedReport, *, data_file: str) -> str:
    """Write the page; `data_file` names the JSON file beside it."""
    facts = {**report.facts, "for machines": f"every measured duration is in `{data_file}`"}
    names = {"HWA training step": "noise, DAC and ADC in the forward pass"} | {
        work_title(name): setting.title for name, setting in report.settings.items()
    }
    parts = [
        "# Speed of the simulator",
        f"Made by `{report.command}`.",
        "Every number is measured, as a ratio to the same network in plain FP32 PyTorch, in the "
        "memory format that is faster for FP32.",
        _bullets(facts),
        "What is measured:",
        _bullets(names),
        "Networks:",
        _bullets(report.models),
    ]
    for table in tables(report):
        cells = [[cell or "-" for cell in row] for row in table.rows]
        parts += [f"## {table.title}", table.note, markdown_table(table.columns, cells)]
    return "\n\n".join(parts) + "\n"


def work_title(work: str) -> str:
    return "HWA training step" if work == TRAINING else f"evaluation ({work})"


def _speed_record(row: SpeedRow) -> dict[str, Any]:
    compared = row.comparison
    return {
        "model": row.model,
        "work": row.work,
        "simulator": row.simulator,
        "ratio": compared.ratio if compared else None,
        "lowest": min(compared.ratios) if compared else None,
        "highest": max(compared.ratios) if compared else None,
        "target": row.target,
        "verdict": row.verdict,
        "problem": row.problem,
        "reference_s": list(compared.reference_s) if compared else [],
        "candidate_s": list(compared.candidate_s) if compared else [],
    }


def _speed(report: SpeedReport) -> Table:
    rows = []
    for row in report.speed:
        if row.simulator != OURS:
            continue
        remark = f"{row.verdict}: {row.problem}" if row.problem else row.verdict
        compared = row.comparison
        cells: list[str | None] = [None] * 5
        if compared is not None:
            cells = [
                _ms(compared.reference_median_s),
                _ms(compared.candidate_median_s),
                f"{compared.ratio:.2f}",
                _range(compared),
                str(len(compared.ratios)),
            ]
        target = None if row.target is None else f"{row.target:.1f}"
        rows.append((row.model, work_title(row.work), *cells, target, remark))
    note = "Median of the ratios of neighbouring runs, and their range. A target is met when the "
    note += "median is not above it."
    columns = ("model", "work", "FP32, ms", "analog, ms", "ratio", "range", "runs")
    return Table("Time", note, (*columns, "target", "verdict"), tuple(rows))


def _beside(report: SpeedReport) -> Table:
    """Ratios of all simulators, one line for a piece of work that others were asked for."""
    others = list(dict.fromkeys(row.simulator for row in report.speed if row.simulator != OURS))
    found = {(row.model, row.work, row.simulator): row for row in report.speed}
    works = dict.fromkeys((row.model, row.work) for row in report.speed if row.simulator != OURS)
    rows = tuple(
        (model, work_title(work), *(_told(found.get((model, work, of))) for of in (OURS, *others)))
        for model, work in works
    )
    reasons = dict.fromkeys(
        f"{row.simulator}, {row.model}: {row.problem}"
        for row in report.speed
        if row.simulator != OURS and row.problem
    )
    note = "Ratios to FP32 as above, of the same work on tiles of the same size, with converters "
    note += "and noise of the same kinds. The others get contiguous tensors and are evaluated on "
    note += "one chip, for they take chips one after the other, and fewer times than above. -: not "
    note += "in this simulator."
    if reasons:
        note += f" What failed: {'; '.join(reasons)}."
    return Table("Other simulators", note, ("model", "work", OURS, *others), rows)


def _told(row: SpeedRow | None) -> str | None:
    if row is None:
        return None
    if row.comparison is None:
        return "fails"
    return f"{row.comparison.ratio:.2f} ({_range(row.comparison)})"


def _range(compared: Comparison) -> str:
    return f"{min(compared.ratios):.2f} ... {max(compared.ratios):.2f}"


def _parts(report: SpeedReport) -> Table:
    rows = tuple(
        (
            row.model,
            work_title(row.work),
            f"{row.program:.2f}",
            f"{row.age:.2f}",
            f"{row.read:.2f}",
            f"{row.read + (row.program / TIMES + row.age) / BATCHES:.2f}",
        )
        for row in report.parts
    )
    note = (
        "In FP32 forward passes of one batch. The ratios above charge programming and ageing to a "
        f"single batch. The last column shares them among {BATCHES} batches at {TIMES} times, "
        "computed from the others: what a whole test set costs per batch."
    )
    columns = ("model", "work", "program, per chip", "age, per chip and time", "read, per batch")
    return Table("Parts of an evaluation", note, (*columns, f"{BATCHES} batches"), rows)


def _formats(report: SpeedReport) -> Table:
    rows = []
    for row in report.formats:
        contiguous, channels_last = row.seconds["contiguous"], row.seconds.get("channels_last")
        rows.append(
            (
                row.model,
                "training step" if row.work == TRAINING else row.work,
                _ms(contiguous),
                None if channels_last is None else _ms(channels_last),
                row.fastest,
            )
        )
    columns = ("model", "work", "contiguous, ms", "channels_last, ms", "reference")
    note = "The FP32 network in both memory formats; both sides of every ratio use the faster one."
    return Table("Reference", note, columns, tuple(rows))


def _memory(report: SpeedReport) -> Table:
    rows = tuple(
        (
            row.model,
            work_title(row.work),
            f"{row.digital.peak_MB:.0f}",
            f"{row.analog.peak_MB:.0f}",
            f"{row.ratio:.2f}",
            f"{row.digital.growth_MB:.0f}",
            f"{row.analog.growth_MB:.0f}",
            None if row.growth_ratio is None else f"{row.growth_ratio:.2f}",
        )
        for row in report.memory
    )
    note = (
        "Peak of the resident set (on a GPU, of the allocated memory) in 10^6 bytes, each in a "
        "process of its own: all chips at one time, against an FP32 forward pass over as many "
        "images; or a training step. Growth is what came on top of the loaded program and network."
    )
    columns = ("model", "work", "FP32 peak", "analog peak", "ratio")
    return Table("Memory", note, (*columns, "FP32 growth", "analog growth", "growth ratio"), rows)


def _lines(report: SpeedReport) -> Table:
    rows = tuple(
        (
            row.model,
            row.over,
            ", ".join(map(str, row.line.sizes)),
            ", ".join(_ms(seconds) for seconds in row.line.seconds),
            _ms(row.line.fixed_s),
            _ms(row.line.per_unit_s),
            f"{100 * row.line.largest_deviation:.1f}",
        )
        for row in report.lines
    )
    note = (
        "Evaluation (ii) over the number of chips, times and images, the other two kept small, and "
        "a straight line through the durations."
    )
    columns = ("model", "over", "sizes", "measured, ms", "fixed, ms", "per unit, ms")
    return Table("Linearity", note, (*columns, "largest deviation, %"), rows)


def _places(report: SpeedReport) -> Table:
    rows = tuple(
        (
            row.model,
            work_title(row.work),
            "; ".join(f"{100 * share:.0f} % {place}" for place, share in row.places),
        )
        for row in report.profiles
    )
    note = (
        "Functions with the largest share of the time, their callees not counted, by Python's "
        "profiler; compiled kernels count to the function that calls them."
    )
    return Table("Where the time goes", note, ("model", "work", "places"), rows)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _bullets(facts: Mapping[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.4g}"
