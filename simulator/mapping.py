"""Which part of a layer's weight matrix lies on which crossbar tile.

A convolution becomes a matrix of `in_channels * kernel_height * kernel_width` rows (inputs, in the
order channel, kernel row, kernel column) and `out_channels` columns; a linear layer is its own
matrix. What exceeds a tile is split evenly: `n = ceil(size / limit)` parts whose sizes differ by at
most one. Row parts are partial sums, each read through its own ADCs and added digitally; column
parts are concatenated.

A grouped convolution is block-diagonal. As many whole groups as fit share a tile, the cells between
the blocks are programmed to zero and, like every cell, carry noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import nn
from torch.nn.modules.conv import _ConvNd

Split = Literal["balanced", "aligned"]


@dataclass(frozen=True)
class LayerShape:
    """An analog layer as the chip sees it: a matrix and how often it is used per inference."""

    name: str
    kind: str  # "linear", "conv2d", "conv_transpose1d" ...
    in_channels: int
    out_channels: int
    kernel: tuple[int, ...] = (1, 1)
    groups: int = 1
    mvms: int = 1  # matrix-vector multiplications per inference: output height x width

    @property
    def rows(self) -> int:
        return self.in_channels * math.prod(self.kernel)

    @property
    def columns(self) -> int:
        return self.out_channels

    @property
    def weights(self) -> int:
        """Cells that hold a trained weight (without bias, without the zeros between groups)."""
        return self.rows * self.columns // self.groups


@dataclass(frozen=True)
class TileBlock:
    """Rows and columns of a layer's im2col matrix that one tile holds."""

    row_start: int
    row_stop: int
    column_start: int
    column_stop: int
    weights: int  # cells that hold a trained weight

    @property
    def rows(self) -> int:
        return self.row_stop - self.row_start

    @property
    def columns(self) -> int:
        return self.column_stop - self.column_start


def split_evenly(size: int, limit: int) -> list[tuple[int, int]]:
    """Cut `range(size)` into the fewest parts of at most `limit`, as equal as they can be."""
    parts = -(-size // limit)
    base, longer = divmod(size, parts)
    bounds = [0]
    for index in range(parts):
        bounds.append(bounds[-1] + base + (index < longer))
    return list(pairwise(bounds))


def split_aligned(size: int, limit: int) -> list[tuple[int, int]]:
    """Cut `range(size)` into full parts of `limit` and a rest."""
    return [(first, min(first + limit, size)) for first in range(0, size, limit)]


def row_parts(blocks: Sequence[TileBlock]) -> int:
    """Largest number of tiles whose outputs are added for one column."""
    columns = [block.column_start for block in blocks]
    return max(columns.count(column) for column in set(columns))


def tile_blocks(
    layer: LayerShape, rows: int, columns: int, *, split: Split = "balanced"
) -> list[TileBlock]:
    """Lay a layer onto tiles of at most `rows x columns` cells.

    Args:
        layer: Its matrix.
        rows: Of a tile.
        columns: Of a tile.
        split: Parts as equal as they can be, or full tiles and a rest.

    Returns:
        Blocks in the order groups, columns, rows (row parts of the same columns are neighbours).
    """
    cut = split_evenly if split == "balanced" else split_aligned
    group_rows = layer.rows // layer.groups
    group_columns = layer.columns // layer.groups
    if layer.groups > 1 and group_rows <= rows and group_columns <= columns:
        per_tile = min(rows // group_rows, columns // group_columns)
        return [
            TileBlock(
                first * group_rows,
                last * group_rows,
                first * group_columns,
                last * group_columns,
                (last - first) * group_rows * group_columns,
            )
            for first, last in cut(layer.groups, per_tile)
        ]
    return [
        TileBlock(
            group * group_rows + row_start,
            group * group_rows + row_stop,
            group * group_columns + column_start,
            group * group_columns + column_stop,
            (row_stop - row_start) * (column_stop - column_start),
        )
        for group in range(layer.groups)
        for column_start, column_stop in cut(group_columns, columns)
        for row_start, row_stop in cut(group_rows, rows)
    ]


def layer_shape(name: str, module: nn.Module, *, mvms: int) -> LayerShape:
    """Describe a torch layer; `mvms` is its number of output positions per inference.

    Raises:
        TypeError: The module is neither linear nor a convolution.
    """
    if isinstance(module, nn.Linear):
        return LayerShape(name, "linear", module.in_features, module.out_features, mvms=mvms)
    if isinstance(module, _ConvNd):
        # Of a subclass, torch's own kind.
        own = next(kind for kind in type(module).__mro__ if kind.__module__ == _ConvNd.__module__)
        kind = own.__name__.lower().replace("transpose", "_transpose")
        return LayerShape(
            name,
            kind,
            module.in_channels,
            module.out_channels,
            tuple(module.kernel_size),
            module.groups,
            mvms,
        )
    raise TypeError(
        f"Layer {name!r} must be linear or a convolution, but is a {type(module).__name__}."
    )
