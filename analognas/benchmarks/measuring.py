"""Train and measure the networks of a benchmark, several times each, resumably."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analognas.deployment.network import using_threads
from analognas.deployment.processes import run_in_processes
from analognas.errors import UserError
from analognas.evaluation import evaluate_answers
from analognas.files import write_text
from analognas.labelling.job import TaskChoice
from analognas.records import Evaluation
from analognas.search_spaces import Architecture, make_space
from analognas.tasks import NO_SPEAKER
from analognas.training import Progress, TrainingRecipe, train_network

if TYPE_CHECKING:
    from analognas.simulator import Hardware
    from analognas.simulator.chip import ChipSpec

PART = "test"


@dataclass(frozen=True, kw_only=True)
class MeasurementSetting:
    """What all measurements of a benchmark have in common."""

    task: TaskChoice
    hardware: Hardware
    chip: ChipSpec
    recipe: TrainingRecipe
    chips: int
    device: str


@dataclass(frozen=True)
class Measurement:
    """One training of one network, measured on the test part.

    `speakers` maps a speaker to the accuracy on their recordings, mean over chips, at every time.
    """

    evaluation: Evaluation
    speakers: Mapping[str, tuple[float, ...]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "evaluation": self.evaluation.to_dict(),
            "speakers": {name: list(values) for name, values in self.speakers.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Measurement:
        speakers = {name: tuple(values) for name, values in data["speakers"].items()}
        return cls(Evaluation.from_dict(dict(data["evaluation"])), speakers)


@dataclass(frozen=True)
class _Job:
    setting: MeasurementSetting
    architecture: dict[str, Any]
    seed: int
    path: Path


def measure_all(
    setting: MeasurementSetting,
    architectures: Sequence[Architecture],
    folder: Path,
    *,
    seeds: Sequence[int],
    workers: int,
    progress: Progress | None = None,
) -> dict[tuple[str, int], Measurement]:
    """Measure every network under every seed; what lies finished in `folder` is not done again.

    Every measurement has random streams of its own and runs on one thread, so that the results do
    not depend on `workers`.
    """
    jobs = [
        _Job(setting, arch.to_dict(), seed, folder / f"{arch.key}-{seed}.json")
        for seed in seeds
        for arch in {arch.key: arch for arch in architectures}.values()
    ]
    todo = [job for job in jobs if not job.path.exists()]
    done = [0] * len(todo)
    finished = 100 * (len(jobs) - len(todo))

    def report(position: int, percent: int, total: int, message: str) -> None:
        done[position] = 100 * percent // max(total, 1)
        if progress is not None:
            progress(finished + sum(done), 100 * len(jobs), message)

    if workers > 1 and len(todo) > 1:
        named = [(job.path.stem, job) for job in todo]
        run_in_processes(_measure, named, workers=workers, report=report)
    else:
        for position, job in enumerate(todo):
            _measure(job, partial(report, position))
    return {_identity(job): _read(job.path) for job in jobs}


def _identity(job: _Job) -> tuple[str, int]:
    return str(job.architecture["key"]), job.seed


def _read(path: Path) -> Measurement:
    try:
        return Measurement.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a measurement of this version: {error}. Delete it to measure again."
        ) from error


def _measure(job: _Job, progress: Progress) -> None:
    setting = job.setting
    with using_threads(1):
        task = setting.task.load()
        arch = Architecture.from_dict(job.architecture)
        space = make_space("tinyml", input_shape=task.input_shape, n_classes=task.n_classes)

        def training(done: int, total: int, message: str) -> None:
            progress(80 * done // total, 100, f"{arch.key}, seed {job.seed}")

        trained = train_network(
            space,
            arch,
            task,
            setting.recipe,
            setting.hardware,
            seed=job.seed,
            device=setting.device,
            progress=training,
        )
        evaluation, correct = evaluate_answers(
            trained, task, setting.hardware, setting.chip, part=PART, chips=setting.chips
        )
        names = np.array(task.parts[PART].speakers or ())
        speakers = {
            name: tuple(correct[:, :, names == name].mean(axis=(1, 2)).tolist())
            for name in sorted({*names.tolist()} - {NO_SPEAKER})
        }
        measurement = Measurement(evaluation, speakers)
        write_text(job.path, json.dumps(measurement.to_dict()) + "\n")
    progress(100, 100, f"{arch.key}, seed {job.seed}: done")
