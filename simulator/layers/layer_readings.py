"""What it takes to read the tiles of a programmed layer at one time: cells, columns and noise."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analognas.simulator.kernels import Columns
from analognas.simulator.mapping import TileBlock
from analognas.simulator.mvm import TileReading, column_numbers
from analognas.simulator.streams import NoiseStream
from analognas.simulator.tile import CrossbarTile, Places

if TYPE_CHECKING:
    from analognas.simulator.layers.analog_layer import AnalogLayer

# Per channel, `(C,)`, or of K chips `(K, C)`.
FactorAndShift = tuple[Tensor, Tensor]
BlockReadings = list[tuple[TileBlock, TileReading]]


@dataclass(frozen=True)
class _Normed:
    """Readings that compute a batch norm along."""

    norm: FactorAndShift
    readings: BlockReadings


class LayerReadings:
    """The tiles of a layer as they are read at one time, made when they are first asked for.

    Args:
        layer: Whose tiles they are.
        root: Seed of the noise of the reads.
        t_s: Seconds since programming.
    """

    def __init__(self, layer: "AnalogLayer", root: int, t_s: float) -> None:
        self.root = root
        self.t_s = t_s
        self._layer = layer
        # By place among the layer's chips.
        self._streams: dict[int | tuple[int, int], NoiseStream] = {}
        self._bare: dict[int | tuple[int, int], BlockReadings] = {}
        self._normed: dict[int | tuple[int, int], _Normed] = {}
        self._numbers: dict[CrossbarTile, Tensor] = {}

    def forget_columns(self) -> None:
        """Compute the numbers of the columns anew; the noise goes on."""
        self._bare, self._normed, self._numbers = {}, {}, {}

    def stream(self, places: Places) -> NoiseStream:
        """Noise of the reads: a stream per chip, and other ones for chips read at once."""
        key = places if isinstance(places, int) else (places.start, places.stop)
        if key not in self._streams:
            layer = self._layer
            whose: tuple[str | int, ...]
            if isinstance(places, int):
                whose = (layer.chips[places],)
            else:
                whose = ("several", *layer.chips[places])
            path = (layer.name, *whose, "read", repr(self.t_s))
            self._streams[key] = NoiseStream(self.root, *path, device=layer.weight.device)
        return self._streams[key]

    def on(self, places: Places) -> BlockReadings:
        """Every tile and how it is read on these chips, the layer's batch norm included."""
        key = places if isinstance(places, int) else (places.start, places.stop)
        if key not in self._bare:
            self._bare[key] = self._make(places)
        norm = self._layer.norm_after
        if norm is None:
            return self._bare[key]
        before = self._normed.get(key)
        if before is None or not all(map(torch.equal, before.norm, norm)):
            readings = [
                (block, replace(reading, columns=self._with_norm(reading.columns, block, norm)))
                for block, reading in self._bare[key]
            ]
            before = self._normed[key] = _Normed(norm, readings)
        return before.readings

    def _make(self, places: Places) -> BlockReadings:
        layer = self._layer
        readings = [
            (tile.block, tile.reading(places, self._columns(tile, places)))
            for tile in layer.crossbar_tiles()
        ]
        if layer.reads_groups_apart and all(reading.is_bare for _, reading in readings):
            return [_side_by_side(readings)]
        return readings

    def _with_norm(self, columns: Columns, block: TileBlock, norm: FactorAndShift) -> Columns:
        """Columns that compute the batch norm after them, too."""
        factor, shift = (
            (part.unsqueeze(-2) if part.dim() == 2 else part)[
                ..., block.column_start : block.column_stop
            ]
            for part in norm
        )
        offset = columns.offset * factor
        if self._layer.begins_columns(block):
            offset = offset + shift
        return columns.changed(scale=columns.scale * factor, offset=offset)

    def _columns(self, tile: CrossbarTile, places: Places) -> Columns:
        if tile not in self._numbers:
            self._numbers[tile] = self._numbers_of_all(tile)
        numbers = self._numbers[tile][places]
        return Columns(numbers if numbers.dim() == 2 else numbers.transpose(0, 1)[:, :, None])

    def _numbers_of_all(self, tile: CrossbarTile) -> Tensor:
        """Numbers of the columns on every chip, `(K, 5, C)`."""
        layer, block = self._layer, tile.block
        every = slice(None)
        scale = tile.digital_scale(every)
        if layer.hardware.input_stage.scaling == "static":
            scale = scale * layer.chip_ranges[:, None]
        columns = column_numbers(
            layer.hardware,
            scale=scale,
            noise=layer.hardware.converters.output_noise,
            read_noise=layer.hardware.weight_read_noise,
        )
        offset = tile.digital_offset * scale / tile.digital_gain
        if layer.bias is not None and layer.begins_columns(block):
            offset += layer.bias.detach()[block.column_start : block.column_stop]
        return columns.changed(offset=offset).numbers.transpose(0, 1).contiguous()


def _side_by_side(
    readings: BlockReadings,
) -> tuple[TileBlock, TileReading]:
    """Tiles whose columns follow each other, read as one; on one chip or several."""
    blocks = [block for block, _ in readings]
    block = TileBlock(
        blocks[0].row_start,
        blocks[-1].row_stop,
        blocks[0].column_start,
        blocks[-1].column_stop,
        sum(block.weights for block in blocks),
    )
    weight = torch.cat([reading.weight for _, reading in readings], dim=-2)
    numbers = torch.cat([reading.columns.numbers for _, reading in readings], dim=-1)
    return block, TileReading(weight, Columns(numbers), None)
