"""The analog twin of `nn.Linear` and `nn.Conv2d`, and the model that holds such layers.

A layer lives in one of three states. *Unprogrammed*, it computes its digital weights exactly. *In
HWA training* (after `start_hwa_training`, in training mode), it feels weight noise, an input
clipped to a learned range, and output noise. *Programmed*, it computes with the tiles of K chips:
its input holds K x B samples, chip by chip.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.simulator.hardware import Hardware
from analognas.simulator.mapping import layer_shape, tile_blocks
from analognas.simulator.mvm import (
    convert_output_,
    converter_steps,
    quantize_uniform_,
    read_noise_variance_,
)
from analognas.simulator.streams import gaussian_like, spawn_generator
from analognas.simulator.tile import CrossbarTile
from analognas.simulator.training import HwaRecipe, add_weight_noise, clip_to_range

RANGE_IN_STANDARD_DEVIATIONS = 3.0


class AnalogLayer(nn.Module):
    """A linear or convolutional layer on crossbar tiles.

    Args:
        digital: The layer to compute; it keeps the trainable weights. The bias is added digitally.
        hardware: Tiles, converters and cells.
    """

    input_range: Tensor

    def __init__(self, digital: nn.Linear | nn.Conv2d, hardware: Hardware) -> None:
        super().__init__()
        self.digital = digital
        self.hardware = hardware
        # NaN until calibrated or trained: a forgotten range must not pass for a real one.
        start = math.nan if hardware.converters.dac_bits is not None else 1.0
        self.input_range = nn.Parameter(digital.weight.new_tensor(start))
        shape = layer_shape("", digital, mvms=1)
        blocks = tile_blocks(shape, hardware.tile.rows, hardware.tile.columns)
        self.tiles = nn.ModuleList([CrossbarTile(block, hardware) for block in blocks])
        self.row_parts = max(
            sum(b.column_start <= column < b.column_stop for b in blocks)
            for column in {b.column_start for b in blocks}
        )
        self.chips: tuple[int, ...] = ()
        self._recipe: HwaRecipe | None = None
        self._progress = 0.0
        self._batches_seen = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.chips:
            return self._forward_programmed(x)
        if self.training and self._recipe is not None:
            return self._forward_training(x, self._recipe)
        output: Tensor = self.digital(x)
        return output

    # ---------------------------------------------------------------- training

    def start_training(
        self, recipe: HwaRecipe, table: Tensor, *, generator: torch.Generator
    ) -> None:
        """Use `recipe` in training mode; `table` is the noise over weight magnitude."""
        self._recipe = recipe
        self._noise_table = table
        self._generator = generator
        self._batches_seen = 0
        self._progress = 0.0

    def set_progress(self, fraction: float) -> None:
        """Tell how much of the training is done, 0 ... 1 (drives the noise ramp)."""
        self._progress = fraction

    def _forward_training(self, x: Tensor, recipe: HwaRecipe) -> Tensor:
        converters = self.hardware.converters
        if converters.dac_bits is not None:
            self._follow_inputs(x, recipe)
            x = clip_to_range(x, self.input_range)
        ramp = min(1.0, self._progress / recipe.ramp_fraction) if recipe.ramp_fraction else 1.0
        weight: Tensor = self.digital.weight
        if recipe.weight_noise > 0:
            weight = add_weight_noise(
                weight, self._noise_table, recipe.weight_noise * ramp, generator=self._generator
            )
        y = self._digital_with(x, weight)
        if recipe.output_noise > 0:
            y = y + self._training_output_noise(y, recipe.output_noise * ramp)
        return y

    @torch.no_grad()
    def _follow_inputs(self, x: Tensor, recipe: HwaRecipe) -> None:
        if self._batches_seen < recipe.range_batches:
            range_now = RANGE_IN_STANDARD_DEVIATIONS * x.std().clamp_min(1e-6)
            seen = self._batches_seen
            mean = range_now if seen == 0 else (self.input_range * seen + range_now) / (seen + 1)
            self.input_range.copy_(mean)
            self._batches_seen += 1
        self.input_range.clamp_min_(1e-6)

    @torch.no_grad()
    def _training_output_noise(self, y: Tensor, strength: float) -> Tensor:
        converters = self.hardware.converters
        variance = converters.output_noise**2
        if converters.adc_bits is not None:
            lsb = 2 * converters.output_bound / converter_steps(converters.adc_bits)
            variance += lsb**2 / 12
        column_scale = self.digital.weight.flatten(1).abs().amax(dim=1) * self.input_range.abs()
        sigma = column_scale * (strength * math.sqrt(variance * self.row_parts))
        noise = gaussian_like(y, generator=self._generator)
        return noise.mul_(sigma.view(-1, *[1] * (y.dim() - 2)) if y.dim() > 2 else sigma)

    def _digital_with(self, x: Tensor, weight: Tensor) -> Tensor:
        if isinstance(self.digital, nn.Linear):
            return F.linear(x, weight, self.digital.bias)
        output: Tensor = self.digital._conv_forward(x, weight, self.digital.bias)
        return output

    # --------------------------------------------------------------- inference

    @torch.no_grad()
    def program(self, *, chips: Sequence[int], root: int, name: str) -> None:
        """Write the weights to the tiles of every chip."""
        if not bool(torch.isfinite(self.input_range)):
            raise ValueError(
                f"The input range of layer {name!r} must be set before it is programmed, but got "
                f"{self.input_range.item()}. Train hardware-aware first, or call "
                "`calibrate_input_ranges(analog, inputs)`."
            )
        self.chips = tuple(chips)
        matrix = self.digital.weight.detach().flatten(1)
        for index, tile in enumerate(self._tiles()):
            target = _dense_block(matrix, tile, self._groups)
            tile.program(target, chips=chips, root=root, name=f"{name}/{index}")
        self._start_reads(root, name, 0.0)

    @torch.no_grad()
    def set_time(self, t_s: float, *, root: int, name: str) -> None:
        for index, tile in enumerate(self._tiles()):
            tile.set_time(t_s, chips=self.chips, root=root, name=f"{name}/{index}")
        self._start_reads(root, name, t_s)

    def _start_reads(self, root: int, name: str, t_s: float) -> None:
        device = self.digital.weight.device
        self._reads = [
            spawn_generator(root, name, chip, "read", repr(t_s), device=device)
            for chip in self.chips
        ]
        self._kernels = [self._kernel(tile) for tile in self._tiles()]

    @property
    def _groups(self) -> int:
        return 1 if isinstance(self.digital, nn.Linear) else self.digital.groups

    def _tiles(self) -> Iterator[CrossbarTile]:
        for tile in self.tiles:
            assert isinstance(tile, CrossbarTile)
            yield tile

    def _kernel(self, tile: CrossbarTile) -> tuple[int, int, Tensor]:
        """Input channels of a tile, and its weights as kernels `(K, C, channels, kh, kw)`."""
        if isinstance(self.digital, nn.Linear):
            return tile.block.row_start, tile.block.row_stop, tile.weight
        height, width = self.digital.kernel_size
        area = height * width
        first, last = tile.block.row_start // area, -(-tile.block.row_stop // area)
        padding = (tile.block.row_start - first * area, last * area - tile.block.row_stop)
        weight = F.pad(tile.weight, padding)
        return first, last, weight.view(*weight.shape[:2], last - first, height, width)

    def _forward_programmed(self, x: Tensor) -> Tensor:
        batch, remainder = divmod(x.shape[0], len(self.chips))
        if remainder:
            raise ValueError(
                f"The batch must hold the same samples for each of {len(self.chips)} chips, but "
                f"got {x.shape[0]} samples. Call the whole analog model, which repeats its input."
            )
        drive = x / self.input_range
        drive = self._pad(
            quantize_uniform_(drive, bits=self.hardware.converters.dac_bits, bound=1.0)
        )
        if drive.dim() == 4:  # the faster layout of CPU and GPU convolutions alike
            drive = drive.contiguous(memory_format=torch.channels_last)
        outputs = [
            self._read_chip(drive[chip * batch : (chip + 1) * batch], chip, reads)
            for chip, reads in enumerate(self._reads)
        ]
        return torch.cat(outputs)

    def _read_chip(self, drive: Tensor, chip: int, generator: torch.Generator) -> Tensor:
        converters, read_noise = self.hardware.converters, self.hardware.weight_read_noise
        squared = drive.square() if read_noise > 0 else None
        column_dim = -1 if isinstance(self.digital, nn.Linear) else 1
        columns: list[Tensor] = []  # parts of the output, each the sum over its row parts
        last_column = 0
        for tile, (first, last, kernel) in zip(self._tiles(), self._kernels, strict=True):
            weight = kernel[chip]
            y = self._multiply(drive, weight, first, last)
            variance = None
            if squared is not None:
                variance = read_noise_variance_(
                    self._multiply(squared, weight.abs(), first, last), converters, read_noise
                )
            y = convert_output_(y, variance, converters, generator=generator)
            scale = tile.column_scale * (tile.drift_gain[chip] * self.input_range)
            y = y.mul_(scale if column_dim == -1 else scale.view(-1, 1, 1))
            if tile.block.column_start >= last_column:
                columns.append(y)
                last_column = tile.block.column_stop
            else:
                columns[-1].add_(y)
        output = columns[0] if len(columns) == 1 else torch.cat(columns, dim=column_dim)
        if self.digital.bias is not None:
            bias = self.digital.bias
            output.add_(bias if column_dim == -1 else bias.view(-1, 1, 1))
        return output

    def _pad(self, drive: Tensor) -> Tensor:
        if isinstance(self.digital, nn.Linear):
            return drive
        amounts = self.digital._reversed_padding_repeated_twice
        mode = "constant" if self.digital.padding_mode == "zeros" else self.digital.padding_mode
        return F.pad(drive, amounts, mode=mode) if any(amounts) else drive

    def _multiply(self, drive: Tensor, weight: Tensor, first: int, last: int) -> Tensor:
        if isinstance(self.digital, nn.Linear):
            return F.linear(drive[..., first:last], weight)
        return F.conv2d(
            drive[:, first:last],
            weight,
            stride=self.digital.stride,
            dilation=self.digital.dilation,
        )


def _dense_block(matrix: Tensor, tile: CrossbarTile, groups: int) -> Tensor:
    """Weights of a tile as `(C, R)`; for several groups block-diagonal with zeros between."""
    block = tile.block
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


class AnalogModel(nn.Module):
    """A network whose linear and convolutional layers may be analog.

    Before `program`, it maps `(B, ...)` to the outputs of `network`; after it, to `(chips, B,
    ...)`: all chips in one pass, digital layers seeing `chips x B` samples as one batch.
    """

    def __init__(self, network: nn.Module, hardware: Hardware) -> None:
        super().__init__()
        self.network = network
        self.hardware = hardware
        self.chips: tuple[int, ...] = ()
        self.root = 0

    def forward(self, x: Tensor) -> Tensor:
        if not self.chips:
            output: Tensor = self.network(x)
            return output
        if self.training:
            raise ValueError(
                "A programmed model must be in evaluation mode, but it is in training mode. "
                "Call `analog.eval()` first."
            )
        chips = len(self.chips)
        repeated = x.unsqueeze(0).expand(chips, *x.shape).reshape(chips * x.shape[0], *x.shape[1:])
        output = self.network(repeated)
        return output.view(chips, x.shape[0], *output.shape[1:])

    def set_progress(self, fraction: float) -> None:
        """Tell the layers how much of the training is done, 0 ... 1."""
        for _, layer in analog_layers(self):
            layer.set_progress(fraction)


def analog_layers(model: nn.Module) -> Iterator[tuple[str, AnalogLayer]]:
    """Every analog layer with its name in the original network."""
    for name, module in model.named_modules():
        if isinstance(module, AnalogLayer):
            yield name.removeprefix("network."), module
