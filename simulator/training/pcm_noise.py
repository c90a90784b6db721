"""Weight noise of phase-change memory in training, effect by effect.

Unlike a programmed tile, which simulates every cell of a pair, this draws for the programmed cell
of each weight alone, and leaves out the mean drift, which the compensation undoes: a spread around
the weights as they are, cheap enough for every batch.
"""

import torch
from torch import Tensor

from analognas.simulator.devices.pcm_laws import drift_conductance, read_noise_sigma_uS
from analognas.simulator.streams import gaussian_like
from analognas.simulator.training.noise import PcmNoise


def draw_pcm_weights(
    r: Tensor, noise: PcmNoise, *, strength: float, generator: torch.Generator
) -> Tensor:
    """Draw weights for targets `r` in [-1, 1], any shape.

    Args:
        r: Target weights, relative to the largest.
        noise: The law.
        strength: Multiplies the three Gaussian widths, not the share of stuck cells.
        generator: On the targets' device.
    """
    cell = noise.cell
    if noise.stuck > 0:
        r = stick(r, noise, generator=generator)
    magnitude = r.abs()
    g_uS = magnitude * cell.g_max_uS
    spread_uS = cell.programming_sigma_uS(magnitude).mul_(strength)
    g_uS = g_uS + spread_uS.mul_(gaussian_like(r, generator=generator))
    # Reflecting a cell that came out negative here or at the end is the same law.
    g_uS.abs_()
    nu = cell.drift_sigma(g_uS / cell.g_max_uS).mul_(strength)
    nu = nu.mul_(gaussian_like(r, generator=generator)).abs_()
    g_aged_uS = drift_conductance(g_uS, nu, t_s=noise.t_s, t_ref_s=cell.t_ref_s)
    spread_uS = read_noise_sigma_uS(cell, g_aged_uS, g_uS, t_s=noise.t_s).mul_(strength)
    g_aged_uS.add_(spread_uS.mul_(gaussian_like(r, generator=generator))).abs_()
    return g_aged_uS.mul_(r.sign()).div_(cell.g_max_uS)


def stick(r: Tensor, noise: PcmNoise, *, generator: torch.Generator) -> Tensor:
    """Replace a share of the weights `r` by those of pairs with a stuck cell.

    A cell stuck at its largest conductance adds or subtracts it; what leaves [-1, 1] is clipped.
    """
    u = torch.empty(r.numel(), dtype=r.dtype, device=r.device).uniform_(generator=generator)
    u = u.view_as(r)
    # The kinds share [0, 1): below `reset`, then below `g_max`, then below `noise.stuck`. Within
    # its part, `u` is even again and gives the polarity or the magnitude.
    reset, g_max = noise.stuck_at_reset, noise.stuck_at_reset + noise.stuck_at_g_max
    shift = torch.where(u < (reset + g_max) / 2, 1.0, -1.0).to(r.dtype)
    at_g_max = shift.add_(r).clamp_(-1.0, 1.0)
    at_random = (u - g_max).div_(max(noise.stuck_at_random, 1e-12)).mul_(r.sign())
    stuck = torch.where(u < g_max, at_g_max, at_random).masked_fill_(u < reset, 0.0)
    return torch.where(u < noise.stuck, stuck, r)
