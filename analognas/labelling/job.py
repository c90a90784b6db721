"""What one job does: train or restore a network, measure it on simulated chips."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.labelling.folder import WEIGHTS
from analognas.labelling.plan import Job
from analognas.labelling.workers import JobResult, RunJob
from analognas.records import EVALUATION_TIMES_S, AccuracyOverTime, FurtherAccuracy

if TYPE_CHECKING:
    import torch

    from analognas.hardware_variants import HardwareVariant
    from analognas.search_spaces import SearchSpace
    from analognas.simulator import Hardware
    from analognas.simulator.chip import ChipSpec
    from analognas.tasks import Part, Task
    from analognas.training import Clock, TrainedNetwork, TrainingRecipe

# Labels and the choice of winners look at the validation part only.
PART = "validation"
# States on the way of a training that are measured too, as shares of its epochs.
FIDELITIES = (0.25, 0.5)
# Training inputs that calibrate batch norms on an aged chip: batches, and inputs in each.
RECALIBRATION_BATCHES, RECALIBRATION_BATCH_SIZE = 8, 64


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
    variants: tuple[HardwareVariant, ...] = ()
    variant_chips: int = 2
    variant_clips: int = 240

    @property
    def clock(self) -> Clock:
        """What seconds are counted by: those of this process, unless a GPU does the work."""
        return time.process_time if self.device == "cpu" else time.perf_counter


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
        from analognas.labelling.weights import round_to_float16
        from analognas.search_spaces import Architecture
        from analognas.training import TrainingRecipe, train_network

        setting = self.setting
        recipe = TrainingRecipe(**self.recipe)
        bench = _Bench(setting, recipe)
        watched = _watched_epochs(recipe.epochs)

        def run_job(job: Job) -> JobResult:
            arch, seed = Architecture.from_dict(job.architecture), job.seed
            curve: list[FurtherAccuracy] = []

            def watch(epoch: int, network: TrainedNetwork) -> None:
                if epoch in watched:
                    state = network.state
                    measured = bench.measure_state(job, state, epoch, network.seconds)
                    curve.append(measured)

            trained = train_network(
                bench.space,
                arch,
                bench.task,
                recipe,
                setting.hardware,
                seed=seed,
                device=setting.device,
                watch=watch if setting.variants else None,
                clock=setting.clock,
            )
            state = round_to_float16(trained.state)
            return bench.measure(job, state, trained.seconds, curve)

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
        from analognas.labelling.weights import unpack_weights
        from analognas.training import TrainingRecipe

        bench = _Bench(self.setting, TrainingRecipe(**self.recipe))

        def run_job(job: Job) -> JobResult:
            state = unpack_weights(self.source / WEIGHTS / f"{job.id}.safetensors")
            result = bench.measure(job, state, self.training_seconds[job.id], ())
            return replace(result, state={})

        return run_job


class _Bench:
    """Puts weights on chips: those of the nominal hardware, and those of its variants."""

    def __init__(self, setting: Setting, recipe: TrainingRecipe) -> None:
        import torch

        from analognas.search_spaces import make_space

        self._setting = setting
        self._recipe = recipe
        self.task = setting.task.load()
        self.space: SearchSpace = make_space(
            setting.space, input_shape=self.task.input_shape, n_classes=self.task.n_classes
        )
        self._part: Part = self.task.parts[PART]
        self._clips: Part = self._part.stratified(setting.variant_clips)
        calibrating = self.task.train.stratified(RECALIBRATION_BATCHES * RECALIBRATION_BATCH_SIZE)
        self._calibration = tuple(
            batch.to(setting.device)
            for batch in torch.split(torch.from_numpy(calibrating.inputs), RECALIBRATION_BATCH_SIZE)
            if len(batch) > 1
        )

    def measure(
        self,
        job: Job,
        state: Mapping[str, torch.Tensor],
        training_seconds: float,
        curve: Sequence[FurtherAccuracy],
    ) -> JobResult:
        """Measure a trained network everywhere; the nominal hardware gets all chips and inputs."""
        from analognas.evaluation import evaluate_trained

        setting = self._setting
        evaluation = evaluate_trained(
            replace(self._restore(job, state, setting.hardware), seconds=training_seconds),
            self.task,
            setting.hardware,
            setting.chip,
            part=PART,
            chips=setting.chips,
            clock=setting.clock,
        )
        return JobResult(evaluation, state, (*curve, *self._measure_variants(job, state)))

    def measure_state(
        self, job: Job, state: Mapping[str, torch.Tensor], epoch: int, training_seconds: float
    ) -> FurtherAccuracy:
        """Measure a state on the way of a training, on the nominal hardware."""
        from analognas.hardware_variants import HardwareVariant

        nominal = HardwareVariant(self._setting.hardware)
        measured = self._measure_on(job, state, nominal)
        return replace(measured, epoch=epoch, training_seconds=training_seconds)

    def _measure_variants(
        self, job: Job, state: Mapping[str, torch.Tensor]
    ) -> Iterator[FurtherAccuracy]:
        for place in job.variants:
            yield self._measure_on(job, state, self._setting.variants[place])

    def _measure_on(
        self, job: Job, state: Mapping[str, torch.Tensor], variant: HardwareVariant
    ) -> FurtherAccuracy:
        from analognas.evaluation import correct_over_time

        began = self._setting.clock()
        times_s = tuple(EVALUATION_TIMES_S.values())
        correct = correct_over_time(
            self._restore(job, state, variant.hardware).analog,
            self._clips,
            chips=self._setting.variant_chips,
            path=(job.seed, job.key),
            times_s=times_s,
            recalibration=self._calibration if variant.recalibrated else (),
        )
        return FurtherAccuracy(
            AccuracyOverTime.from_answers(times_s, correct),
            clips=len(self._clips),
            seconds=self._setting.clock() - began,
            variant=variant.id,
        )

    def _restore(
        self, job: Job, state: Mapping[str, torch.Tensor], hardware: Hardware
    ) -> TrainedNetwork:
        from analognas.search_spaces import Architecture
        from analognas.training import restore_network

        return restore_network(
            self.space,
            Architecture.from_dict(job.architecture),
            state,
            self._recipe,
            hardware,
            seed=job.seed,
            device=self._setting.device,
        )


def _watched_epochs(epochs: int) -> frozenset[int]:
    """Epochs after which a training is looked at; none of a very short one."""
    return frozenset(
        epoch for epoch in (round(share * epochs) for share in FIDELITIES) if 0 < epoch < epochs
    )


def use_one_thread() -> None:
    """Compute on one thread in this process (see `workers.THREAD_VARIABLES`)."""
    import torch

    from analognas.allocator import keep_freed_memory

    keep_freed_memory()
    torch.set_num_threads(1)
    numba = sys.modules.get("numba")
    if numba is not None:
        numba.set_num_threads(1)
