"""Cells on the CPU in one pass over memory: programming, drift exponents, 1/f noise.

The laws are functions of the conductance, tabulated once per device. Noise is drawn from a counter
below a key that the caller's generator gives; its tails end at 4.3 standard deviations.
"""

import numpy as np
import torch
from torch import Tensor

from analognas.simulator.kernels.dispatch import flat_array, load_kernels

# Conductances from zero to twice the largest are tabulated over their square root: laws bend most
# near zero, and programming noise goes beyond the largest.
TABLE_LEVELS = 2048
TABLE_REACH = 2.0


def table_conductances() -> Tensor:
    """Relative conductances `(2050,)` at which a law is to be tabulated, in float64."""
    root = torch.arange(TABLE_LEVELS + 2, dtype=torch.float64) / TABLE_LEVELS
    return root.square() * TABLE_REACH


def program_cells(
    g_target_uS: Tensor,
    sigma_uS: Tensor,
    *,
    range_uS: tuple[float, float],
    generator: torch.Generator,
) -> Tensor:
    """`max(g + sigma(r) xi, g_min)`.

    Args:
        g_target_uS: Contiguous float32 on the CPU.
        sigma_uS: Table over `table_conductances()`.
        range_uS: g_min and g_max.
        generator: Advanced once.
    """
    out = torch.empty_like(g_target_uS)
    kernels = load_kernels("fused_cells")
    low_uS, high_uS = range_uS
    kernels.program_cells(
        flat_array(g_target_uS),
        flat_array(out),
        np.float32(low_uS),
        _to_square(high_uS - low_uS),
        flat_array(sigma_uS),
        _key(generator),
        kernels.NORMAL_TABLE,
    )
    return out


def draw_exponents(
    g_target_uS: Tensor,
    mean: Tensor,
    sigma: Tensor,
    *,
    g_max_uS: float,
    generator: torch.Generator,
) -> Tensor:
    """`|mean(r) + sigma(r) xi|`; tables over `table_conductances()`."""
    out = torch.empty_like(g_target_uS)
    kernels = load_kernels("fused_cells")
    kernels.draw_exponents(
        flat_array(g_target_uS),
        flat_array(out),
        _to_square(g_max_uS),
        flat_array(mean),
        flat_array(sigma),
        _key(generator),
        kernels.NORMAL_TABLE,
    )
    return out


def add_read_noise_(
    g_aged_uS: Tensor,
    g_prog_uS: Tensor,
    fraction: Tensor,
    *,
    strength: float,
    g_max_uS: float,
    generator: torch.Generator,
) -> Tensor:
    """`max(g_aged (1 + strength fraction(r_prog) xi), 0)`, in place."""
    kernels = load_kernels("fused_cells")
    kernels.add_read_noise(
        flat_array(g_prog_uS),
        flat_array(g_aged_uS),
        _to_square(g_max_uS),
        flat_array(fraction),
        np.float32(strength),
        _key(generator),
        kernels.NORMAL_TABLE,
    )
    return g_aged_uS


def _to_square(range_uS: float) -> np.float32:
    return np.float32(TABLE_LEVELS**2 / (TABLE_REACH * range_uS))


def _key(generator: torch.Generator) -> np.uint64:
    return np.uint64(int(torch.randint(0, 2**62, (1,), generator=generator).item()) * 2 + 1)
