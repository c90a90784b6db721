"""Global drift compensation (GDC): one digital factor per tile.

Joshi et al., Nat. Commun. 11, 2473 (2020): read the tile now and then with known inputs and rescale
its output by how much the summed read-out has shrunk since programming. Here every row is driven
alone, at full input (one-hot vectors), and the mean of the absolute outputs is taken: with all rows
at once, signed columns would cancel.
"""

import torch
from torch import Tensor

from analognas.simulator.hardware import Hardware
from analognas.simulator.mvm import convert_output_, read_noise_variance_

SMALLEST_READ_OUT = 1e-4


def mean_absolute_read_out(
    weight: Tensor, hardware: Hardware, *, generator: torch.Generator
) -> Tensor:
    """Read a tile with one-hot inputs through its noisy periphery.

    Args:
        weight: `(C, R)` normalised weights of one chip's tile at this moment.
        hardware: Converters and noise of the read-out.
        generator: Noise of this read-out.

    Returns:
        Mean of the absolute outputs, a scalar, at least 1e-4.
    """
    # A one-hot input selects a column of `weight`: the products need no multiplication.
    variance = read_noise_variance_(weight.abs(), hardware.converters, hardware.weight_read_noise)
    outputs = convert_output_(weight.clone(), variance, hardware.converters, generator=generator)
    return outputs.abs_().mean().clamp_min_(SMALLEST_READ_OUT)
