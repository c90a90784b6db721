"""Cells that hold what somebody says: measured conductances, and the same cells read otherwise.

The one place that reaches into the tiles; everything else of a deployment only reads them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from analognas.simulator import AnalogLayer, AnalogModel, Hardware, analog_layers, program
from analognas.simulator.compensation.global_drift import ideal_magnitude
from analognas.simulator.devices import draw_ageing
from analognas.simulator.layers.analog_layer import dense_block
from analognas.simulator.streams import draw_root
from analognas.simulator.tile import CrossbarTile, Draws

# Conductances of every tile of every layer, `(D, C, R)` in uS, in the order of the layer's blocks.
Cells = Mapping[str, Sequence[Tensor]]


@torch.no_grad()
def give_conductances(
    analog: AnalogModel, measured: Mapping[int, Cells], *, generator: torch.Generator
) -> None:
    """Put measured conductances on chips, which age from there on like others.

    A cell drifts as one that was programmed to what it holds.

    Args:
        analog: From `to_analog`, with input ranges.
        measured: By number of the chip.
        generator: Advanced twice; drift and noise derive from these draws.
    """
    program(analog, chips=sorted(measured), generator=generator)
    for name, layer in analog_layers(analog):
        device = layer.hardware.device
        for index, (tile, draws) in enumerate(_tiles(analog, name, layer)):
            for place, chip in enumerate(analog.chips):
                held_uS = measured[chip][name][index].to(tile.g_programmed_uS)
                drifting = draws.generator(chip, "drift", device=held_uS.device)
                tile.g_programmed_uS[place] = held_uS
                within_uS = held_uS.clamp(device.g_min_uS, device.g_max_uS)
                tile.ageing[place] = draw_ageing(device, within_uS, generator=drifting)
    _begin(analog)


@torch.no_grad()
def read_otherwise(analog: AnalogModel, hardware: Hardware, *, generator: torch.Generator) -> None:
    """Read the cells of programmed chips through another periphery; their age is zero again.

    The chips are then those that would have been programmed on this hardware.

    Args:
        analog: Programmed by a method that does not use the converters.
        hardware: The same cells in the same tiles, with other converters or compensation.
        generator: In the state that `program` was given.

    Raises:
        ValueError: The cells are others.
    """
    for name, layer in analog_layers(analog):
        before = layer.hardware
        same = all(
            getattr(before, part) == getattr(hardware, part)
            for part in ("device", "tile", "mapping", "faults", "output_stage", "circuit")
        )
        if not same:
            raise ValueError(
                "Chips can be read otherwise only if device, tile, mapping, faults, circuit and "
                f"output stage stay, but those of layer {name!r} differ. Program them anew."
            )
        layer.hardware = hardware
        for tile in layer.crossbar_tiles():
            tile.hardware = hardware
    analog.hardware = hardware
    analog.set_chip_statistics({})
    draw_root(generator)  # the chips' making
    analog.remember_time(0.0, root=draw_root(generator))
    _begin(analog)


def normalised_target(layer: AnalogLayer, tile: CrossbarTile) -> Tensor:
    """Weights that a programmed tile aims at, `(C, R)`, divided by the scales of its columns."""
    matrix = layer.product.matrix(layer.weight.detach())
    block = tile.block
    if layer.reads_groups_apart:
        target = matrix[block.column_start : block.column_stop]
    else:
        target = dense_block(matrix, block, layer.product.groups)
    return target / tile.column_scale[:, None]


def _tiles(
    analog: AnalogModel, name: str, layer: AnalogLayer
) -> Iterator[tuple[CrossbarTile, Draws]]:
    root = int(analog.roots[0])
    for index, tile in enumerate(layer.crossbar_tiles()):
        yield tile, Draws(layer.chips, root, f"{name}/{index}")


def _begin(analog: AnalogModel) -> None:
    """Start the age of all chips at zero, with the baseline of the compensation of these cells."""
    for name, layer in analog_layers(analog):
        for tile, draws in _tiles(analog, name, layer):
            tile._age(0.0, draws)
            tile.drift_gain = torch.ones_like(tile.drift_gain[:, :1])
            if layer.hardware.compensation == "gdc_exact":
                ideal = ideal_magnitude(normalised_target(layer, tile), layer.hardware)
                tile.baseline = ideal.expand_as(tile.drift_gain).clone()
                tile.drift_gain = tile.baseline / tile._read_out(0.0, draws)
            elif layer.hardware.compensation != "none":
                tile.baseline = tile._read_out(0.0, draws)
        layer.start_reads(int(analog.roots[0]), 0.0)
