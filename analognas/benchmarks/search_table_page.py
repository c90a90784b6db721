"""The searches in tables as tables of a page, and as rows for machines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analognas.benchmarks.search_methods import METHODS, OURS
from analognas.benchmarks.search_scores import (
    MEASURES,
    NO_DIFFERENCE,
    Comparison,
    mean_ranks,
)
from analognas.benchmarks.search_table_report import BenchFacts, TableReport, TableScore
from analognas.benchmarks.simulator_tables import Table

WORDS = {
    "front": "hypervolume, % of that of the table",
    "accuracy": "accuracy after a day, %",
}


def table_facts(report: TableReport) -> list[str]:
    """How the searches are judged, a line each."""
    lines = [_about(facts) for facts in report.benches]
    lines += [*report.left_out]
    if report.unfinished:
        counts = "; ".join(f"{count} of {name}" for name, count in report.unfinished.items())
        lines.append(f"Searches that are not finished yet: {counts}.")
    return lines


def _about(facts: BenchFacts) -> str:
    fidelities = ", ".join(f"{one:.3g}" for one in facts.fidelities)
    repeats = "every network can be asked for again" if facts.replicable else "no repetitions"
    return (
        f"{facts.name}: {facts.networks} networks, {facts.trainings} trainings, fidelities "
        f"{fidelities}, {repeats}; {facts.evaluations} evaluations, of {facts.mean_seconds:.1f} s "
        f"each on average, horizon {facts.horizon_s:,.0f} s. Reference point of the hypervolume: "
        f"accuracy 0 and log10 of the energy of the worst network, {facts.reference_energy_nJ:,.0f}"
        f" nJ; the whole table has {facts.hypervolume:.4f} (accuracy x decades of energy), and its "
        f"best network {100 * facts.best:.2f} % after a day."
    )


def tables_of(report: TableReport) -> list[Table]:
    """Two tables per label set and question: the values, and the tests."""
    found = []
    for facts in report.benches:
        for question in WORDS:
            by_method = report.of(facts.name, question)
            if by_method:
                found.append(_values(facts, question, by_method))
            compared = [
                one
                for one in report.comparisons
                if (one.labels, one.question) == (facts.name, question)
            ]
            if compared:
                found.append(_tests(facts, question, compared))
    return found


def _values(facts: BenchFacts, question: str, methods: dict[str, list[TableScore]]) -> Table:
    sound = {m: [one for one in runs if not one.failure] for m, runs in methods.items()}
    ranks = _ranks(sound)
    rows = []
    for method in sorted(methods, key=lambda m: (ranks.get(m, np.inf), m)):
        runs = sound[method]
        failed = len(methods[method]) - len(runs)
        if not runs:
            rows.append((method, *[None] * 7, f"{failed}"))
            continue
        ends = np.array([one.values["end"] for one in runs])
        cells = [
            f"{_mean_sd(ends)}, median {100 * np.median(ends):.2f}",
            *(_mean_sd(np.array([o.values[m] for o in runs])) for m in ("way", "end_s", "way_s")),
            f"{ranks[method]:.1f}" if method in ranks else None,
            f"{np.mean([one.evaluations for one in runs]):.0f}",
            f"{np.mean([one.own_seconds for one in runs]):.1f}",
        ]
        rows.append((method, *cells, f"{failed}" if failed else "-"))
    seeds = max(len(runs) for runs in methods.values())
    return Table(
        f"{facts.name}: {WORDS[question].split(',')[0]}",
        f"In {WORDS[question].split(', ')[-1]}, mean ± sd over {seeds} seeds, of the networks that "
        "look best to the search, judged by all trainings of the table. The rank is the mean over "
        "seeds and over the four measures.",
        (
            "strategy",
            *MEASURES.values(),
            "rank",
            "networks asked for",
            "own processor seconds",
            "failed runs",
        ),
        tuple(rows),
    )


def _ranks(sound: dict[str, list[TableScore]]) -> dict[str, float]:
    """Mean rank over the measures, on the seeds that all methods have finished."""
    seeds = [{one.seed for one in runs} for runs in sound.values() if runs]
    shared = sorted(set.intersection(*seeds)) if seeds else []
    if not shared:
        return {}
    found: dict[str, list[float]] = {}
    for measure in MEASURES:
        values = {
            method: np.array([one.values[measure] for one in runs if one.seed in shared])
            for method, runs in sound.items()
            if runs
        }
        for method, rank in mean_ranks(values).items():
            found.setdefault(method, []).append(rank)
    return {method: float(np.mean(ranks)) for method, ranks in found.items()}


def _mean_sd(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    sd = values.std(ddof=1) if len(values) > 1 else 0.0
    return f"{100 * values.mean():.2f} ± {100 * sd:.2f}"


def _tests(facts: BenchFacts, question: str, compared: Sequence[Comparison]) -> Table:
    others = list(dict.fromkeys(one.other for one in compared))
    place = {(one.other, one.measure): one for one in compared}
    rows = []
    for other in others:
        cells = [_test(place[other, measure]) for measure in MEASURES]
        rows.append((other, *cells))
    return Table(
        f"{facts.name}: {OURS} against the others, {question}",
        f"Mean difference in points over {compared[0].seeds} seeds (positive: {OURS} is better), "
        "in brackets seeds on which it is better and worse, and p of the paired two-sided Wilcoxon "
        "signed-rank test after Holm's correction over all comparisons of this page.",
        ("against", *MEASURES.values()),
        tuple(rows),
    )


def _test(one: Comparison) -> str:
    beyond = "" if one.verdict == NO_DIFFERENCE else f", {one.verdict}"
    return f"{100 * one.difference:+.2f} ({one.wins}:{one.losses}), p {one.corrected:.2g}{beyond}"


def table_verdict(report: TableReport) -> str:
    """How often ours wins and loses."""
    everything = report.comparisons
    if not everything:
        return "There is nothing to compare yet."
    stopped = stopped_early(report)
    fair = [one for one in everything if one.other not in stopped]
    count = {v: sum(one.verdict == v for one in fair) for v in ("better", "worse")}
    left_out = ", ".join(stopped)
    return (
        f"On tables {OURS} is better than another strategy in {count['better']} of "
        f"{len(fair)} comparisons, worse in {count['worse']} (p < 0.05 after correction)."
    ) + (f" Not counted: {left_out}, whose searches end early." if stopped else "")


def stopped_early(report: TableReport) -> list[str]:
    """Strategies that ask for less than half of their evaluations on average: no fair match."""
    budgets = {one.name: one.evaluations for one in report.benches}
    shares: dict[str, list[float]] = {}
    for one in report.scores:
        shares.setdefault(one.method, []).append(one.evaluations / budgets[one.labels])
    return sorted(name for name, found in shares.items() if sum(found) < len(found) / 2)


def table_losses(report: TableReport) -> list[str]:
    """Every comparison in which another strategy is ahead on average, worst first."""
    behind = [one for one in report.comparisons if one.difference < 0]
    behind.sort(key=lambda one: one.difference)
    return [
        f"{one.labels}, {one.question}, {MEASURES[one.measure]}: {one.other} is "
        f"{-100 * one.difference:.2f} points ahead ({one.losses} of {one.seeds} seeds; "
        f"p {one.corrected:.2g}{', beyond chance' if one.verdict == 'worse' else ''})"
        for one in behind
    ]


def table_frame(report: TableReport) -> pd.DataFrame:
    """One row per run; fractions and seconds."""
    return pd.DataFrame(
        [
            {
                "labels": one.labels,
                "question": one.question,
                "strategy": one.method,
                "setting": METHODS[one.method].setting,
                "seed": one.seed,
                "networks asked for": one.evaluations,
                "charged seconds": round(one.seconds, 3),
                "own processor seconds": one.own_seconds,
                **{name: _rounded(one.values.get(key)) for key, name in MEASURES.items()},
                "failure": one.failure,
            }
            for one in report.scores
        ]
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
