"""Iterative program-and-verify: read every cell, correct it, until it lies within a margin.

The practice of Le Gallo et al., Nat. Electron. 6, 680 (2023), as reported second-hand: at most 30
iterations, a margin of 5 counts of the ADC, a device reaching 80 counts; with two devices per
polarity "max-SET-fill", which reads the device's own SET conductance and lets the other one take
what is left. How the chip chooses its pulses was not published; here a cell that is too low gets a
SET pulse, one that is too high a RESET.
"""

from dataclasses import dataclass as plain_dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.programming.cells import CellArray
from analognas.simulator.programming.core import CellReader, Core
from analognas.simulator.programming.pulse_law import PulsedPcm, open_loop_pulses

FILL_ABOVE = 0.5  # of a device's largest target: smaller targets never need a second device
LEAST_MARGIN_COUNTS = 0.5  # no reading of a whole number of counts can be asked for more
MOST_PULSES_OPEN_LOOP = 30


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class WriteAndVerify:
    """Cell by cell, every cell on its own.

    Args:
        cell: The pulsed device.
        iterations: Rounds at most.
        margin_counts: Largest accepted distance from the target, in counts of which a device has
            `device_counts`; at least half a count of the ADC that is read with.
        device_counts: Counts of a device at its largest target where the margin is meant.
        reads: Cells are read with the "core"'s ADC as in its products, or with a gain of their own,
            "fine", so that a device has `device_counts`; front-end noise is the same.
        repeats: Readings averaged for each decision.
        fill_pulses: SET pulses that fill the first of two devices.
    """

    name: Literal["verify"] = "verify"
    cell: PulsedPcm = PulsedPcm()
    iterations: Annotated[int, Ge(1)] = 30
    margin_counts: Annotated[float, Gt(0)] = 5.0
    device_counts: Annotated[float, Gt(0)] = 80.0
    reads: Literal["core", "fine"] = "core"
    repeats: Annotated[int, Ge(1)] = 1
    fill_pulses: Annotated[int, Ge(1)] = 15


@plain_dataclass(frozen=True)
class VerifyOutcome:
    """How write-and-verify ended.

    Args:
        accepted: Cells that were read within the margin, `(D, C, R)`.
        margin_uS: What was accepted, `(D,)`.
        cell_reads: Readings of single cells.
        row_reads: Rows read.
        iterations: Rounds used.
    """

    accepted: Tensor
    margin_uS: Tensor
    cell_reads: int
    row_reads: int
    iterations: int


def write_and_verify_(
    cells: CellArray,
    g_target_uS: Tensor,
    core: Core,
    method: WriteAndVerify,
    *,
    generator: torch.Generator,
) -> VerifyOutcome:
    """Write `g_target_uS` `(D, C, R)` to a RESET array in place.

    Args:
        cells: One or two devices per cell, in the state of after a RESET.
        g_target_uS: Targets of the cells.
        core: The ADC.
        method: Rounds, margin, reads.
        generator: For the noise of the reads.
    """
    devices = cells.geometry.devices
    g_device_max_uS = cells.geometry.g_device_max_uS
    counts = method.device_counts if method.reads == "fine" else None
    reader = CellReader(core, counts, g_device_max_uS, method.repeats)
    margin_uS = _margin_uS(reader, method, g_device_max_uS, g_target_uS)
    tally = _Tally(method.repeats)
    left_uS = g_target_uS.clone()  # what the last device is to hold
    if devices > 1:
        _fill_(cells, left_uS, reader, method, tally, generator=generator)
    needed = open_loop_pulses(left_uS / cells.geometry.stretch, most=MOST_PULSES_OPEN_LOOP)
    limit_uS = margin_uS[:, None, None].expand_as(g_target_uS).flatten()
    target, needed = g_target_uS.flatten(), needed.flatten()
    overfull = left_uS.flatten() > g_device_max_uS
    active = torch.arange(target.numel(), device=target.device)
    accepted = torch.zeros_like(target, dtype=torch.bool)
    round_ = 0
    for round_ in range(1, method.iterations + 1):
        measured = reader.read_uS(cells.cell_uS(), active, generator=generator)
        tally.add(active, g_target_uS.shape)
        error = measured - target[active]
        good = error.abs() <= limit_uS[active]
        accepted[active[good]] = True
        # A RESET with too few rounds left would do more harm than the error.
        hopeless = (error > 0) & (needed[active] >= method.iterations - round_) & ~good
        active, error = active[~(good | hopeless)], error[~(good | hopeless)]
        if not len(active) or round_ == method.iterations:
            break
        low, high = active[error < 0], active[error > 0]
        cells.set_(_mask(cells, low, devices - 1))
        if devices > 1:  # a target beyond the last device: the first one rises with it
            cells.set_(_mask(cells, low[overfull[low]], 0))
        cells.reset_(_mask(cells, high, devices - 1))
    return VerifyOutcome(
        accepted.view_as(g_target_uS), margin_uS, tally.cell_reads, tally.row_reads, round_
    )


class _Tally:
    """Counts readings."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self.cell_reads = 0
        self.row_reads = 0

    def add(self, places: Tensor, shape: torch.Size) -> None:
        depth, columns, rows = shape
        read = torch.zeros(depth, rows, dtype=torch.bool, device=places.device)
        read[places // (columns * rows), places % rows] = True
        self.cell_reads += len(places) * self.repeats
        self.row_reads += int(read.sum()) * self.repeats


def _margin_uS(
    reader: CellReader, method: WriteAndVerify, g_device_max_uS: float, like: Tensor
) -> Tensor:
    margin = like.new_full(
        (like.shape[0],), method.margin_counts / method.device_counts * g_device_max_uS
    )
    counts = reader.counts_per_uS(like)
    return margin if counts is None else margin.maximum(LEAST_MARGIN_COUNTS / counts)


def _fill_(
    cells: CellArray,
    left_uS: Tensor,
    reader: CellReader,
    method: WriteAndVerify,
    tally: _Tally,
    *,
    generator: torch.Generator,
) -> None:
    """Fill the first device where it may be needed, and keep it where the target is larger.

    Subtracts what the first device was measured to hold from `left_uS`.
    """
    places = (left_uS.flatten() > FILL_ABOVE * cells.geometry.g_device_max_uS).nonzero().squeeze(1)
    if not len(places):
        return
    chosen = _mask(cells, places, 0)
    for _ in range(method.fill_pulses):
        cells.set_(chosen)
    own_uS = reader.read_uS(cells.device_uS()[0], places, generator=generator)
    tally.add(places, left_uS.shape)
    target = left_uS.flatten()[places]
    kept = own_uS <= target
    cells.reset_(_mask(cells, places[~kept], 0))
    left_uS.view(-1)[places[kept]] = (target - own_uS)[kept]


def _mask(cells: CellArray, places: Tensor, device: int) -> Tensor:
    mask = torch.zeros_like(cells.pulses_since_reset, dtype=torch.bool)
    mask[device].view(-1)[places] = True
    return mask
