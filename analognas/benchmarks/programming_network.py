"""Accuracy of a trained network after every method of programming."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from analognas.benchmarks.programming_cases import CAREFUL, FINE, GDP, LONG, METHODS, VERIFY
from analognas.search_spaces import make_space
from analognas.simulator import (
    AnalogModel,
    Hardware,
    program,
    programming_logs,
    set_time,
    spawn_generator,
)
from analognas.simulator.programming import (
    ProgrammingLog,
    ProgrammingMethod,
    Statistical,
    match_statistical,
    total,
)
from analognas.tasks import Task, load_task
from analognas.training import TrainedNetwork, TrainingRecipe, restore_network, train_network

TASK, SPACE, NETWORK = "digits", "tinyml", "analognet-like"
TIMES_S: Mapping[str, float] = {"after programming": 0.0, "after a day": 86_400.0}
STATISTICAL, MATCHED = "statistical", "statistical, matched to `verify`"
COMPARED = (STATISTICAL, MATCHED, VERIFY, FINE, CAREFUL, GDP, LONG)


@dataclass(frozen=True)
class NetworkResult:
    """Accuracy of the network on all chips of one hardware after one method.

    Args:
        hardware: Its name.
        method: Its name.
        accuracy: Per time, per chip.
        log: Work of all chips; `None` for statistical programming.
    """

    hardware: str
    method: str
    accuracy: Mapping[str, tuple[float, ...]]
    log: ProgrammingLog | None


@dataclass(frozen=True)
class NetworkReport:
    """Everything about the network."""

    network: str
    parameters: int
    task: str
    test_images: int
    epochs: int
    chips: int
    digital_accuracy: float
    results: tuple[NetworkResult, ...]


def measure_network(
    settings: Sequence[Hardware],
    *,
    epochs: int,
    chips: int,
    seed: int,
    told: Callable[[str], None],
) -> NetworkReport:
    """Train once per hardware, program `chips` chips by every method, classify the test images."""
    task = load_task(TASK)
    space = make_space(SPACE, input_shape=task.input_shape, n_classes=task.n_classes)
    arch = space.named[NETWORK]
    recipe = TrainingRecipe(epochs=epochs)
    told("training the network")
    first = train_network(space, arch, task, recipe, settings[0], seed=seed)
    results = []
    for hardware in settings:
        trained = restore_network(space, arch, first.state, recipe, hardware, seed=seed)
        results += _compare(trained, task, hardware, chips=chips, told=told)
    return NetworkReport(
        network=NETWORK,
        parameters=space.parameters(arch),
        task=task.title,
        test_images=len(task.test),
        epochs=epochs,
        chips=chips,
        digital_accuracy=_digital(first, task),
        results=tuple(results),
    )


def _compare(
    trained: TrainedNetwork,
    task: Task,
    hardware: Hardware,
    *,
    chips: int,
    told: Callable[[str], None],
) -> list[NetworkResult]:
    results: list[NetworkResult] = []
    for name in COMPARED:
        told(f"{hardware.name}: {name}")
        written_for = hardware
        method: ProgrammingMethod = (
            Statistical() if name in (STATISTICAL, MATCHED) else METHODS[name]
        )
        analog = trained.analog
        if name == MATCHED:
            match = match_statistical(hardware, generator=spawn_generator(trained.seed, "match"))
            written_for = scaled(hardware, match.scale)
            analog = restore_network(
                trained.space,
                trained.architecture,
                trained.state,
                trained.recipe,
                written_for,
                seed=trained.seed,
            ).analog
        generator = spawn_generator(trained.seed, "programming network", hardware.name)
        program(analog, chips=chips, generator=generator, method=method)
        logs = [log for of_layer in programming_logs(analog).values() for log in of_layer]
        accuracy = {}
        for time, t_s in TIMES_S.items():
            set_time(analog, t_s=t_s, generator=spawn_generator(trained.seed, "age", time))
            accuracy[time] = _accuracy(analog, task)
        results.append(NetworkResult(hardware.name, name, accuracy, total(logs) if logs else None))
    return results


def scaled(hardware: Hardware, scale: float) -> Hardware:
    """The same hardware with `scale` times the programming noise."""
    device: Any = hardware.device
    changed = replace(device, programming_noise_scale=device.programming_noise_scale * scale)
    return replace(hardware, name=f"{hardware.name}, matched", device=changed)


@torch.no_grad()
def _accuracy(analog: AnalogModel, task: Task) -> tuple[float, ...]:
    answers = analog(torch.from_numpy(task.test.inputs)).argmax(dim=-1)
    right = answers.eq(torch.from_numpy(task.test.labels)).double().mean(dim=-1)
    return tuple(right.tolist())


@torch.no_grad()
def _digital(trained: TrainedNetwork, task: Task) -> float:
    answers = trained.digital(torch.from_numpy(task.test.inputs)).argmax(dim=-1)
    return float(answers.eq(torch.from_numpy(task.test.labels)).double().mean())
