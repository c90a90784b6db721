"""A small network on a few chips."""

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import spawn_generator


@pytest.fixture
def network() -> nn.Module:
    """Two convolutions, one of them depthwise, and two linear layers."""
    generator = spawn_generator(0, "network")
    layers = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 5),
    )
    with torch.no_grad():
        for parameter in layers.parameters():
            fan_in = max(parameter[0].numel(), 1)
            parameter.normal_(0.0, fan_in**-0.5, generator=generator)
    return layers.eval()


@pytest.fixture
def inputs() -> Tensor:
    return torch.empty(20, 2, 6, 6).normal_(generator=spawn_generator(0, "inputs"))
