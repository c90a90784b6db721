"""Which block of a trained network each block of a new one comes from, and how far they are apart.

The blocks are aligned in order as two texts are for their edit distance: blocks are changed, put in
or left out, each at a price. The price says how much of a trained block survives; the prices are
set by hand, in units of a doubled width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analognas.search_spaces import Architecture, Block
from analognas.search_spaces.geometry import Size, output_size
from analognas.search_spaces.layers import LayerSpec

KIND_PRICE = 1.5
SHORTCUT_PRICE = 1.0
STRIDE_PRICE = 0.5  # per axis
MAP_PRICE = 0.25  # per doubled number of positions
KERNEL_PRICE = 0.25  # per doubled area
BRANCH_PRICE = 0.5  # per doubled number of branches
WIDTH_PRICE = 1.0  # per doubled width
NARROWER_PRICE = 1.5  # per halved width: units are lost
PUT_IN_PRICE = 3.0  # a block that no trained one stands for
LEFT_OUT_PRICE = 1.0  # a trained block that is not used
STRIDED_PRICE = 1.0  # more for either, if the block changes the map


@dataclass(frozen=True)
class Alignment:
    """For every block of the new network the index of the trained one's block, None for none."""

    distance: float
    partners: tuple[int | None, ...]


@dataclass(frozen=True)
class _Placed:
    block: Block
    size: Size  # of the map that comes out


def align_networks(new: Architecture, trained: Architecture) -> Alignment:
    """Align the blocks of two networks at the smallest total price; stem belongs to stem."""
    ours, theirs = _placed(new), _placed(trained)
    stem = _price(ours[0], theirs[0])
    rest, partners = align(
        len(ours) - 1,
        len(theirs) - 1,
        lambda i, j: _price(ours[i + 1], theirs[j + 1]),
        [_gap_price(one, PUT_IN_PRICE) for one in ours[1:]],
        [_gap_price(one, LEFT_OUT_PRICE) for one in theirs[1:]],
    )
    shifted = (None if partner is None else partner + 1 for partner in partners)
    return Alignment(stem + rest, (0, *shifted))


def nearest(new: Architecture, trained: Sequence[Architecture]) -> tuple[Architecture, Alignment]:
    """The trained network at the smallest distance (the smaller key if two are equally near).

    Raises:
        ValueError: There is none but the network itself.
    """
    others = [one for one in trained if one.key != new.key]
    if not others:
        raise ValueError(
            f"`trained` must hold a network other than {new.key}, but has none. Train some first."
        )
    aligned = [(align_networks(new, one), one) for one in others]
    alignment, parent = min(aligned, key=lambda pair: (pair[0].distance, pair[1].key))
    return parent, alignment


def align_layers(new: Sequence[LayerSpec], trained: Sequence[LayerSpec]) -> list[LayerSpec | None]:
    """For every layer of a branch its partner in a branch of the trained network, None for none.

    Depthwise layers belong to depthwise ones. Last layers belong to each other if nothing is lost
    by it.
    """

    def price(i: int, j: int) -> float:
        ours, theirs = new[i], trained[j]
        if (ours.kind == "depthwise") != (theirs.kind == "depthwise"):
            return math.inf
        both_last = i == len(new) - 1 and j == len(trained) - 1
        return -1.0 - 0.5 * (ours.kind == theirs.kind) - 0.25 * both_last

    _, partners = align(len(new), len(trained), price, [0.0] * len(new), [0.0] * len(trained))
    return [None if partner is None else trained[partner] for partner in partners]


def align(
    new: int,
    trained: int,
    price: Callable[[int, int], float],
    put_in: Sequence[float],
    left_out: Sequence[float],
) -> tuple[float, tuple[int | None, ...]]:
    """Align two sequences in order at the smallest price.

    Returns:
        The price, and for every place of the new sequence its partner's place, None for none.
    """
    best: list[list[tuple[float, tuple[int | None, ...]]]] = [
        [(0.0, ())] * (trained + 1) for _ in range(new + 1)
    ]
    for i in range(new + 1):
        for j in range(trained + 1):
            ways = []
            if i and j:
                cost, partners = best[i - 1][j - 1]
                ways.append((cost + price(i - 1, j - 1), (*partners, j - 1)))
            if i:
                cost, partners = best[i - 1][j]
                ways.append((cost + put_in[i - 1], (*partners, None)))
            if j:
                cost, partners = best[i][j - 1]
                ways.append((cost + left_out[j - 1], partners))
            if ways:
                best[i][j] = min(ways, key=lambda way: way[0])
    return best[new][trained]


def _placed(network: Architecture) -> list[_Placed]:
    size: Size = network.input_shape[1:]
    placed = []
    for block in network.choices:
        size = output_size(size, block.stride)
        placed.append(_Placed(block, size))
    return placed


def _price(new: _Placed, trained: _Placed) -> float:
    ours, theirs = new.block, trained.block
    wider = math.log2(ours.width / theirs.width)
    positions = math.prod(new.size) / math.prod(trained.size)
    return (
        (WIDTH_PRICE if wider > 0 else NARROWER_PRICE) * abs(wider)
        + KIND_PRICE * (_kinds(ours) != _kinds(theirs))
        + SHORTCUT_PRICE * (ours.shortcut != theirs.shortcut)
        + STRIDE_PRICE * sum(a != b for a, b in zip(ours.stride, theirs.stride, strict=True))
        + MAP_PRICE * abs(math.log2(positions))
        + KERNEL_PRICE * abs(math.log2(_area(ours) / _area(theirs)))
        + BRANCH_PRICE * abs(math.log2(ours.branches / theirs.branches))
    )


def _gap_price(one: _Placed, price: float) -> float:
    return price + STRIDED_PRICE * (one.block.stride != (1, 1))


def _kinds(block: Block) -> tuple[str, ...]:
    return tuple(convolution.kind for convolution in block.convolutions)


def _area(block: Block) -> int:
    """Positions of the largest kernel."""
    return max(math.prod(convolution.kernel) for convolution in block.convolutions)
