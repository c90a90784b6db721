"""Searches that train: settings, one run of one method, and where a finished one lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analognas.benchmarks.search_methods import METHODS, OURS, Method, method_of
from analognas.errors import UserError
from analognas.hardware_choice import hardware_for_chip
from analognas.labelling.job import TaskChoice
from analognas.searching.strategies.registry import STRATEGIES
from analognas.simulator import SIMULATOR_VERSION, Hardware
from analognas.simulator.chip import ChipSpec, load_chip
from analognas.training import LABEL_RECIPE

FORMAT_VERSION = 1
SPACE, CHIP = "tinyml", "hermes"
WIDEST, GUIDED = "widest that fits", f"{OURS} with a first guess"
# All that are compared in trainings, in the order of their work within a seed.
CONTESTANTS: Mapping[str, Method] = {
    OURS: METHODS[OURS],
    GUIDED: Method(
        GUIDED,
        METHODS[OURS].make,
        "predictions of the fitted surrogate come first; their errors are learned",
    ),
    **{
        name: method_of(name, STRATEGIES[name])
        for name in ("random", "tpe", "nsga2", "regularised-evolution", "analognas")
    },
    WIDEST: Method(WIDEST, METHODS["random"].make, "one training, no search"),
    "multi-fidelity": METHODS["multi-fidelity"],
}


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much every method may do, and how its networks are judged.

    Attributes:
        seconds: Budget of every search: recorded seconds of its trainings and measurements.
        epochs: Of a full training.
        chips: Simulated chips of every network in a search.
        finalists: Networks of the final front that are trained again.
        fresh_seeds: Trainings of each of them.
        fresh_chips: Simulated chips of each of those.
    """

    seconds: float = 600.0
    epochs: int = 15
    chips: int = 8
    finalists: int = 5
    fresh_seeds: int = 2
    fresh_chips: int = 25


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """A method under a seed; `folder` keeps runs, searches and trainings."""

    task: TaskChoice
    effort: Effort
    folder: Path
    method: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method}, seed {self.seed}"


@dataclass(frozen=True)
class TrainingStep:
    """One training of a search: what it was charged with, and what it gave; None: it failed."""

    key: str
    fidelity: float
    seed: int
    seconds: float
    accuracy: float | None  # after a day, validation part
    energy_nJ: float | None


@dataclass(frozen=True)
class Finalist:
    """A network that a method ends with, as it saw it and trained again.

    Attributes:
        found: Accuracy after a day that the search saw, validation part, mean over its seeds.
        validation: The same of every fresh training on fresh chips.
        test: Likewise, on the test part.
    """

    key: str
    architecture: Mapping[str, Any]
    parameters: int
    energy_nJ: float
    found: float
    validation: tuple[float, ...]
    test: tuple[float, ...]


@dataclass(frozen=True)
class TrainingRun:
    """What a method found under a seed.

    Attributes:
        seconds: Charged for its search.
        labels_seconds: Spent before on the labels of the surrogate that it was given; 0 without
            one, None where nobody knows.
        front: Networks on its final front, of which some are finalists.
        failure: Why there is no result.
    """

    method: str
    seed: int
    seconds: float
    labels_seconds: float | None
    front: int
    steps: tuple[TrainingStep, ...]
    finalists: tuple[Finalist, ...]
    failure: str | None = None

    def to_dict(self) -> dict[str, Any]:
        steps = [list(asdict(step).values()) for step in self.steps]
        return {"format_version": FORMAT_VERSION, **asdict(self), "steps": steps}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> TrainingRun:
        data = dict(content)
        if data.pop("format_version") != FORMAT_VERSION:
            raise ValueError(f"`format_version` is {content['format_version']!r}")
        finalists = tuple(
            Finalist(**{**one, "validation": tuple(one["validation"]), "test": tuple(one["test"])})
            for one in data.pop("finalists")
        )
        steps = tuple(TrainingStep(*step) for step in data.pop("steps"))
        return cls(**data, steps=steps, finalists=finalists)


def read_training_run(job: TrainingJob) -> TrainingRun | None:
    """What a finished job found; None if it is not finished.

    Raises:
        UserError: The file is damaged or of another version.
    """
    path = path_of(job)
    if not path.exists():
        return None
    try:
        return TrainingRun.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no result of this version: {error}. Delete it to search again."
        ) from error


def is_finished(job: TrainingJob) -> bool:
    """Whether a job needs no more work; one that failed is tried again, its trainings are kept."""
    run = read_training_run(job)
    return run is not None and run.failure is None


def chip_and_hardware() -> tuple[ChipSpec, Hardware]:
    """What all networks are placed on, and what they feel."""
    chip = load_chip(CHIP)
    return chip, hardware_for_chip(None, {}, chip)


def digest_of(job: TrainingJob, effort: Mapping[str, Any] | None = None) -> str:
    """Hash of everything that runs have in common, or of conditions with a part of the effort."""
    chip, hardware = chip_and_hardware()
    content = {
        "data": job.task.load().data_key,
        "effort": asdict(job.effort) if effort is None else effort,
        "recipe": LABEL_RECIPE.to_dict(),
        "hardware": hardware.hash,
        "chip": chip.hash,
        "simulator": SIMULATOR_VERSION,
        "space": SPACE,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def path_of(job: TrainingJob) -> Path:
    """Where a finished job lies."""
    return job.folder / "runs" / digest_of(job) / f"{file_name(job)}.json"


def file_name(job: TrainingJob) -> str:
    return f"{job.method.replace(' ', '-')}-{job.seed}"
