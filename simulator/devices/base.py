"""What every memory cell model provides, and what happens to it in time.

Conductances are in microsiemens; the relative conductance is `r = g / g_max`. A model answers with
the moments of its noise laws as functions of `r`; the functions below draw from them. All are
elementwise.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from analognas.simulator.streams import gaussian_like


class Device(Protocol):
    """Statistics of one memory cell (or of the parallel cells of one polarity)."""

    @property
    def kind(self) -> str: ...

    @property
    def g_max_uS(self) -> float: ...

    @property
    def t_ref_s(self) -> float:
        """Time after the last programming pulse at which the drift law starts, t_0."""
        ...

    @property
    def t_read_s(self) -> float:
        """Duration of a read, the shortest correlation time of the 1/f noise."""
        ...

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        """Standard deviation of the programmed conductance at target `r`."""
        ...

    def drift_mean(self, r: Tensor) -> Tensor:
        """Location of the drift exponent at target `r`."""
        ...

    def drift_sigma(self, r: Tensor) -> Tensor:
        """Spread of the drift exponent over cells at target `r`."""
        ...

    def read_noise_fraction(self, r: Tensor) -> Tensor:
        """Strength Q_s of the 1/f read noise relative to the conductance, at programmed `r`."""
        ...


def program_conductance(
    device: Device, g_target_uS: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Draw programmed conductances, `max(g_target + sigma(r) xi, 0)`."""
    sigma_uS = device.programming_sigma_uS(g_target_uS / device.g_max_uS)
    noise = gaussian_like(g_target_uS, generator=generator)
    return (g_target_uS + sigma_uS * noise).clamp_min_(0.0)


def draw_drift_exponents(
    device: Device, g_target_uS: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Draw one drift exponent per cell, `nu = |mean(r) + sigma(r) xi|`."""
    r = g_target_uS / device.g_max_uS
    noise = gaussian_like(g_target_uS, generator=generator)
    return (device.drift_mean(r) + device.drift_sigma(r) * noise).abs_()


def drift_conductance(g_prog_uS: Tensor, nu: Tensor, *, t_s: float, t_ref_s: float) -> Tensor:
    """Power-law drift `g_prog (t / t_0)^-nu` with `t = t_s + t_0`; `t_s` counts from t_0 on."""
    return g_prog_uS * torch.exp(nu * -math.log((t_s + t_ref_s) / t_ref_s))


def read_noise_growth(device: Device, *, t_s: float) -> float:
    """Growth of the 1/f noise, `sqrt(ln((t + t_read) / (2 t_read)))` with `t = t_s + t_0`."""
    return math.sqrt(math.log((t_s + device.t_ref_s + device.t_read_s) / (2 * device.t_read_s)))


def read_conductance(
    device: Device,
    g_prog_uS: Tensor,
    nu: Tensor,
    *,
    t_s: float,
    generator: torch.Generator,
) -> Tensor:
    """Conductances at `t_s` seconds: drifted, with accumulated 1/f noise, not negative.

    Follows the order of Joshi et al., Nat. Commun. 11, 2473 (2020): the noise is relative to the
    drifted conductance, its strength set by the programmed one.
    """
    g_uS = drift_conductance(g_prog_uS, nu, t_s=t_s, t_ref_s=device.t_ref_s)
    strength = device.read_noise_fraction(g_prog_uS / device.g_max_uS)
    noise = gaussian_like(g_uS, generator=generator)
    growth = read_noise_growth(device, t_s=t_s)
    return (g_uS + g_uS * strength * noise * growth).clamp_min_(0.0)
