"""How much a weight of a simulated chip scatters: a table for the noise of training.

Computed from the cells themselves, so that it holds for every device; no expansion to first order,
no clamp or fold forgotten.
"""

from functools import lru_cache

import torch
from torch import Tensor

from analognas.simulator.devices.base import (
    Device,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.streams import spawn_generator

LEVELS = 257
DRAWS = 2**14  # per level: knows the standard deviation of a normal law to 0.6 %


def weight_spread(device: Device, *, t_s: float) -> Tensor:
    """Standard deviation of a weight at `t_s` over many cells, relative to the largest weight.

    A weight is a pair of cells, one programmed to `|w|`, the other left at `g_min`. The mean drift
    is divided out by one factor, the ratio of the mean weights at programming and at `t_s` over
    evenly spread `|w|`: what a global compensation of drift does. A Monte-Carlo table with a fixed
    seed; all levels share their draws, so that it is smooth in `|w|`. Computed once per device and
    time.

    Returns:
        `(257,)` over `|w|` = 0 ... 1, float32 on the CPU.

    Raises:
        ValueError: The device says nothing about `t_s`.
    """
    return _table(device, float(t_s)).clone()


@lru_cache(maxsize=64)
def _table(device: Device, t_s: float) -> Tensor:
    range_uS = device.g_max_uS - device.g_min_uS
    empty_start_uS, empty_now_uS, empty_variance = _moments(device, device.g_min_uS, "empty", t_s)
    start_uS, now_uS, variances = 0.0, 0.0, []
    for level in range(LEVELS):
        target_uS = device.g_min_uS + range_uS * level / (LEVELS - 1)
        before, after, variance = _moments(device, target_uS, "programmed", t_s)
        start_uS += before - empty_start_uS
        now_uS += after - empty_now_uS
        variances.append(variance + empty_variance)
    sigma_uS = torch.tensor(variances, dtype=torch.float64).sqrt()
    return (sigma_uS * (start_uS / now_uS / range_uS)).float()


def _moments(device: Device, target_uS: float, cell: str, t_s: float) -> tuple[float, float, float]:
    """Mean conductance after programming, mean and variance at `t_s`."""
    target = torch.full((DRAWS,), target_uS)

    def stream(name: str) -> torch.Generator:
        return spawn_generator(0, "weight spread", cell, name)

    programmed = program_conductance(device, target, generator=stream("programming"))
    ageing = draw_ageing(device, target, generator=stream("ageing"))
    start, now = (
        read_conductance(device, programmed, ageing, t_s=time, generator=stream("read")).double()
        for time in (0.0, t_s)
    )
    return float(start.mean()), float(now.mean()), float(now.var())
