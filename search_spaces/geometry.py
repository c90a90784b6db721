"""Sizes of feature maps: how kernels and strides act on them, and when they are allowed.

Two rules hold for every network of every space.

1. A kernel is never larger than the feature map it reads, so no weight meets only padding.
2. A convolution puts out `ceil(size / stride)` positions per axis, with the symmetric padding that
   `nn.Conv2d` knows. An even kernel can do so only with stride 2.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias, TypeVar

Size: TypeAlias = tuple[int, int]  # height, width
Choice = TypeVar("Choice", int, str)


@lru_cache(maxsize=256)
def parse_kernel(text: str) -> Size:
    """Read a kernel written as rows x columns, for example `10x4`."""
    rows, separator, columns = text.partition("x")
    if not (separator and rows.isdecimal() and columns.isdecimal() and int(rows) * int(columns)):
        raise ValueError(f"A kernel must be written like 3x3 or 10x4, but got {text!r}.")
    return int(rows), int(columns)


def strides_for(kernel: Size, stride: int) -> Size:
    """Stride per axis: where the kernel reads one position it is 1, so that no input is skipped."""
    return (stride if kernel[0] > 1 else 1, stride if kernel[1] > 1 else 1)


def output_size(size: Size, stride: Size) -> Size:
    """Positions after a convolution: `ceil(size / stride)` per axis."""
    return (-(-size[0] // stride[0]), -(-size[1] // stride[1]))


@lru_cache(maxsize=8192)
def padding(size: Size, kernel: Size, stride: Size) -> Size:
    """Symmetric padding with which a convolution puts out `output_size(size, stride)`.

    Per axis `p = max(0, ceil(((ceil(n / s) - 1) s + k - n) / 2))`, which is `k // 2` for odd `k`.

    Raises:
        ValueError: No symmetric padding does it (an even kernel with stride 1).
    """
    return _axis_padding(size[0], kernel[0], stride[0]), _axis_padding(
        size[1], kernel[1], stride[1]
    )


def _axis_padding(size: int, kernel: int, stride: int) -> int:
    wanted = -(-size // stride)
    missing = (wanted - 1) * stride + kernel - size
    amount = max(0, -(-missing // 2))
    if (size + 2 * amount - kernel) // stride + 1 != wanted:
        raise ValueError(
            f"A kernel of {kernel} with stride {stride} cannot turn {size} positions into {wanted} "
            "with symmetric padding. Use an odd kernel or stride 2."
        )
    return amount


def allowed_strides(kernel: Size, strides: Sequence[int]) -> tuple[int, ...]:
    """Strides that keep the rule on sizes: even kernels need stride 2."""
    even = kernel[0] % 2 == 0 or kernel[1] % 2 == 0
    return tuple(stride for stride in strides if stride == 2 or not even)


@lru_cache(maxsize=4096)
def allowed_kernels(
    kernels: tuple[str, ...], size: Size, strides: tuple[int, ...]
) -> tuple[str, ...]:
    """Kernels that are not larger than the map and that one of the strides suits."""
    allowed = []
    for text in kernels:
        kernel = parse_kernel(text)
        if kernel[0] <= size[0] and kernel[1] <= size[1] and allowed_strides(kernel, strides):
            allowed.append(text)
    return tuple(allowed)


def nearest(wanted: int | str, allowed: Sequence[Choice]) -> Choice:
    """`wanted` if it is allowed, else the allowed value nearest to it.

    Numbers and kernels are compared by the ratio of their sizes, other words are replaced by the
    first allowed one.
    """
    for value in allowed:
        if value == wanted:
            return value
    return min(allowed, key=lambda value: _distance(wanted, value))


def _distance(wanted: int | str, value: int | str) -> float:
    if isinstance(wanted, int) and isinstance(value, int):
        return abs(math.log((wanted + 1e-9) / (value + 1e-9)))
    if isinstance(wanted, str) and isinstance(value, str) and wanted[0].isdecimal():
        (rows, columns), (other_rows, other_columns) = parse_kernel(wanted), parse_kernel(value)
        return abs(math.log(rows / other_rows)) + abs(math.log(columns / other_columns))
    return 0.0
