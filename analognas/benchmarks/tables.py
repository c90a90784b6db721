"""The benchmark as a page of tables: every number with its kind, the losses kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analognas.benchmarks.contestants import SEARCH, Contestant
from analognas.benchmarks.measuring import Measurement
from analognas.benchmarks.statistics import (
    FEW_SPEAKERS,
    by_speaker,
    paired_difference,
    spread_at,
)
from analognas.records import EVALUATION_TIMES_S, ONE_DAY_S


@dataclass(frozen=True)
class BenchmarkRow:
    """A network of the benchmark and its measurements, one per training seed."""

    contestant: Contestant
    measurements: tuple[Measurement, ...]

    @property
    def one_day(self) -> float:
        return spread_at(self.measurements, ONE_DAY_S).mean


@dataclass(frozen=True)
class Benchmark:
    """Everything that a benchmark page says."""

    title: str
    command: str
    facts: Mapping[str, str]  # data, split, seeds, versions ...
    rows: tuple[BenchmarkRow, ...]
    scope: str  # what the modelled costs cover


def records(benchmark: Benchmark) -> list[dict[str, Any]]:
    """One flat record per network, for CSV and JSON; fractions, units and kinds in the names."""
    result = []
    for row in benchmark.rows:
        first = row.measurements[0].evaluation
        digital = np.mean([one.evaluation.digital_accuracy for one in row.measurements])
        record: dict[str, Any] = {
            "network": row.contestant.name,
            "origin": row.contestant.origin,
            "key": first.key,
            "parameters (counted)": first.parameters,
            "multiplications (counted)": first.multiplications,
            "cores (counted)": first.cost.cores,
            "energy_nJ (modelled)": first.cost.energy_nJ,
            "latency_us (modelled)": first.cost.latency_us,
            "accuracy 1 day (predicted)": row.contestant.predicted.get(ONE_DAY_S),
            "accuracy without analog effects (digital)": float(digital),
        }
        for name, t_s in EVALUATION_TIMES_S.items():
            spread = spread_at(row.measurements, t_s)
            record[f"accuracy {name} (simulated)"] = spread.mean
            record[f"sd {name} over chips and trainings"] = spread.sd
            record[f"sd {name} over trainings"] = spread.sd_trainings
        result.append(record)
    return result


def to_markdown(benchmark: Benchmark) -> str:
    """Write the page."""
    facts = "\n".join(f"- {name}: {value}" for name, value in benchmark.facts.items())
    parts = [
        f"# {benchmark.title}",
        f"Made by `{benchmark.command}`.",
        facts,
        "## Accuracy over time",
        "Accuracy in %, mean ± standard deviation over all chips of all trainings. Predicted: by "
        "the surrogate, before training. Simulated: trained networks on simulated chips, test "
        "part. "
        f"Modelled: {benchmark.scope}",
        _accuracy_table(benchmark),
        "## Where the search loses",
        _losses(benchmark),
    ]
    if benchmark.rows[0].measurements[0].speakers:
        parts += ["## By speaker", _speaker_text(benchmark)]
    return "\n\n".join(parts) + "\n"


def _accuracy_table(benchmark: Benchmark) -> str:
    heads = ["network", "parameters", "cores", "energy, uJ", "latency, us", "1 day"]
    heads += ["digital", *(f"{name}" for name in EVALUATION_TIMES_S)]
    kinds = ["", "counted", "counted", "modelled", "modelled", "predicted", "no analog effects"]
    kinds += ["simulated"] * len(EVALUATION_TIMES_S)
    lines = []
    for row, record in zip(benchmark.rows, records(benchmark), strict=True):
        predicted = record["accuracy 1 day (predicted)"]
        cells = [
            f"{row.contestant.name} `{record['key']}`",
            f"{record['parameters (counted)']:,}",
            str(record["cores (counted)"]),
            f"{record['energy_nJ (modelled)'] / 1000:.1f}",
            f"{record['latency_us (modelled)']:.1f}",
            "-" if predicted is None else _percent(predicted),
            _percent(record["accuracy without analog effects (digital)"]),
        ]
        for t_s in EVALUATION_TIMES_S.values():
            spread = spread_at(row.measurements, t_s)
            cells.append(f"{_percent(spread.mean)} ± {100 * spread.sd:.1f}")
        lines.append(cells)
    return markdown_table(
        [f"{h} ({k})" if k else h for h, k in zip(heads, kinds, strict=True)], lines
    )


def _losses(benchmark: Benchmark) -> str:
    """Name every network that beats a searched one in accuracy after a day at no more energy."""
    searched = [row for row in benchmark.rows if row.contestant.origin == SEARCH]
    others = [row for row in benchmark.rows if row.contestant.origin != SEARCH]
    lines = []
    for other in others:
        for mine in searched:
            gap = other.one_day - mine.one_day
            if gap > 0 and _energy(other) <= _energy(mine):
                lines.append(
                    f"- {other.contestant.name} is {100 * gap:.2f} points better than "
                    f"{mine.contestant.name} after one day, at {_energy(other) / 1000:.1f} against "
                    f"{_energy(mine) / 1000:.1f} uJ."
                )
    best = max(searched, key=lambda row: row.one_day)
    better = [row for row in others if row.one_day > best.one_day]
    lines += [
        f"- {row.contestant.name} is the more accurate after one day than any searched network, by "
        f"{100 * (row.one_day - best.one_day):.2f} points, at {_energy(row) / 1000:.1f} uJ "
        f"({best.contestant.name}: {_energy(best) / 1000:.1f} uJ)."
        for row in better
    ]
    return "\n".join(lines) or (
        "No network is more accurate after one day than a searched one at no more energy, and none "
        "is more accurate than the best searched one at any energy."
    )


def _speaker_text(benchmark: Benchmark) -> str:
    speakers = [by_speaker(row.measurements, ONE_DAY_S) for row in benchmark.rows]
    names = list(speakers[0])
    lines = [
        [row.contestant.name, *(_percent(values[name]) for name in names)]
        for row, values in zip(benchmark.rows, speakers, strict=True)
    ]
    table = markdown_table(["network", *names], lines)
    reference = _reference(benchmark)
    rng = np.random.default_rng(0)
    compared = []
    for index, row in enumerate(benchmark.rows):
        if index == reference:
            continue
        one = paired_difference(speakers[reference], speakers[index], rng=rng)
        compared.append(
            [
                row.contestant.name,
                f"{100 * one.mean:+.1f}",
                f"{100 * one.lower:+.1f} ... {100 * one.upper:+.1f}",
                f"{one.better} of {one.speakers}",
            ]
        )
    name = benchmark.rows[reference].contestant.name
    caution = (
        f" With {len(names)} speakers this is directional, not significant."
        if len(names) < FEW_SPEAKERS
        else ""
    )
    return "\n\n".join(
        [
            "Accuracy in % after one day, mean over chips and trainings (simulated).",
            table,
            f"{name} minus the others, in points, paired by speaker, with a 95 % bootstrap "
            "interval over speakers. It was chosen by prediction, before any test recording was "
            f"seen.{caution}",
            markdown_table(["against", "difference", "interval", "better on"], compared),
        ]
    )


def _reference(benchmark: Benchmark) -> int:
    """Index of the searched network with the highest predicted accuracy."""
    predicted = [
        row.contestant.predicted.get(ONE_DAY_S, 0.0) if row.contestant.origin == SEARCH else -1.0
        for row in benchmark.rows
    ]
    return int(np.argmax(predicted))


def _energy(row: BenchmarkRow) -> float:
    return row.measurements[0].evaluation.cost.energy_nJ


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
