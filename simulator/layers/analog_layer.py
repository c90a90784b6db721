"""The analog twin of a linear or convolutional layer.

It lives in one of three states. *Unprogrammed*, it computes its digital weights exactly. *In HWA
training* (between `start_training` and `stop_training`, in training mode), it reads noisy weights
through DAC and ADC. *Programmed*, it reads the tiles of one chip, or those of several at once, with
a share of the batch for each.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from analognas.simulator.bound_management import multiply_within_bound
from analognas.simulator.hardware import Hardware
from analognas.simulator.input_encoding import normalise, vector_scale
from analognas.simulator.kernels import Columns, linear, quantize
from analognas.simulator.layers.known_kinds import base_kind
from analognas.simulator.layers.noisy_forward import noisy_forward
from analognas.simulator.layers.products import PRODUCTS
from analognas.simulator.mapping import TileBlock, layer_shape, tile_blocks
from analognas.simulator.mvm import (
    Drive,
    Multiply,
    TileReading,
    column_numbers,
    half_steps,
    is_plain,
    needs_vectors,
    read_tile,
    read_tile_in_passes,
)
from analognas.simulator.programming import ProgrammingMethod
from analognas.simulator.streams import NoiseStream
from analognas.simulator.tile import STATISTICAL, CrossbarTile, Draws, Places
from analognas.simulator.training import LayerTraining

RANGE_IN_STANDARD_DEVIATIONS = 3.0
SMALLEST_RANGE = 1e-6


# Per channel, `(C,)`, or of K chips `(K, C)`.
FactorAndShift = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Normed:
    """Readings that compute a batch norm along."""

    norm: FactorAndShift
    readings: list[tuple[TileBlock, TileReading]]


class AnalogLayer(nn.Module):
    """A linear or convolutional layer on crossbar tiles.

    Args:
        digital: The layer to compute; it keeps the trainable weights. The bias is added digitally.
        hardware: Tiles, converters and cells.
        name: Path of the layer in its network, for random streams and messages.
    """

    input_range: Tensor
    chip_ranges: Tensor  # (K,), input range of each chip
    running_scale: Tensor  # (K,), mean of the inputs' magnitudes for "average_abs_max"

    def __init__(self, digital: nn.Module, hardware: Hardware, name: str = "") -> None:
        super().__init__()
        self.digital = digital
        self.hardware = hardware
        self.name = name
        kind = base_kind(digital, PRODUCTS)
        assert kind is not None
        self.product = PRODUCTS[kind](digital)  # type: ignore[arg-type]
        # NaN until calibrated or trained: a forgotten range must not pass for a real one.
        self.input_range = nn.Parameter(self.weight.new_tensor(math.nan if self.has_range else 1.0))
        blocks = tile_blocks(
            layer_shape(name, digital, mvms=1),
            hardware.tile.rows,
            hardware.tile.columns,
            split=hardware.mapping.split,
        )
        group_rows = self.product.rows // self.product.groups
        # Whether the tiles hold whole groups that are read one after another.
        self.reads_groups_apart = (
            self.product.groups > 1
            and hardware.mapping.groups == "apart"
            and all(block.rows % group_rows == 0 for block in blocks)
        )
        rows = group_rows if self.reads_groups_apart else None
        self.tiles = nn.ModuleList([CrossbarTile(block, hardware, rows=rows) for block in blocks])
        self.training_parts: LayerTraining | None = None
        self.chips: tuple[int, ...] = ()
        # Which of `chips` compute: one, several on a batch `(K B, ...)`, chips varying slowest, or
        # None: the digital weights do.
        self.active: Places | None = 0
        self.norm_after: FactorAndShift | None = None  # of a batch norm that is computed along
        self._batches_seen = 0
        self._moment = (0, 0.0)  # seed and age of the present reads
        # Noise and what else a read needs, by place in `chips`.
        self._streams: dict[int | None, NoiseStream] = {}
        self._readings: dict[int | tuple[int, int], list[tuple[TileBlock, TileReading]]] = {}
        self._normed: dict[int | tuple[int, int], Normed] = {}
        self._numbers: dict[CrossbarTile, Tensor] = {}

    @property
    def has_range(self) -> bool:
        """Whether inputs saturate at an input range that is calibrated or learned."""
        hardware = self.hardware
        return hardware.converters.dac_bits is not None and hardware.input_stage.scaling == "static"

    @property
    def weight(self) -> Tensor:
        weight = self.digital.weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def bias(self) -> Tensor | None:
        bias = self.digital.bias
        assert bias is None or isinstance(bias, Tensor)
        return bias

    def crossbar_tiles(self) -> Iterator[CrossbarTile]:
        for tile in self.tiles:
            assert isinstance(tile, CrossbarTile)
            yield tile

    def forward(self, x: Tensor) -> Tensor:
        if self.chips and self.active is not None:
            return self._read(x, self.active)
        parts = self.training_parts
        if parts is None:
            output: Tensor = self.digital(x)
        elif self.training:
            if self.has_range:
                self._follow_inputs(x, parts.recipe.range_batches)
            output = noisy_forward(self, x, parts)
        else:
            final = {"weight": parts.final_weight(self.weight)}
            output = functional_call(self.digital, final, (x,))
        return output

    # ---------------------------------------------------------------- training

    def start_training(self, parts: LayerTraining) -> None:
        """Feel `parts` in training mode, until `stop_training`."""
        self.training_parts = parts
        self._batches_seen = 0

    def stop_training(self) -> None:
        self.training_parts = None

    @torch.no_grad()
    def _follow_inputs(self, x: Tensor, batches: int) -> None:
        """In the first batches the range is the mean of 3 standard deviations of the inputs."""
        if self._batches_seen < batches:
            range_now = RANGE_IN_STANDARD_DEVIATIONS * x.std().clamp_min(SMALLEST_RANGE)
            seen = self._batches_seen
            mean = range_now if seen == 0 else (self.input_range * seen + range_now) / (seen + 1)
            self.input_range.copy_(mean)
            self._batches_seen += 1
        self.keep_range_positive()

    @torch.no_grad()
    def keep_range_positive(self) -> None:
        self.input_range.clamp_min_(SMALLEST_RANGE)

    # ------------------------------------------------------------- programming

    @torch.no_grad()
    def program(
        self,
        chips: Sequence[int],
        root: int,
        *,
        factory_root: int,
        method: ProgrammingMethod = STATISTICAL,
    ) -> None:
        """Write the weights to the tiles of every chip.

        Args:
            chips: Numbers of the chips.
            root: Seed of the random streams of this programming.
            factory_root: Seed of those that made the chips.
            method: How the cells get their conductances.
        """
        self._check_ready()
        self.chips = tuple(chips)
        matrix = self.product.matrix(self.weight.detach())
        for index, tile in enumerate(self.crossbar_tiles()):
            block = tile.block
            if self.reads_groups_apart:
                target = matrix[block.column_start : block.column_stop]
            else:
                target = dense_block(matrix, block, self.product.groups)
            name = f"{self.name}/{index}"
            factory = Draws(chips, factory_root, name)
            tile.program(target, Draws(chips, root, name), factory=factory, method=method)
        ranges = self.input_range.detach().expand(len(self.chips)).clone()
        self.register_buffer("chip_ranges", ranges)
        self.register_buffer("running_scale", torch.zeros_like(ranges))
        self.start_reads(root, 0.0)

    @torch.no_grad()
    def set_time(self, t_s: float, root: int) -> None:
        """Age the tiles to `t_s` seconds after programming and compensate."""
        for index, tile in enumerate(self.crossbar_tiles()):
            tile.set_time(t_s, Draws(self.chips, root, f"{self.name}/{index}"))
        self.start_reads(root, t_s)

    def restore(self, chips: Sequence[int], root: int, *, factory_root: int, t_s: float) -> None:
        """Take up the chips whose buffers were loaded."""
        self.chips = tuple(chips)
        for index, tile in enumerate(self.crossbar_tiles()):
            tile.make_chips(Draws(chips, factory_root, f"{self.name}/{index}"))
        self.start_reads(root, t_s)

    @torch.no_grad()
    def set_chip_ranges(self, ranges: Tensor) -> None:
        """Give every chip an input range of its own, `(K,)`."""
        self.chip_ranges.copy_(ranges)
        self._readings, self._numbers = {}, {}

    def start_reads(self, root: int, t_s: float) -> None:
        """Begin the noise of the reads at `t_s` anew."""
        self._moment = (root, t_s)
        self._streams = {}
        self._readings, self._numbers = {}, {}

    def _stream(self, places: Places) -> NoiseStream:
        """Noise of the reads: a stream per chip, and another one for all reads of several."""
        key = places if isinstance(places, int) else None
        if key not in self._streams:
            root, t_s = self._moment
            whose = "several" if key is None else self.chips[key]
            path = (self.name, whose, "read", repr(t_s))
            self._streams[key] = NoiseStream(root, *path, device=self.weight.device)
        return self._streams[key]

    def _readings_on(self, places: Places) -> list[tuple[TileBlock, TileReading]]:
        key = places if isinstance(places, int) else (places.start, places.stop)
        if key not in self._readings:
            readings = [
                (tile.block, tile.reading(places, self._columns(tile, places)))
                for tile in self.crossbar_tiles()
            ]
            if self.reads_groups_apart and all(reading.is_bare for _, reading in readings):
                readings = [_side_by_side(readings)]
            self._readings[key] = readings
            self._normed.pop(key, None)
        norm = self.norm_after
        if norm is None:
            return self._readings[key]
        before = self._normed.get(key)
        if before is None or not all(map(torch.equal, before.norm, norm)):
            readings = [
                (block, replace(reading, columns=self._with_norm(reading.columns, block, norm)))
                for block, reading in self._readings[key]
            ]
            before = self._normed[key] = Normed(norm, readings)
        return before.readings

    def _with_norm(self, columns: Columns, block: TileBlock, norm: FactorAndShift) -> Columns:
        """Columns that compute the batch norm after them, too."""
        factor, shift = (
            (part.unsqueeze(-2) if part.dim() == 2 else part)[
                ..., block.column_start : block.column_stop
            ]
            for part in norm
        )
        offset = columns.offset * factor
        if self._begins_columns(block):
            offset = offset + shift
        return columns.changed(scale=columns.scale * factor, offset=offset)

    def _columns(self, tile: CrossbarTile, places: Places) -> Columns:
        if tile not in self._numbers:
            self._numbers[tile] = self._numbers_of_all(tile)
        numbers = self._numbers[tile][places]
        return Columns(numbers if numbers.dim() == 2 else numbers.transpose(0, 1)[:, :, None])

    def _numbers_of_all(self, tile: CrossbarTile) -> Tensor:
        """Numbers of the columns on every chip, `(K, 5, C)`."""
        every = slice(None)
        scale = tile.digital_scale(every)
        if self.hardware.input_stage.scaling == "static":
            scale = scale * self.chip_ranges[:, None]
        columns = column_numbers(
            self.hardware,
            scale=scale,
            noise=self.hardware.converters.output_noise,
            read_noise=self.hardware.weight_read_noise,
        )
        offset = tile.digital_offset * scale / tile.digital_gain
        if self.bias is not None and self._begins_columns(tile.block):
            offset += self.bias.detach()[tile.block.column_start : tile.block.column_stop]
        return columns.changed(offset=offset).numbers.transpose(0, 1).contiguous()

    def _begins_columns(self, block: TileBlock) -> bool:
        """Whether a block is the first row part of its columns."""
        group_rows = self.product.rows // self.product.groups
        return block.row_start % group_rows == 0

    def _check_ready(self) -> None:
        if not bool(torch.isfinite(self.input_range)) or float(self.input_range) <= 0:
            raise ValueError(
                f"The input range of layer {self.name!r} must be set before it is programmed, but "
                f"got {self.input_range.item()}. Train hardware-aware first, or call "
                "`calibrate_input_ranges(analog, inputs)`."
            )
        for kind, values in (("weights", self.weight), ("biases", self.bias)):
            if values is not None and not bool(torch.isfinite(values).all()):
                wrong = values.detach()[~torch.isfinite(values)][0].item()
                raise ValueError(
                    f"The {kind} of layer {self.name!r} must be finite, but one is {wrong}. "
                    "Did the training diverge?"
                )

    # ----------------------------------------------------------------- reading

    @torch.no_grad()
    def _read(self, x: Tensor, places: Places) -> Tensor:
        if needs_vectors(self.hardware):
            return self._read_vectors_on(x, places)
        full_scale = self.chip_ranges[places]
        chips = len(full_scale) if full_scale.dim() else None  # None: one, without a dimension
        if chips is not None:
            x = torch.unflatten(x, 0, (chips, -1))
            full_scale = full_scale.view(chips, *[1] * (x.dim() - 1))
        codes = half_steps(self.hardware.converters.dac_bits)
        plain = is_plain(self.hardware)
        if plain and codes is not None:
            drive = quantize(x, full_scale=full_scale, half_steps=codes)
        else:
            drive = x / full_scale
        if chips is not None:
            drive = drive.flatten(0, 1)
        arranged = self.product.arrange(drive)
        operand = arranged if chips is None else self.product.by_chip(arranged, chips)
        shared = Drive(operand)
        columns: list[Tensor] = []  # parts of the output, each the sum over its row parts
        hardware, stream = self.hardware, self._stream(places)
        for block, reading in self._readings_on(places):
            multiply = self._multiply_block(block)
            begins = self._begins_columns(block)
            into = None if begins else columns[-1]
            if plain:
                y = read_tile(multiply, shared, reading, hardware, stream, into=into)
            else:
                y = read_tile_in_passes(multiply, operand, reading, hardware, stream, into=into)
            if begins:
                columns.append(y)
        rows = columns[0] if len(columns) == 1 else torch.cat(columns, dim=-1)
        return self.product.output(rows, arranged)

    def _multiply_block(self, block: TileBlock) -> Multiply:
        product = self.product

        def multiply(drive: Tensor, weight: Tensor) -> Tensor:
            if self.reads_groups_apart and weight.shape[-2] < block.columns:
                # The sum of the drives: each column has that of its own group.
                weight = weight.expand(*weight.shape[:-2], block.columns, -1)
            if weight.dim() == 3:
                return product.multiply_chips(drive, weight, block)
            if self.reads_groups_apart:
                y = product.multiply_groups(drive, weight, block)
            else:
                y = product.multiply(drive, product.kernel(weight, block), block)
            return product.columns_last(y)

        return multiply

    def _read_vectors_on(self, x: Tensor, places: Places) -> Tensor:
        """Chip by chip: how often a vector is repeated differs between them."""
        if isinstance(places, int):
            return self._read_vectors(x, places)
        several = range(places.start, places.stop)
        shares = torch.unflatten(x, 0, (len(several), -1))
        outputs = [self._read_vectors(x, chip) for chip, x in zip(several, shares, strict=True)]
        return torch.cat(outputs)

    def _read_vectors(self, x: Tensor, chip: int) -> Tensor:
        """Read with a scale of its own for every input vector, which takes unfolded windows."""
        stage, converters = self.hardware.input_stage, self.hardware.converters
        arranged = self.product.arrange(x)
        vectors = self.product.vectors(arranged).reshape(-1, self.product.rows)
        state = self.chip_ranges[chip]
        if stage.scaling == "average_abs_max":
            state = self.running_scale[chip]
        scale = vector_scale(vectors, stage, state)
        if stage.scaling == "average_abs_max":
            self.running_scale[chip] = scale[-1, 0]
        drive = normalise(vectors, scale)
        columns: list[Tensor] = []
        for block, reading in self._readings_on(chip):
            numbers = reading.columns
            per_unit = numbers.gain
            unit = numbers.changed(scale=1 / per_unit, offset=0.0)
            bare = replace(reading, columns=unit)

            def read(drive: Tensor, reading: TileReading = bare) -> Tensor:
                return read_tile_in_passes(
                    linear, drive, reading, self.hardware, self._stream(chip)
                )

            part = drive[:, block.row_start : block.row_stop]
            if stage.bound_management == "iterative":
                y = multiply_within_bound(
                    read,
                    part,
                    output_bound=converters.output_bound,
                    dac_bits=converters.dac_bits,
                ).y
            else:
                y = read(part)
            y = y * (numbers.scale * per_unit)
            y = (y * scale if stage.scaling != "static" else y) + numbers.offset
            if self._begins_columns(block):
                columns.append(y)
            else:
                columns[-1].add_(y)
        rows = columns[0] if len(columns) == 1 else torch.cat(columns, dim=1)
        return self.product.output(rows, arranged)

    # ------------------------------------------------------------------- state

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "AnalogLayer":
        """Move or convert the layer, its chips included."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.chips:
            self.start_reads(*self._moment)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in ("chip_ranges", "running_scale"):
            if prefix + name in state_dict:
                self.register_buffer(name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(state_dict, prefix, *args)


def _side_by_side(
    readings: list[tuple[TileBlock, TileReading]],
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


def dense_block(matrix: Tensor, block: TileBlock, groups: int) -> Tensor:
    """Weights of a tile as `(C, R)`; for several groups block-diagonal with zeros between."""
    if groups == 1:
        return matrix[block.column_start : block.column_stop, block.row_start : block.row_stop]
    group_columns, group_rows = matrix.shape[0] // groups, matrix.shape[1]
    dense = matrix.new_zeros(block.columns, block.rows)
    for column in range(block.column_start, block.column_stop):
        row = (column // group_columns) * group_rows
        first, last = max(row, block.row_start), min(row + group_rows, block.row_stop)
        dense[column - block.column_start, first - block.row_start : last - block.row_start] = (
            matrix[column, first - row : last - row]
        )
    return dense
