"""Training and measuring without either, in a module that other processes can import."""

import errno
from pathlib import Path

import numpy as np
import torch
from torch import nn

from analognas.deployment.network import Deployment, Progress
from analognas.records import EVALUATION_TIMES_S, AccuracyOverTime, CostSummary, Evaluation
from analognas.search_spaces import Architecture
from analognas.simulator import spawn_generator
from analognas.simulator.chip import estimate_cost, place

TRAINED: list[str] = []  # keys, in the order of training


class FastNetwork:
    """A small network with random weights, as if it had been trained."""

    def __init__(self, setting: Deployment, arch: Architecture) -> None:
        self.architecture = arch
        channels, *_ = setting.task.input_shape
        self.digital = nn.Sequential(
            nn.Conv2d(channels, 4, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, setting.task.n_classes),
        ).eval()
        generator = spawn_generator(setting.seed, arch.key, "weights")
        with torch.no_grad():
            for parameter in self.digital.parameters():
                parameter.uniform_(-0.5, 0.5, generator=generator)

    @property
    def state(self) -> dict[str, torch.Tensor]:
        ranges = {f"input_range:{name}": torch.ones(1, dtype=torch.float64) for name in ("0", "5")}
        return {**self.digital.state_dict(), **ranges}


def unchanged(inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return inputs


def train(setting: Deployment, arch: Architecture, progress: Progress) -> FastNetwork:
    TRAINED.append(arch.key)
    progress(1, 2, "training")
    return FastNetwork(setting, arch)


def write_onnx(path: Path, setting: Deployment, network: nn.Module, key: str) -> None:
    path.write_text(key)


def write_onnx_on_a_full_disk(
    path: Path, setting: Deployment, network: nn.Module, key: str
) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def train_in_vain(setting: Deployment, arch: Architecture, progress: Progress) -> FastNetwork:
    raise RuntimeError(f"no training of {arch.key}")


def measure(setting: Deployment, trained: FastNetwork) -> Evaluation:
    key = trained.architecture.key
    rng = np.random.default_rng([setting.seed, *key.encode()])
    accuracy = rng.uniform(0.8, 0.9, (len(EVALUATION_TIMES_S), setting.chips))
    placement = place(trained.digital, setting.task.input_shape, setting.chip)
    cost = estimate_cost(placement, setting.chip)
    return Evaluation(
        key=key,
        architecture={"key": key},
        task=setting.task.name,
        split=setting.task.split,
        part="test",
        data_key=setting.task.data_key,
        hardware=setting.hardware.name,
        hardware_hash=setting.hardware.hash,
        simulator_version="1",
        training=setting.recipe.to_dict(),
        seed=setting.seed,
        digital_accuracy=0.91,
        analog=AccuracyOverTime(
            tuple(EVALUATION_TIMES_S.values()), tuple(tuple(map(float, row)) for row in accuracy)
        ),
        cost=CostSummary(
            cost.chip,
            cost.read_mode,
            cost.energy_nJ,
            cost.latency_us,
            cost.area_mm2,
            cost.cores,
            cost.utilisation_fraction,
        ),
        parameters=10,
        multiplications=100,
        training_seconds=1.0,
        evaluation_seconds=1.0,
    )
