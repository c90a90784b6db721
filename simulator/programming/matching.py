"""Which statistical cell stands for write-and-verify: errors by level, and the factor that fits."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from analognas.simulator.devices.base import relative_conductance
from analognas.simulator.hardware import Hardware
from analognas.simulator.programming.cells import CellArray, geometry_of
from analognas.simulator.programming.core import Core
from analognas.simulator.programming.verify import WriteAndVerify, write_and_verify_
from analognas.simulator.streams import draw_root, spawn_generator

LEVELS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
COLUMNS = 64  # of the array that is written


@dataclass(frozen=True)
class LevelError:
    """Error of the programmed conductance at one target.

    Args:
        level: Target, relative to the largest of a cell.
        mean_uS: Of the error, over cells.
        sigma_uS: Its standard deviation.
        rms_uS: Root of its mean square, both together.
        accepted_fraction: Cells that were read within the margin.
        statistical_uS: Standard deviation of the statistical cell, as published.
    """

    level: float
    mean_uS: float
    sigma_uS: float
    rms_uS: float
    accepted_fraction: float
    statistical_uS: float

    @property
    def scale(self) -> float:
        """Factor of the statistical cell at this level alone."""
        return self.rms_uS / self.statistical_uS


@dataclass(frozen=True)
class Match:
    """The factor on `programming_noise_scale` that comes nearest, and how near it comes.

    Args:
        scale: Gives the statistical cell the mean square error of write-and-verify, averaged over
            the levels above 0.
        misfit: Relative difference of the RMS error per level, root mean square over those levels.
        levels: Errors by level.
    """

    scale: float
    misfit: float
    levels: tuple[LevelError, ...]


def match_statistical(
    hardware: Hardware,
    method: WriteAndVerify | None = None,
    *,
    cells: int = 20_000,
    levels: Sequence[float] = LEVELS,
    generator: torch.Generator,
) -> Match:
    """Write many cells to each level and compare their errors with the statistical cell.

    Level 0 is measured and shown, but does not count: a RESET cell is far more exact than one that
    a statistical fit extrapolates to.

    Args:
        hardware: Cells and ADC.
        method: Write-and-verify; its defaults if absent.
        cells: Written per level, at least 2.
        levels: Relative targets from 0 to 1.
        generator: Advanced once.

    Raises:
        ValueError: The cells are no phase-change memory, have no programming noise, or fewer than
            two are to be written, or no level is above 0.
    """
    method = method or WriteAndVerify()
    if cells < 2:
        raise ValueError(f"`cells` must be at least 2, but got {cells}. A spread needs several.")
    if not any(level > 0 for level in levels):
        raise ValueError(f"`levels` must have one above 0, but got {tuple(levels)}. Add 1.0.")
    root, place = draw_root(generator), generator.device
    found = tuple(
        _level_error(hardware, method, level, cells, root=root, device=place) for level in levels
    )
    if any(one.statistical_uS <= 0 for one in found):
        raise ValueError(
            "`device.programming_noise_scale` must be above 0, but the statistical cell has no "
            "programming noise. Set it to 1."
        )
    counted = [one for one in found if one.level > 0]
    power = sum(one.rms_uS**2 for one in counted)
    scale = (power / sum(one.statistical_uS**2 for one in counted)) ** 0.5
    misfits = [(scale * one.statistical_uS / one.rms_uS - 1) ** 2 for one in counted]
    return Match(scale, (sum(misfits) / len(misfits)) ** 0.5, found)


def _level_error(
    hardware: Hardware,
    method: WriteAndVerify,
    level: float,
    cells: int,
    *,
    root: int,
    device: torch.device,
) -> LevelError:
    shape = (hardware.mapping.cells_per_weight, COLUMNS, -(-cells // COLUMNS))
    range_uS = hardware.device.g_max_uS - hardware.device.g_min_uS
    target_uS = hardware.device.g_min_uS + level * range_uS
    g_target_uS = torch.full(shape, hardware.device.g_min_uS, device=device)
    g_target_uS[0] = target_uS
    array = CellArray(
        shape,
        geometry_of(hardware.device, method.cell),
        method.cell,
        generator=spawn_generator(root, "cells", repr(level), device=device),
    )
    reads = spawn_generator(root, "reads", repr(level), device=device)
    outcome = write_and_verify_(array, g_target_uS, Core(hardware), method, generator=reads)
    error_uS: Tensor = (array.cell_uS()[0] - target_uS).double()
    relative = relative_conductance(hardware.device, torch.tensor(target_uS, dtype=torch.float64))
    return LevelError(
        level=level,
        mean_uS=float(error_uS.mean()),
        sigma_uS=float(error_uS.std()),
        rms_uS=float(error_uS.square().mean().sqrt()),
        accepted_fraction=float(outcome.accepted[0].double().mean()),
        statistical_uS=float(hardware.device.programming_sigma_uS(relative)),
    )
