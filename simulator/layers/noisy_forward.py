"""The training pass of an analog layer: DAC, noisy weights, output noise and ADC per row part."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypedDict

import torch
from torch import Tensor

from analognas.simulator.kernels import Columns, training_columns
from analognas.simulator.layers.straight_through import (
    convert_inputs,
    read_out_learned,
    read_out_noisy,
)
from analognas.simulator.mapping import TileBlock, row_parts
from analognas.simulator.mvm import half_steps, steps_per_unit
from analognas.simulator.training import LayerTraining, product_per_sample

if TYPE_CHECKING:
    from analognas.simulator.layers.analog_layer import AnalogLayer

SMALLEST_SCALE = 1e-12  # of a batch of zeros


class _Reading(TypedDict):
    """What all tiles of a layer have in common."""

    input_range: Tensor
    noise: float
    per_unit: float


def noisy_forward(layer: "AnalogLayer", x: Tensor, parts: LayerTraining) -> Tensor:
    """Output of the layer as it feels in training.

    Grouped convolutions are read as one tile, also where a group has more rows than one: the noise
    of the empty cells between their blocks and the converters of further row parts are not felt.
    """
    if x.dim() == 1:
        return noisy_forward(layer, x[None], parts)[0]
    if not parts.recipe.converters:
        return _with_bias(layer, _product(layer, x, parts), parts)
    full_scale = _full_scale(layer, x)
    codes = half_steps(layer.hardware.converters.dac_bits)
    if codes is not None:
        x = convert_inputs(x, full_scale, codes)
    read = _read_per_sample if parts.recipe.per_sample else _read_blocks
    y = read(layer, x, full_scale, parts)
    return y if bias_at_adc(parts) else _with_bias(layer, y, parts)


def bias_at_adc(parts: LayerTraining) -> bool:
    """Whether the bias is added with the conversion: nothing learned acts between the two."""
    return parts.output_scale is None and parts.log_adc_gain is None


def _with_bias(layer: "AnalogLayer", y: Tensor, parts: LayerTraining) -> Tensor:
    shape = (-1, *[1] * (y.dim() - 2)) if layer.product.column_dim == 1 else (-1,)
    if parts.output_scale is not None:
        y = y * parts.output_scale.view(shape)
    return y if layer.bias is None else y + layer.bias.view(shape)


def _product(layer: "AnalogLayer", x: Tensor, parts: LayerTraining) -> Tensor:
    """Product with noisy weights, nothing else."""
    product = layer.product
    if parts.recipe.per_sample:
        weights = parts.noisy_weight(layer.weight, samples=x.shape[0])
        return product_per_sample(x, weights, layer.digital)  # type: ignore[arg-type]
    noisy = product.matrix(parts.noisy_weight(layer.weight))
    return product.multiply_groups(product.arrange(x), noisy)


def _full_scale(layer: "AnalogLayer", x: Tensor) -> Tensor:
    """Input that drives a row fully, differentiable where it is learned."""
    stage = layer.hardware.input_stage
    if stage.scaling == "constant":
        return x.new_tensor(stage.constant_scale)
    if stage.scaling != "static":
        # Scales that the chip takes per vector are one per batch here.
        return x.detach().abs().amax().clamp_min(SMALLEST_SCALE)
    if not layer.has_range or not x.requires_grad:
        # Nothing saturates, or these are the network's own inputs: their gradient would cost a
        # whole product, for a range that already follows the data.
        return layer.input_range.detach().clone()
    # A copy: in a layer that is used twice, the range moves before the gradient is taken.
    return layer.input_range.clone()


def _read_blocks(
    layer: "AnalogLayer", x: Tensor, full_scale: Tensor, parts: LayerTraining
) -> Tensor:
    product, hardware = layer.product, layer.hardware
    noisy = product.matrix(parts.noisy_weight(layer.weight))
    clean = product.matrix(parts.clean_weight(layer.weight).detach())
    bias = layer.bias if bias_at_adc(parts) else None
    arranged = product.arrange(x)
    adc = half_steps(hardware.converters.adc_bits)

    def read_out(y: Tensor, columns: Columns, bias: Tensor | None) -> Tensor:
        if parts.log_adc_gain is not None and adc is not None:
            return read_out_learned(y, parts.log_adc_gain, columns, product, adc, parts.stream)
        return read_out_noisy(y, bias, columns, product, adc, parts.stream)

    if product.groups > 1:
        reading = _reading(layer, full_scale, parts)
        y = product.multiply_groups(arranged, noisy)
        columns = training_columns(clean, **reading, offset=bias)
        if hardware.mapping.scaling == "layer":
            columns = _one_scale_per_tile(columns, clean, reading, layer)
        return read_out(y, columns, bias)
    outputs: list[Tensor] = []
    tiles = tile_columns(layer, clean, full_scale, parts)
    for weight, (block, columns, offset) in zip(parts_on_tiles(layer, noisy), tiles, strict=True):
        y = product.multiply(arranged, product.kernel(weight, block), block)
        y = read_out(y, columns, offset)
        if block.row_start == 0:
            outputs.append(y)
        else:
            outputs[-1] = outputs[-1] + y
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=product.column_dim)


def tile_columns(
    layer: "AnalogLayer", clean: Tensor, full_scale: Tensor, parts: LayerTraining
) -> Iterator[tuple[TileBlock, Columns, Tensor | None]]:
    """Every tile of a layer without groups: its place, its columns, its share of the bias.

    Args:
        layer: In training.
        clean: Its weights `(C, R)` without noise.
        full_scale: Input that drives a row fully.
        parts: What the layer feels.
    """
    reading = _reading(layer, full_scale, parts)
    bias = layer.bias if bias_at_adc(parts) else None
    for tile, part in zip(layer.crossbar_tiles(), parts_on_tiles(layer, clean), strict=True):
        block, offset = tile.block, None
        if block.row_start == 0 and bias is not None:
            offset = bias[block.column_start : block.column_stop]
        columns = training_columns(part, **reading, offset=offset)
        if layer.hardware.mapping.scaling == "layer":
            columns = _scaled(columns, part.abs().amax().expand(block.columns), reading)
        yield block, columns, offset


def _reading(layer: "AnalogLayer", full_scale: Tensor, parts: LayerTraining) -> _Reading:
    converters = layer.hardware.converters
    per_unit = steps_per_unit(converters)
    adc = half_steps(converters.adc_bits)
    if parts.log_adc_gain is not None and adc is not None:
        per_unit = adc / math.exp(float(parts.log_adc_gain.detach()))
    return {
        "input_range": full_scale,
        "noise": converters.output_noise * parts.output_noise,
        "per_unit": per_unit,
    }


def _one_scale_per_tile(
    columns: Columns, clean: Tensor, reading: _Reading, layer: "AnalogLayer"
) -> Columns:
    """Columns of a grouped layer, each by the largest weight of its tile."""
    magnitude = clean.abs().amax(dim=1)
    largest = magnitude.clone()
    for tile in layer.crossbar_tiles():
        columns_here = slice(tile.block.column_start, tile.block.column_stop)
        largest[columns_here] = magnitude[columns_here].amax()
    return _scaled(columns, largest, reading)


def _scaled(columns: Columns, largest: Tensor, reading: _Reading) -> Columns:
    """Columns `(C,)` that are divided by `largest` instead of their own largest weights."""
    scale = largest.clamp_min(SMALLEST_SCALE) * reading["input_range"].detach()
    return Columns.of(
        gain=reading["per_unit"] / scale,
        noise=columns.noise,
        squared_gain=columns.squared_gain,
        scale=scale / reading["per_unit"],
        offset=columns.offset,
    )


def _read_per_sample(
    layer: "AnalogLayer", x: Tensor, full_scale: Tensor, parts: LayerTraining
) -> Tensor:
    """All row parts in one product: their noises add up, and nothing is rounded."""
    weights = parts.noisy_weight(layer.weight, samples=x.shape[0])
    y = product_per_sample(x, weights, layer.digital)  # type: ignore[arg-type]
    noise = layer.hardware.converters.output_noise * parts.output_noise
    noise *= math.sqrt(row_parts([tile.block for tile in layer.crossbar_tiles()]))
    bias = layer.bias if parts.output_scale is None else None
    reading: _Reading = {"input_range": full_scale, "noise": noise, "per_unit": 1.0}
    clean = layer.product.matrix(parts.clean_weight(layer.weight).detach())
    columns = training_columns(clean, **reading, offset=bias)
    if layer.hardware.mapping.scaling == "layer":
        columns = _one_scale_per_tile(columns, clean, reading, layer)
    y = layer.product.dense_output(y)
    return read_out_noisy(y, bias, columns, layer.product, None, parts.stream)


def parts_on_tiles(layer: "AnalogLayer", matrix: Tensor) -> list[Tensor]:
    """Cut a matrix `(C, R)` of a layer without groups into what its tiles hold, in their order.

    By `split`, whose gradient is put together in one go, unlike that of slices.
    """
    blocks = [tile.block for tile in layer.crossbar_tiles()]
    if len(blocks) == 1:
        return [matrix]
    columns = [block.columns for block in blocks if block.row_start == 0]
    rows = [block.rows for block in blocks if block.column_start == 0]
    strips = torch.split(matrix, columns)
    return [part for strip in strips for part in torch.split(strip, rows, dim=1)]
