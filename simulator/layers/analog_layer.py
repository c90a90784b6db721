"""The analog twin of a linear or convolutional layer.

It lives in one of three states. *Unprogrammed*, it computes its digital weights exactly. *In HWA
training* (between `start_training` and `stop_training`, in training mode), it reads noisy weights
through DAC and ADC. *Programmed*, it reads the tiles of one chip, or those of several at once, with
a share of the batch for each.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from analognas.simulator.hardware import Hardware
from analognas.simulator.input_encoding import spread_range
from analognas.simulator.layers.known_kinds import base_kind
from analognas.simulator.layers.layer_readings import FactorAndShift, LayerReadings
from analognas.simulator.layers.noisy_forward import noisy_forward
from analognas.simulator.layers.products import PRODUCTS
from analognas.simulator.layers.programmed_forward import programmed_forward
from analognas.simulator.mapping import TileBlock, layer_shape, tile_blocks
from analognas.simulator.programming import ProgrammingMethod
from analognas.simulator.tile import STATISTICAL, CrossbarTile, Draws, Places, room_for
from analognas.simulator.training import LayerTraining

RANGE_IN_STANDARD_DEVIATIONS = 3.0
SMALLEST_RANGE = 1e-6


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
        self.tiles = nn.ModuleList(
            [CrossbarTile(block, hardware, like=self.weight, rows=rows) for block in blocks]
        )
        self.training_parts: LayerTraining | None = None
        self.chips: tuple[int, ...] = ()
        # Which of `chips` compute: one, several on a batch `(K B, ...)`, chips varying slowest, or
        # None: the digital weights do.
        self.active: Places | None = 0
        self.norm_after: FactorAndShift | None = None  # of a batch norm that is computed along
        self._batches_seen = 0
        self.readings = LayerReadings(self, 0, 0.0)

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
            return programmed_forward(self, x, self.active)
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
            range_now = spread_range(x, RANGE_IN_STANDARD_DEVIATIONS).clamp_min(SMALLEST_RANGE)
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

    def restore(self, chips: Sequence[int], root: int, *, t_s: float) -> None:
        """Take up the chips whose buffers were loaded."""
        self.chips = tuple(chips)
        self.start_reads(root, t_s)

    @torch.no_grad()
    def set_chip_ranges(self, ranges: Tensor) -> None:
        """Give every chip an input range of its own, `(K,)`."""
        self.chip_ranges.copy_(ranges)
        self.readings.forget_columns()

    def start_reads(self, root: int, t_s: float) -> None:
        """Begin the noise of the reads at `t_s` anew."""
        self.readings = LayerReadings(self, root, t_s)

    def begins_columns(self, block: TileBlock) -> bool:
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

    # ------------------------------------------------------------------- state

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "AnalogLayer":
        """Move or convert the layer, its chips included."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.chips:
            self.start_reads(self.readings.root, self.readings.t_s)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in ("chip_ranges", "running_scale"):
            if prefix + name in state_dict:
                self.register_buffer(name, room_for(state_dict[prefix + name], self.weight))
        super()._load_from_state_dict(state_dict, prefix, *args)


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
