"""Ways to write a tile: one call, one result."""

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from typing import Literal

import torch
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.conductance_mapping import to_conductances
from analognas.simulator.devices import program_conductance
from analognas.simulator.hardware import Hardware
from analognas.simulator.output_stage import ColumnVariation
from analognas.simulator.programming.cells import CellArray, geometry_of
from analognas.simulator.programming.core import Core
from analognas.simulator.programming.gdp import GradientDescent, descend_
from analognas.simulator.programming.log import (
    ProgrammingCosts,
    ProgrammingLog,
    energy_uJ,
    time_ms,
)
from analognas.simulator.programming.verify import WriteAndVerify, write_and_verify_
from analognas.simulator.streams import draw_root, spawn_generator

LARGEST_WEIGHT = 1 + 1e-6


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Statistical:
    """One Gaussian error per cell, as measured for a chip; no pulses, reads or costs."""

    name: Literal["statistical"] = "statistical"


ProgrammingMethod = Statistical | WriteAndVerify | GradientDescent

# Verification as on the 64-core chip: single cells are read with a gain of their own.
METHODS: Mapping[str, ProgrammingMethod] = {
    "statistical": Statistical(),
    "verify": WriteAndVerify(reads="fine"),
    "gdp": GradientDescent(),
}


@plain_dataclass(frozen=True)
class Programmed:
    """A tile of one chip after programming.

    Args:
        g_uS: `(D, C, R)`, every cell.
        gain: `(C,)` factor of the digital outputs; 1 unless the method fits one.
        offset: `(C,)`, normalised, added to the outputs after the gain; 0 unless fitted.
        log: What it took; `None` for statistical programming.
    """

    g_uS: Tensor
    gain: Tensor
    offset: Tensor
    log: ProgrammingLog | None


def programming_method(name: str) -> ProgrammingMethod:
    """Look a method up by its name.

    Raises:
        ValueError: There is none of this name.
    """
    try:
        return METHODS[name]
    except KeyError:
        raise ValueError(
            f"Unknown programming method {name!r}; choose one of {sorted(METHODS)}."
        ) from None


def write_tile(
    weight: Tensor,
    hardware: Hardware,
    method: ProgrammingMethod,
    *,
    variation: ColumnVariation | None = None,
    costs: ProgrammingCosts | None = None,
    generator: torch.Generator,
) -> Programmed:
    """Write normalised weights to the cells of one tile of one chip.

    Args:
        weight: `(C, R)` in [-1, 1].
        hardware: Cells, mapping, converters, wires.
        method: One of `METHODS`, or a variation of it.
        variation: Fixed errors of this chip's columns, which pulsed programming meets.
        costs: Of pulses and products; the defaults of `ProgrammingCosts` if absent.
        generator: On the weights' device. Statistical programming draws from it; the others
            advance it once and derive everything from that draw.

    Raises:
        ValueError: The weights are not finite or not normalised, or the method needs pulses and
            the cells are no phase-change memory.
    """
    _check(weight)
    g_target_uS = to_conductances(weight, hardware.device, hardware.mapping)
    gain, offset = weight.new_ones(weight.shape[0]), weight.new_zeros(weight.shape[0])
    if isinstance(method, Statistical):
        g_uS = program_conductance(hardware.device, g_target_uS, generator=generator)
        return Programmed(g_uS, gain, offset, None)
    geometry = geometry_of(hardware.device, method.cell)
    root, place = draw_root(generator), weight.device
    shape = (g_target_uS.shape[0], g_target_uS.shape[1], g_target_uS.shape[2])
    cells = CellArray(
        shape,
        geometry,
        method.cell,
        generator=spawn_generator(root, "cells", device=place),
        dtype=weight.dtype,
    )
    core = Core(hardware, variation)
    cell_reads = row_reads = mvms = 0
    if isinstance(method, WriteAndVerify):
        reads = spawn_generator(root, "cell reads", device=place)
        verified = write_and_verify_(cells, g_target_uS, core, method, generator=reads)
        cell_reads, row_reads = verified.cell_reads, verified.row_reads
        converged, rounds = float(verified.accepted.double().mean()), verified.iterations
    else:
        descended = descend_(cells, weight, g_target_uS, core, method, root=root)
        gain, offset, mvms = descended.gain, descended.offset, descended.mvms
        converged, rounds = descended.converged_fraction, descended.iterations
    costs = costs or ProgrammingCosts()
    work = {
        "set_pulses": cells.set_pulses,
        "reset_pulses": cells.reset_pulses,
        "products": row_reads + mvms,
    }
    log = ProgrammingLog(
        cells=g_target_uS.numel(),
        set_pulses=cells.set_pulses,
        reset_pulses=cells.reset_pulses,
        cell_reads=cell_reads,
        row_reads=row_reads,
        mvms=mvms,
        iterations=rounds,
        converged_fraction=converged,
        energy_uJ=energy_uJ(costs, **work),
        time_ms=time_ms(costs, **work),
    )
    return Programmed(cells.cell_uS(), gain, offset, log)


def _check(weight: Tensor) -> None:
    if weight.dim() != 2 or weight.numel() == 0:
        raise ValueError(
            "`weight` must be a matrix of columns x rows, but got a tensor of shape "
            f"{tuple(weight.shape)}. Give the weights of one tile."
        )
    if not bool(torch.isfinite(weight).all()):
        wrong = weight[~torch.isfinite(weight)][0].item()
        raise ValueError(f"`weight` must be finite, but one is {wrong}. Did the training diverge?")
    largest = float(weight.abs().max())
    if largest > LARGEST_WEIGHT:
        raise ValueError(
            f"`|weight| <= 1` must hold, but got {largest:g}. Divide the weights by the largest "
            "of their column."
        )
