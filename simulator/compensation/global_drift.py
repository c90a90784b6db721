"""Global drift compensation (GDC): a digital factor per tile, or per column.

Joshi et al., Nat. Commun. 11, 2473 (2020): read the tile now and then with known inputs and rescale
its output by how much the magnitude of the read-out has changed since programming. The read-out
goes through the noisy periphery of the tile like every other.
"""

from typing import Literal

import torch
from torch import Tensor

from analognas.simulator.hardware import Hardware
from analognas.simulator.kernels import linear
from analognas.simulator.mvm import (
    Drive,
    Multiply,
    TileReading,
    is_plain,
    read_tile,
    read_tile_in_passes,
)
from analognas.simulator.streams import NoiseStream

SMALLEST_READ_OUT = 1e-4

Probe = Literal["one_hot", "ones"]


def drift_probe(hardware: Hardware) -> Probe:
    """Inputs of the read-out: every row alone, or all rows at once (signed columns cancel)."""
    return "ones" if hardware.compensation == "gdc_ones" else "one_hot"


def read_out_magnitude(reading: TileReading, hardware: Hardware, stream: NoiseStream) -> Tensor:
    """Read a tile with the probe of its compensation through its noisy periphery.

    Args:
        reading: The tile, with columns that give normalised outputs.
        hardware: Its compensation and all effects of a read.
        stream: Noise of this read-out.

    Returns:
        Mean magnitude of the outputs, at least 1e-4: a scalar, or `(C,)` for "gdc_column".
    """
    rows = reading.weight.shape[1]
    ones = reading.weight.new_ones(1, rows)
    if drift_probe(hardware) == "ones":
        outputs = _read(ones, reading, hardware, stream, linear)
    elif reading.g_uS is not None:
        every_row = torch.eye(rows, dtype=ones.dtype, device=ones.device)
        outputs = _read(every_row, reading, hardware, stream, linear)
    else:
        probe = reading.weight.new_ones(rows, 1)
        outputs = _read(probe, reading, hardware, stream, _one_hot_product)
    return _mean_magnitude(outputs, hardware)


def ideal_magnitude(target: Tensor, hardware: Hardware) -> Tensor:
    """What the read-out would be if the tile held `target` `(C, R)` exactly."""
    return _mean_magnitude(target.T, hardware)


def _mean_magnitude(outputs: Tensor, hardware: Hardware) -> Tensor:
    magnitude = outputs.abs()
    mean = magnitude.mean(dim=0) if hardware.compensation == "gdc_column" else magnitude.mean()
    return mean.clamp_min_(SMALLEST_READ_OUT)


def _one_hot_product(drive: Tensor, weight: Tensor) -> Tensor:
    """One-hot inputs select rows of the weights: their product needs no multiplication.

    `drive` `(R, 1)` holds the level of the one driven row.
    """
    return (weight.T * drive).contiguous()


def _read(
    drive: Tensor,
    reading: TileReading,
    hardware: Hardware,
    stream: NoiseStream,
    multiply: Multiply,
) -> Tensor:
    if is_plain(hardware):
        return read_tile(multiply, Drive(drive), reading, hardware, stream)
    return read_tile_in_passes(multiply, drive, reading, hardware, stream)
