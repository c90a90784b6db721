"""The matrix-vector multiplication of a crossbar as pure functions, in the order of the physics.

Everything is normalised: weights and inputs lie in [-1, 1], so that an output of 10 means ten fully
driven rows at the largest weight. Source of the order and of the converter convention: Rasch et
al., Nat. Commun. 14, 5282 (2023).
"""

import torch
from torch import Tensor

from analognas.simulator.hardware import ConverterConfig
from analognas.simulator.streams import gaussian_like


def converter_steps(bits: int) -> int:
    """Number of steps of a symmetric converter, `2^bits - 2` (8 bits: codes -127 ... 127)."""
    return (1 << bits) - 2


def quantize_uniform_(x: Tensor, *, bits: int | None, bound: float) -> Tensor:
    """Round `x` in place to the converter's grid and clip it; `None` bits leave it alone.

    LSB = 2 bound / (2^bits - 2), ties to even.
    """
    if bits is None:
        return x
    half_steps = converter_steps(bits) / 2
    x.mul_(half_steps / bound).round_().clamp_(-half_steps, half_steps)
    return x.mul_(bound / half_steps)


def read_noise_variance_(
    squared_drive: Tensor, converters: ConverterConfig, weight_read_noise: float
) -> Tensor:
    """Variance of one output, in place: `sigma_out^2 + sigma_w^2 sum_j |w_ij| x_j^2`.

    Args:
        squared_drive: `sum_j |w_ij| x_j^2` per output.
        converters: For the output noise.
        weight_read_noise: sigma_w.
    """
    return squared_drive.mul_(weight_read_noise**2).add_(converters.output_noise**2)


def convert_output_(
    y: Tensor,
    variance: Tensor | None,
    converters: ConverterConfig,
    *,
    generator: torch.Generator,
) -> Tensor:
    """ADC stage in place: add Gaussian noise of the given variance, quantise, clip.

    Per-read weight noise and output noise are independent Gaussians on the same node: one draw has
    their sum's law.
    """
    if variance is not None:
        noise = gaussian_like(y, generator=generator)
        y.addcmul_(variance.sqrt_(), noise)
    elif converters.output_noise > 0:
        noise = gaussian_like(y, generator=generator)
        y.add_(noise, alpha=converters.output_noise)
    return quantize_uniform_(y, bits=converters.adc_bits, bound=converters.output_bound)
