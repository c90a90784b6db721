"""Copies of layers on spare cores, so that the stages of a pipeline are equally long.

A stage lasts as long as its busiest core is read. Replicas of a layer share its multiplications; a
layer whose blocks each have a core of their own needs `copies * blocks` cores for a stage of
`ceil(mvms / copies)` multiplications. Giving a copy to the longest stage, again and again, is then
optimal: no other step can shorten the pipeline. Where blocks may share cores, the shortest stage
for which a packing is found is looked for first.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from analognas.simulator.chip.lower_bound import least_stage
from analognas.simulator.chip.packing import CoreSize, Item, Spot, pack
from analognas.simulator.mapping import TileBlock


@dataclass(frozen=True, slots=True)
class Stage:
    """A layer as the pipeline sees it."""

    mvms: int
    passes: int  # of the ADCs, to read its widest block
    blocks: tuple[TileBlock, ...]

    def reads(self, copies: int) -> int:
        """Of one of its cores per inference, if there are so many copies."""
        return -(-self.mvms // copies) * self.passes

    def copies(self, reads: int) -> int:
        """The fewest copies for at most so many reads."""
        return -(-self.mvms // (reads // self.passes))

    def next_copies(self, copies: int) -> int | None:
        """The fewest copies that shorten the stage; None if one multiplication is left."""
        mvms = -(-self.mvms // copies)
        return None if mvms == 1 else -(-self.mvms // (mvms - 1))


def items_of(stages: Sequence[Stage], copies: Sequence[int]) -> list[Item]:
    """All blocks to be packed, by layer, replica and block."""
    return [
        Item(block.rows, block.columns, stage.reads(count))
        for stage, count in zip(stages, copies, strict=True)
        for _ in range(count)
        for block in stage.blocks
    ]


def replicate_packed(
    stages: Sequence[Stage], spots: Sequence[Spot], rows: int, columns: int, cores: int
) -> tuple[list[int], list[Spot]]:
    """Choose copies and pack them so that the busiest core is read as rarely as can be found.

    Args:
        stages: The layers.
        spots: A packing of one copy of each.
        rows: Of a core.
        columns: Of a core.
        cores: Of the chip.

    Returns:
        The copies of every layer, and a spot for each item of `items_of`.
    """
    best = [1] * len(stages), list(spots)
    reads: dict[int, int] = {}
    for item, spot in zip(items_of(stages, best[0]), spots, strict=True):
        reads[spot.core] = reads.get(spot.core, 0) + item.reads
    high = max(reads.values(), default=0)
    low = least_stage(
        [(s.mvms, s.passes, b.rows * b.columns) for s in stages for b in s.blocks],
        cells=rows * columns,
        cores=cores,
    )
    while low < high:
        stage = (low + high) // 2
        copies = [one.copies(stage) for one in stages]
        found = pack(items_of(stages, copies), CoreSize(rows, columns, stage), at_most=cores)
        if found is None:
            low = stage + 1
        else:
            high, best = stage, (copies, found)
    return best


def use_spare_cores(stages: Sequence[Stage], copies: Sequence[int], spare: int) -> list[int]:
    """Give copies to the longest stage until the spare cores run out, a core to every block."""
    copies = list(copies)
    longest = [(-stage.reads(copies[index]), index) for index, stage in enumerate(stages)]
    heapq.heapify(longest)
    while longest and spare > 0:
        _, index = heapq.heappop(longest)
        wanted = stages[index].next_copies(copies[index])
        cost = (wanted - copies[index]) * len(stages[index].blocks) if wanted else 0
        if wanted is None or cost > spare:
            continue
        spare -= cost
        copies[index] = wanted
        heapq.heappush(longest, (-stages[index].reads(wanted), index))
    return copies
