"""Where on a chip the cells of an analog network lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analognas.simulator import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.chip import CorePlacement, Placement
from analognas.simulator.tile import CrossbarTile

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PlacedTile:
    """A tile of a layer and the core that holds it.

    Args:
        layer: Name of the layer.
        block: Number of the tile in its layer.
        twin: The layer itself.
        tile: The tile itself.
        placed: Core and offsets.
    """

    layer: str
    block: int
    twin: AnalogLayer
    tile: CrossbarTile
    placed: CorePlacement

    @property
    def cells_per_weight(self) -> int:
        return self.tile.hardware.mapping.cells_per_weight

    def places(self) -> tuple[IntArray, IntArray]:
        """Row and column on the core of every weight, `(C, R)` each."""
        columns = np.arange(self.tile.block.columns)[:, None]
        rows = np.arange(self.tile.rows)[None, :]
        if self.twin.reads_groups_apart:  # only the cells of a column's own group exist
            product = self.twin.product
            group_columns = len(product.matrix(self.twin.weight)) // product.groups
            rows = rows + columns // group_columns * self.tile.rows
        shape = (self.tile.block.columns, self.tile.rows)
        placed = self.placed
        return (
            np.broadcast_to(rows + placed.row_offset, shape),
            np.broadcast_to(columns + placed.column_offset, shape),
        )


def placed_tiles(analog: AnalogModel, placement: Placement) -> list[PlacedTile]:
    """Match the tiles of every analog layer with the cores of a placement, by core.

    Raises:
        ValueError: The placement is of another network or another size of core.
    """
    by_layer: dict[str, list[CorePlacement]] = {}
    for placed in placement.cores:
        if placed.replica == 0:
            by_layer.setdefault(placed.layer, []).append(placed)
    layers = dict(analog_layers(analog))
    if set(by_layer) != set(layers):
        raise ValueError(
            "The placement must hold the layers of the network, but these are in one of them only: "
            f"{sorted(set(by_layer) ^ set(layers))}. A layer that no inference uses must be kept "
            "digital."
        )
    found = list(_matched(layers, by_layer))
    return sorted(found, key=lambda one: (one.placed.core, one.placed.column_offset))


def _matched(
    layers: dict[str, AnalogLayer], by_layer: dict[str, list[CorePlacement]]
) -> Iterator[PlacedTile]:
    for name, layer in layers.items():
        tiles = list(layer.crossbar_tiles())
        placed = by_layer[name]
        if [tile.block for tile in tiles] != [one.block for one in placed]:
            raise ValueError(
                f"The blocks of layer {name!r} must be the same in placement and hardware, but "
                f"they are {len(placed)} and {len(tiles)}. Use a hardware whose tile is a core."
            )
        for index, (tile, one) in enumerate(zip(tiles, placed, strict=True)):
            yield PlacedTile(name, index, layer, tile, one)
