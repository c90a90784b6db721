"""The core as its programmer sees it: products with random inputs, and readings of single cells.

Both go through the converters, the noise and the columns of the `Hardware`; nothing here knows the
conductances but through them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from analognas.simulator.circuit import effective_weight
from analognas.simulator.conductance_mapping import from_conductances, pair_unit_uS
from analognas.simulator.hardware import Hardware
from analognas.simulator.mvm import (
    Drive,
    TileReading,
    column_numbers,
    half_steps,
    is_plain,
    read_tile,
    read_tile_in_passes,
    steps_per_unit,
)
from analognas.simulator.output_stage import ColumnVariation
from analognas.simulator.streams import NoiseStream, gaussian_like


@dataclass(frozen=True)
class Core:
    """One tile of a chip in its test bench.

    Args:
        hardware: Converters, wires, noise.
        variation: Fixed errors of this chip's columns; `None` where the output stage has none.
    """

    hardware: Hardware
    variation: ColumnVariation | None = None

    def weight_per_uS(self) -> Tensor:
        """Normalised weight that one microsiemens of each cell adds, `(D,)`."""
        hardware = self.hardware
        cells = hardware.mapping.cells_per_weight
        one_each = (
            torch.eye(cells, dtype=torch.float64)[:, :, None, None] + hardware.device.g_min_uS
        )
        nothing = torch.full((cells, 1, 1), hardware.device.g_min_uS, dtype=torch.float64)
        mapping, device = hardware.mapping, hardware.device
        zero = from_conductances(nothing, device, mapping)
        return (from_conductances(one_each, device, mapping) - zero).flatten()

    def reading(self, g_uS: Tensor) -> TileReading:
        """The tile with cells `(D, C, R)`, ready for `multiply`."""
        hardware, circuit = self.hardware, self.hardware.circuit
        columns = column_numbers(
            hardware,
            scale=g_uS.new_ones(g_uS.shape[1]),
            noise=hardware.converters.output_noise,
            read_noise=hardware.weight_read_noise,
        )
        if self.variation is not None and hardware.output_stage.noise_spread > 0:
            columns = columns.changed(noise=self.variation.output_noise * columns.gain)
        if circuit is not None and circuit.idle == "held":
            unit_uS = pair_unit_uS(hardware.device, hardware.mapping)
            wired = effective_weight(g_uS[0], g_uS[1], circuit, unit_uS=unit_uS)
            return TileReading(wired.weight, columns, self.variation, wire_offset=wired.offset)
        weight = from_conductances(g_uS, hardware.device, hardware.mapping)
        cells = None if circuit is None else g_uS
        return TileReading(weight, columns, self.variation, g_uS=cells)

    def multiply(self, drive: Tensor, g_uS: Tensor, stream: NoiseStream) -> Tensor:
        """Products of `(B, R)` drives, which lie on the DAC's grid, and cells `(D, C, R)`.

        Returns:
            `(B, C)`, normalised, after the ADC.
        """
        product, reading = nn.functional.linear, self.reading(g_uS)
        if is_plain(self.hardware):
            return read_tile(product, Drive(drive), reading, self.hardware, stream)
        return read_tile_in_passes(product, drive, reading, self.hardware, stream)


@dataclass(frozen=True)
class CellReader:
    """Reads single cells, one row of all columns at a time.

    Args:
        core: Noise and columns.
        device_counts: ADC counts of a device at its largest target. `None`: the core's ADC as it is
            in a product, where a full cell has only a fraction of the range.
        g_device_max_uS: Largest target of a device.
        repeats: Readings that are averaged.
    """

    core: Core
    device_counts: float | None
    g_device_max_uS: float
    repeats: int = 1

    def counts_per_uS(self, like: Tensor) -> Tensor | None:
        """ADC counts of a microsiemens in each cell, `(D,)`; `None` without ADC."""
        if self.device_counts is not None:
            cells = self.core.hardware.mapping.cells_per_weight
            return like.new_full((cells,), self.device_counts / self.g_device_max_uS)
        converters = self.core.hardware.converters
        if converters.adc_bits is None:
            return None
        return self.core.weight_per_uS().abs().mul_(steps_per_unit(converters)).to(like)

    def read_uS(self, g_uS: Tensor, places: Tensor, *, generator: torch.Generator) -> Tensor:
        """Measured conductances of the cells at the flat `places` of `g_uS` `(D, C, R)`.

        Noise of the output and of the read as in a product with one fully driven row, errors of the
        column's converter, rounding to counts, and clipping where the core's ADC is used.
        """
        core, hardware = self.core, self.core.hardware
        _, columns, rows = g_uS.shape
        cell, column = places // (columns * rows), places // rows % columns
        per_uS = core.weight_per_uS().abs().to(g_uS)[cell]
        output = g_uS.flatten()[places] * per_uS  # normalised
        relative = torch.ones_like(output) if hardware.read_noise_law == "constant" else output
        noise = hardware.converters.output_noise
        output_noise = torch.full_like(output, noise)
        if core.variation is not None:
            output_noise = core.variation.output_noise.to(output)[column]
        variance = relative * hardware.weight_read_noise**2 + output_noise.square()
        sigma = variance.sqrt_()
        counts = self.counts_per_uS(g_uS)
        largest = half_steps(hardware.converters.adc_bits)
        mean = torch.zeros_like(output)
        for _ in range(self.repeats):
            read = torch.addcmul(output, sigma, gaussian_like(output, generator=generator))
            if core.variation is not None:
                read.mul_(core.variation.adc_gain.to(read)[column])
                read.add_(core.variation.adc_offset.to(read)[column])
            if counts is not None:
                per_output = counts[cell] / per_uS
                read.mul_(per_output).round_()
                if self.device_counts is None and largest is not None:
                    read.clamp_(-largest, largest)
                read.div_(per_output)
            mean.add_(read)
        return mean.div_(self.repeats).div_(per_uS)
