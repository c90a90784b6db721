"""Learned input range: the DAC's full scale as a trainable parameter.

Gradient as in the HWA training of Rasch et al. 2023: where inputs exceed the range and the loss
wants them larger, the range grows; a slow decay shrinks it while more than 95 % of the inputs fit.
The inputs' own gradient passes straight through the clipping. The rounding of the DAC is left out:
at 8 bits it is far below the noise.
"""

from typing import Any

import torch
from torch import Tensor

DECAY = 0.001
SHRINK_ABOVE_FRACTION = 0.95


class _ClipToRange(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, input_range: Tensor) -> Tensor:
        clipped = torch.minimum(torch.maximum(x, -input_range), input_range)
        ctx.save_for_backward(x, clipped, input_range)
        return clipped

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        x, clipped, input_range = ctx.saved_tensors
        side = (x - clipped).sign_()  # +-1 where the input exceeds the range, else 0
        exceeding = torch.count_nonzero(side)
        range_gradient = side.mul_(gradient).clamp_max_(0.0).sum()
        shrink = exceeding < (1.0 - SHRINK_ABOVE_FRACTION) * x.numel()
        range_gradient = (range_gradient + torch.where(shrink, DECAY, 0.0)) * input_range
        return gradient, range_gradient


def clip_to_range(x: Tensor, input_range: Tensor) -> Tensor:
    """Clip `x` to `+-input_range` (scalar parameter), differentiable in both."""
    result: Tensor = _ClipToRange.apply(x, input_range)  # type: ignore[no-untyped-call]
    return result
