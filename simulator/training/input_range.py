"""Learned input range: the DAC's full scale as a trainable parameter.

As in the HWA training of Rasch et al., Nat. Commun. 14, 5282 (2023): where inputs reach the range
and the loss wants them larger, the range grows; a slow decay shrinks it while more than 95 % of the
inputs fit. The inputs' own gradient passes straight through the clipping.
"""

import torch
from torch import Tensor

from analognas.simulator.kernels import range_gradient

DECAY = 0.001
SHRINK_ABOVE_FRACTION = 0.95


def input_range_gradient(
    x: Tensor, gradient: Tensor, input_range: Tensor, *, passes: int = 1
) -> Tensor:
    """Gradient of the input range, relative to the range itself.

    `r (sum_{x >= r} min(d, 0) - sum_{x <= -r} max(d, 0) + decay)`, the decay only where more than
    95 % of the inputs lie inside.

    Args:
        x: Inputs of the DAC, any shape.
        gradient: Of the loss, with respect to the clipped inputs; the shape of `x`.
        input_range: r, a positive scalar.
        passes: Through the converter, whose inputs `x` holds: each of them decays the range.
    """
    total, reached = range_gradient(x, gradient, input_range)
    fits = reached < (1.0 - SHRINK_ABOVE_FRACTION) * x.numel()
    return (total + torch.where(fits, passes * DECAY, 0.0)) * input_range
