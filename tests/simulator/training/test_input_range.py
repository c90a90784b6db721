"""The gradient of a learned input range against a loop over the inputs."""

import pytest
import torch
from torch import Tensor

from analognas.simulator import spawn_generator
from analognas.simulator.training import input_range_gradient


def by_hand(x: Tensor, gradient: Tensor, bound: float) -> float:
    total, inside = 0.0, 0
    for value, d in zip(x.flatten().tolist(), gradient.flatten().tolist(), strict=True):
        if value >= bound:
            total += min(d, 0.0)
        if value <= -bound:
            total -= max(d, 0.0)
        inside += abs(value) < bound
    if inside / x.numel() > 0.95:
        total += 0.001
    return total * bound


@pytest.mark.parametrize("shape", [(500,), (20, 25), (4, 5, 5, 5)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bound", [0.5, 1.9, 2.2, 10.0])
def test_it_is_the_published_rule(shape: tuple[int, ...], dtype: torch.dtype, bound: float) -> None:
    x = torch.empty(shape, dtype=dtype).normal_(generator=spawn_generator(0, "x"))
    gradient = torch.empty(shape, dtype=dtype).normal_(generator=spawn_generator(0, "d"))
    value = input_range_gradient(x, gradient, torch.tensor(bound, dtype=dtype))
    assert value.shape == ()
    assert float(value) == pytest.approx(by_hand(x, gradient, bound), rel=1e-5)


def test_layouts_do_not_matter() -> None:
    x = torch.empty(4, 6, 5, 5).normal_(generator=spawn_generator(0, "x"))
    gradient = torch.empty(4, 6, 5, 5).normal_(generator=spawn_generator(0, "d"))
    last = gradient.contiguous(memory_format=torch.channels_last)
    value = input_range_gradient(x, last, torch.tensor(1.0))
    assert float(value) == pytest.approx(by_hand(x, gradient, 1.0), rel=1e-5)


def test_inputs_exactly_at_the_range_count() -> None:
    x = torch.tensor([1.0, -1.0, 0.5])
    gradient = torch.tensor([-2.0, 3.0, 7.0])
    value = input_range_gradient(x, gradient, torch.tensor(1.0))
    assert float(value) == pytest.approx(-5.0)


@pytest.mark.parametrize(("beyond", "shrinks"), [(4, True), (5, False), (6, False)])
def test_the_range_shrinks_only_above_95_percent(beyond: int, shrinks: bool) -> None:
    x = torch.zeros(100)
    x[:beyond] = 2.0
    value = input_range_gradient(x, torch.ones(100), torch.tensor(1.5))
    assert float(value) == pytest.approx(0.001 * 1.5 if shrinks else 0.0)


def test_it_works_where_the_inputs_are(device: torch.device) -> None:
    x = torch.ones(10, device=device)
    value = input_range_gradient(x, -x, torch.tensor(0.5, device=device))
    assert value.device.type == device.type
    assert float(value) == pytest.approx(-5.0)
