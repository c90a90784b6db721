"""Jobs and results of the AnalogNets benchmark, and where a finished one lies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analognas.benchmarks.analognets_cases import (
    BITS,
    HARDWARE_OF_BITS,
    NOISE,
    NONE,
    recipe_of,
)
from analognas.errors import UserError
from analognas.labelling.job import TaskChoice
from analognas.simulator import SIMULATOR_VERSION
from analognas.simulator.training.analognets import FIRST_STAGE
from analognas.tasks import Task

FIRST = "first stage"
JSON, WEIGHTS = "json", "safetensors"


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How thoroughly everything is measured; `epochs` are those of each stage."""

    epochs: int = 30
    chips: int = 10
    seeds: tuple[int, ...] = (0, 1)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A network under a seed; `methods` of the second stage at `bits`, read in all `groups`."""

    task: TaskChoice
    folder: Path
    effort: Effort
    network: str
    seed: int
    methods: tuple[str, ...]
    bits: tuple[int, ...] = BITS
    groups: tuple[str, ...] = ("together",)

    @property
    def name(self) -> str:
        return f"{self.network}-{self.seed}"

    @property
    def trainings(self) -> int:
        """How many, the first stage included."""
        once = sum(method in (NONE, NOISE) for method in self.methods)
        return 1 + once + (len(self.methods) - once) * len(self.bits)


@dataclass(frozen=True)
class Result:
    """A trained network on simulated chips.

    Attributes:
        network, method, bits, seed: What was trained.
        adc: One gain for all ADCs, or a range per layer.
        groups: How the groups of a layer are read.
        drift_read: Conversions that measure the drift for its compensation.
        gain: S, None where layers have ranges of their own.
        ranges: Rule of the input ranges.
        digital: Accuracy of the weights without any analog effect.
        accuracy: `(times, chips)`, fractions on the test part.
    """

    network: str
    method: str
    bits: int
    seed: int
    adc: str
    groups: str
    drift_read: str
    gain: float | None
    ranges: str
    digital: float
    accuracy: tuple[tuple[float, ...], ...]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Result:
        rows = tuple(tuple(map(float, row)) for row in data["accuracy"])
        return cls(**{**data, "accuracy": rows})


def read_results(job: Job) -> list[Result]:
    """What `measure` has written.

    Raises:
        UserError: A file is missing or of another version.
    """
    task = job.task.load()
    found: list[Result] = []
    for method in job.methods:
        for bits in job.bits:
            path = path_of(job, task, method, bits)
            try:
                content = json.loads(path.read_text(encoding="utf-8"))
                found += [Result.from_dict(one) for one in content]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"{path} is no result of this version: {error}. Delete it to measure again."
                ) from error
    return found


def path_of(job: Job, task: Task, method: str, bits: int | None, suffix: str = JSON) -> Path:
    """Where something finished lies; the name holds a hash of all that it depends on."""
    content = {
        "data": task.data_key,
        "epochs": job.effort.epochs,
        "first": FIRST_STAGE.to_dict(),
        "second": FIRST_STAGE.to_dict() if method == FIRST else recipe_of(method, 1).to_dict(),
        "hardware": [HARDWARE_OF_BITS[one].hash for one in BITS],
        "simulator": SIMULATOR_VERSION,
        **({"chips": job.effort.chips, "groups": job.groups} if suffix == JSON else {}),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
    what = method.replace(" ", "_").replace(",", "").replace("+", "and")
    place = f"{job.name}-{what}" + ("" if bits is None else f"-{bits}bit")
    return job.folder / f"{place}-{digest}.{suffix}"
