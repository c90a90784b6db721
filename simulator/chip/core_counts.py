"""How many cores layers need, and what to say if there are too few."""

from collections.abc import Sequence
from functools import lru_cache

from analognas.simulator.chip.packing import CoreSize, Item, pack
from analognas.simulator.chip.spec import ChipSpec
from analognas.simulator.mapping import LayerShape, TileBlock, tile_blocks

MOST_DOUBLINGS = 16  # of both sides of a core, to find one that would do


class PlacementError(ValueError):
    """The network needs more cores than the chip has."""


def count_cores(
    layers: Sequence[LayerShape], rows: int, columns: int, *, packed: bool = False
) -> int:
    """Count the cores of `rows x columns` weights that the layers need; nothing is refused.

    Args:
        layers: All that are to be placed.
        rows: Of a core.
        columns: Of a core.
        packed: Whether blocks may share a core.
    """
    if not packed:
        return sum(cores_of(layer, rows, columns) for layer in layers)
    blocks = [block for layer in layers for block in blocks_of(layer, rows, columns)]
    spots = pack([Item(block.rows, block.columns) for block in blocks], CoreSize(rows, columns))
    return 1 + max((spot.core for spot in spots or ()), default=-1)


def cores_of(layer: LayerShape, rows: int, columns: int) -> int:
    """`len(tile_blocks(layer, rows, columns))` without making the blocks."""
    groups = layer.groups
    group_rows = layer.rows // groups
    group_columns = layer.out_channels // groups
    if groups > 1 and group_rows <= rows and group_columns <= columns:
        return -(-groups // min(rows // group_rows, columns // group_columns))
    return groups * -(-group_rows // rows) * -(-group_columns // columns)


def blocks_of(layer: LayerShape, rows: int, columns: int) -> tuple[TileBlock, ...]:
    """`tile_blocks(layer, rows, columns)`, remembered."""
    return _cached_blocks(
        layer.in_channels, layer.out_channels, layer.kernel, layer.groups, rows, columns
    )


@lru_cache(maxsize=16_384)
def _cached_blocks(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, ...],
    groups: int,
    rows: int,
    columns: int,
) -> tuple[TileBlock, ...]:
    """The blocks of a layer, which do not depend on its name and are often asked for again."""
    layer = LayerShape("", "conv2d", in_channels, out_channels, kernel, groups)
    return tuple(tile_blocks(layer, rows, columns))


def refusal(layers: Sequence[LayerShape], chip: ChipSpec, *, packed: bool) -> str:
    """Say at which layer the cores run out, how many are missing, and what would do."""
    rows, columns = chip.rows, chip.columns
    fitting, beyond = 0, len(layers)  # layers from the first on; found by halving
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if count_cores(layers[:middle], rows, columns, packed=packed) > chip.cores:
            beyond = middle
        else:
            fitting = middle
    layer = layers[fitting]
    used = count_cores(layers[:fitting], rows, columns, packed=packed)
    alone = count_cores(layers, rows, columns)
    shared = count_cores(layers, rows, columns, packed=True)
    needed, other = (shared, alone) if packed else (alone, shared)
    instead = "with a core for every block" if packed else "if blocks shared cores"
    before = (
        f"the layers before it leave too little room on {_cores(used)}"
        if packed
        else f"{used} are already used by the layers before it"
    )
    return (
        f"The network must fit the {_cores(chip.cores)} of chip {chip.name!r}, but they run out at "
        f"layer {layer.name!r}: its matrix of {layer.rows} rows x {layer.columns} columns needs "
        f"{_cores(cores_of(layer, rows, columns))} of {rows} x {columns}, and {before}. "
        f"All layers together need {needed}, {needed - chip.cores} too "
        f"many ({other} {instead}). Make the network narrower or shallower, keep layers digital, "
        f"or choose a chip with more or larger cores: {needed} of {rows} x {columns} would do"
        f"{_larger_cores(layers, chip, packed=packed)}."
    )


def _larger_cores(layers: Sequence[LayerShape], chip: ChipSpec, *, packed: bool) -> str:
    for doubling in range(1, MOST_DOUBLINGS + 1):
        rows, columns = chip.rows << doubling, chip.columns << doubling
        if count_cores(layers, rows, columns, packed=packed) <= chip.cores:
            return f", or {chip.cores} of {rows} x {columns}"
    return ""


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"
