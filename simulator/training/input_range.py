"""Learned input range: the DAC's full scale as a trainable parameter.

Gradient as in the HWA training of Rasch et al. 2023: where inputs exceed the range and the loss
wants them larger, the range grows; a slow decay shrinks it while more than 95 % of the inputs fit.
The inputs' own gradient passes straight through rounding and clipping.
"""

from typing import Any

import torch
from torch import Tensor

from analognas.simulator.mvm import converter_steps

DECAY = 0.001
SHRINK_ABOVE_FRACTION = 0.95


class _QuantizeWithRange(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, input_range: Tensor, bits: int) -> Tensor:
        ctx.save_for_backward(x, input_range)
        half_steps = converter_steps(bits) / 2
        lsb = input_range / half_steps
        return torch.div(x, lsb).round_().clamp_(-half_steps, half_steps).mul_(lsb)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (gradient,) = gradients
        x, input_range = ctx.saved_tensors
        zero = gradient.new_zeros(())
        above, below = x >= input_range, x <= -input_range
        range_gradient = torch.where(above, gradient, zero).clamp_max_(0.0).sum()
        range_gradient = range_gradient - torch.where(below, gradient, zero).clamp_min_(0.0).sum()
        clipped = torch.count_nonzero(above) + torch.count_nonzero(below)
        shrink = clipped < (1.0 - SHRINK_ABOVE_FRACTION) * x.numel()
        range_gradient = (range_gradient + torch.where(shrink, DECAY, 0.0)) * input_range
        return gradient, range_gradient, None


def quantize_with_range(x: Tensor, input_range: Tensor, *, bits: int) -> Tensor:
    """Quantise and clip `x` to `+-input_range` (scalar parameter), differentiable in both."""
    result: Tensor = _QuantizeWithRange.apply(x, input_range, bits)  # type: ignore[no-untyped-call]
    return result
