"""What one job does: train or restore a network, measure it on simulated chips."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.labelling.folder import WEIGHTS
from analognas.labelling.plan import Job
from analognas.labelling.workers import RunJob
from analognas.records import Evaluation

if TYPE_CHECKING:
    import torch

    from analognas.simulator import Hardware
    from analognas.simulator.chip import ChipSpec
    from analognas.tasks import Task

# Labels and the choice of winners look at the validation part only.
PART = "validation"


@dataclass(frozen=True)
class TaskChoice:
    """How to load a task again, in another process."""

    name: str
    split: str | None = None
    data: str | None = None
    words: tuple[str, ...] | None = None

    def load(self) -> Task:
        from analognas.tasks import load_task

        return load_task(self.name, split=self.split, data=self.data, words=self.words)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all jobs of a run have in common."""

    task: TaskChoice
    space: str
    hardware: Hardware
    chip: ChipSpec
    chips: int
    device: str  # "cpu" or "cuda"


@dataclass(frozen=True)
class TrainAndMeasure:
    """Workshop that makes labels: each job trains its network hardware-aware, then measures it.

    The trained weights are rounded to float16 before they are measured, so that the kept file
    gives the same label again.
    """

    setting: Setting
    recipe: Mapping[str, Any]  # TrainingRecipe.to_dict()

    def __call__(self) -> RunJob:
        use_one_thread()
        from analognas.evaluation import evaluate_trained
        from analognas.labelling.weights import round_to_float16
        from analognas.search_spaces import Architecture, make_space
        from analognas.training import TrainingRecipe, restore_network, train_network

        setting = self.setting
        hardware, device = setting.hardware, setting.device
        recipe = TrainingRecipe(**self.recipe)
        task = setting.task.load()
        space = make_space(setting.space, input_shape=task.input_shape, n_classes=task.n_classes)

        def run_job(job: Job) -> tuple[Evaluation, Mapping[str, torch.Tensor]]:
            arch, seed = Architecture.from_dict(job.architecture), job.seed
            trained = train_network(space, arch, task, recipe, hardware, seed=seed, device=device)
            state = round_to_float16(trained.state)
            rounded = restore_network(
                space, arch, state, recipe, hardware, seed=seed, device=device
            )
            evaluation = evaluate_trained(
                replace(rounded, seconds=trained.seconds),
                task,
                hardware,
                setting.chip,
                part=PART,
                chips=setting.chips,
            )
            return evaluation, state

        return run_job


@dataclass(frozen=True)
class MeasureAgain:
    """Workshop that re-evaluates: each job restores kept weights and measures them, no training."""

    setting: Setting
    source: Path  # the folder of the run that kept the weights
    recipe: Mapping[str, Any]  # of the training, for the record
    training_seconds: Mapping[str, float]  # by job id, for the record

    def __call__(self) -> RunJob:
        use_one_thread()
        from analognas.evaluation import evaluate_trained
        from analognas.labelling.weights import unpack_weights
        from analognas.search_spaces import Architecture, make_space
        from analognas.training import TrainingRecipe, restore_network

        setting = self.setting
        recipe = TrainingRecipe(**self.recipe)
        task = setting.task.load()
        space = make_space(setting.space, input_shape=task.input_shape, n_classes=task.n_classes)

        def run_job(job: Job) -> tuple[Evaluation, Mapping[str, torch.Tensor]]:
            restored = restore_network(
                space,
                Architecture.from_dict(job.architecture),
                unpack_weights(self.source / WEIGHTS / f"{job.id}.safetensors"),
                recipe,
                setting.hardware,
                seed=job.seed,
                device=setting.device,
            )
            evaluation = evaluate_trained(
                replace(restored, seconds=self.training_seconds[job.id]),
                task,
                setting.hardware,
                setting.chip,
                part=PART,
                chips=setting.chips,
            )
            return evaluation, {}

        return run_job


def use_one_thread() -> None:
    """Compute on one thread in this process (see `workers.THREAD_VARIABLES`)."""
    import torch

    from analognas.allocator import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    numba = sys.modules.get("numba")
    if numba is not None:
        numba.set_num_threads(1)
