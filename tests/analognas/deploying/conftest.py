"""Small models, exported ones, and data for them."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analognas.deploying import Examples, Source

Export = Callable[..., Path]


class SmallNet(nn.Module):
    """Convolutions (one depthwise), a batch norm, and a linear layer of two row parts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.fc = nn.Linear(4 * 36, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.conv(x)))
        y: Tensor = self.fc(torch.relu(self.depthwise(x)).flatten(1))
        return y


def with_weights(model: nn.Module, seed: int = 0) -> nn.Module:
    """Weights and statistics that do not depend on any global generator."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(0.4 * torch.randn(tensor.shape, generator=generator))
        for name, tensor in model.named_buffers():
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return model.eval()


def inputs_of(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def network() -> nn.Module:
    return with_weights(SmallNet())


@pytest.fixture
def source(network: nn.Module) -> Source:
    x = inputs_of(24, 1, 6, 6)
    with torch.no_grad():
        labels = network(x).argmax(dim=-1)
    return Source(
        title="small",
        network=network,
        input_shape=(1, 6, 6),
        test=Examples(x, labels),
        calibration=x,
    )


def export(model: nn.Module, x: Tensor, path: Path, *, dynamic: bool = True) -> Path:
    shapes = ({0: torch.export.Dim.AUTO},) if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        torch.export.save(torch.export.export(model, (x,), dynamic_shapes=shapes), path)
    return path


@pytest.fixture
def exported(network: nn.Module, tmp_path: Path) -> Path:
    return export(network, inputs_of(5, 1, 6, 6), tmp_path / "small.pt2")


@pytest.fixture
def data(network: nn.Module, tmp_path: Path) -> Path:
    x = inputs_of(20, 1, 6, 6)
    with torch.no_grad():
        labels = network(x).argmax(dim=-1)
    path = tmp_path / "data.npz"
    np.savez(path, inputs=x.numpy(), labels=labels.numpy())
    return path
