"""The networks whose simulation is timed: plain PyTorch, random weights, random inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.simulator import Hardware, spawn_generator

CLASSES = 10


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut without weights (He 2016, option A)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.stride = stride
        self.new_channels = width - channels

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.new_channels:
            x = x[:, :, :: self.stride, :: self.stride]
            x = F.pad(x, (0, 0, 0, 0, self.new_channels // 2, self.new_channels // 2))
        return F.relu(y + x)


def resnet32() -> nn.Module:
    """Build the CIFAR network of 16, 32 and 64 channels with five blocks each (He 2016)."""
    blocks: list[nn.Module] = []
    channels = 16
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        for index in range(5):
            blocks.append(ResidualBlock(channels, width, stride if index == 0 else 1))
            channels = width
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, CLASSES),
    )


def ds_cnn() -> nn.Module:
    """Build the keyword-spotting network of MLPerf Tiny (Banbury 2021, after Zhang 2017)."""
    layers: list[nn.Module] = [
        nn.Conv2d(1, 64, (10, 4), stride=2, padding=(5, 1), bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
    ]
    for _ in range(4):
        layers += [
            nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.Conv2d(64, 64, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


def mlp() -> nn.Module:
    """Build the 784-256-128-10 perceptron."""
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, CLASSES)
    )


class LstmClassifier(nn.Module):
    """One LSTM layer over `(B, steps, 40)`; its last output is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 128, batch_first=True)
        self.head = nn.Linear(128, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.lstm(x)
        logits: Tensor = self.head(outputs[:, -1])
        return logits


class EncoderBlock(nn.Module):
    """A transformer encoder block over `(B, tokens, 128)`; the mean over tokens is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(128, 4, batch_first=True)
        self.norm1 = nn.LayerNorm(128)
        self.feed_forward = nn.Sequential(nn.Linear(128, 512), nn.GELU(), nn.Linear(512, 128))
        self.norm2 = nn.LayerNorm(128)
        self.head = nn.Linear(128, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        attended, _ = self.attention(x, x, x, need_weights=False)
        x = self.norm1(x + attended)
        x = self.norm2(x + self.feed_forward(x))
        logits: Tensor = self.head(x.mean(dim=1))
        return logits


@dataclass(frozen=True, kw_only=True)
class BenchmarkModel:
    """A network, the shape of its batch, and how much slower its training may become."""

    title: str
    build: Callable[[], nn.Module]
    batch: int
    input_shape: tuple[int, ...]
    training_target: float
    groups: Literal["together", "apart"] = "together"  # how the chip reads grouped convolutions

    def hardware(self, hardware: Hardware) -> Hardware:
        """The hardware of a setting, with groups read as this entry wants."""
        return replace(hardware, mapping=replace(hardware.mapping, groups=self.groups))

    def network(self, *, seed: int, device: torch.device) -> nn.Module:
        """Build the network with weights drawn from `seed` alone."""
        with torch.device("meta"):
            network = self.build()
        network = network.to_empty(device=device)
        initialise_(network, generator=spawn_generator(seed, "weights", device=device))
        return network

    def inputs(self, *, seed: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw inputs `(B, *input_shape)` and labels `(B,)`."""
        generator = spawn_generator(seed, "inputs", device=device)
        x = torch.randn(self.batch, *self.input_shape, generator=generator, device=device)
        labels = torch.randint(CLASSES, (self.batch,), generator=generator, device=device)
        return x, labels


MODELS: Mapping[str, BenchmarkModel] = {
    "resnet32": BenchmarkModel(
        title="ResNet-32, 16-32-64 channels",
        build=resnet32,
        batch=128,
        input_shape=(3, 32, 32),
        training_target=1.5,
    ),
    "ds-cnn": BenchmarkModel(
        title="DS-CNN, MLPerf Tiny",
        build=ds_cnn,
        batch=100,
        input_shape=(1, 49, 10),
        training_target=1.3,
    ),
    "ds-cnn-apart": BenchmarkModel(
        title="DS-CNN, MLPerf Tiny, groups of a depthwise layer read one after another",
        build=ds_cnn,
        batch=100,
        input_shape=(1, 49, 10),
        training_target=1.3,
        groups="apart",
    ),
    "mlp": BenchmarkModel(
        title="MLP 784-256-128-10",
        build=mlp,
        batch=128,
        input_shape=(784,),
        training_target=2.0,
    ),
    "lstm": BenchmarkModel(
        title="LSTM, 128 hidden, 50 steps of 40",
        build=LstmClassifier,
        batch=64,
        input_shape=(50, 40),
        training_target=2.0,
    ),
    "transformer": BenchmarkModel(
        title="encoder block, width 128, 4 heads, 512 wide feed-forward, 64 tokens",
        build=EncoderBlock,
        batch=32,
        input_shape=(64, 128),
        training_target=2.0,
    ),
}


@torch.no_grad()
def initialise_(network: nn.Module, *, generator: torch.Generator) -> None:
    """Draw every weight anew (He 2015); norms start as the identity, biases at zero."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.reset_parameters()
            continue
        for parameter in module.parameters(recurse=False):
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.normal_(std=math.sqrt(2 / fan_in), generator=generator)
            else:
                parameter.zero_()
