"""Lay a network onto the cores of a chip."""

from collections.abc import Sequence

from torch import nn

from analognas.simulator.chip.core_counts import (
    PlacementError,
    blocks_of,
    count_cores,
    refusal,
)
from analognas.simulator.chip.digital_work import DigitalWork
from analognas.simulator.chip.packing import CoreSize, pack
from analognas.simulator.chip.placement import CorePlacement, Placement
from analognas.simulator.chip.replication import (
    Stage,
    items_of,
    replicate_packed,
    use_spare_cores,
)
from analognas.simulator.chip.spec import ChipSpec
from analognas.simulator.chip.trace import trace_network
from analognas.simulator.mapping import LayerShape


def place(
    model: nn.Module,
    input_shape: Sequence[int],
    chip: ChipSpec,
    *,
    packed: bool | None = None,
    replicate: bool = False,
    keep_digital: Sequence[str] = (),
) -> Placement:
    """Lay every matrix of a model that can be analog onto the cores of a chip.

    Args:
        model: Any torch model; it is run once, see `trace_network`.
        input_shape: Of one input, without the batch axis: `(channels, height, width)` for images.
        chip: Where to.
        packed: Whether blocks may share a core; None leaves it to the chip.
        replicate: Put copies of layers on spare cores, for a pipeline with short stages.
        keep_digital: Names of modules or matrices that are not placed, as in `to_analog`.

    Raises:
        PlacementError: If the chip has too few cores.
        ValueError: If the model cannot be run on such an input.
    """
    trace = trace_network(model, input_shape, keep_digital=keep_digital)
    return place_layers(
        trace.layers, chip, packed=packed, replicate=replicate, digital=trace.digital
    )


def place_layers(
    layers: Sequence[LayerShape],
    chip: ChipSpec,
    *,
    packed: bool | None = None,
    replicate: bool = False,
    digital: Sequence[DigitalWork] = (),
) -> Placement:
    """Lay layers onto the cores of a chip, in order.

    Args:
        layers: In the order of execution.
        chip: Where to.
        packed: Whether blocks may share a core; None leaves it to the chip.
        replicate: Put copies of layers on spare cores, for a pipeline with short stages.
        digital: Other work of the network, to be noted beside.

    Raises:
        PlacementError: If the chip has too few cores.
        ValueError: If two layers have the same name.
    """
    if len({layer.name for layer in layers}) < len(layers):
        names = [layer.name for layer in layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"Layers must have different names, but these occur twice: {twice}.")
    if chip.packed if packed is None else packed:
        cores = _packed(layers, chip, replicate=replicate)
    else:
        cores = _side_by_side(layers, chip, replicate=replicate)
    return Placement(
        chip.name,
        chip.cores,
        chip.rows,
        chip.columns,
        tuple(layers),
        tuple(cores),
        tuple(digital),
        None if chip.adcs_per_core == chip.columns else chip.adcs_per_core,
    )


def _side_by_side(
    layers: Sequence[LayerShape], chip: ChipSpec, *, replicate: bool
) -> list[CorePlacement]:
    """Every block on a core of its own."""
    rows, columns, available = chip.rows, chip.columns, chip.cores
    needed = count_cores(layers, rows, columns)
    if needed > available:
        raise PlacementError(refusal(layers, chip, packed=False))
    copies = [1] * len(layers)
    if replicate:
        copies = use_spare_cores(_stages(layers, chip), copies, available - needed)
    cores: list[CorePlacement] = []
    for layer, count in zip(layers, copies, strict=True):
        for replica in range(count):
            for block in blocks_of(layer, rows, columns):
                cores.append(CorePlacement(len(cores), layer.name, block, 0, 0, replica))
    return cores


def _packed(
    layers: Sequence[LayerShape], chip: ChipSpec, *, replicate: bool
) -> list[CorePlacement]:
    """Blocks share cores."""
    size = CoreSize(chip.rows, chip.columns)
    stages = _stages(layers, chip)
    copies = [1] * len(layers)
    spots = pack(items_of(stages, copies), size)
    assert spots is not None
    used = 1 + max((spot.core for spot in spots), default=-1)
    if used > chip.cores:
        raise PlacementError(refusal(layers, chip, packed=True))
    if replicate:
        copies, spots = replicate_packed(stages, spots, chip.rows, chip.columns, chip.cores)
        used = 1 + max((spot.core for spot in spots), default=-1)
    wanted = use_spare_cores(stages, copies, chip.cores - used) if replicate else copies
    packing = iter(spots)
    cores: list[CorePlacement] = []
    for layer, stage, together, count in zip(layers, stages, copies, wanted, strict=True):
        for replica in range(count):
            for block in stage.blocks:
                if replica < together:
                    spot = next(packing)
                    where = (spot.core, spot.row, spot.column)
                else:
                    where, used = (used, 0, 0), used + 1
                core, row, column = where
                cores.append(CorePlacement(core, layer.name, block, row, column, replica))
    return cores


def _stages(layers: Sequence[LayerShape], chip: ChipSpec) -> list[Stage]:
    stages = []
    for layer in layers:
        blocks = blocks_of(layer, chip.rows, chip.columns)
        widest = max(block.columns for block in blocks)
        stages.append(Stage(layer.mvms, -(-widest // chip.adcs_per_core), blocks))
    return stages
