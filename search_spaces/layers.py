"""Every layer of a network with its sizes and counts, without building it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from analognas.search_spaces.architecture import Architecture, Block
from analognas.search_spaces.geometry import Size, output_size, padding

LayerKind: TypeAlias = Literal["conv", "depthwise", "pointwise", "linear"]

HEAD = "head"


@dataclass(frozen=True)
class LayerSpec:
    """One layer as it will be built.

    Attributes:
        name: Path of the module in the built network.
        kernel, stride, padding: Rows and columns.
        input_size, output_size: Height and width of the feature maps.
        parameters: Weights and bias of the layer, without batch norm (convolutions have no bias).
        multiplications: Per inference of one input.
        block: Index of the block it belongs to; the head has one more than the last block.
        branch: 1, 2, ... within its block; 0 for the projection of a shortcut.
    """

    name: str
    kind: LayerKind
    in_channels: int
    out_channels: int
    kernel: Size
    stride: Size
    padding: Size
    groups: int
    input_size: Size
    output_size: Size
    parameters: int
    multiplications: int
    block: int
    branch: int

    @property
    def fan_in(self) -> int:
        """Inputs that meet one weight column (rows of the im2col matrix of one group)."""
        return self.in_channels // self.groups * self.kernel[0] * self.kernel[1]

    @property
    def positions(self) -> int:
        """Output positions, which is the number of matrix-vector multiplications per inference."""
        return self.output_size[0] * self.output_size[1]


def block_name(index: int) -> str:
    """`stem`, `block1`, `block2`, ..."""
    return "stem" if index == 0 else f"block{index}"


def convolution_names(block: Block) -> tuple[str, ...]:
    """Names within a branch: the kind, numbered where it occurs more than once."""
    kinds = [convolution.kind for convolution in block.convolutions]
    names: list[str] = []
    for index, kind in enumerate(kinds):
        number = str(kinds[: index + 1].count(kind)) if kinds.count(kind) > 1 else ""
        names.append(f"{kind}{number}")
    return tuple(names)


@lru_cache(maxsize=8192)
def layer_specs(architecture: Architecture, n_classes: int) -> tuple[LayerSpec, ...]:
    """Layers in order of execution: stem, blocks (branch by branch, then the projection), head."""
    channels = architecture.input_shape[0]
    size = (architecture.input_shape[1], architecture.input_shape[2])
    specs: list[LayerSpec] = []
    for index, block in enumerate(architecture.choices):
        specs += _block_layers(index, block, channels, size)
        channels, size = block.width, output_size(size, block.stride)
    head = LayerSpec(
        HEAD,
        "linear",
        channels,
        n_classes,
        (1, 1),
        (1, 1),
        (0, 0),
        1,
        (1, 1),
        (1, 1),
        (channels + 1) * n_classes,
        channels * n_classes,
        len(architecture.choices),
        1,
    )
    return (*specs, head)


@lru_cache(maxsize=32_768)
def _block_layers(index: int, block: Block, channels: int, size: Size) -> tuple[LayerSpec, ...]:
    return tuple(_make_block_layers(index, block, channels, size))


def _make_block_layers(index: int, block: Block, channels: int, size: Size) -> Iterator[LayerSpec]:
    names = convolution_names(block)
    plain = block.shortcut == "none"
    for branch in range(1, block.branches + 1):
        prefix = block_name(index) if plain else f"{block_name(index)}.branch{branch}"
        into, current = channels, size
        for name, conv in zip(names, block.convolutions, strict=True):
            yield _layer(
                f"{prefix}.{name}",
                conv.kind,
                (into, conv.width),
                (conv.kernel, conv.stride),
                current,
                (index, branch),
            )
            into, current = conv.width, output_size(current, conv.stride)
    if block.shortcut == "projection":
        yield _layer(
            f"{block_name(index)}.shortcut.projection",
            "pointwise",
            (channels, block.width),
            ((1, 1), block.stride),
            size,
            (index, 0),
        )


def _layer(
    name: str,
    kind: LayerKind,
    channels: tuple[int, int],
    window: tuple[Size, Size],
    size: Size,
    place: tuple[int, int],
) -> LayerSpec:
    (into, out), (kernel, stride) = channels, window
    groups = into if kind == "depthwise" else 1
    weights = into // groups * out * kernel[0] * kernel[1]
    output = output_size(size, stride)
    return LayerSpec(
        name,
        kind,
        into,
        out,
        kernel,
        stride,
        padding(size, kernel, stride),
        groups,
        size,
        output,
        weights,
        weights * output[0] * output[1],
        place[0],
        place[1],
    )


def count_parameters(specs: tuple[LayerSpec, ...]) -> int:
    """All trainable numbers: weights, the bias of the head, scale and shift of every batch norm."""
    return sum(
        spec.parameters + (0 if spec.kind == "linear" else 2 * spec.out_channels) for spec in specs
    )


def count_multiplications(specs: tuple[LayerSpec, ...]) -> int:
    """Multiplications of convolutions and head for one input."""
    return sum(spec.multiplications for spec in specs)


def downsampling(architecture: Architecture) -> int:
    """Product of all strides over both axes."""
    return math.prod(math.prod(block.stride) for block in architecture.choices)
