"""Pack rectangles into as few equal cores as possible, without turning them.

Every core keeps its maximal free rectangles. Items come in a fixed order, the largest first, and
each goes where its rest is smallest, into a new core only if it fits no other. Several orders are
tried; then items that found no place come first in the next try, until the lower bound is met or
enough was tried. (Maximal rectangles: Jylanki, A thousand ways to pack the bin, 2010. Repair:
Joslin and Clements, Squeaky wheel optimization, JAIR 10, 1999.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from analognas.simulator.chip.lower_bound import least_cores

EFFORT = 3_000  # items placed, after the first tries
MOST_REPAIRS = 40
FreeRect: TypeAlias = tuple[int, int, int, int]  # row, column, rows, columns


@dataclass(frozen=True, slots=True)
class Item:
    """A rectangle to be packed."""

    rows: int
    columns: int
    reads: int = 0  # how long it keeps its core busy per inference


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an item lies."""

    core: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class CoreSize:
    """What one core takes."""

    rows: int
    columns: int
    reads: int | None = None  # of all its items together; None: any


ORDERS: tuple[Callable[[Item], tuple[int, ...]], ...] = (
    lambda item: (item.rows * item.columns, item.rows),
    lambda item: (max(item.rows, item.columns), item.rows * item.columns),
    lambda item: (item.rows, item.columns),
    lambda item: (item.columns, item.rows),
)


def pack(items: Sequence[Item], size: CoreSize, *, at_most: int | None = None) -> list[Spot] | None:
    """Find a core and a place in it for every item.

    The same items give the same packing, and never need more cores than there are items.

    Args:
        items: Each fits a core.
        size: Of a core.
        at_most: So many cores are good enough; more are a failure.

    Returns:
        One spot per item, cores in the order of the items; None if more than `at_most` are needed.
    """
    if not items:
        return []
    goal = least_cores([(item.rows, item.columns) for item in items], size.rows, size.columns)
    if at_most is not None:
        if goal > at_most:
            return None
        goal = at_most
    limit = len(items) if at_most is None else min(len(items), at_most)
    best: list[Spot] | None = None
    orders = [
        sorted(range(len(items)), key=lambda i: key(items[i]), reverse=True) for key in ORDERS
    ]
    repairs = min(MOST_REPAIRS, EFFORT // len(items))
    for order in orders:
        for by_area in (False, True):
            spots, unplaced = _fill(items, order, size, limit, by_area=by_area)
            if not unplaced:
                best = spots
                limit = max(spot.core for spot in best)  # one core less than these
                if limit < goal:
                    return _in_order(best)
    order = orders[0]
    for repair in range(repairs):
        spots, unplaced = _fill(items, order, size, limit, by_area=bool(repair % 2))
        if unplaced:
            late = set(unplaced)
            order = [*unplaced, *(index for index in order if index not in late)]
            continue
        best = spots
        limit = max(spot.core for spot in best)
        if limit < goal:
            break
    return None if best is None else _in_order(best)


@dataclass(slots=True)
class _Core:
    """A core that is being filled."""

    reads: float
    free: list[FreeRect]
    highest: int = field(init=False)  # rows of the highest free rectangle
    widest: int = field(init=False)

    def __post_init__(self) -> None:
        self.highest = max((rect[2] for rect in self.free), default=0)
        self.widest = max((rect[3] for rect in self.free), default=0)

    def best(self, item: Item, *, by_area: bool) -> tuple[int, int, FreeRect] | None:
        """The free rectangle that suits best, with two measures of what would be left beside."""
        rows, columns = item.rows, item.columns
        best: tuple[int, int, FreeRect] | None = None
        for rect in self.free:
            above, beside = rect[2] - rows, rect[3] - columns
            if above < 0 or beside < 0:
                continue
            if by_area:
                score = (rect[2] * rect[3] - rows * columns, min(above, beside), rect)
            elif above < beside:
                score = (above, beside, rect)
            else:
                score = (beside, above, rect)
            if best is None or score < best:
                best = score
        return best

    def take(self, item: Item, row: int, column: int) -> None:
        """Cut an item out of all free rectangles; those inside of others are dropped."""
        bottom, right = row + item.rows, column + item.columns
        kept: list[FreeRect] = []
        cut: list[FreeRect] = []
        for rect in self.free:
            top, left, rows, columns = rect
            if row >= top + rows or bottom <= top or column >= left + columns or right <= left:
                kept.append(rect)
                continue
            if row > top:
                cut.append((top, left, row - top, columns))
            if bottom < top + rows:
                cut.append((bottom, left, top + rows - bottom, columns))
            if column > left:
                cut.append((top, left, rows, column - left))
            if right < left + columns:
                cut.append((top, right, rows, left + columns - right))
        for index, rect in enumerate(cut):
            others = (*kept, *cut[index + 1 :])
            if not any(_inside(rect, other) for other in others):
                kept.append(rect)
        self.free = kept
        self.reads -= item.reads
        self.__post_init__()


def _inside(rect: FreeRect, other: FreeRect) -> bool:
    return (
        rect[0] >= other[0]
        and rect[1] >= other[1]
        and rect[0] + rect[2] <= other[0] + other[2]
        and rect[1] + rect[3] <= other[1] + other[3]
    )


def _fill(
    items: Sequence[Item], order: Sequence[int], size: CoreSize, limit: int, *, by_area: bool
) -> tuple[list[Spot], list[int]]:
    """Pack in this order into at most `limit` cores; returns spots and the items without one."""
    cores: list[_Core] = []
    spots: dict[int, Spot] = {}
    unplaced: list[int] = []
    capacity = float("inf") if size.reads is None else size.reads
    for index in order:
        item = items[index]
        rows, columns, reads = item.rows, item.columns, item.reads
        best: tuple[int, int, FreeRect] | None = None
        where = -1
        for number, core in enumerate(cores):
            if core.highest < rows or core.widest < columns or core.reads < reads:
                continue
            found = core.best(item, by_area=by_area)
            if found is not None and (best is None or found[:2] < best[:2]):
                best, where = found, number
        if best is None:
            if len(cores) == limit:
                unplaced.append(index)
                continue
            cores.append(_Core(capacity, [(0, 0, size.rows, size.columns)]))
            where, best = len(cores) - 1, (0, 0, (0, 0, 0, 0))
        row, column = best[2][:2]
        cores[where].take(item, row, column)
        spots[index] = Spot(where, row, column)
    return [spots[index] for index in range(len(items)) if index in spots], unplaced


def _in_order(spots: Sequence[Spot]) -> list[Spot]:
    """The same with cores numbered in the order in which items use them."""
    numbers: dict[int, int] = {}
    return [
        Spot(numbers.setdefault(spot.core, len(numbers)), spot.row, spot.column) for spot in spots
    ]
