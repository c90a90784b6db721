"""Which core of a chip holds which rows and columns of which layer.

One core holds exactly one block of one layer; layers lie on the chip in the order of execution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Self

from torch import nn

from analognas.simulator.chip.placement_file import FORMAT_VERSION, PlacementFile
from analognas.simulator.chip.spec import ChipSpec
from analognas.simulator.chip.trace import trace_layers
from analognas.simulator.chip.validation import validate
from analognas.simulator.mapping import LayerShape, TileBlock, tile_blocks


class PlacementError(ValueError):
    """The network needs more cores than the chip has."""


@dataclass(frozen=True, slots=True)
class CorePlacement:
    """One core and the block of the layer that it holds."""

    core: int
    layer: str
    block: TileBlock


@dataclass(frozen=True)
class Placement:
    """A network on a chip."""

    chip: str
    chip_cores: int
    rows: int  # of a core
    columns: int
    layers: tuple[LayerShape, ...]  # in the order of execution
    cores: tuple[CorePlacement, ...]  # those in use, the blocks of a layer side by side

    @property
    def used_cores(self) -> int:
        return len(self.cores)

    @property
    def utilisation_fraction(self) -> float:
        """Weights per weight position of the cores in use (zeros between groups are no weights)."""
        positions = self.used_cores * self.rows * self.columns
        return sum(layer.weights for layer in self.layers) / positions if positions else 0.0

    def blocks(self) -> dict[str, list[TileBlock]]:
        """The blocks of every layer, by its name."""
        blocks: dict[str, list[TileBlock]] = {layer.name: [] for layer in self.layers}
        for placed in self.cores:
            blocks[placed.layer].append(placed.block)
        return blocks

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "format_version": FORMAT_VERSION,
            "chip": self.chip,
            "chip_cores": self.chip_cores,
            "rows": self.rows,
            "columns": self.columns,
            "layers": [asdict(layer) for layer in self.layers],
            "cores": [
                {"core": placed.core, "layer": placed.layer, **asdict(placed.block)}
                for placed in self.cores
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "placement") -> Self:
        """Read back `to_dict()`.

        Args:
            data: What the file holds.
            source: The file, for messages.

        Raises:
            ValueError: If a key or value is wrong, a core is used twice or does not exist, or the
                blocks of a layer are not those into which `tile_blocks` cuts it.
        """
        file = validate(PlacementFile, data, source=source)
        return cls(
            file.chip,
            file.chip_cores,
            file.rows,
            file.columns,
            tuple(layer.shape() for layer in file.layers),
            tuple(CorePlacement(entry.core, entry.layer, entry.block()) for entry in file.cores),
        )


def place(model: nn.Module, input_shape: Sequence[int], chip: ChipSpec) -> Placement:
    """Lay every linear and convolutional layer of a model onto the cores of a chip.

    Args:
        model: Any torch model; it is run once, see `trace_layers`.
        input_shape: Of one input, without the batch axis: `(channels, height, width)` for images.
        chip: Where to.

    Raises:
        PlacementError: If the chip has too few cores.
        ValueError: If the model cannot be run on such an input.
    """
    return place_layers(trace_layers(model, input_shape), chip)


def place_layers(layers: Sequence[LayerShape], chip: ChipSpec) -> Placement:
    """Lay layers onto the cores of a chip, in order, every block onto a core of its own.

    Raises:
        PlacementError: If the chip has too few cores.
        ValueError: If two layers have the same name.
    """
    rows, columns, available = chip.rows, chip.columns, chip.cores
    if len({layer.name for layer in layers}) < len(layers):
        names = [layer.name for layer in layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"Layers must have different names, but these occur twice: {twice}.")
    cores: list[CorePlacement] = []
    for layer in layers:
        if len(cores) + _cores_of(layer, rows, columns) > available:
            raise PlacementError(_refusal(layer, layers, len(cores), chip))
        blocks = _cached_blocks(
            layer.in_channels, layer.out_channels, layer.kernel, layer.groups, rows, columns
        )
        for block in blocks:
            cores.append(CorePlacement(len(cores), layer.name, block))
    return Placement(chip.name, available, rows, columns, tuple(layers), tuple(cores))


def count_cores(layers: Sequence[LayerShape], rows: int, columns: int) -> int:
    """Count the cores of `rows x columns` weights that the layers need; nothing is refused."""
    return sum(_cores_of(layer, rows, columns) for layer in layers)


def _cores_of(layer: LayerShape, rows: int, columns: int) -> int:
    """`len(tile_blocks(layer, rows, columns))` without making the blocks."""
    groups = layer.groups
    group_rows = layer.rows // groups
    group_columns = layer.out_channels // groups
    if groups > 1 and group_rows <= rows and group_columns <= columns:
        return -(-groups // min(rows // group_rows, columns // group_columns))
    return groups * -(-group_rows // rows) * -(-group_columns // columns)


@lru_cache(maxsize=16_384)
def _cached_blocks(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, int],
    groups: int,
    rows: int,
    columns: int,
) -> tuple[TileBlock, ...]:
    """The blocks of a layer, which do not depend on its name and are often asked for again."""
    layer = LayerShape("", "conv2d", in_channels, out_channels, kernel, groups)
    return tuple(tile_blocks(layer, rows, columns))


def _refusal(
    layer: LayerShape, layers: Sequence[LayerShape], used_cores: int, chip: ChipSpec
) -> str:
    needed = _cores_of(layer, chip.rows, chip.columns)
    in_total = count_cores(layers, chip.rows, chip.columns)
    return (
        f"The network must fit the {chip.cores} cores of chip {chip.name!r}, but they run out at "
        f"layer {layer.name!r}: its matrix of {layer.rows} rows x {layer.columns} columns needs "
        f"{needed} cores of {chip.rows} x {chip.columns}, and {used_cores} are already used by the "
        f"layers before it. All layers together need {in_total}. Make the network narrower or "
        "shallower, or choose a chip with more or larger cores."
    )
