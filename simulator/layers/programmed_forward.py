"""The pass of a programmed analog layer: every tile of the chips is read, parts are summed."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analognas.simulator.bound_management import multiply_within_bound
from analognas.simulator.input_encoding import normalise, vector_scale
from analognas.simulator.kernels import linear, quantize
from analognas.simulator.mapping import TileBlock
from analognas.simulator.mvm import (
    Drive,
    Multiply,
    TileReading,
    half_steps,
    is_plain,
    needs_vectors,
    read_tile,
    read_tile_in_passes,
    read_tile_with_peaks,
)
from analognas.simulator.tile import Places

if TYPE_CHECKING:
    from analognas.simulator.layers.analog_layer import AnalogLayer


@torch.no_grad()
def programmed_forward(layer: "AnalogLayer", x: Tensor, places: Places) -> Tensor:
    """Output of the layer on one of its chips, or on several with a share of the batch each.

    Args:
        layer: Programmed.
        x: Inputs as the digital layer takes them; of several chips `(K B, ...)`, chips slowest.
        places: Place of the chip among the layer's, or a slice of them.
    """
    stage = layer.hardware.input_stage
    # The converters of the rows err anew in every product, also where the input is the same.
    errs_per_vector = layer.product.shares_inputs and stage.is_random
    if not needs_vectors(layer.hardware) and not errs_per_vector:
        return _read_blocks(layer, x, places)
    if isinstance(places, int):
        return _read_vectors(layer, x, places)
    # Chip by chip: how often a vector is repeated differs between them.
    several = range(places.start, places.stop)
    shares = torch.unflatten(x, 0, (len(several), -1))
    return torch.cat(
        [_read_vectors(layer, x, chip) for chip, x in zip(several, shares, strict=True)]
    )


def _read_blocks(layer: "AnalogLayer", x: Tensor, places: Places) -> Tensor:
    """Read with one input range for all vectors."""
    hardware, product = layer.hardware, layer.product
    full_scale = layer.chip_ranges[places]
    chips = len(full_scale) if full_scale.dim() else None  # None: one, without a dimension
    if chips is not None:
        x = torch.unflatten(x, 0, (chips, -1))
        full_scale = full_scale.view(chips, *[1] * (x.dim() - 1))
    codes = half_steps(hardware.converters.dac_bits)
    plain = is_plain(hardware)
    if plain and codes is not None:
        drive = quantize(x, full_scale=full_scale, half_steps=codes)
    else:
        drive = x / full_scale
    if chips is not None:
        drive = drive.flatten(0, 1)
    arranged = product.arrange(drive)
    operand = arranged if chips is None else product.by_chip(arranged, chips)
    shared = Drive(operand)
    columns: list[Tensor] = []  # parts of the output, each the sum over its row parts
    stream = layer.readings.stream(places)
    for block, reading in layer.readings.on(places):
        multiply = _multiply_block(layer, block)
        begins = layer.begins_columns(block)
        into = None if begins else columns[-1]
        if plain:
            y = read_tile(multiply, shared, reading, hardware, stream, into=into)
        else:
            y = read_tile_in_passes(multiply, operand, reading, hardware, stream, into=into)
        if begins:
            columns.append(y)
    rows = columns[0] if len(columns) == 1 else torch.cat(columns, dim=-1)
    return product.output(rows, arranged)


def _multiply_block(layer: "AnalogLayer", block: TileBlock) -> Multiply:
    product = layer.product

    def multiply(drive: Tensor, weight: Tensor) -> Tensor:
        if layer.reads_groups_apart and weight.shape[-2] < block.columns:
            # The sum of the drives: each column has that of its own group.
            weight = weight.expand(*weight.shape[:-2], block.columns, -1)
        if weight.dim() == 3:
            return product.multiply_chips(drive, weight, block)
        if layer.reads_groups_apart:
            y = product.multiply_groups(drive, weight, block)
        else:
            y = product.multiply(drive, product.kernel(weight, block), block)
        return product.columns_last(y)

    return multiply


def _read_vectors(layer: "AnalogLayer", x: Tensor, chip: int) -> Tensor:
    """Read with a scale of its own for every input vector, which takes unfolded windows."""
    hardware = layer.hardware
    stage, converters = hardware.input_stage, hardware.converters
    arranged = layer.product.arrange(x)
    vectors = layer.product.vectors(arranged).reshape(-1, layer.product.rows)
    per_tile = stage.scaling == "abs_max"
    state = layer.chip_ranges[chip]
    if stage.scaling == "average_abs_max":
        state = layer.running_scale[chip]
    scale = vector_scale(vectors, stage, state)
    if stage.scaling == "average_abs_max":
        layer.running_scale[chip] = scale[-1, 0]
    stream = layer.readings.stream(chip)
    columns: list[Tensor] = []
    for block, reading in layer.readings.on(chip):
        numbers = reading.columns
        per_unit = numbers.gain
        unit = numbers.changed(scale=1 / per_unit, offset=0.0)
        bare = replace(reading, columns=unit)

        def read(drive: Tensor, reading: TileReading = bare) -> tuple[Tensor, Tensor]:
            return read_tile_with_peaks(linear, drive, reading, hardware, stream)

        part = vectors[:, block.row_start : block.row_stop]
        if per_tile:
            scale = vector_scale(part, stage, state)
        part = normalise(part, scale)
        if stage.bound_management == "iterative":
            y = multiply_within_bound(
                read,
                part,
                output_bound=converters.output_bound,
                dac_bits=converters.dac_bits,
            ).y
        else:
            y = read_tile_in_passes(linear, part, bare, hardware, stream)
        y = y * (numbers.scale * per_unit)
        y = (y * scale if stage.scaling != "static" else y) + numbers.offset
        if layer.begins_columns(block):
            columns.append(y)
        else:
            columns[-1].add_(y)
    rows = columns[0] if len(columns) == 1 else torch.cat(columns, dim=1)
    return layer.product.output(rows, arranged)
