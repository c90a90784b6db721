"""Limits of the weights during training: narrow weights use a column's conductances better."""

import math
from typing import Annotated, Any, Literal

import torch
from annotated_types import Gt
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor

STRICT = ConfigDict(extra="forbid")
Positive = Annotated[float, Gt(0)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FixedClip:
    """Clip to `+-bound` after every step."""

    kind: Literal["fixed"] = "fixed"
    bound: Positive


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SigmaClip:
    """Clip to so many standard deviations after every step.

    As in Joshi et al., Nat. Commun. 11, 2473 (2020), who took 2 to 2.5 of the layer's. A column's
    deviation is taken about zero: a column of few, nearly equal weights keeps them.
    """

    kind: Literal["sigma"] = "sigma"
    n_sigma: Positive = 2.5
    per: Literal["column", "layer"] = "layer"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MeanMaximumClip:
    """Clip to the mean of the columns' largest magnitudes after every step."""

    kind: Literal["mean_maximum"] = "mean_maximum"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LearnedClip:
    """Clip to a bound per column that is trained with the weights.

    The bound starts at `start_sigma` standard deviations (about zero) of its column. Only a weight
    decay on the bounds narrows them beyond what the loss asks for.
    """

    kind: Literal["learned"] = "learned"
    start_sigma: Positive = 2.5


AnyClip = Annotated[
    FixedClip | SigmaClip | MeanMaximumClip | LearnedClip, Field(discriminator="kind")
]


def clip_weight(weight: Tensor, clip: FixedClip | SigmaClip | MeanMaximumClip) -> Tensor:
    """Clip `weight` `(O, ...)` by one of the rules that follow from the weights alone."""
    match clip:
        case FixedClip():
            return weight.clamp(-clip.bound, clip.bound)
        case SigmaClip(per="layer"):
            if weight.numel() == 1:
                return weight
            bound = clip.n_sigma * weight.std()
        case SigmaClip():
            bound = _per_column(clip.n_sigma * column_deviation(weight), weight)
        case MeanMaximumClip():
            bound = weight.flatten(1).abs().amax(dim=1).mean()
    return weight.clamp(-bound, bound)


def column_deviation(weight: Tensor) -> Tensor:
    """Standard deviation about zero of every column, `(O,)`."""
    return weight.flatten(1).square().mean(dim=1).sqrt_()


def clip_to_learned(weight: Tensor, bound: Tensor) -> Tensor:
    """Clip `weight` `(O, ...)` to `+-bound` `(O,)`, differentiable in both.

    The weight's gradient passes straight through. The bound's is that of a learned step size
    (Esser et al., ICLR 2020): the sum over the weights beyond it, with their sign, over the square
    root of the column's length.
    """
    result: Tensor = _ClipToLearned.apply(weight, bound)  # type: ignore[no-untyped-call]
    return result


class _ClipToLearned(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bound: Tensor) -> Tensor:
        limit = _per_column(bound, weight)
        clipped = torch.minimum(torch.maximum(weight, -limit), limit)
        ctx.save_for_backward(weight, limit)
        return clipped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        weight, limit = ctx.saved_tensors
        side = (weight >= limit).to(weight.dtype) - (weight <= -limit).to(weight.dtype)
        total = (side * gradient).flatten(1).sum(dim=1)
        return gradient, total / math.sqrt(max(1, weight[0].numel()))


def _per_column(value: Tensor, weight: Tensor) -> Tensor:
    return value.view(-1, *[1] * (weight.dim() - 1))
