"""Are there labels at a fifth of the training? Short trainings and inherited weights, measured."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from analognas import __version__
from analognas.benchmarks.cheaper_labels_jobs import (
    ARMS,
    HEIRS,
    SHORT,
    TIMES,
    Job,
    Parent,
    Result,
    Setting,
    Share,
    jobs_of,
    read_result,
    split_networks,
)
from analognas.benchmarks.cheaper_labels_page import CheaperLabelsReport, to_json, to_markdown
from analognas.benchmarks.cheaper_labels_scores import (
    Reference,
    compare,
    costs,
    score,
    seed_labels,
)
from analognas.benchmarks.cheaper_labels_work import measure
from analognas.deployment.processes import run_in_processes
from analognas.errors import UserError, checking
from analognas.files import write_text
from analognas.labelling import LabelFolder, read_folder
from analognas.labelling.folder import DoneJob
from analognas.labelling.job import TaskChoice
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator import SIMULATOR_VERSION
from analognas.surrogates import NoiseCeiling, estimate_noise_ceiling
from analognas.training import Progress

EVERYWHERE = f"{SHORT}, all"  # on targets and further networks: no parents are needed for it
SHORTER = 5


@dataclass(frozen=True, kw_only=True)
class CheaperLabelsConfig:
    """What to compare; `folder` keeps what is finished, so that the same command continues."""

    labels: Path  # the folder of a label run with kept weights
    data: Path | None
    folder: Path
    targets: int = 60
    chips: int = 8
    workers: int = 1
    seed: int = 0  # of resampling
    command: str = "analognas bench labels"


def run_cheaper_labels(
    config: CheaperLabelsConfig, progress: Progress | None = None
) -> CheaperLabelsReport:
    """Train and measure everything that is not finished yet, and score it.

    Raises:
        UserError: The labels, their weights or the data cannot be used.
    """
    labels = read_folder(config.labels)
    targets, others = split_networks(labels, config.targets)
    parents = tuple(one for one in others if one.weights is not None)
    setting = _setting(config, labels, parents)
    further = others[: len(targets)]
    jobs = [*jobs_of(targets, tuple(ARMS)), *jobs_of(further, (SHORT,))]
    _run(config, setting, jobs, progress)
    results: dict[str, list[Result]] = {}
    for job in jobs:
        arm = job.arm if job.key in {one.job.key for one in targets} else EVERYWHERE
        results.setdefault(arm, []).append(read_result(setting, config.folder, job))
    results[EVERYWHERE] = [*results[SHORT], *results[EVERYWHERE]]
    references = {one.job.key: _reference(one) for one in (*targets, *further)}
    ceilings = _ceilings(labels.done_in_order(), config.seed)
    return CheaperLabelsReport(
        command=config.command,
        facts=_facts(config, labels, setting, (len(targets), len(parents))),
        ceilings=ceilings,
        scores=tuple(
            one
            for arm in (*ARMS, EVERYWHERE)
            for one in score(arm, results[arm], references, ceilings, seed=config.seed)
        ),
        differences=tuple(
            one
            for arm in HEIRS
            for one in compare(arm, SHORT, results, references, seed=config.seed)
        ),
        costs=tuple(costs({arm: results[arm] for arm in ARMS}, references)),
        parents_seconds=sum(one.evaluation.training_seconds for one in parents),
        results=tuple(one for arm in (*ARMS, EVERYWHERE) for one in _own(results, arm)),
        references=references,
    )


def write_page(report: CheaperLabelsReport, out: Path) -> Path:
    """Write the page and the JSON file beside it; return the latter's place.

    Raises:
        UserError: `out` is not a page.
    """
    if out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {out}.")
    data = out.with_suffix(".json")
    write_text(out, to_markdown(report, data_file=data.name))
    write_text(data, json.dumps(to_json(report), indent=1, allow_nan=False) + "\n")
    return data


def _own(results: Mapping[str, Sequence[Result]], arm: str) -> Sequence[Result]:
    """Results that are not under another arm's name already."""
    return results[arm][len(results[SHORT]) :] if arm == EVERYWHERE else results[arm]


def _setting(
    config: CheaperLabelsConfig, labels: LabelFolder, parents: Sequence[DoneJob]
) -> Setting:
    stored = labels.settings
    if stored["simulator_version"] != SIMULATOR_VERSION:
        raise UserError(
            f"The labels must be of simulator version {SIMULATOR_VERSION}, but {config.labels} has "
            f"{stored['simulator_version']}. Repeat them with `analognas label --reevaluate`."
        )
    if stored["data"] and config.data is None:
        raise UserError(
            f"The labels are of a data folder named {stored['data']!r}. Say where it is with "
            "--data."
        )
    words = stored["words"]
    choice = TaskChoice(
        stored["task"],
        stored["split"],
        str(config.data) if config.data else None,
        tuple(words) if words else None,
    )
    with checking("labels"):
        data_key = choice.load().data_key
    if data_key != stored["data_key"]:
        raise UserError(
            f"The data must be that of the labels (key {stored['data_key']}), but the data that is "
            f"there now has key {data_key}. Point to the original data with --data."
        )
    return Setting(
        task=choice,
        data_key=data_key,
        labels=config.labels,
        parents=tuple(
            Parent(one.job.key, one.job.architecture, str(one.weights)) for one in parents
        ),
        space=stored["space"],
        hardware=stored["hardware_toml"],
        recipe=stored["recipe"],
        epochs=max(1, round(stored["recipe"]["epochs"] / SHORTER)),
        chips=config.chips,
        seed=1 + max(job.seed for job in labels.jobs),
    )


def _run(
    config: CheaperLabelsConfig,
    setting: Setting,
    jobs: Sequence[Job],
    progress: Progress | None,
) -> None:
    """Deal the jobs out to the workers in turn, and do them."""
    done = [0] * config.workers
    parts = [
        Share(setting, config.folder, tuple(jobs[first :: config.workers]))
        for first in range(config.workers)
    ]

    def report(position: int, finished: int, total: int, message: str) -> None:
        done[position] = 1000 * finished // max(total, 1)
        if progress is not None:
            progress(sum(done), 1000 * len(parts), message)

    named = [(f"part {number} of the jobs", part) for number, part in enumerate(parts, start=1)]
    run_in_processes(measure, named, workers=config.workers, report=report)


def _reference(entry: DoneJob) -> Reference:
    evaluation = entry.evaluation
    return Reference(
        key=entry.job.key,
        accuracy={name: evaluation.analog.at(EVALUATION_TIMES_S[name]) for name in TIMES},
        training_seconds=evaluation.training_seconds,
        evaluation_seconds=evaluation.evaluation_seconds,
    )


def _ceilings(done: Sequence[DoneJob], seed: int) -> dict[str, NoiseCeiling]:
    """Of all labels, replicated ones among them, at every time."""
    with checking("labels"):
        return {
            name: estimate_noise_ceiling(
                seed_labels(
                    [
                        (one.job.key, one.evaluation.analog.at(EVALUATION_TIMES_S[name]))
                        for one in done
                    ]
                ),
                rng=np.random.default_rng(seed),
            )
            for name in TIMES
        }


def _facts(
    config: CheaperLabelsConfig, labels: LabelFolder, setting: Setting, counts: tuple[int, int]
) -> dict[str, str]:
    stored = labels.settings
    targets, parents = counts
    return {
        "labels": f"{stored['title']}; {len(labels.done)} trainings of "
        f"{len({one.job.key for one in labels.done.values()})} networks of the space "
        f"`{stored['space']}`; data key {stored['data_key']}, {stored['clips']} validation inputs",
        "targets": f"{targets} networks of one half of the set, by a hash of the key; {parents} "
        "possible parents in the other half",
        "hardware": f"`{stored['hardware']}` (hash `{stored['hardware_hash']}`)",
        "trainings": f"{setting.epochs} epochs instead of {setting.recipe['epochs']}, everything "
        f"else as for the labels; seed {setting.seed}, which no label has",
        "chips": f"{setting.chips} simulated chips and all validation inputs",
        "seconds": "of the processor, one thread per network, so that other work on the machine "
        "does not count",
        "versions": f"analognas {__version__}, simulator {SIMULATOR_VERSION}, torch "
        f"{torch.__version__}, Python {platform.python_version()}",
        "seeds": f"{setting.seed} for trainings, {config.seed} for resampling",
    }
