"""From errors of weights to the pulses that correct them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from analognas.simulator.programming.cells import CellArray
from analognas.simulator.programming.core import Core

SEVERAL_ABOVE = 0.2  # of a device's largest target: more than a pulse adds on average


@dataclass(frozen=True)
class Pair:
    """The cells that raise and lower a weight.

    Args:
        plus: Number of the cell that raises it.
        minus: Of the one that lowers it; `None` for a weight of a single cell.
        weight_of_device: Normalised weight of a device at its largest target.
    """

    plus: int
    minus: int | None
    weight_of_device: float


@dataclass(frozen=True)
class Pulses:
    """What to do next.

    Args:
        set: `(D, C, R)`, cells that get a SET pulse on one of their devices.
        far: `(C, R)`, weights that several pulses will not take too far.
        reset: `(N, D, C, R)`, devices that are RESET.
        touched: `(C, R)`, weights that change.
    """

    set: Tensor
    far: Tensor
    reset: Tensor
    touched: Tensor

    @property
    def any(self) -> bool:
        return bool(self.touched.any())


def pairs_of(core: Core, g_device_max_uS: float) -> tuple[Pair, ...]:
    """The pairs of a weight, the one that counts most first."""
    per_uS = core.weight_per_uS().tolist()
    if len(per_uS) == 1:
        return (Pair(0, None, per_uS[0] * g_device_max_uS),)
    pairs = [
        Pair(cell, cell + 1, per_uS[cell] * g_device_max_uS) for cell in range(0, len(per_uS), 2)
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair.weight_of_device))


def choose_pulses(
    error: Tensor,
    cells: CellArray,
    pairs: tuple[Pair, ...],
    *,
    zone: float,
    reset_above: float,
    most: int | None,
) -> Pulses:
    """Pulses towards a smaller error, one per weight or per device of its cell.

    A weight that is too low gets a SET of its plus cell, one that is too high of its minus cell.
    Where it is off by more than `reset_above`, the cell that holds too much is RESET instead, the
    device with most SET pulses, if it has had any. Of several pairs the first one acts whose dead
    zone the error exceeds.

    Args:
        error: `(C, R)` weight minus target, normalised.
        cells: For the pulses that each device has had.
        pairs: From `pairs_of`.
        zone: Dead zone in units of a device's largest target.
        reset_above: In the same units.
        most: Number of pulses at most, the largest errors first; `None`: no limit.
    """
    magnitude, several_allowed = error.abs(), True
    devices = cells.geometry.devices
    if most is not None:
        least = zone * min(pair.weight_of_device for pair in pairs)
        wanted = int((magnitude > least).sum())
        several_allowed = wanted * devices <= most
        if wanted > most:
            magnitude = _largest(magnitude, max(0, most))
    counts = cells.pulses_since_reset
    numbers = torch.arange(devices, device=counts.device)[:, None, None]
    set_ = torch.zeros(counts.shape[1:], dtype=torch.bool, device=counts.device)
    reset = torch.zeros_like(counts, dtype=torch.bool)
    free = torch.ones_like(error, dtype=torch.bool)
    several = torch.zeros_like(free)
    for pair in pairs:
        acting = free & (magnitude > zone * pair.weight_of_device)
        free &= ~acting
        if several_allowed:
            several |= acting & (magnitude > SEVERAL_ABOVE * pair.weight_of_device)
        far = magnitude > reset_above * pair.weight_of_device
        for side, opposite, chosen in (
            (pair.plus, pair.minus, acting & (error < 0)),
            (pair.minus, pair.plus, acting & (error > 0)),
        ):
            melts = torch.zeros_like(chosen)
            if opposite is not None:
                fullest = counts[:, opposite].max(dim=0)
                melts = chosen & (fullest.values > 0)
                if side is not None:
                    melts &= far
                reset[:, opposite] |= melts & (numbers == fullest.indices)
            if side is not None:
                set_[side] |= chosen & ~melts
    touched = set_.any(dim=0) | reset.flatten(0, 1).any(dim=0)
    return Pulses(set_, several, reset, touched)


def _largest(values: Tensor, count: int) -> Tensor:
    """`values` with zeros in place of all but the `count` largest; of equal ones, maybe fewer."""
    if count == 0:
        return torch.zeros_like(values)
    border = values.flatten().kthvalue(values.numel() - count).values
    return torch.where(values > border, values, 0.0)
