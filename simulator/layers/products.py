"""How a layer kind uses a matrix of weights: its rows, its input windows and its output shape.

A crossbar computes `y = W v` for one input vector `v` at a time. A linear layer has one vector per
sample; a convolution has one per output position, the window under its kernel (im2col). Unfolding
those windows would multiply the memory traffic, so that a convolution is computed directly: the
rows of a tile are consecutive (channel, kernel position) pairs, and a tile's weights, padded to
whole channels, are a kernel over a slice of channels.
"""

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.simulator.kernels import linear
from analognas.simulator.mapping import TileBlock

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
TransposedConvolution = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d

CONVOLVE = {2: F.conv2d, 3: F.conv3d}
CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


class Product(Protocol):
    """The linear operation of one layer, without its bias.

    "Matrix" is `(C, R)`: outputs by inputs, `R` being the rows of one group.
    """

    rows: int  # of all groups together
    columns: int
    groups: int
    column_dim: int  # dimension of an output that counts the columns
    shares_inputs: bool  # whether an input takes part in several input vectors

    def matrix(self, weight: Tensor) -> Tensor:
        """The layer's weights as a matrix `(C, R / groups)`."""
        ...

    def weight(self, matrix: Tensor) -> Tensor:
        """Inverse of `matrix`."""
        ...

    def arrange(self, x: Tensor) -> Tensor:
        """Bring an input into the shape and memory layout that `multiply` wants."""
        ...

    def kernel(self, weight: Tensor, block: TileBlock) -> Tensor:
        """Weights `(C, R)` of a tile in the form that `multiply` wants."""
        ...

    def multiply(self, arranged: Tensor, kernel: Tensor, block: TileBlock) -> Tensor:
        """Product of the tile's rows; outputs in `columns_last` memory order."""
        ...

    def multiply_groups(
        self, arranged: Tensor, weight: Tensor, block: TileBlock | None = None
    ) -> Tensor:
        """Product of every group with its own rows; of all groups, or of those of a tile."""
        ...

    def by_chip(self, arranged: Tensor, chips: int) -> Tensor:
        """An arranged batch of K chips, `(K B, ...)`, in the layout that `multiply_chips` wants."""
        ...

    def multiply_chips(self, by_chip: Tensor, weight: Tensor, block: TileBlock) -> Tensor:
        """Product of every chip's inputs with its own tile, in one go.

        Args:
            by_chip: Inputs of K chips.
            weight: `(K, C, R)`; R is that of the block, or of one group of those that it holds.
            block: The tile.

        Returns:
            `(K, M, C)`, contiguous, the vectors in `columns_last` order.
        """
        ...

    def vectors(self, arranged: Tensor) -> Tensor:
        """Every input vector, `(..., R)`, in `columns_last` order of the output positions."""
        ...

    def dense_output(self, y: Tensor) -> Tensor:
        """An output in `columns_last` memory order."""
        ...

    def columns_last(self, y: Tensor) -> Tensor:
        """View of an output of that order as a matrix `(M, C)`, one row per input vector."""
        ...

    def output(self, rows: Tensor, arranged: Tensor) -> Tensor:
        """Shape a matrix `(M, C)` as the layer's output."""
        ...


class LinearProduct:
    """`nn.Linear`: every sample is one input vector."""

    groups = 1
    column_dim = -1
    shares_inputs = False

    def __init__(self, layer: nn.Linear) -> None:
        self.rows = layer.in_features
        self.columns = layer.out_features

    def matrix(self, weight: Tensor) -> Tensor:
        return weight

    def weight(self, matrix: Tensor) -> Tensor:
        return matrix

    def arrange(self, x: Tensor) -> Tensor:
        return x

    def kernel(self, weight: Tensor, block: TileBlock) -> Tensor:
        return weight

    def multiply(self, arranged: Tensor, kernel: Tensor, block: TileBlock) -> Tensor:
        if block.rows < self.rows:
            arranged = arranged[..., block.row_start : block.row_stop]
        return linear(arranged, kernel)

    def multiply_groups(
        self, arranged: Tensor, weight: Tensor, block: TileBlock | None = None
    ) -> Tensor:
        return linear(arranged, weight)

    def by_chip(self, arranged: Tensor, chips: int) -> Tensor:
        return arranged.reshape(chips, -1, self.rows)

    def multiply_chips(self, by_chip: Tensor, weight: Tensor, block: TileBlock) -> Tensor:
        return by_chip[..., block.row_start : block.row_stop] @ weight.mT

    def vectors(self, arranged: Tensor) -> Tensor:
        return arranged

    def dense_output(self, y: Tensor) -> Tensor:
        return y.contiguous()

    def columns_last(self, y: Tensor) -> Tensor:
        return y.view(-1, y.shape[-1])

    def output(self, rows: Tensor, arranged: Tensor) -> Tensor:
        return rows.view(*arranged.shape[:-1], rows.shape[-1])


class ConvolutionProduct:
    """`nn.Conv1d`, `nn.Conv2d`, `nn.Conv3d`; a 1-D convolution is a 2-D one of height 1."""

    column_dim = 1

    def __init__(self, layer: Convolution) -> None:
        self.layer_kernel = tuple(layer.kernel_size)
        self.lifted = len(self.layer_kernel) == 1
        one, zero = ((1,), (0,)) if self.lifted else ((), ())
        self.window = (*one, *layer.kernel_size)
        self.stride = (*one, *layer.stride)
        self.dilation = (*one, *layer.dilation)
        self.groups = layer.groups
        self.rows = layer.in_channels * math.prod(self.window)
        self.columns = layer.out_channels
        self.shares_inputs = math.prod(self.window) > 1
        explicit = layer.padding_mode != "zeros" or isinstance(layer.padding, str)
        self.padding = (0,) * len(self.window) if explicit else (*zero, *layer.padding)
        self.padding_mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        amounts = list(layer._reversed_padding_repeated_twice) if explicit else []
        self.explicit_padding = amounts if any(amounts) else []
        # Windows of one position with gaps between them: what lies in the gaps is left out first.
        # That is less work, and it avoids a gradient of oneDNN that writes past its memory (torch
        # 2.13: channels-last order, fewer than 16 channels, maps of 64 x 64 and 96 x 96).
        self.gaps = self.stride if set(self.window) == {1} and not any(self.padding) else None
        if self.gaps is not None:
            self.stride = (1,) * len(self.window)

    def matrix(self, weight: Tensor) -> Tensor:
        return weight.flatten(1)

    def weight(self, matrix: Tensor) -> Tensor:
        return matrix.view(matrix.shape[0], -1, *self.layer_kernel)

    def arrange(self, x: Tensor) -> Tensor:
        self._check_batch(x)
        if self.explicit_padding:
            x = F.pad(x, self.explicit_padding, mode=self.padding_mode)
        if self.lifted:
            x = x.unsqueeze(2)
        if self.gaps is not None:
            every = tuple(slice(None, None, step) for step in self.gaps)
            x = x[(slice(None), slice(None), *every)]
        return x.contiguous(memory_format=CHANNELS_LAST[len(self.window)])

    def _check_batch(self, x: Tensor) -> None:
        if x.dim() != len(self.layer_kernel) + 2:
            raise ValueError(
                "The input of an analog convolution must be a batch of "
                f"{len(self.layer_kernel) + 2} dimensions, but got shape {tuple(x.shape)}. "
                "Add a batch dimension with `x.unsqueeze(0)`."
            )

    def _channels(self, block: TileBlock) -> tuple[int, int]:
        area = math.prod(self.window)
        return block.row_start // area, -(-block.row_stop // area)

    def kernel(self, weight: Tensor, block: TileBlock) -> Tensor:
        area = math.prod(self.window)
        first, last = self._channels(block)
        padding = (block.row_start - first * area, last * area - block.row_stop)
        if any(padding):
            weight = F.pad(weight, padding)
        return weight.view(weight.shape[0], last - first, *self.window)

    def multiply(self, arranged: Tensor, kernel: Tensor, block: TileBlock) -> Tensor:
        first, last = self._channels(block)
        if last - first < arranged.shape[1]:
            arranged = arranged[:, first:last]
        return self._convolve(arranged, kernel, 1)

    def multiply_groups(
        self, arranged: Tensor, weight: Tensor, block: TileBlock | None = None
    ) -> Tensor:
        kernel = weight.view(weight.shape[0], -1, *self.window)
        if block is None or block.columns == self.columns:
            return self._convolve(arranged, kernel, self.groups)
        first, last = self._channels(block)
        return self._convolve(arranged[:, first:last], kernel, (last - first) // kernel.shape[1])

    def by_chip(self, arranged: Tensor, chips: int) -> Tensor:
        # The chips' channels side by side: each chip is a group of one convolution.
        return torch.unflatten(arranged, 0, (chips, -1)).transpose(0, 1).flatten(1, 2)

    def multiply_chips(self, by_chip: Tensor, weight: Tensor, block: TileBlock) -> Tensor:
        chips, columns, rows = weight.shape
        stacked = weight.flatten(0, 1)
        if rows == block.rows:
            kernel = self.kernel(stacked, block)
        else:  # groups that are read apart, each of whole channels
            kernel = stacked.view(len(stacked), -1, *self.window)
        first, last = self._channels(block)
        if (last - first) * chips < by_chip.shape[1]:
            by_chip = torch.unflatten(by_chip, 1, (chips, -1))[:, :, first:last].flatten(1, 2)
        groups = chips * ((last - first) // kernel.shape[1])
        y = torch.unflatten(self._convolution(by_chip, kernel, groups), 1, (chips, columns))
        return y.movedim((1, 2), (0, -1)).contiguous().view(chips, -1, columns)

    def _convolve(self, x: Tensor, kernel: Tensor, groups: int) -> Tensor:
        n = len(self.window)
        y = self._convolution(x, kernel, groups).contiguous(memory_format=CHANNELS_LAST[n])
        return y.squeeze(2) if self.lifted else y

    def _convolution(self, x: Tensor, kernel: Tensor, groups: int) -> Tensor:
        n = len(self.window)
        return CONVOLVE[n](x, kernel, None, self.stride, self.padding, self.dilation, groups)

    def dense_output(self, y: Tensor) -> Tensor:
        if self.lifted:
            return y.unsqueeze(2).contiguous(memory_format=torch.channels_last).squeeze(2)
        return y.contiguous(memory_format=CHANNELS_LAST[len(self.window)])

    def vectors(self, arranged: Tensor) -> Tensor:
        # A convolution with one-hot kernels copies each window without rounding.
        copy = torch.eye(self.rows, dtype=arranged.dtype, device=arranged.device)
        windows = self._convolve(arranged, copy.view(self.rows, -1, *self.window), 1)
        return windows.movedim(1, -1)

    def columns_last(self, y: Tensor) -> Tensor:
        return y.movedim(1, -1).view(-1, y.shape[1])

    def output(self, rows: Tensor, arranged: Tensor) -> Tensor:
        sizes = [
            (size + 2 * padding - dilation * (window - 1) - 1) // stride + 1
            for size, padding, dilation, window, stride in zip(
                arranged.shape[2:],
                self.padding,
                self.dilation,
                self.window,
                self.stride,
                strict=True,
            )
        ]
        if self.lifted:
            sizes = sizes[1:]
        return rows.view(arranged.shape[0], *sizes, rows.shape[-1]).movedim(-1, 1)


class TransposedConvolutionProduct(ConvolutionProduct):
    """`nn.ConvTranspose1d/2d/3d`: an ordinary convolution over an input spread with zeros.

    A row that is driven with zero adds nothing, so that every output position is one MVM over the
    same rows as in the convolution with mirrored kernel.
    """

    def __init__(self, layer: TransposedConvolution) -> None:
        self.layer_kernel = tuple(layer.kernel_size)
        self.lifted = len(self.layer_kernel) == 1
        one = (1,) if self.lifted else ()
        dims = len(self.layer_kernel)
        self.window = (*one, *layer.kernel_size)
        self.dilation = (*one, *layer.dilation)
        self.stride = (1,) * len(self.window)
        self.padding = (0,) * len(self.window)
        self.groups = layer.groups
        self.rows = layer.in_channels * math.prod(self.window)
        self.columns = layer.out_channels
        self.shares_inputs = math.prod(self.window) > 1
        self.spread = tuple(layer.stride)
        self.margins: list[int] = []
        for dim in reversed(range(dims)):
            padding = layer.padding[dim]
            assert isinstance(padding, int)
            before = layer.dilation[dim] * (layer.kernel_size[dim] - 1) - padding
            self.margins += [before, before + layer.output_padding[dim]]

    def matrix(self, weight: Tensor) -> Tensor:
        inputs, outputs = weight.shape[0] // self.groups, weight.shape[1]
        grouped = weight.view(self.groups, inputs, outputs, *self.layer_kernel)
        spatial = tuple(range(3, grouped.dim()))
        return grouped.transpose(1, 2).flip(spatial).reshape(self.groups * outputs, -1)

    def weight(self, matrix: Tensor) -> Tensor:
        outputs = matrix.shape[0] // self.groups
        grouped = matrix.view(self.groups, outputs, -1, *self.layer_kernel)
        spatial = tuple(range(3, grouped.dim()))
        return grouped.flip(spatial).transpose(1, 2).reshape(-1, outputs, *self.layer_kernel)

    def arrange(self, x: Tensor) -> Tensor:
        self._check_batch(x)
        sizes = [(n - 1) * step + 1 for n, step in zip(x.shape[2:], self.spread, strict=True)]
        if any(step > 1 for step in self.spread):
            wide = x.new_zeros(*x.shape[:2], *sizes)
            every = tuple(slice(None, None, step) for step in self.spread)
            wide[(slice(None), slice(None), *every)] = x
            x = wide
        x = F.pad(x, self.margins)
        if self.lifted:
            x = x.unsqueeze(2)
        return x.contiguous(memory_format=CHANNELS_LAST[len(self.window)])


PRODUCTS: dict[type[nn.Module], type[LinearProduct | ConvolutionProduct]] = {
    nn.Linear: LinearProduct,
    nn.Conv1d: ConvolutionProduct,
    nn.Conv2d: ConvolutionProduct,
    nn.Conv3d: ConvolutionProduct,
    nn.ConvTranspose1d: TransposedConvolutionProduct,
    nn.ConvTranspose2d: TransposedConvolutionProduct,
    nn.ConvTranspose3d: TransposedConvolutionProduct,
}
