"""One search that trains: the method's own part, then its finalists under fresh seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from analognas.benchmarks.contestants import widest_network
from analognas.benchmarks.search_training_jobs import (
    CONTESTANTS,
    GUIDED,
    SPACE,
    WIDEST,
    Finalist,
    TrainingJob,
    TrainingRun,
    TrainingStep,
    chip_and_hardware,
    digest_of,
    file_name,
    path_of,
)
from analognas.errors import UserError
from analognas.evaluation import correct_over_time
from analognas.files import write_text
from analognas.labelling.job import PART
from analognas.limits import make_fits
from analognas.records import ONE_DAY_S
from analognas.search_spaces import Architecture, make_space
from analognas.searching.active_labelling import GuidedEvaluator
from analognas.searching.budget import Budget
from analognas.searching.candidates import Candidate
from analognas.searching.config import make_config
from analognas.searching.evaluators import Evaluator
from analognas.searching.front import FrontRecord
from analognas.searching.hypervolumes import hypervolume
from analognas.searching.measured import measured_scores
from analognas.searching.objectives import select_objectives
from analognas.searching.open_search import run_search
from analognas.searching.outcome import final_front
from analognas.searching.setup import SearchSetup, prepare
from analognas.searching.training_evaluator import TrainingEvaluator, one_thread
from analognas.surrogates import LABEL_SETS, load_labels
from analognas.training import LABEL_RECIPE, Progress, train_network

ACCURACY, ENERGY = "accuracy@1day", "energy"
OBJECTIVES = (ACCURACY, ENERGY)
# Reference point of all hypervolumes: accuracy 0, and this energy; no network of these tasks needs
# as much. As losses: minus the accuracy, log10 of the energy in nJ.
REFERENCE_ENERGY_NJ = 1e6
REFERENCE = (0.0, float(np.log10(REFERENCE_ENERGY_NJ)))
# Times that a search measures at: that of its objective, and those of a demand where it has one.
TIMES, TIMES_OF_DROP = ("1day",), ("1s", "1day", "1month")
FIRST_FRESH_SEED = 1000  # no search repeats a training so often


def search_and_judge(job: TrainingJob, progress: Progress) -> None:
    """Do a job; what it trained before it was stopped is taken."""
    with one_thread():
        run = _Bench(job, progress).run()
    write_text(path_of(job), json.dumps(run.to_dict()) + "\n")
    progress(100, 100, f"{job.name}: done")


@dataclass(frozen=True)
class _Found:
    """What a search ended with, kept before its finalists are trained again."""

    steps: tuple[TrainingStep, ...]
    front: tuple[FrontRecord, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        front = [
            {
                "key": one.key,
                "architecture": dict(one.architecture),
                "scores": {name: one.scores[name] for name in OBJECTIVES},
            }
            for one in self.front
        ]
        return {
            "steps": [list(asdict(step).values()) for step in self.steps],
            "front": front,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> _Found:
        return cls(
            tuple(TrainingStep(*step) for step in content["steps"]),
            tuple(FrontRecord(**one) for one in content["front"]),
            float(content["seconds"]),
        )


class _Bench:
    def __init__(self, job: TrainingJob, progress: Progress) -> None:
        self.job = job
        self.task = job.task.load()
        self.chip, self.hardware = chip_and_hardware()
        shape, classes = self.task.input_shape, self.task.n_classes
        self.space = make_space(SPACE, input_shape=shape, n_classes=classes)
        self.fits = make_fits(self.space, self.task.limits, self.chip)
        self.evaluator = TrainingEvaluator(
            task=job.task,
            space=SPACE,
            hardware=self.hardware,
            chip=self.chip,
            epochs=job.effort.epochs,
            chips=job.effort.chips,
            times=TIMES_OF_DROP if CONTESTANTS[job.method].demands else TIMES,
            cache=job.folder / "trainings",
        )
        self._progress = progress

    def run(self) -> TrainingRun:
        labels_seconds: float | None = 0.0
        try:
            if self.job.method == GUIDED:
                labels_seconds = seconds_of_labels(self._setup.chosen.name)
            found = self._found()
            finalists = self._judge(found)
        except UserError as error:
            return TrainingRun(
                self.job.method, self.job.seed, 0.0, labels_seconds, 0, (), (), str(error)
            )
        return TrainingRun(
            method=self.job.method,
            seed=self.job.seed,
            seconds=found.seconds,
            labels_seconds=labels_seconds,
            front=len(found.front),
            steps=found.steps,
            finalists=finalists,
        )

    # ---------------------------------------------------------------------------- searching

    def _found(self) -> _Found:
        path = self.job.folder / "searches" / digest_of(self.job) / f"{file_name(self.job)}.json"
        if path.is_file():
            return _Found.from_dict(json.loads(path.read_text(encoding="utf-8")))
        found = self._widest() if self.job.method == WIDEST else self._search()
        write_text(path, json.dumps(found.to_dict()) + "\n")
        return found

    @cached_property
    def _setup(self) -> SearchSetup:
        """With the surrogate that is nearest to the task."""
        task = self.job.task
        given: dict[str, Any] = {"data": task.data, "words": task.words, "split": task.split}
        return prepare(make_config({"task": task.name, "space": SPACE, **given}))

    def _search(self) -> _Found:
        job = self.job
        method = CONTESTANTS[job.method]
        evaluator: Evaluator = self.evaluator
        if job.method == GUIDED:
            evaluator = GuidedEvaluator(self.evaluator, self._setup.scorer)

        def tell(done: int, total: int, message: str) -> None:
            self._progress(min(70, 70 * done // max(total, 1)), 100, f"{job.name}: {message}")

        outcome = run_search(
            self.space,
            evaluator,
            [*OBJECTIVES, *method.demands],
            method.make,
            Budget(seconds=job.effort.seconds),
            job.seed,
            directory=job.folder / "searches" / digest_of(job) / file_name(job),
            fits=self.fits,
            progress=tell,
        )
        return _found(outcome.evaluations, outcome.front, outcome.seconds)

    def _widest(self) -> _Found:
        """One training of the widest network, another one for every seed."""
        contestant = widest_network(self.task.input_shape, self.task.n_classes, self.fits)
        arch = contestant.architecture
        evaluation = self.evaluator.measure(arch, 1.0, self.job.seed)
        seconds = evaluation.training_seconds + evaluation.evaluation_seconds
        scores = measured_scores(evaluation)
        one = Candidate(arch.key, 0, {}, arch.to_dict(), scores, 1.0, self.job.seed, seconds)
        return _found([one], final_front([one], select_objectives(OBJECTIVES), ()), seconds)

    # ------------------------------------------------------------------------------ judging

    def _judge(self, found: _Found) -> tuple[Finalist, ...]:
        chosen = choose_finalists(found.front, self.job.effort.finalists)
        finalists = []
        for number, member in enumerate(chosen):
            arch = Architecture.from_dict(dict(member.architecture))
            fresh = []
            for repeat in range(self.job.effort.fresh_seeds):
                seed = FIRST_FRESH_SEED + self.job.seed * self.job.effort.fresh_seeds + repeat
                fresh.append(self._fresh(arch, seed))
            share = 70 + 30 * (number + 1) // (len(chosen) + 1)
            self._progress(share, 100, f"{self.job.name}: trained {member.key} again")
            finalists.append(
                Finalist(
                    key=member.key,
                    architecture=member.architecture,
                    parameters=self.space.parameters(arch),
                    energy_nJ=member.scores[ENERGY],
                    found=member.scores[ACCURACY],
                    validation=tuple(one["validation"] for one in fresh),
                    test=tuple(one["test"] for one in fresh),
                )
            )
        return tuple(finalists)

    def _fresh(self, arch: Architecture, seed: int) -> Mapping[str, float]:
        """Accuracy after a day of another training on other chips, by part; kept in the folder."""
        path = self._fresh_path(arch, seed)
        if path.is_file():
            content: Mapping[str, float] = json.loads(path.read_text(encoding="utf-8"))
            return content
        recipe = replace(LABEL_RECIPE, epochs=self.job.effort.epochs)
        trained = train_network(self.space, arch, self.task, recipe, self.hardware, seed=seed)
        found = {}
        for part in (PART, "test"):
            correct = correct_over_time(
                trained.analog,
                self.task.parts[part],
                chips=self.job.effort.fresh_chips,
                path=(seed, arch.key),
                times_s=(ONE_DAY_S,),
            )
            found[part] = float(correct.mean())
        write_text(path, json.dumps(found) + "\n")
        return found

    def _fresh_path(self, arch: Architecture, seed: int) -> Path:
        effort = self.job.effort
        digest = digest_of(self.job, {"epochs": effort.epochs, "fresh_chips": effort.fresh_chips})
        return self.job.folder / "fresh" / f"{arch.key}-{seed}-{digest}.json"


def _found(
    evaluations: Sequence[Candidate], front: Sequence[FrontRecord], seconds: float
) -> _Found:
    steps = [
        TrainingStep(
            key=one.key,
            fidelity=one.fidelity,
            seed=one.seed,
            seconds=round(one.seconds or 0.0, 3),
            accuracy=one.scores.get(ACCURACY),
            energy_nJ=one.scores.get(ENERGY),
        )
        for one in evaluations
    ]
    return _Found(tuple(steps), tuple(front), round(seconds, 3))


def choose_finalists(front: Sequence[FrontRecord], count: int) -> list[FrontRecord]:
    """The most accurate network, then whichever adds most to the hypervolume of those chosen."""
    left = list(front)
    chosen = [max(left, key=lambda one: (one.scores[ACCURACY], one.key))]
    left.remove(chosen[0])
    while left and len(chosen) < count:
        volumes = [front_hypervolume([*map(_place, chosen), _place(one)]) for one in left]
        chosen.append(left.pop(int(np.argmax(volumes))))
    return chosen


def _place(member: FrontRecord) -> tuple[float, float]:
    return member.scores[ACCURACY], member.scores[ENERGY]


def front_hypervolume(places: Sequence[tuple[float, float]]) -> float:
    """Hypervolume of (accuracy, energy in nJ) pairs from REFERENCE: accuracy x decades."""
    losses = np.array([(-accuracy, np.log10(energy)) for accuracy, energy in places])
    return hypervolume(losses.reshape(-1, 2), REFERENCE)


def seconds_of_labels(name: str) -> float | None:
    """What the labels of a fitted surrogate took, if they come with the package."""
    if name not in LABEL_SETS:
        return None
    networks = load_labels(name).networks
    return float((networks["training_seconds"] + networks["evaluation_seconds"]).sum())
