"""The searches that train as tables of a page, and as rows for machines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analognas.benchmarks.search_methods import OURS
from analognas.benchmarks.search_training_jobs import CONTESTANTS, GUIDED
from analognas.benchmarks.search_training_report import (
    COMPARED,
    MEASURES,
    PairedInterval,
    TrainingReport,
    TrainingScore,
)
from analognas.benchmarks.search_training_work import FIRST_FRESH_SEED, REFERENCE_ENERGY_NJ
from analognas.benchmarks.simulator_tables import Table


def training_facts(report: TrainingReport) -> list[str]:
    """How the searches are made and judged, a line each."""
    effort = report.effort
    lines = [
        f"Every search has {effort.seconds:,.0f} recorded seconds of training and measuring on one "
        f"thread: {effort.epochs} epochs, {effort.chips} simulated chips, validation part, after "
        "a day; after 1 s and 1 month besides where a method's demand looks at them. A "
        "training that several searches ask for is made once; each of them is charged its seconds. "
        "The seconds that a strategy itself computes are not charged; the tables above have them.",
        f"At the end at most {effort.finalists} networks of its front, the most accurate one and "
        f"those that add most hypervolume, are trained again ({effort.fresh_seeds} x, seeds from "
        f"{FIRST_FRESH_SEED} on, other ones for every seed of a search and the same ones for all "
        f"methods) and measured on {effort.fresh_chips} chips. "
        "The best network is the one that looked best to the search.",
        "Reference point of the hypervolume: accuracy 0 and log10 of an energy of "
        f"{REFERENCE_ENERGY_NJ:,.0f} nJ; its unit is accuracy x decades of energy below that.",
        *(f"{name}: {method.setting}." for name, method in CONTESTANTS.items()),
    ]
    labels = [one.run.labels_seconds for one in report.of(GUIDED)]
    if labels:
        spent = "an unknown number of" if labels[0] is None else f"{labels[0]:,.0f}"
        lines.append(
            f"The surrogate of `{GUIDED}` was fitted on labels that took {spent} seconds before "
            "the search; the others had nothing."
        )
    failures = [one.run for one in report.scores if one.run.failure]
    lines += [f"{one.method}, seed {one.seed}, failed: {one.failure}" for one in failures]
    if report.unfinished:
        lines.append(f"Not finished yet: {'; '.join(report.unfinished)}.")
    return lines


def training_tables(report: TrainingReport) -> list[Table]:
    """What was reached, and the differences; tables without rows are left out."""
    found = [_values(report), _differences(report)]
    return [table for table in found if table.rows]


def _values(report: TrainingReport) -> Table:
    rows = []
    for method in CONTESTANTS:
        runs = report.sound(method)
        if not runs:
            continue
        labels = runs[0].run.labels_seconds
        seconds = float(np.mean([one.run.seconds for one in runs]))
        rows.append(
            (
                method,
                str(len(runs)),
                _volume(runs, "hypervolume_found"),
                _volume(runs, "hypervolume_fresh"),
                _percent(runs, "best_found"),
                _percent(runs, "best_validation"),
                _percent(runs, "best_fresh"),
                f"{100 * np.mean([one.gap for one in runs]):+.2f}",
                f"{np.mean([len(one.run.steps) for one in runs]):.1f}",
                f"{seconds:,.0f}",
                "unknown" if labels is None else f"{seconds + labels:,.0f}",
            )
        )
    return Table(
        "End to end: what was reached",
        "Mean ± sd over the seeds of a search. Accuracies in % after a day (simulated). Gap: the "
        "best network's accuracy as found less that of fresh trainings on the same part, in "
        "points.",
        (
            "method",
            "seeds",
            "hypervolume as found",
            "fresh, test part",
            "best as found",
            "fresh, validation part",
            "fresh, test part",
            "gap",
            "trainings",
            "seconds, labels not counted",
            "seconds, labels counted",
        ),
        tuple(rows),
    )


def _volume(runs: Sequence[TrainingScore], measure: str) -> str:
    values = np.array([one.values[measure] for one in runs])
    return f"{values.mean():.3f}{_sd(values, '.3f')}"


def _percent(runs: Sequence[TrainingScore], measure: str) -> str:
    values = 100 * np.array([one.values[measure] for one in runs])
    return f"{values.mean():.2f}{_sd(values, '.2f')}"


def _sd(values: np.ndarray[tuple[int], np.dtype[np.float64]], style: str) -> str:
    return f" ± {values.std(ddof=1):{style}}" if len(values) > 1 else ""


def _differences(report: TrainingReport) -> Table:
    rows = []
    for method in (OURS, GUIDED):
        for other in CONTESTANTS:
            cells = [_interval(report.intervals, method, other, m) for m in COMPARED]
            if any(cells):
                rows.append((method, other, *cells))
    return Table(
        "End to end: differences",
        "Ours minus the other, mean over the seeds that both have, with a 95 % t interval of "
        "paired differences; accuracies in points. So few seeds show a direction and no more.",
        ("ours", "against", *(MEASURES[measure] for measure in COMPARED)),
        tuple(rows),
    )


def _interval(
    intervals: Sequence[PairedInterval], method: str, other: str, measure: str
) -> str | None:
    for one in intervals:
        if (one.method, one.other, one.measure) == (method, other, measure):
            factor, style = (100, "+.2f") if measure.startswith("best") else (1, "+.3f")
            low, high = factor * one.lower, factor * one.upper
            return f"{factor * one.mean:{style}} [{low:{style}}, {high:{style}}], {one.seeds} seeds"
    return None


def training_losses(report: TrainingReport) -> list[str]:
    """Every other method that is ahead of one of ours on average."""
    return [
        f"end to end, {MEASURES[one.measure]}: {one.other} is ahead of {one.method} by "
        f"{-one.mean * (100 if one.measure.startswith('best') else 1):.3g}"
        f"{' points' if one.measure.startswith('best') else ''} ({one.seeds} seeds"
        f"{', the whole interval' if one.upper < 0 else ''})"
        for one in sorted(report.intervals, key=lambda one: one.mean)
        if one.mean < 0 and one.other not in (OURS, GUIDED)
    ]


def training_frame(report: TrainingReport) -> pd.DataFrame:
    """One row per run; fractions, nJ and seconds."""
    return pd.DataFrame(
        [
            {
                "method": one.run.method,
                "seed": one.run.seed,
                "trainings": len(one.run.steps),
                "charged seconds": one.run.seconds,
                "seconds of labels": one.run.labels_seconds,
                "front": one.run.front,
                "finalists": " ".join(member.key for member in one.run.finalists),
                **{
                    title: round(one.values[name], 6) if name in one.values else None
                    for name, title in MEASURES.items()
                },
                "failure": one.run.failure,
            }
            for one in report.scores
        ]
    )
