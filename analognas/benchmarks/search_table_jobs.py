"""Searches in tables: one run of one strategy, and where a finished one lies."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analognas.benchmarks.search_label_table import LabelBench, load_bench
from analognas.benchmarks.search_methods import METHODS, Method
from analognas.deployment.processes import run_in_processes
from analognas.errors import UserError
from analognas.files import write_text
from analognas.searching.budget import Budget
from analognas.searching.candidates import EvaluationId, Proposal, Verdict
from analognas.searching.open_search import run_search
from analognas.searching.strategies.base import Problem, Strategy
from analognas.training import Progress

FORMAT_VERSION = 1
PATIENCE = 10  # batches without anything new until the search hears of one
PATIENCE_S = 1.0  # of the processor, spent on them
ACCURACY, ENERGY = "accuracy@1day", "energy"
# What is asked of a table, and the objectives of a search for it.
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "front": (ACCURACY, ENERGY),
    "accuracy": (ACCURACY,),
}


@dataclass(frozen=True)
class TableJob:
    """One search: a method under a seed in a table.

    Attributes:
        labels: Name or folder of the label set.
        question: One of QUESTIONS.
        method: One of METHODS.
        seed: Of the search; it also decides which training of a network is looked up first.
        evaluations: Budget; an evaluation at a fidelity below 1 counts as its share.
    """

    labels: str
    question: str
    method: str
    seed: int
    evaluations: int

    @property
    def name(self) -> str:
        return f"{Path(self.labels).name}, {self.question}, {self.method}, seed {self.seed}"


@dataclass(frozen=True)
class TableStep:
    """One evaluation: what was looked up, and what it was charged with."""

    key: str
    fidelity: float
    seed: int
    seconds: float
    accuracy: float | None  # after a day, as the search saw it; None: it failed


@dataclass(frozen=True)
class TableRun:
    """What a search did, step by step.

    Attributes:
        steps: In their order.
        own_seconds: Processor seconds of the strategy itself.
        failure: Why there is no result.
    """

    job: TableJob
    steps: tuple[TableStep, ...]
    own_seconds: float
    failure: str | None = None

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        steps = [list(asdict(step).values()) for step in self.steps]
        return {
            "format_version": FORMAT_VERSION,
            **asdict(self.job),
            "labels": Path(self.job.labels).name,
            "steps": steps,
            "own_seconds": round(self.own_seconds, 3),
            "failure": self.failure,
        }


class Observed:
    """A strategy with a stopwatch that is asked again while it proposes known networks alone.

    Many genotypes stand for the same network of a table. Asking again costs no evaluation; without
    it the search would end where a strategy that has converged repeats itself.
    """

    def __init__(self, strategy: Strategy, problem: Problem) -> None:
        self._strategy = strategy
        self._problem = problem
        self._known: dict[EvaluationId, Verdict] = {}
        self._asked: Sequence[Proposal] = ()
        self._batches = 0
        self.seconds = 0.0  # of the processor, models included

    @property
    def batch_size(self) -> int:
        return self._strategy.batch_size

    def ask(self, batch: int, count: int) -> Sequence[Proposal]:
        began = time.process_time()
        for attempt in range(1, PATIENCE + 1):
            proposals = self._strategy.ask(self._batches, count)
            self._batches += 1
            known = [self._known.get(self._identify(one)) for one in proposals]
            is_last = attempt == PATIENCE or time.process_time() - began > PATIENCE_S
            if not proposals or None in known or is_last:
                break
            self._strategy.tell(known)
            count = self._strategy.batch_size
        self._asked = proposals
        self.seconds += time.process_time() - began
        return proposals

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        self._strategy.replay(batch, proposals)

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        began = time.process_time()
        for proposal, verdict in zip(self._asked, verdicts, strict=False):
            if verdict is not None:
                self._known[self._identify(proposal)] = verdict
        self._strategy.tell(verdicts)
        self.seconds += time.process_time() - began

    def _identify(self, proposal: Proposal) -> EvaluationId:
        network = self._problem.identify(proposal.codes)
        assert network is not None  # every genotype is some network of a table
        return (network.key, proposal.fidelity, proposal.seed)


def search_in_table(job: TableJob, bench: LabelBench) -> TableRun:
    """Search once; a strategy that gives up is a result, too."""
    method = METHODS[job.method]
    made: list[Observed] = []

    def make(problem: Problem, seed: int) -> Strategy:
        made.append(Observed(method.make(problem, seed), problem))
        return made[-1]

    try:
        outcome = run_search(
            bench.members,
            bench.evaluator(job.seed),
            [*QUESTIONS[job.question], *method.demands],
            make,
            Budget(evaluations=job.evaluations, seconds=math.inf),  # strategies learn seconds
            job.seed,
        )
    except UserError as error:
        return TableRun(job, (), sum(one.seconds for one in made), str(error))
    steps = [
        TableStep(
            one.key, one.fidelity, one.seed, round(one.seconds or 0.0, 4), one.scores.get(ACCURACY)
        )
        for one in outcome.evaluations
    ]
    return TableRun(job, tuple(steps), made[0].seconds)


def run_table_jobs(
    jobs: Sequence[TableJob], folder: Path, *, workers: int, progress: Progress | None = None
) -> None:
    """Do what is not finished yet; the jobs are shuffled and dealt out to the workers."""
    done = [0] * workers
    todo = [job for job in jobs if not path_of(job, folder).exists()]
    random.Random(0).shuffle(todo)  # or a slow method might be dealt to one worker alone
    finished = len(jobs) - len(todo)
    shares = [(todo[first::workers], folder) for first in range(workers)]

    def report(position: int, so_far: int, total: int, message: str) -> None:
        done[position] = so_far
        if progress is not None:
            progress(finished + sum(done), len(jobs), message)

    if workers == 1:
        _work(shares[0], lambda *told: report(0, *told))
    elif todo:
        named = [(f"part {n} of the searches", share) for n, share in enumerate(shares, start=1)]
        run_in_processes(_work, named, workers=workers, report=report)


def _work(share: tuple[Sequence[TableJob], Path], progress: Progress) -> None:
    jobs, folder = share
    # A search that ends early is a result, which the page shows.
    logging.getLogger("analognas.searching.loop").setLevel(logging.ERROR)
    for number, job in enumerate(jobs, start=1):
        run = search_in_table(job, load_bench(job.labels))
        write_text(path_of(job, folder), json.dumps(run.to_dict()) + "\n")
        progress(number, len(jobs), job.name)


def read_table_run(job: TableJob, folder: Path) -> TableRun | None:
    """What a finished job found; None if it is not finished.

    Raises:
        UserError: The file is damaged or of another version.
    """
    path = path_of(job, folder)
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError(f"`format_version` is {content['format_version']!r}")
        return TableRun(
            job,
            tuple(TableStep(*step) for step in content["steps"]),
            float(content["own_seconds"]),
            content["failure"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no result of this version: {error}. Delete it to search again."
        ) from error


def path_of(job: TableJob, folder: Path) -> Path:
    """Where a finished job lies; the folder's name holds a hash of what it depends on."""
    bench = load_bench(job.labels)
    method: Method = METHODS[job.method]
    content = [bench.digest, QUESTIONS[job.question], job.evaluations, method.setting]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
    place = folder / "table" / bench.name / job.question
    return place / f"{job.method}-{job.seed}-{digest}.json"
