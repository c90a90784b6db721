"""A trained network on the standard AIMC model, in the simulator and in AIHWKIT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from analognas.benchmarks import aihwkit
from analognas.benchmarks.fidelity.aihwkit_tile import standard_config
from analognas.benchmarks.fidelity.tile import ALL
from analognas.benchmarks.fidelity.trial import mean_and_error
from analognas.search_spaces import make_space
from analognas.simulator import analog_layers, program, set_time, spawn_generator, to_digital
from analognas.simulator.analysis import only_effects
from analognas.simulator.presets import STANDARD_AIMC
from analognas.tasks import Task, load_task
from analognas.training import TrainedNetwork, TrainingRecipe, train_network

TASK, SPACE, NETWORK = "digits", "tinyml", "analognet-like"
EPOCHS = 15
CELLS = ("programming", "ageing", "1/f noise")
CONVERTERS = ("DAC", "ADC", "output noise")
READS = ("read noise", "IR drop")  # not in AIHWKIT's tiles in torch
WITHOUT_READS = replace(ALL, read_noise=False, ir_drop=False)


@dataclass(frozen=True)
class NetworkAccuracy:
    """Accuracy of a network at one time, `(simulator, AIHWKIT)`: mean over chips and its error."""

    time: str
    effects: tuple[str, ...]
    network: str
    chips: int
    digital: float
    simulator: float
    simulator_error: float
    aihwkit: float
    aihwkit_error: float


def compare_networks(
    times_s: Mapping[str, float], *, chips: int, seed: int
) -> list[NetworkAccuracy]:
    """Train a network and measure it on as many chips of both; nothing without AIHWKIT."""
    if not aihwkit.is_usable():
        return []
    effects = (*CELLS, *CONVERTERS, *(READS if _has_reads() else ()))
    task = load_task(TASK)
    space = make_space(SPACE, input_shape=task.input_shape, n_classes=task.n_classes)
    trained = train_network(
        space,
        space.named[NETWORK],
        task,
        TrainingRecipe(epochs=EPOCHS),
        only_effects(STANDARD_AIMC, effects),
        seed=seed,
    )
    ours = _in_simulator(trained, task, times_s, chips=chips)
    theirs = _in_aihwkit(trained, task, times_s, chips=chips)
    digital = float(_accuracy(trained.digital, task))
    return [
        NetworkAccuracy(
            time,
            effects,
            NETWORK,
            chips,
            digital,
            *mean_and_error(ours[time]),
            *mean_and_error(theirs[time]),
        )
        for time in times_s
    ]


def _in_simulator(
    trained: TrainedNetwork, task: Task, times_s: Mapping[str, float], *, chips: int
) -> dict[str, list[float]]:
    analog, seed = trained.analog, trained.seed
    program(analog, chips=chips, generator=spawn_generator(seed, "fidelity network"))
    found = {}
    for time, t_s in times_s.items():
        set_time(analog, t_s=t_s, generator=spawn_generator(seed, "fidelity network", time))
        found[time] = _accuracy(analog, task).tolist()
    return found


def _in_aihwkit(
    trained: TrainedNetwork, task: Task, times_s: Mapping[str, float], *, chips: int
) -> dict[str, list[float]]:
    conversion: Any = import_module("aihwkit.nn.conversion")
    config = standard_config(ALL if _has_reads() else WITHOUT_READS, scaled=True)
    config.pre_post.input_range.enable = True
    config.pre_post.input_range.learn_input_range = False
    found: dict[str, list[float]] = {time: [] for time in times_s}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.random.manual_seed(trained.seed)  # it draws from the global generator
        network = conversion.convert_to_analog(to_digital(trained.analog), config).eval()
        for name, layer in analog_layers(trained.analog):
            for tile in network.get_submodule(name).analog_tiles():
                tile.input_range.copy_(layer.input_range)
        for _ in range(chips):
            network.program_analog_weights()
            for time, t_s in times_s.items():
                network.drift_analog_weights(t_s)
                found[time].append(float(_accuracy(network, task)))
    return found


def _has_reads() -> bool:
    return aihwkit.why_not_compiled() is None


@torch.no_grad()
def _accuracy(network: nn.Module, task: Task) -> Tensor:
    """Share of the test images, for every chip."""
    answers = network(torch.from_numpy(task.test.inputs)).argmax(dim=-1)
    right: Tensor = answers.eq(torch.from_numpy(task.test.labels)).double().mean(dim=-1)
    return right
