"""The grid of a converter: rounding, stochastic rounding and clipping."""

import torch
from torch import Tensor


def converter_steps(bits: int) -> int:
    """Number of steps of a symmetric converter, `2^bits - 2` (8 bits: codes -127 ... 127)."""
    return (1 << bits) - 2


def quantize_codes_(
    x: Tensor, *, bits: int, bound: float, generator: torch.Generator | None = None
) -> Tensor:
    """Turn `x` in place into the codes of a converter: whole numbers within +-(2^(bits-1) - 1).

    Args:
        x: Values in the units of `bound`, any shape.
        bits: Resolution; LSB = 2 bound / (2^bits - 2).
        bound: The value of the largest code.
        generator: With one, rounding is stochastic: `round(x / LSB + U(-1/2, 1/2))`, which is right
            on average. Without, ties go to even.
    """
    largest = converter_steps(bits) / 2
    x.mul_(largest / bound)
    if generator is not None:
        dither = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        x.add_(dither.uniform_(-0.5, 0.5, generator=generator))
    return x.round_().clamp_(-largest, largest)


def quantize_(
    x: Tensor, *, bits: int | None, bound: float, generator: torch.Generator | None = None
) -> Tensor:
    """Round `x` in place to the converter's grid and clip it; `None` bits leave it alone.

    Args:
        x: Values in the units of `bound`, any shape.
        bits: Resolution, LSB = 2 bound / (2^bits - 2).
        bound: Largest value.
        generator: With one, rounding is stochastic.
    """
    if bits is None:
        return x
    codes = quantize_codes_(x, bits=bits, bound=bound, generator=generator)
    return codes.mul_(2 * bound / converter_steps(bits))
