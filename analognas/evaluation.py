"""Measure a trained network on simulated chips: where space, task and simulator meet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from analognas.records import EVALUATION_TIMES_S, AccuracyOverTime, CostSummary, Evaluation
from analognas.shapes import place_architecture
from analognas.simulator import (
    SIMULATOR_VERSION,
    AnalogModel,
    Hardware,
    chips_that_fit,
    program,
    recalibrate_batch_norm,
    set_time,
    spawn_generator,
)
from analognas.simulator.chip import ChipSpec, estimate_cost
from analognas.training import Clock, TrainedNetwork, TrainingRecipe, train_network

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.tasks import Part, Task

ALL_TIMES_S = tuple(EVALUATION_TIMES_S.values())
SAMPLES_PER_PASS = 256  # inputs that go through the network at once: more would leave the caches


def evaluate(  # noqa: PLR0913  (the seam of the application: network, task, hardware, chip, how)
    arch: Architecture,
    task: Task,
    hardware: Hardware,
    chip: ChipSpec,
    *,
    seed: int,
    recipe: TrainingRecipe,
    part: str = "test",
    chips: int = 25,
    times_s: Sequence[float] = ALL_TIMES_S,
    device: str | torch.device = "cpu",
    keep_digital: Sequence[str] = (),
    clock: Clock = time.perf_counter,
) -> Evaluation:
    """Train `arch` hardware-aware and measure it on simulated chips at every one of `times_s`."""
    from analognas.search_spaces import make_space

    space = make_space(arch.space, input_shape=task.input_shape, n_classes=task.n_classes)
    trained = train_network(
        space,
        arch,
        task,
        recipe,
        hardware,
        seed=seed,
        device=device,
        keep_digital=keep_digital,
        clock=clock,
    )
    return evaluate_trained(
        trained, task, hardware, chip, part=part, chips=chips, times_s=times_s, clock=clock
    )


def evaluate_trained(  # noqa: PLR0913
    trained: TrainedNetwork,
    task: Task,
    hardware: Hardware,
    chip: ChipSpec,
    *,
    part: str = "test",
    chips: int = 25,
    chip_batch: int | None = None,
    times_s: Sequence[float] = ALL_TIMES_S,
    clock: Clock = time.perf_counter,
) -> Evaluation:
    """Program a trained network onto `chips` simulated chips, age them, count correct answers.

    Args:
        trained: From `train_network` or `restore_network`.
        task: Its `part` is classified.
        hardware: Must be that of `trained`; named in the result.
        chip: For placement and cost.
        part: "validation" or "test"; labels and choices use the validation part only.
        chips: Number of simulated chips.
        chip_batch: Chips held in memory at once; by default as many as fit.
        times_s: Seconds after programming. What is found at one time does not depend on the others.
        clock: Counts the seconds.
    """
    return evaluate_answers(
        trained,
        task,
        hardware,
        chip,
        part=part,
        chips=chips,
        chip_batch=chip_batch,
        times_s=times_s,
        clock=clock,
    )[0]


def evaluate_answers(  # noqa: PLR0913
    trained: TrainedNetwork,
    task: Task,
    hardware: Hardware,
    chip: ChipSpec,
    *,
    part: str,
    chips: int,
    chip_batch: int | None = None,
    times_s: Sequence[float] = ALL_TIMES_S,
    clock: Clock = time.perf_counter,
) -> tuple[Evaluation, NDArray[np.bool_]]:
    """Like `evaluate_trained`, and which answers were right, `(times, chips, N)`."""
    start = clock()
    space, arch = trained.space, trained.architecture
    data = task.parts[part]
    path = (trained.seed, arch.key)
    correct = correct_over_time(
        trained.analog, data, chips=chips, path=path, times_s=times_s, chip_batch=chip_batch
    )
    digital = digital_accuracy(trained.digital, data)
    evaluation = Evaluation(
        key=arch.key,
        architecture=arch.to_dict(),
        task=task.name,
        split=task.split,
        part=part,
        data_key=task.data_key,
        hardware=hardware.name,
        hardware_hash=hardware.hash,
        simulator_version=SIMULATOR_VERSION,
        training=trained.recipe.to_dict(),
        seed=trained.seed,
        digital_accuracy=digital,
        analog=AccuracyOverTime.from_answers(tuple(times_s), correct),
        cost=cost_summary(space, arch, chip, keep_digital=trained.keep_digital),
        parameters=space.parameters(arch),
        multiplications=space.multiplications(arch),
        training_seconds=trained.seconds,
        evaluation_seconds=clock() - start,
    )
    return evaluation, correct


@torch.no_grad()
def correct_over_time(  # noqa: PLR0913
    analog: AnalogModel,
    data: Part,
    *,
    chips: int,
    path: tuple[int, str],
    times_s: Sequence[float],
    chip_batch: int | None = None,
    recalibration: Sequence[torch.Tensor] = (),
) -> NDArray[np.bool_]:
    """Program, age and read `chips` chips; tell which answers are right, `(times, chips, N)`.

    Args:
        analog: The trained network.
        data: What is classified.
        chips: Number of simulated chips.
        path: Seed and key; they name the random streams.
        times_s: Seconds after programming.
        chip_batch: Chips held in memory at once; by default as many as fit.
        recalibration: Batches of training inputs that calibrate the batch norms of every chip at
            every time (AdaBS); none by default.
    """
    seed, key = path
    at_once = min(chips, chip_batch or chips_that_fit(analog))
    rounds = []
    for first in range(0, chips, at_once):
        # The same seeds in every round: a chip's draws follow from its number.
        numbers = range(first, min(first + at_once, chips))
        program(analog, chips=numbers, generator=spawn_generator(seed, key, "program"))
        rows = []
        for t_s in times_s:
            set_time(analog, t_s=t_s, generator=spawn_generator(seed, key, "time", repr(t_s)))
            if recalibration:
                recalibrate_batch_norm(analog, recalibration)
            rows.append(_answers(analog, data).numpy() == data.labels)
        rounds.append(np.stack(rows))
    return np.concatenate(rounds, axis=1)


def _answers(analog: AnalogModel, data: Part) -> torch.Tensor:
    """Class that every chip answers for every input, `(chips, N)` on the CPU."""
    device = next(analog.parameters()).device
    inputs = torch.from_numpy(data.inputs)
    step = SAMPLES_PER_PASS
    answers = [
        analog(inputs[first : first + step].to(device)).argmax(dim=-1).cpu()
        for first in range(0, len(inputs), step)
    ]
    return torch.cat(answers, dim=1)


@torch.no_grad()
def digital_accuracy(network: torch.nn.Module, data: Part) -> float:
    """Accuracy of the trained weights without any analog effect."""
    device = next(network.parameters()).device
    correct = 0
    for first in range(0, len(data), SAMPLES_PER_PASS):
        inputs = torch.from_numpy(data.inputs[first : first + SAMPLES_PER_PASS]).to(device)
        labels = torch.from_numpy(data.labels[first : first + SAMPLES_PER_PASS]).to(device)
        correct += int(network(inputs).argmax(dim=-1).eq(labels).sum())
    return correct / len(data)


def cost_summary(
    space: SearchSpace, arch: Architecture, chip: ChipSpec, *, keep_digital: Sequence[str] = ()
) -> CostSummary:
    """Modelled cost of one inference of `arch` on `chip`, in the chip's default read mode."""
    cost = estimate_cost(place_architecture(space, arch, chip, keep_digital=keep_digital), chip)
    return CostSummary(
        chip=chip.name,
        read_mode=cost.read_mode,
        energy_nJ=cost.energy_nJ,
        latency_us=cost.latency_us,
        area_mm2=cost.area_mm2,
        cores=cost.cores,
        utilisation_fraction=cost.utilisation_fraction,
    )
