"""Jobs and results of the benchmark of cheaper labels, and where a finished one lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analognas.errors import UserError
from analognas.labelling.folder import DoneJob, LabelFolder
from analognas.labelling.job import TaskChoice
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator import SIMULATOR_VERSION

FULL, SHORT, INHERITED, CARRIED = "full", "short", "inherited", "carried over"
# What is done to a target network: weights of a parent or new ones, trained or not.
ARMS: Mapping[str, str] = {
    FULL: "new weights, the whole recipe of the labels, under another seed than they",
    SHORT: "new weights, the same recipe with a fifth of the epochs",
    INHERITED: "weights carried over from the nearest parent, then trained as `short`",
    CARRIED: "weights carried over, not trained; batch norms and input ranges from training inputs",
}
HEIRS = (INHERITED, CARRIED)
TIMES = ("1 day", "1 year")
FEWEST_TARGETS = 10
TIMES_S = tuple(EVALUATION_TIMES_S[name] for name in TIMES)


@dataclass(frozen=True)
class Parent:
    """A labelled network that others may inherit from."""

    key: str
    architecture: Mapping[str, Any]
    weights: str  # path inside the folder of labels


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all jobs have in common; `seed` is one that no label was trained under."""

    task: TaskChoice
    data_key: str
    labels: Path  # the folder of the label run
    parents: tuple[Parent, ...]
    space: str
    hardware: str  # TOML
    recipe: Mapping[str, Any]  # of the labels
    epochs: int
    chips: int
    seed: int


@dataclass(frozen=True)
class Job:
    """One target under one arm."""

    arm: str
    key: str
    architecture: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.key}, {self.arm}"


@dataclass(frozen=True)
class Share:
    """The jobs of one process."""

    setting: Setting
    folder: Path
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Result:
    """A target under one arm, measured.

    Attributes:
        accuracy: `(times, chips)`, fractions on the validation part, at `TIMES`.
        seconds: Of the clock, for weights and training.
        cpu_seconds: Of the processor; the same on a machine that does nothing else.
        parent: Key of the network that was inherited from.
        distance: To this parent.
        preserved: Whether the network computed what its parent does before it was trained.
    """

    key: str
    arm: str
    accuracy: tuple[tuple[float, ...], ...]
    seconds: float
    cpu_seconds: float
    parent: str | None = None
    distance: float | None = None
    preserved: bool | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        rows = tuple(tuple(map(float, row)) for row in data["accuracy"])
        return cls(**{**data, "accuracy": rows})

    def mean_at(self, time: str) -> float:
        row = self.accuracy[TIMES.index(time)]
        return sum(row) / len(row)


def split_networks(
    folder: LabelFolder, targets: int
) -> tuple[tuple[DoneJob, ...], tuple[DoneJob, ...]]:
    """Cut the labelled networks into targets and possible parents, by a hash of their keys.

    The halves do not depend on any result. No target is ever a parent, so none inherits from
    itself, or from a network that inherited from it.

    Returns:
        At most `targets` networks of one half, and all of the other half; each by its training
        under the smallest seed.

    Raises:
        UserError: There are too few labels, or no weights.
    """
    first: dict[str, DoneJob] = {}
    for entry in sorted(folder.done_in_order(), key=lambda entry: entry.job.seed):
        first.setdefault(entry.job.key, entry)
    ordered = [first[key] for key in sorted(first, key=_hash)]
    half = len(ordered) // 2
    chosen, others = ordered[:half], ordered[half:]
    kept = sum(entry.weights is not None for entry in others)
    if len(chosen) < FEWEST_TARGETS or not kept:
        raise UserError(
            f"{folder.path} must hold at least {2 * FEWEST_TARGETS} labelled networks, some with "
            f"kept weights, but has {len(ordered)}, and {kept} possible parents. Label more "
            "networks, or name another folder with --labels."
        )
    return tuple(chosen[:targets]), tuple(others)


def read_result(setting: Setting, folder: Path, job: Job) -> Result:
    """What was measured.

    Raises:
        UserError: The file is missing or of another version.
    """
    path = path_of(setting, folder, job)
    try:
        return Result.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no result of this version: {error}. Delete it to measure again."
        ) from error


def path_of(setting: Setting, folder: Path, job: Job) -> Path:
    """Where a result lies; the name holds a hash of all that it depends on."""
    content = {
        "data": setting.data_key,
        "space": setting.space,
        "hardware": setting.hardware,
        "recipe": setting.recipe,
        "epochs": setting.epochs if job.arm in (SHORT, INHERITED) else None,
        "chips": setting.chips,
        "seed": setting.seed,
        "parents": [one.key for one in setting.parents] if job.arm in HEIRS else [],
        "simulator": SIMULATOR_VERSION,
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    return folder / f"{job.key}-{job.arm.replace(' ', '_')}-{digest}.json"


def jobs_of(targets: Sequence[DoneJob], arms: Sequence[str]) -> list[Job]:
    """All arms of one target after the other, so that an early stop leaves a fair sample."""
    return [Job(arm, one.job.key, one.job.architecture) for one in targets for arm in arms]


def _hash(key: str) -> str:
    return hashlib.sha256(f"half of {key}".encode()).hexdigest()
