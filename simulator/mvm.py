"""The matrix-vector multiplication of one tile, in the order of the physics.

Everything is normalised: weights and inputs lie in [-1, 1], so that an output of 10 means ten fully
driven rows at the largest weight. The order, after Rasch et al., Nat. Commun. 14, 5282 (2023): DAC
and its errors, product, IR drop, voltage offset and series resistance, weight noise of this read,
S-shape and asymmetry, output noise, ADC. Each effect is a function of its own (`input_encoding`,
`ir_drop`, `output_stage`, `kernels`); here they are put together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from analognas.simulator.circuit import pwm_product
from analognas.simulator.conductance_mapping import pair_unit_uS
from analognas.simulator.hardware import ConverterConfig, Hardware
from analognas.simulator.input_encoding import Passes, disturb_drive_, encode, sums_before_converter
from analognas.simulator.ir_drop import apply_ir_drop_, drop_profile
from analognas.simulator.kernels import Columns, IrDropTerms, read_out
from analognas.simulator.output_stage import (
    ColumnVariation,
    adc_errors_,
    asymmetry_,
    s_shape_,
    voltage_offset_,
)
from analognas.simulator.quantizer import converter_steps, quantize_
from analognas.simulator.streams import NoiseStream, gaussian_like

# Drives in the layer's own arrangement and weights `(C, R)` to a contiguous `(M, C)` matrix; those
# of K chips and weights `(K, C, R)` to `(K, M, C)`. All effects broadcast over the chips.
Multiply = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TileReading:
    """One chip's tile at one moment, ready to be read, or the same tile of K chips.

    Of several chips, everything has one more dimension in front, `(K, C, R)` and `(K, 1, C)`.

    Args:
        weight: `(C, R)` normalised.
        columns: Gains and noise.
        variation: Fixed errors of the columns; `None` where the output stage has none.
        wire_offset: `(C,)` added to the outputs of a circuit of held cells.
        g_uS: `(2, C, R)` cells of a circuit that cuts idle cells off.
    """

    weight: Tensor
    columns: Columns
    variation: ColumnVariation | None
    wire_offset: Tensor | None = None
    g_uS: Tensor | None = None

    @property
    def is_bare(self) -> bool:
        """Whether weights and columns are all there is."""
        return self.variation is None and self.wire_offset is None and self.g_uS is None


@dataclass(frozen=True, eq=False)
class Drive:
    """Converted inputs, with what the tiles of a layer share of them."""

    x: Tensor  # normalised, after the DAC

    @cached_property
    def squared(self) -> Tensor:
        return self.x.square()

    @cached_property
    def magnitude(self) -> Tensor:
        return self.x.abs()


def half_steps(bits: int | None) -> float | None:
    """Largest code of a converter, `None` without one."""
    return None if bits is None else converter_steps(bits) / 2


def steps_per_unit(converters: ConverterConfig) -> float:
    """ADC steps per normalised output; 1 without ADC."""
    codes = half_steps(converters.adc_bits)
    return 1.0 if codes is None else codes / converters.output_bound


def column_numbers(
    hardware: Hardware,
    *,
    scale: Tensor,
    noise: Tensor | float,
    read_noise: float = 0.0,
) -> Columns:
    """What the read-out needs per column.

    Args:
        hardware: For the ADC.
        scale: `(C,)` logical output of a normalised output of 1.
        noise: Output noise, normalised.
        read_noise: sigma_w.
    """
    per_unit = steps_per_unit(hardware.converters)
    ones = torch.ones_like(scale)
    return Columns.of(
        gain=ones * per_unit,
        noise=ones * noise * per_unit,
        squared_gain=ones * (read_noise * per_unit) ** 2,
        scale=scale / per_unit,
        offset=torch.zeros_like(scale),
    )


def is_plain(hardware: Hardware) -> bool:
    """Whether a read is one pass with an exact DAC."""
    stage = hardware.input_stage
    return (
        stage.encoding == "one_pass"
        and stage.noise == 0
        and stage.asymmetry == 0
        and not stage.stochastic_rounding
    )


def needs_vectors(hardware: Hardware) -> bool:
    """Whether every input vector is treated on its own, which takes unfolded windows."""
    stage, circuit = hardware.input_stage, hardware.circuit
    cut_off = circuit is not None and circuit.idle == "cut_off"
    return cut_off or stage.scaling != "static" or stage.bound_management != "none"


def read_tile(
    multiply: Multiply,
    drive: Drive,
    reading: TileReading,
    hardware: Hardware,
    stream: NoiseStream,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """Read a tile once with a converted drive.

    Args:
        multiply: The layer's product.
        drive: What all tiles of the layer are driven with.
        reading: The tile.
        hardware: All effects.
        stream: Noise of the reads.
        into: `(M, C)` digital sum of other row parts; the output is added to it.

    Returns:
        `(M, C)` digital outputs.
    """
    currents = _currents(multiply, drive, reading, hardware, fuse=True)
    return _convert(currents, reading, hardware, stream, into=into)


def read_tile_in_passes(
    multiply: Multiply,
    x: Tensor,
    reading: TileReading,
    hardware: Hardware,
    stream: NoiseStream,
    *,
    into: Tensor | None = None,
) -> Tensor:
    """Like `read_tile`, with the DAC, its errors and the encoding of the hardware.

    Args:
        multiply: The layer's product.
        x: Normalised activations, before the DAC.
        reading: The tile.
        hardware: All effects.
        stream: Noise of the reads.
        into: As in `read_tile`.
    """
    drives, weights = _encoded(x, hardware, stream)
    if weights is None:
        currents = _sum_of_currents(multiply, drives, reading, hardware)
        return _convert(currents, reading, hardware, stream, into=into)
    columns = reading.columns
    for drive, weight in zip(drives, weights, strict=True):
        weighted = replace(reading, columns=columns.changed(scale=columns.scale * weight))
        currents = _currents(multiply, drive, reading, hardware, fuse=True)
        into = _convert(currents, weighted, hardware, stream, into=into)
        columns = columns.changed(offset=0.0)
    assert into is not None
    return into


def read_tile_with_peaks(
    multiply: Multiply, x: Tensor, reading: TileReading, hardware: Hardware, stream: NoiseStream
) -> tuple[Tensor, Tensor]:
    """Like `read_tile_in_passes`; also the largest magnitude that a conversion of a vector gave.

    Args:
        multiply: The layer's product.
        x: Normalised activations, before the DAC.
        reading: The tile; its columns must have no offset.
        hardware: All effects.
        stream: Noise of the reads.

    Returns:
        Outputs `(M, C)` and peaks `(M,)`, both in units of the columns' scale.
    """
    drives, weights = _encoded(x, hardware, stream)
    if weights is None:
        currents = _sum_of_currents(multiply, drives, reading, hardware)
        y = _convert(currents, reading, hardware, stream, into=None)
        return y, y.abs().amax(dim=-1)
    parts = [
        _convert(
            _currents(multiply, drive, reading, hardware, fuse=True),
            reading,
            hardware,
            stream,
            into=None,
        )
        for drive in drives
    ]
    total = torch.stack([part * weight for part, weight in zip(parts, weights, strict=True)])
    return total.sum(dim=0), torch.stack(parts).abs().amax(dim=(0, -1))


def _encoded(
    x: Tensor, hardware: Hardware, stream: NoiseStream
) -> tuple[list[Drive], tuple[float, ...] | None]:
    """Drives of all passes, and their weights in the digital sum; None: they add as currents."""
    stage, bits = hardware.input_stage, hardware.converters.dac_bits
    passes: Passes = encode(x, bits=bits, stage=stage, generator=stream.generator)
    drives = [Drive(disturb_drive_(d, stage, generator=stream.generator)) for d in passes.drives]
    return drives, None if sums_before_converter(stage) else passes.weights


@dataclass(frozen=True)
class _Currents:
    """Column currents before the converters, `(M, C)` each."""

    product: Tensor
    squared: Tensor | None  # sum of |w| x^2, for the noise of this read
    ir_drop: IrDropTerms | None  # still to be subtracted


def _currents(
    multiply: Multiply,
    drive: Drive,
    reading: TileReading,
    hardware: Hardware,
    *,
    fuse: bool,
) -> _Currents:
    """Products of one pass; with `fuse`, the IR drop may be left to the read-out kernel."""
    weight, circuit, x = reading.weight, hardware.circuit, drive.x
    if reading.g_uS is not None and circuit is not None:
        plus, minus = reading.g_uS
        unit_uS = pair_unit_uS(hardware.device, hardware.mapping)
        product = pwm_product(plus, minus, x, circuit, unit_uS=unit_uS)
    else:
        product = multiply(x, weight)
        if reading.wire_offset is not None:
            product.add_(reading.wire_offset)
    squared = None
    if hardware.weight_read_noise > 0:
        magnitude = weight.abs() if hardware.read_noise_law == "pcm" else torch.ones_like(weight)
        squared = multiply(drive.squared, magnitude)
    ir_drop = None
    if hardware.ir_drop.strength > 0:
        rows = weight.shape[-1]
        profile = drop_profile(rows, device=weight.device, dtype=weight.dtype)
        ir_drop = IrDropTerms(
            current=multiply(drive.magnitude, weight.abs()),
            profiled=multiply(x, weight * profile),
            current_to_fraction=rows / hardware.ir_drop.conductance_ratio,
            strength=hardware.ir_drop.strength,
        )
    variation, stage = reading.variation, hardware.output_stage
    if ir_drop is not None and not (fuse and variation is None):
        apply_ir_drop_(
            product,
            ir_drop.current,
            ir_drop.profiled,
            rows=weight.shape[-1],
            ir_drop=hardware.ir_drop,
        )
        ir_drop = None
    if variation is not None and (stage.voltage_offset_spread > 0 or stage.series_resistance > 0):
        drive_sum = multiply(x, torch.ones_like(weight[..., :1, :]))
        voltage_offset_(product, drive_sum, stage, variation)
    return _Currents(product, squared, ir_drop)


def _sum_of_currents(
    multiply: Multiply, drives: list[Drive], reading: TileReading, hardware: Hardware
) -> _Currents:
    """Currents of all passes, added before the converters."""
    first, *others = (
        _currents(multiply, drive, reading, hardware, fuse=len(drives) == 1) for drive in drives
    )
    for part in others:
        first.product.add_(part.product)
        if first.squared is not None and part.squared is not None:
            first.squared.add_(part.squared)
    return first


def _convert(
    currents: _Currents,
    reading: TileReading,
    hardware: Hardware,
    stream: NoiseStream,
    *,
    into: Tensor | None,
) -> Tensor:
    columns, squared, y = reading.columns, currents.squared, currents.product
    variation, stage, converters = reading.variation, hardware.output_stage, hardware.converters
    if variation is not None:
        if squared is not None:
            noise = gaussian_like(y, generator=stream.generator)
            y.addcmul_(squared.sqrt_(), noise, value=hardware.weight_read_noise)
            squared = None
        asymmetry_(s_shape_(y, stage, variation), stage)
        if stage.adc_offset_spread > 0 or stage.adc_gain_spread > 0:
            noise = gaussian_like(y, generator=stream.generator)
            y.addcmul_(noise, variation.output_noise)
            adc_errors_(y, stage, variation)
            columns = columns.changed(noise=torch.zeros_like(columns.noise))
        if stage.adc_stochastic_rounding:
            y = _convert_with_dither(y, columns, converters, stream)
            return y if into is None else into.add_(y)
    return read_out(
        y,
        columns,
        stream=stream,
        half_steps=half_steps(converters.adc_bits),
        squared=squared,
        ir_drop=currents.ir_drop,
        into=into,
    )


def _convert_with_dither(
    y: Tensor, columns: Columns, converters: ConverterConfig, stream: NoiseStream
) -> Tensor:
    y.addcmul_(gaussian_like(y, generator=stream.generator), columns.noise / columns.gain)
    quantize_(
        y,
        bits=converters.adc_bits,
        bound=converters.output_bound,
        generator=stream.generator,
    )
    return y.mul_(columns.gain * columns.scale).add_(columns.offset)
