"""How phase-change cells age: power-law drift with an exponent per cell, and 1/f read noise.

Joshi et al., Nat. Commun. 11, 2473 (2020). The laws are functions of a few moments that a cell
model supplies; time counts from t_0 on, when drift is first seen: t = t_s + t_0.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor

from analognas.simulator import kernels
from analognas.simulator.streams import gaussian_like


class DriftingCell(Protocol):
    """The moments of a cell that drifts by a power law, as functions of `r = g / g_max`."""

    def __hash__(self) -> int: ...

    @property
    def g_max_uS(self) -> float: ...

    @property
    def t_ref_s(self) -> float: ...

    @property
    def t_read_s(self) -> float:
        """Duration of a read, the shortest correlation time of the 1/f noise."""
        ...

    def drift_mean(self, r: Tensor) -> Tensor:
        """Location of the drift exponent at target `r`."""
        ...

    def drift_sigma(self, r: Tensor) -> Tensor:
        """Spread of the drift exponent over cells at target `r`."""
        ...

    def read_noise_fraction(self, r: Tensor) -> Tensor:
        """Strength Q_s of the 1/f noise relative to the drifted conductance, at programmed `r`."""
        ...


def is_drifting(device: object) -> TypeGuard[DriftingCell]:
    """Whether the read noise of a device is that of these laws."""
    return hasattr(type(device), "read_noise_fraction")


def draw_drift_exponents(
    cell: DriftingCell, g_target_uS: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Draw one drift exponent per cell, `nu = |mean(r) + sigma(r) xi|`."""
    if kernels.is_fused(g_target_uS) and g_target_uS.is_contiguous():
        return kernels.draw_exponents(
            g_target_uS,
            tabulated(type(cell).drift_mean, cell),
            tabulated(type(cell).drift_sigma, cell),
            g_max_uS=cell.g_max_uS,
            generator=generator,
        )
    r = g_target_uS / cell.g_max_uS
    noise = gaussian_like(g_target_uS, generator=generator)
    return (cell.drift_mean(r) + cell.drift_sigma(r) * noise).abs_()


def drift_conductance(g_prog_uS: Tensor, nu: Tensor, *, t_s: float, t_ref_s: float) -> Tensor:
    """Power-law drift `g_prog (t / t_0)^-nu` with `t = t_s + t_0`."""
    factor = (nu * -math.log((t_s + t_ref_s) / t_ref_s)).exp_()
    return factor.mul_(g_prog_uS)


def one_over_f_growth(t_s: float, *, t_read_s: float) -> float:
    """Growth of 1/f noise until `t_s`, `sqrt(ln((t + t_read) / (2 t_read)))`.

    Here `t_s` is the whole time since the cell was written.
    """
    return math.sqrt(math.log((t_s + t_read_s) / (2 * t_read_s)))


def read_noise_sigma_uS(
    cell: DriftingCell, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float
) -> Tensor:
    """Spread of the 1/f noise, relative to the drifted conductance; the programmed one sets Q_s."""
    strength = cell.read_noise_fraction(g_prog_uS / cell.g_max_uS)
    return g_aged_uS * strength * one_over_f_growth(t_s + cell.t_ref_s, t_read_s=cell.t_read_s)


def add_read_noise_(
    cell: DriftingCell,
    g_aged_uS: Tensor,
    g_prog_uS: Tensor,
    *,
    t_s: float,
    generator: torch.Generator,
) -> Tensor:
    """Add the accumulated 1/f noise in place, and keep what results at zero or above."""
    if kernels.is_fused(g_aged_uS) and g_aged_uS.is_contiguous() and g_prog_uS.is_contiguous():
        return kernels.add_read_noise_(
            g_aged_uS,
            g_prog_uS,
            tabulated(type(cell).read_noise_fraction, cell),
            strength=one_over_f_growth(t_s + cell.t_ref_s, t_read_s=cell.t_read_s),
            g_max_uS=cell.g_max_uS,
            generator=generator,
        )
    sigma_uS = read_noise_sigma_uS(cell, g_aged_uS, g_prog_uS, t_s=t_s)
    noise = gaussian_like(g_aged_uS, generator=generator)
    return g_aged_uS.addcmul_(noise, sigma_uS).clamp_min_(0.0)


@lru_cache(maxsize=256)
def tabulated(law: Callable[[Any, Tensor], Tensor], device: Any) -> Tensor:
    """A law of a device over the conductances that the fused kernels ask for, in float32."""
    return law(device, kernels.table_conductances()).float()
