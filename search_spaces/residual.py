"""The four kinds of residual block of the space `resnet`."""

from functools import lru_cache

from analognas.search_spaces.architecture import Block, Convolution, Shortcut
from analognas.search_spaces.geometry import Size, output_size, strides_for

KINDS = ("A", "B", "C", "D")
SINGLE_STAGE_KINDS = ("C", "D")  # with one branch and a plain skip they are what a `conv` stage is
REACH = 3  # rows and columns of the kernels


def block_kernel(size: Size) -> Size:
    """The kernel within a residual block: three along every axis that has three, else one."""
    return (REACH if size[0] >= REACH else 1, REACH if size[1] >= REACH else 1)


def block_stride(size: Size, stride: int) -> Size:
    """The stride of a residual block on a map of this size."""
    return strides_for(block_kernel(size), stride)


@lru_cache(maxsize=32_768)
def residual_block(
    kind: str, branches: int, widths: tuple[int, int], size: Size, *, stride: int
) -> Block:
    """One residual block from `widths[0]` to `widths[1]` channels on a map of `size`."""
    into, width = widths
    kernel, step = block_kernel(size), block_stride(size, stride)
    window = (kernel, step)
    if kind == "A":
        second = block_kernel(output_size(size, step))
        convolutions = [
            Convolution("conv", width, *window),
            Convolution("conv", width, second),
        ]
    elif kind == "B":
        inner = max(1, width // 2)
        convolutions = [
            Convolution("pointwise", inner),
            Convolution("conv", inner, *window),
            Convolution("pointwise", width),
        ]
    elif kind == "C":
        convolutions = [
            Convolution("depthwise", into, *window),
            Convolution("pointwise", width),
        ]
    else:
        convolutions = [Convolution("conv", width, *window)]
    keeps_shape = into == width and step == (1, 1)
    shortcut: Shortcut = "identity" if keeps_shape else "projection"
    return Block(tuple(convolutions), branches, shortcut)


def kind_of(block: Block) -> str:
    """The letter of a residual block, or `unknown`."""
    kinds = tuple(convolution.kind for convolution in block.convolutions)
    letters = {
        ("conv", "conv"): "A",
        ("pointwise", "conv", "pointwise"): "B",
        ("depthwise", "pointwise"): "C",
        ("conv",): "D",
    }
    return letters.get(kinds, "unknown")
