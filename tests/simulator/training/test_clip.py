"""Rules that keep weights within limits."""

import math

import pytest
import torch
from torch import Tensor

from analognas.simulator import spawn_generator
from analognas.simulator.training.clip import (
    FixedClip,
    MeanMaximumClip,
    SigmaClip,
    clip_to_learned,
    clip_weight,
)


def normal(*shape: int, name: str = "w") -> Tensor:
    return torch.empty(shape).normal_(generator=spawn_generator(0, name))


def clipped(weight: Tensor, clip: FixedClip | SigmaClip | MeanMaximumClip) -> Tensor:
    before = weight.clone()
    result = clip_weight(weight, clip)
    assert torch.equal(weight, before)
    return result


def test_a_fixed_bound() -> None:
    weight = normal(20, 30)
    assert torch.equal(clipped(weight, FixedClip(bound=0.7)), weight.clamp(-0.7, 0.7))


def test_standard_deviations_of_the_layer() -> None:
    weight = normal(20, 30) + 1.0
    bound = 1.5 * weight.std()
    assert torch.equal(clipped(weight, SigmaClip(n_sigma=1.5)), weight.clamp(-bound, bound))


def test_standard_deviations_of_each_column() -> None:
    weight = normal(20, 3, 5, 5) * torch.linspace(0.1, 10, 20).view(-1, 1, 1, 1)
    result = clipped(weight, SigmaClip(n_sigma=1.5, per="column"))
    for before, after in zip(weight, result, strict=True):
        bound = 1.5 * before.square().mean().sqrt()
        torch.testing.assert_close(after, before.clamp(-bound, bound))


@pytest.mark.parametrize("per", ["layer", "column"])
def test_a_single_weight_is_never_clipped(per: str) -> None:
    weight = torch.tensor([[3.0]])
    assert torch.equal(clipped(weight, SigmaClip(n_sigma=2.0, per=per)), weight)  # type: ignore[arg-type]


def test_a_column_of_equal_weights_is_not_clipped() -> None:
    weight = torch.full((2, 9), 3.0)
    torch.testing.assert_close(clipped(weight, SigmaClip(n_sigma=2.0, per="column")), weight)


def test_the_mean_of_the_columns_largest() -> None:
    weight = torch.tensor([[1.0, -4.0], [2.0, 0.5], [-0.1, 0.3]])  # largest: 4, 2, 0.3
    bound = (4.0 + 2.0 + 0.3) / 3
    torch.testing.assert_close(clipped(weight, MeanMaximumClip()), weight.clamp(-bound, bound))


def test_a_learned_bound_has_the_gradient_of_what_it_holds_back() -> None:
    weight = normal(4, 2, 3, 3).requires_grad_()
    bound = torch.tensor([0.3, 0.7, 1.0, 9.0], requires_grad=True)
    gradient = normal(4, 2, 3, 3, name="gradient")
    result = clip_to_learned(weight, bound)
    result.backward(gradient)  # type: ignore[no-untyped-call]
    expected = []
    for column in range(4):
        limit, total = float(bound[column].detach()), 0.0
        for w, g, y in zip(
            weight[column].flatten(),
            gradient[column].flatten(),
            result[column].flatten(),
            strict=True,
        ):
            assert float(y.detach()) == pytest.approx(min(max(float(w.detach()), -limit), limit))
            total += float(g) * ((float(w.detach()) > limit) - (float(w.detach()) < -limit))
        expected.append(total / math.sqrt(18))
    assert bound.grad is not None
    torch.testing.assert_close(bound.grad, torch.tensor(expected))
    assert expected[3] == 0.0
    assert expected[0] != 0.0
    assert weight.grad is not None
    assert torch.equal(weight.grad, gradient)  # straight through


def test_training_a_bound_finds_the_limit_that_the_targets_have() -> None:
    """Targets are weights clipped to 0.5: least squares leads the bound there."""
    weight = normal(3, 200)
    target = weight.clamp(-0.5, 0.5)
    bound = torch.full((3,), 2.0, requires_grad=True)
    for _ in range(200):
        loss = (clip_to_learned(weight, bound) - target).square().sum()
        (gradient,) = torch.autograd.grad(loss, bound)
        with torch.no_grad():
            bound -= 0.03 * gradient
    torch.testing.assert_close(bound.detach(), torch.full((3,), 0.5), rtol=1e-2, atol=0.0)
