"""What the searches in tables came to: scores per run, curves, comparisons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from analognas.benchmarks.search_label_table import LabelBench, load_bench
from analognas.benchmarks.search_methods import METHODS, OURS
from analognas.benchmarks.search_scores import (
    MEASURES,
    Axes,
    Comparison,
    FloatArray,
    curve_of,
    holm,
    judge_of,
    scores_of,
    signed_rank,
)
from analognas.benchmarks.search_table_jobs import QUESTIONS, TableJob, TableRun, read_table_run

MULTI_FIDELITY = "multi-fidelity"
FEWEST_PAIRS = 6  # no signed-rank test of fewer pairs can say anything


@dataclass(frozen=True)
class TableScore:
    """One run; `values` by the names of MEASURES, empty if it failed."""

    labels: str
    question: str
    method: str
    seed: int
    evaluations: int
    seconds: float
    own_seconds: float
    values: Mapping[str, float]
    failure: str | None


@dataclass(frozen=True, eq=False)
class Band:
    """A mean curve over the seeds with its 95 % interval, all `(N,)`."""

    spent: FloatArray
    mean: FloatArray
    half_width: FloatArray


@dataclass(frozen=True)
class BenchFacts:
    """A label set, and how searches in it are judged."""

    name: str
    networks: int
    trainings: int
    fidelities: tuple[float, ...]
    replicable: bool
    evaluations: int
    horizon_s: float
    mean_seconds: float
    reference_energy_nJ: float
    hypervolume: float
    best: float


@dataclass(frozen=True, eq=False)
class TableReport:
    """Everything that was found in tables.

    Attributes:
        benches: The label sets.
        scores: One per finished run.
        comparisons: Of ours with every other strategy.
        bands: By label set, question, method, and "evaluations" or "seconds".
        unfinished: How many searches are still to be done, by their method and label set.
        left_out: Strategies that a label set cannot serve, in whole sentences.
    """

    benches: tuple[BenchFacts, ...]
    scores: tuple[TableScore, ...]
    comparisons: tuple[Comparison, ...]
    bands: Mapping[tuple[str, str, str, str], Band]
    unfinished: Mapping[str, int]
    left_out: tuple[str, ...]

    def of(self, labels: str, question: str) -> dict[str, list[TableScore]]:
        """Scores by method."""
        found: dict[str, list[TableScore]] = {}
        for one in self.scores:
            if (one.labels, one.question) == (labels, question):
                found.setdefault(one.method, []).append(one)
        return found


def table_jobs(
    labels: Sequence[str], methods: Sequence[str], *, seeds: int, evaluations: int
) -> list[TableJob]:
    """All searches, seed by seed, so that all methods advance together.

    No more than half of the networks of a table may be evaluated: at the end of it all are equal.
    """
    jobs = []
    for seed in range(seeds):
        for name in labels:
            bench = load_bench(name)
            budget = budget_of(bench, evaluations)
            jobs += [
                TableJob(name, question, method, seed, budget)
                for question in QUESTIONS
                for method in methods
                if _can_run(method, bench)
            ]
    return jobs


def budget_of(bench: LabelBench, evaluations: int) -> int:
    return max(1, min(evaluations, len(bench.archs) // 2))


def _can_run(method: str, bench: LabelBench) -> bool:
    return method != MULTI_FIDELITY or len(bench.fidelities) > 1


def table_report(
    jobs: Sequence[TableJob], labels: Sequence[str], folder: Path, *, evaluations: int
) -> TableReport:
    """Read and judge what is finished."""
    runs: list[TableRun] = []
    unfinished: Counter[str] = Counter()
    for job in jobs:
        run = read_table_run(job, folder)
        if run is None:
            unfinished[f"{job.method} on {Path(job.labels).name}"] += 1
        else:
            runs.append(run)
    scores: list[TableScore] = []
    curves: dict[tuple[str, str, str, str], list[FloatArray]] = {}
    facts, left_out = [], []
    for name in labels:
        bench = load_bench(name)
        judge = judge_of(bench)
        axes = Axes.of(judge, budget_of(bench, evaluations))
        for run in (one for one in runs if one.job.labels == name):
            scores.append(_score(run, bench, axes))
            if run.failure is None:
                curve = curve_of(run, judge)
                place = (bench.name, run.job.question, run.job.method)
                by_evaluations = curve.at_evaluations(axes.by_evaluations)
                curves.setdefault((*place, "evaluations"), []).append(by_evaluations)
                by_seconds = curve.at_seconds(axes.by_seconds)
                curves.setdefault((*place, "seconds"), []).append(by_seconds)
        facts.append(_facts(bench, axes))
        left_out += [
            f"{method} is left out on {bench.name}: the set has no labels of states on the way of "
            "a training."
            for method in METHODS
            if not _can_run(method, bench)
        ]
    axes_of = {one.name: one for one in facts}
    return TableReport(
        benches=tuple(facts),
        scores=tuple(scores),
        comparisons=_comparisons(scores),
        bands={place: _band(place, found, axes_of[place[0]]) for place, found in curves.items()},
        unfinished=unfinished,
        left_out=tuple(left_out),
    )


def _score(run: TableRun, bench: LabelBench, axes: Axes) -> TableScore:
    values = {} if run.failure else scores_of(curve_of(run, judge_of(bench)), axes)
    return TableScore(
        labels=bench.name,
        question=run.job.question,
        method=run.job.method,
        seed=run.job.seed,
        evaluations=len(run.steps),
        seconds=run.seconds,
        own_seconds=run.own_seconds,
        values=values,
        failure=run.failure,
    )


def _facts(bench: LabelBench, axes: Axes) -> BenchFacts:
    judge = judge_of(bench)
    return BenchFacts(
        name=bench.name,
        networks=len(bench.archs),
        trainings=bench.trainings,
        fidelities=bench.fidelities,
        replicable=bench.replicable,
        evaluations=axes.evaluations,
        horizon_s=axes.seconds,
        mean_seconds=judge.mean_seconds,
        reference_energy_nJ=judge.reference_energy_nJ,
        hypervolume=judge.whole,
        best=judge.best,
    )


def _band(place: tuple[str, str, str, str], found: Sequence[FloatArray], facts: BenchFacts) -> Band:
    values = np.stack(found)
    spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
    axes = Axes(facts.evaluations, facts.horizon_s, facts.mean_seconds)
    return Band(
        spent=axes.by_evaluations if place[-1] == "evaluations" else axes.by_seconds,
        mean=values.mean(axis=0),
        half_width=1.96 * spread / np.sqrt(len(values)),
    )


def _comparisons(scores: Sequence[TableScore]) -> tuple[Comparison, ...]:
    """Ours with every other strategy on the same seeds, corrected for all that is compared."""
    by_place: dict[tuple[str, str], dict[str, dict[int, TableScore]]] = {}
    for one in scores:
        if one.failure is None:
            place = by_place.setdefault((one.labels, one.question), {})
            place.setdefault(one.method, {})[one.seed] = one
    found = []
    for (labels, question), methods in by_place.items():
        ours = methods.get(OURS, {})
        for other, runs in methods.items():
            seeds = sorted(ours.keys() & runs.keys())
            if other == OURS or len(seeds) < FEWEST_PAIRS:
                continue
            for measure in MEASURES:
                mine = np.array([ours[seed].values[measure] for seed in seeds])
                their = np.array([runs[seed].values[measure] for seed in seeds])
                found.append(
                    Comparison(
                        labels=labels,
                        question=question,
                        measure=measure,
                        other=other,
                        seeds=len(seeds),
                        difference=float((mine - their).mean()),
                        wins=int((mine > their + 1e-12).sum()),
                        losses=int((mine < their - 1e-12).sum()),
                        p=signed_rank(mine, their),
                    )
                )
    corrected = holm([one.p for one in found])
    return tuple(replace(one, corrected=p) for one, p in zip(found, corrected, strict=True))
