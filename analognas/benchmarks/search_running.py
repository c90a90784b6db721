"""The search benchmark: on tables of labels, and end to end with trainings."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from analognas import __version__
from analognas.allocator import keep_freed_memory
from analognas.benchmarks.search_figure import plot_search
from analognas.benchmarks.search_methods import METHODS, select
from analognas.benchmarks.search_page import SearchReport, to_markdown
from analognas.benchmarks.search_table_jobs import run_table_jobs
from analognas.benchmarks.search_table_page import table_frame
from analognas.benchmarks.search_table_report import table_jobs, table_report
from analognas.benchmarks.search_training_jobs import (
    CONTESTANTS,
    Effort,
    TrainingJob,
    chip_and_hardware,
    is_finished,
)
from analognas.benchmarks.search_training_page import training_frame
from analognas.benchmarks.search_training_report import TrainingReport, training_report
from analognas.benchmarks.search_training_work import search_and_judge
from analognas.deployment.processes import run_in_processes
from analognas.errors import UserError
from analognas.files import write_text, writing
from analognas.labelling.job import TaskChoice
from analognas.simulator import SIMULATOR_VERSION
from analognas.surrogates import LABEL_SETS
from analognas.training import Progress

Part = Literal["table", "training", "page"]
PARTS: tuple[Part, ...] = ("table", "training", "page")
PNG_DPI = 130
TABLE_SETS = tuple(name for name in LABEL_SETS if name.startswith("kws"))


@dataclass(frozen=True, kw_only=True)
class SearchBenchConfig:
    """What to compare; `folder` keeps what is finished, so that the same command continues.

    Attributes:
        folder: For everything that is finished.
        task: Of the searches that train.
        labels: Label sets to search in, names or folders.
        only: One part of the work, or "page" for none of it; None does both.
        methods: Names in METHODS and CONTESTANTS; None takes all.
        table_seeds: Seeds of every search in a table.
        evaluations: Its budget, at most half of a table.
        effort: Of the searches that train.
        seeds: Of those.
        workers: Processes.
        command: For the page.
    """

    folder: Path
    task: TaskChoice
    labels: tuple[str, ...] = TABLE_SETS
    only: Part | None = None
    methods: tuple[str, ...] | None = None
    table_seeds: int = 30
    evaluations: int = 60
    effort: Effort = field(default_factory=Effort)
    seeds: int = 5
    workers: int = 2
    command: str = "analognas bench search"


def read_part(text: str | None) -> Part | None:
    """Read which part of the work is wanted.

    Raises:
        UserError: There is no such part.
    """
    for part in PARTS:
        if text == part:
            return part
    if text is None:
        return None
    raise UserError(f"`--only` must be one of {', '.join(PARTS)}, but got {text!r}.")


def run_search_bench(config: SearchBenchConfig, progress: Progress | None = None) -> SearchReport:
    """Search wherever it is not finished yet, and judge everything that is.

    Raises:
        UserError: A label set, the data or a name cannot be used.
    """
    keep_freed_memory()
    known = {**CONTESTANTS, **METHODS}
    chosen = select(config.methods, known)
    tables = table_jobs(
        config.labels,
        [name for name in chosen if name in METHODS],
        seeds=config.table_seeds,
        evaluations=config.evaluations,
    )
    trainings = [
        TrainingJob(
            task=config.task, effort=config.effort, folder=config.folder, method=method, seed=seed
        )
        for seed in range(config.seeds)
        for method in chosen
        if method in CONTESTANTS
    ]
    if config.only in (None, "table"):
        run_table_jobs(tables, config.folder, workers=config.workers, progress=progress)
    if config.only in (None, "training"):
        _train(config, trainings, progress)
    table = table_report(tables, config.labels, config.folder, evaluations=config.evaluations)
    training = training_report(trainings, config.effort)
    return SearchReport(
        command=config.command,
        facts=_facts(config, training),
        table=table if table.scores else None,
        training=training if training.scores else None,
    )


def _train(
    config: SearchBenchConfig, jobs: Sequence[TrainingJob], progress: Progress | None
) -> None:
    """Do what is not finished, seed by seed, so that all methods advance together."""
    todo = [job for job in jobs if not is_finished(job)]
    done = [0] * len(todo)
    finished = 100 * (len(jobs) - len(todo))

    def report(position: int, percent: int, total: int, message: str) -> None:
        done[position] = percent
        if progress is not None:
            progress(finished + sum(done), 100 * len(jobs), message)

    if config.workers == 1:
        for position, job in enumerate(todo):
            search_and_judge(job, lambda *told, at=position: report(at, *told))
    elif todo:
        run_in_processes(
            search_and_judge,
            [(job.name, job) for job in todo],
            workers=config.workers,
            report=report,
        )


def _facts(config: SearchBenchConfig, training: TrainingReport) -> dict[str, str]:
    facts = {
        "seeds": f"{config.table_seeds} of every search in a table, {config.seeds} of every search "
        "that trains",
        "versions": f"analognas {__version__}, simulator {SIMULATOR_VERSION}, torch "
        f"{torch.__version__}, Python {platform.python_version()}",
    }
    if training.scores:
        task = config.task.load()
        chip, hardware = chip_and_hardware()
        facts = {
            "end-to-end data": f"{task.title} ({task.provenance}), split {task.split}; "
            f"{len(task.test)} inputs in the test part",
            "hardware": f"{hardware.name}, hash {hardware.hash}; chip {chip.name}",
            **facts,
        }
    return facts


def write_page(report: SearchReport, out: Path) -> list[Path]:
    """Write the page, the CSV files and the picture beside it; return the latter's places.

    Raises:
        UserError: `out` is not a page, or nothing is finished that could be shown.
    """
    if out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {out}.")
    if report.table is None and report.training is None:
        raise UserError(
            "There must be a finished search to write about, but the folder has none. Leave out "
            "`--only page`."
        )
    written: list[Path] = []
    frames = {
        "table": None if report.table is None else table_frame(report.table),
        "training": None if report.training is None else training_frame(report.training),
    }
    for name, frame in frames.items():
        if frame is not None:
            written.append(out.with_name(f"{out.stem}_{name}.csv"))
            write_text(written[-1], frame.to_csv(index=False))
    picture = out.with_name(f"{out.stem}.png")
    with writing(picture) as temporary:
        figure = plot_search(report.table, report.training)
        figure.savefig(temporary, dpi=PNG_DPI, facecolor="white")
    written.append(picture)
    write_text(out, to_markdown(report, files=[path.name for path in written]))
    return written
