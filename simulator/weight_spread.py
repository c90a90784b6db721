"""How much a weight of a simulated chip scatters: a table for the noise of training.

Computed from the cells themselves, so that it holds for every device and mapping; no expansion to
first order, no clamp or fold forgotten.
"""

from functools import lru_cache

import torch
from torch import Tensor

from analognas.simulator.conductance_mapping import ConductanceMapping, to_conductances
from analognas.simulator.devices import (
    AnyDevice,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.streams import spawn_generator

LEVELS = 257
DRAWS = 2**14  # per level: knows the standard deviation of a normal law to 0.6 %
ONE_PAIR = ConductanceMapping()


def weight_spread(
    device: AnyDevice, mapping: ConductanceMapping = ONE_PAIR, *, t_s: float
) -> Tensor:
    """Standard deviation of a weight at `t_s` over many cells, relative to the largest weight.

    The mean drift is divided out by one factor, the ratio of the mean weights at programming and at
    `t_s` over evenly spread `|w|`: what a global compensation of drift does. Where both signs of a
    weight scatter differently, as with single cells, it is the root mean square of the two. A
    Monte-Carlo table with a fixed seed; all levels share their draws, so that it is smooth in
    `|w|`. Computed once per device, mapping and time.

    Returns:
        `(257,)` over `|w|` = 0 ... 1, float32 on the CPU.

    Raises:
        ValueError: The device says nothing about `t_s`.
    """
    return _table(device, mapping, float(t_s)).clone()


@lru_cache(maxsize=64)
def _table(device: AnyDevice, mapping: ConductanceMapping, t_s: float) -> Tensor:
    slope, _ = mapping.read_out
    whole_uS = slope * (device.g_max_uS - device.g_min_uS)
    symmetric = mapping.layout == "pair" and mapping.table is None
    signs = (1,) if symmetric else (1, -1)
    start_uS, now_uS, variances = 0.0, 0.0, []
    for level in range(LEVELS):
        variance = 0.0
        for sign in signs:
            before, after, of_sign = _weight_moments(
                device, mapping, sign * level / (LEVELS - 1), t_s
            )
            start_uS += sign * before
            now_uS += sign * after
            variance += of_sign / len(signs)
        variances.append(variance)
    sigma_uS = torch.tensor(variances, dtype=torch.float64).sqrt()
    return (sigma_uS * (start_uS / now_uS / whole_uS)).float()


def _weight_moments(
    device: AnyDevice, mapping: ConductanceMapping, weight: float, t_s: float
) -> tuple[float, float, float]:
    """Of the sum over a weight's cells: mean after programming, mean and variance at `t_s`."""
    normalised = torch.tensor([[weight]], dtype=torch.float64)
    targets_uS = to_conductances(normalised, device, mapping).flatten().tolist()
    start_uS = now_uS = variance = 0.0
    for place, target_uS in enumerate(targets_uS):
        pair, is_minus = divmod(place, 2)
        counts = mapping.significances[pair] * (-1 if is_minus else 1)
        # Draws belong to the cell that carries the weight, or to the other one of its pair.
        carries = bool(is_minus) == (weight < 0)
        cell = f"{'programmed' if carries else 'empty'}{pair or ''}"
        before, after, of_cell = _moments(device, target_uS, cell, t_s)
        start_uS += counts * before
        now_uS += counts * after
        variance += counts**2 * of_cell
    return start_uS, now_uS, variance


@lru_cache(maxsize=4096)
def _moments(
    device: AnyDevice, target_uS: float, cell: str, t_s: float
) -> tuple[float, float, float]:
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
