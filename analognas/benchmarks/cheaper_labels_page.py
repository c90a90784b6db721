"""The benchmark of cheaper labels as tables, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from analognas.benchmarks.cheaper_labels_jobs import ARMS, INHERITED, Result
from analognas.benchmarks.cheaper_labels_scores import (
    RESAMPLES,
    Cost,
    Difference,
    Reference,
    Score,
    verdict,
)
from analognas.benchmarks.simulator_tables import Table
from analognas.benchmarks.tables import markdown_table
from analognas.surrogates import NoiseCeiling

FORMAT_VERSION = 1


@dataclass(frozen=True)
class CheaperLabelsReport:
    """Everything that was found."""

    command: str
    facts: Mapping[str, str]
    ceilings: Mapping[str, NoiseCeiling]  # by time
    scores: tuple[Score, ...]
    differences: tuple[Difference, ...]
    costs: tuple[Cost, ...]
    parents_seconds: float  # of training all possible parents, as their labels have it
    results: tuple[Result, ...]
    references: Mapping[str, Reference]

    @property
    def verdict(self) -> str:
        return verdict(self.scores, self.differences, self.costs)


def tables(report: CheaperLabelsReport) -> list[Table]:
    """Everything that was found, for people."""
    return [_orders(report), _gains(report.differences), _costs(report)]


def to_json(report: CheaperLabelsReport) -> dict[str, Any]:
    """Everything that was found, for machines."""
    return {
        "format_version": FORMAT_VERSION,
        "label": "simulated",
        "command": report.command,
        "facts": dict(report.facts),
        "verdict": report.verdict,
        "ceilings": {time: asdict(one) for time, one in report.ceilings.items()},
        "scores": [asdict(one) for one in report.scores],
        "differences": [asdict(one) for one in report.differences],
        "costs": [asdict(one) for one in report.costs],
        "parents_seconds": report.parents_seconds,
        "results": [asdict(one) for one in report.results],
        "references": [asdict(one) for one in report.references.values()],
    }


def to_markdown(report: CheaperLabelsReport, *, data_file: str) -> str:
    """Write the page; `data_file` names the JSON file beside it."""
    facts = {**report.facts, "for machines": f"`{data_file}`"}
    parts = [
        "# Cheaper labels: short trainings and inherited weights",
        f"Made by `{report.command}`. All accuracies are simulated.",
        report.verdict,
        "\n".join(f"- {name}: {value}" for name, value in facts.items()),
        "## What is compared",
        "Each target is labelled again, and compared with its label from a full training.",
        "\n".join(f"- `{name}`: {meaning}." for name, meaning in ARMS.items()),
        _inheritance(report.results),
    ]
    for table in tables(report):
        rows = [[cell or "-" for cell in row] for row in table.rows]
        parts += [f"## {table.title}", table.note, markdown_table(list(table.columns), rows)]
    return "\n\n".join(parts) + "\n"


def _inheritance(results: Sequence[Result]) -> str:
    heirs = [one for one in results if one.arm == INHERITED]
    distances = sorted(one.distance for one in heirs if one.distance is not None)
    return (
        "The nearest parent is the one whose blocks align with those of the target at the smallest "
        f"price (a doubled width costs 1, a new block 3): {distances[0]:.1f} to "
        f"{distances[-1]:.1f} over the targets, median {distances[len(distances) // 2]:.1f}. In "
        f"{sum(bool(one.preserved) for one in heirs)} of {len(heirs)} cases the target computed "
        "what its parent does before it was trained; in the others units were dropped, kernels "
        "cropped, or strides and shortcuts differ."
    )


def _orders(report: CheaperLabelsReport) -> Table:
    full = {
        (one.time): fmean(ref.accuracy[one.time] for ref in report.references.values())
        for one in report.scores
    }
    ceilings = "; ".join(
        f"{time} {one.tau:.2f} [{one.tau_low:.2f}, {one.tau_high:.2f}] ({one.networks} networks, "
        f"{one.replicated} of them under several seeds), {one.tau_top_quarter:.2f} in the top "
        "quarter"
        for time, one in report.ceilings.items()
    )
    accuracies = ", ".join(f"{100 * value:.1f} % after {time}" for time, value in full.items())
    return Table(
        "Order of the networks",
        "Kendall's tau-b against one label from a full training per network, with a 95 % interval "
        f"({RESAMPLES:,} bootstrap samples of networks); regret: best accuracy minus the best of "
        "the ten networks that look best, in points. Noise ceiling, an oracle against one label: "
        f"{ceilings}. Mean accuracy of the full labels: {accuracies}.",
        (
            "arm",
            "time",
            "networks",
            "tau",
            "interval",
            "of the ceiling, %",
            "tau in the top quarter",
            "regret, points",
            "mean accuracy, %",
        ),
        tuple(
            (
                f"`{one.arm}`",
                one.time,
                str(one.networks),
                f"{one.tau:.3f}",
                f"{one.tau_low:.2f} to {one.tau_high:.2f}",
                f"{100 * one.share_of_ceiling:.0f}",
                f"{one.tau_top_quarter:.2f}",
                f"{100 * one.regret_best_of_ten:.2f}",
                f"{100 * one.mean_accuracy:.1f}",
            )
            for one in report.scores
        ),
    )


def _gains(differences: Sequence[Difference]) -> Table:
    return Table(
        "What inheritance adds",
        "Tau of the first minus tau of the second on the same targets, 95 % bootstrap interval.",
        ("arm", "against", "time", "tau", "interval", "beyond chance"),
        tuple(
            (
                f"`{one.arm}`",
                f"`{one.other}`",
                one.time,
                f"{one.tau:+.3f}",
                f"{one.low:+.2f} to {one.high:+.2f}",
                "better" if one.is_gain else ("worse" if one.high < 0 else "no"),
            )
            for one in differences
        ),
    )


def _costs(report: CheaperLabelsReport) -> Table:
    return Table(
        "Cost",
        "Training on one thread, per label, on the targets. The last column adds a measurement as "
        "the full labels had it, which no arm makes cheaper. The labels of all possible parents "
        f"took {report.parents_seconds:,.0f} s of training, which are not counted here.",
        (
            "arm",
            "processor seconds",
            "times fewer than `full`",
            "labels an hour",
            "labels an hour, measurement included",
        ),
        tuple(
            (
                f"`{one.arm}`",
                f"{one.cpu_seconds:.2f}",
                f"{one.speedup:.1f}",
                f"{one.labels_per_hour:,.0f}",
                f"{one.labels_per_hour_measured:,.0f}",
            )
            for one in report.costs
        ),
    )
