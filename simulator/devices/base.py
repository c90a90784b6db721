"""What every memory cell model provides, and the three things that happen to a cell.

A cell is programmed once, ages, and is read. Conductances are in microsiemens; the relative
conductance is `r = (g - g_min) / (g_max - g_min)`. Times count in seconds from the end of
programming: `t_s = 0` is the chip as it leaves the programmer. All functions are elementwise, and
work in the type and on the device of their tensors.
"""

from typing import Protocol

import torch
from torch import Tensor

from analognas.simulator import kernels
from analognas.simulator.devices.pcm_laws import add_read_noise_, is_drifting, tabulated
from analognas.simulator.streams import gaussian_like


class Device(Protocol):
    """Statistics of one memory cell (or of the parallel cells of one polarity)."""

    def __hash__(self) -> int: ...

    @property
    def kind(self) -> str: ...

    @property
    def g_max_uS(self) -> float: ...

    @property
    def g_min_uS(self) -> float:
        """The lowest conductance; no cell gets below it."""
        ...

    @property
    def t_ref_s(self) -> float:
        """Where the law of ageing starts, in seconds after the last programming pulse."""
        ...

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        """Standard deviation of the programmed conductance at target `r`."""
        ...

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        """Draw what makes each cell age in its own way; it stays with the chip.

        What it means is up to the device: a drift exponent, a standard normal, the target.
        """
        ...

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        """Conductance at `t_s` without read noise, at least `g_min_uS`; nothing is drawn here.

        Raises:
            ValueError: The model says nothing about this time.
        """
        ...

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        """Standard deviation of the 1/f noise that has accumulated until `t_s`."""
        ...


def relative_conductance(device: Device, g_uS: Tensor) -> Tensor:
    """Place of a conductance in the range of its cell, `r = (g - g_min) / (g_max - g_min)`."""
    return (g_uS - device.g_min_uS) / (device.g_max_uS - device.g_min_uS)


def program_conductance(
    device: Device, g_target_uS: Tensor, *, generator: torch.Generator
) -> Tensor:
    """Draw programmed conductances, `max(g_target + sigma(r) xi, g_min)`."""
    if kernels.is_fused(g_target_uS) and g_target_uS.is_contiguous():
        return kernels.program_cells(
            g_target_uS,
            tabulated(type(device).programming_sigma_uS, device),
            range_uS=(device.g_min_uS, device.g_max_uS),
            generator=generator,
        )
    sigma_uS = device.programming_sigma_uS(relative_conductance(device, g_target_uS))
    noise = gaussian_like(g_target_uS, generator=generator)
    return (g_target_uS + sigma_uS * noise).clamp_min_(device.g_min_uS)


def draw_ageing(device: Device, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
    """Draw the ageing variable of every cell, to be kept with the programmed conductances."""
    return device.draw_ageing(g_target_uS, generator=generator)


def read_conductance(
    device: Device,
    g_prog_uS: Tensor,
    ageing: Tensor,
    *,
    t_s: float,
    generator: torch.Generator,
) -> Tensor:
    """Conductances at `t_s` seconds: aged, with accumulated 1/f noise, at least `g_min_uS`.

    Follows the order of Joshi et al., Nat. Commun. 11, 2473 (2020): the noise is added to the aged
    conductance.
    """
    g_aged_uS = device.aged_uS(g_prog_uS, ageing, t_s=t_s)
    if is_drifting(device):
        return add_read_noise_(device, g_aged_uS, g_prog_uS, t_s=t_s, generator=generator)
    sigma_uS = device.read_sigma_uS(g_aged_uS, g_prog_uS, t_s=t_s)
    noise = gaussian_like(g_aged_uS, generator=generator)
    return noise.mul_(sigma_uS).add_(g_aged_uS).clamp_min_(device.g_min_uS)
