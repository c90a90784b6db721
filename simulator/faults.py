"""Cells that broke in the factory: stuck at one conductance for the life of the chip.

A broken cell is not programmed, does not age and is not noisy. Which cells are broken, and where
they are stuck, belongs to the chip and outlives every programming of it.
"""

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Annotated

import torch
from annotated_types import Ge, Le
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.devices.base import Device

Probability = Annotated[float, Ge(0), Le(1)]


class Fault(IntEnum):
    """What a fault map says about a cell."""

    HEALTHY = 0
    RESET = 1
    G_MAX = 2
    RANDOM = 3


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Faults:
    """Probabilities that a cell is broken, per cell (a pair has two).

    Args:
        stuck_at_reset: At the lowest conductance.
        stuck_at_g_max: At the highest.
        stuck_at_random: Anywhere between, evenly distributed.
    """

    stuck_at_reset: Probability = 0.0
    stuck_at_g_max: Probability = 0.0
    stuck_at_random: Probability = 0.0

    @model_validator(mode="after")
    def _probabilities_add_up(self) -> "Faults":
        if self.stuck > 1:
            raise ValueError(
                "`stuck_at_reset + stuck_at_g_max + stuck_at_random <= 1` must hold, but got "
                f"{self.stuck_at_reset} + {self.stuck_at_g_max} + {self.stuck_at_random}. "
                "Lower one of them."
            )
        return self

    @property
    def stuck(self) -> float:
        """Probability that a cell is broken in one way or another; one minus the yield."""
        return math.fsum((self.stuck_at_reset, self.stuck_at_g_max, self.stuck_at_random))


def draw_faults(shape: Sequence[int], faults: Faults, *, generator: torch.Generator) -> Tensor:
    """Draw a fault map: `Fault` of every cell, int8, on the generator's device."""
    bounds = torch.tensor(
        [
            faults.stuck_at_reset,
            faults.stuck_at_reset + faults.stuck_at_g_max,
            faults.stuck,
        ],
        dtype=torch.float64,
        device=generator.device,
    )
    # In double precision: single precision cannot tell a probability of 1e-8 from zero.
    place = torch.rand(
        tuple(shape), generator=generator, dtype=torch.float64, device=generator.device
    )
    kinds = torch.tensor(
        [Fault.RESET, Fault.G_MAX, Fault.RANDOM, Fault.HEALTHY],
        dtype=torch.int8,
        device=generator.device,
    )
    return kinds[torch.bucketize(place, bounds, right=True)]


def draw_stuck_levels(
    shape: Sequence[int], *, dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    """Draw where a cell is stuck if its fault is `Fault.RANDOM`: `r`, evenly in [0, 1)."""
    return torch.rand(tuple(shape), generator=generator, dtype=dtype, device=generator.device)


def apply_faults(g_uS: Tensor, fault_map: Tensor, stuck_level: Tensor, device: Device) -> Tensor:
    """Replace the conductances of broken cells; healthy ones keep theirs.

    Args:
        g_uS: `(..., D, C, R)` conductances of this moment, after ageing and read noise.
        fault_map: From `draw_faults`, `(D, C, R)` or as `g_uS`.
        stuck_level: From `draw_stuck_levels`, of the map's shape.
        device: Gives the range of its cells.
    """
    range_uS = device.g_max_uS - device.g_min_uS
    random_uS = stuck_level.to(g_uS.dtype) * range_uS + device.g_min_uS
    g_uS = torch.where(fault_map == Fault.RESET, device.g_min_uS, g_uS)
    g_uS = torch.where(fault_map == Fault.G_MAX, device.g_max_uS, g_uS)
    return torch.where(fault_map == Fault.RANDOM, random_uS, g_uS)
