"""What the tests of single kinds of layers share."""

from collections.abc import Callable
from typing import Protocol

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import spawn_generator


class AssertClose(Protocol):
    def __call__(self, actual: Tensor, expected: Tensor, tolerance: float) -> None: ...


Fill = Callable[[nn.Module], nn.Module]
Normal = Callable[..., Tensor]


@pytest.fixture
def normal() -> Normal:
    """Standard normal tensors, the same for the same name."""

    def draw(*shape: int, dtype: torch.dtype = torch.float64, name: str = "x") -> Tensor:
        generator = spawn_generator(0, "layers", name)
        return torch.empty(shape, dtype=dtype).normal_(generator=generator)

    return draw


@pytest.fixture
def filled(normal: Normal) -> Fill:
    """The same module with reproducible parameters of a sensible size, all different."""

    @torch.no_grad()
    def fill(module: nn.Module) -> nn.Module:
        for name, parameter in module.named_parameters():
            draw = normal(*parameter.shape, dtype=parameter.dtype, name=name)
            parameter.copy_(draw / max(1, parameter[0].numel()) ** 0.5)
        return module

    return fill


@pytest.fixture
def assert_close() -> AssertClose:
    """Equal shape and type, and within `tolerance` of the largest magnitude."""

    def check(actual: Tensor, expected: Tensor, tolerance: float) -> None:
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        assert (actual - expected).abs().max() <= tolerance * expected.abs().max()

    return check
