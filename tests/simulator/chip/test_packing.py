import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analognas.simulator.chip.lower_bound import least_cores
from analognas.simulator.chip.packing import CoreSize, Item, Spot, pack

SIDE = 40


@st.composite
def packings(draw: st.DrawFn) -> tuple[list[Item], CoreSize]:
    rows, columns = draw(st.integers(1, SIDE)), draw(st.integers(1, SIDE))
    capacity = draw(st.none() | st.integers(1, 50))
    item = st.builds(
        Item, st.integers(1, rows), st.integers(1, columns), st.integers(0, capacity or 50)
    )
    return draw(st.lists(item, max_size=25)), CoreSize(rows, columns, capacity)


def assert_valid(items: list[Item], spots: list[Spot], size: CoreSize) -> None:
    assert len(spots) == len(items)
    by_core: dict[int, list[tuple[Item, Spot]]] = {}
    for item, spot in zip(items, spots, strict=True):
        assert 0 <= spot.row <= size.rows - item.rows
        assert 0 <= spot.column <= size.columns - item.columns
        by_core.setdefault(spot.core, []).append((item, spot))
    assert list(by_core) == list(range(len(by_core)))  # numbered in the order of the items
    for placed in by_core.values():
        if size.reads is not None:
            assert sum(item.reads for item, _ in placed) <= size.reads
        for (one, a), (other, b) in combinations(placed, 2):
            assert (
                a.row + one.rows <= b.row
                or b.row + other.rows <= a.row
                or a.column + one.columns <= b.column
                or b.column + other.columns <= a.column
            )


@settings(deadline=None, max_examples=150)
@given(packings())
def test_items_fit_their_cores_without_overlap_and_never_beat_the_bound(
    problem: tuple[list[Item], CoreSize],
) -> None:
    items, size = problem
    spots = pack(items, size)
    assert spots is not None
    assert_valid(items, spots, size)
    bound = least_cores([(item.rows, item.columns) for item in items], size.rows, size.columns)
    assert bound <= len({spot.core for spot in spots}) <= len(items)
    assert pack(items, size) == spots


@settings(deadline=None, max_examples=80)
@given(packings(), st.integers(1, 10))
def test_a_limit_is_kept_or_nothing_returned(
    problem: tuple[list[Item], CoreSize], at_most: int
) -> None:
    items, size = problem
    spots = pack(items, size, at_most=at_most)
    free = pack(items, size)
    assert free is not None
    if len({spot.core for spot in free}) <= at_most:
        assert spots is not None
    if spots is not None:
        assert_valid(items, spots, size)
        assert len({spot.core for spot in spots}) <= at_most


def test_tiles_that_fill_a_core_are_put_together_again() -> None:
    size = CoreSize(1024, 512)
    cut = [(1024, 100), (500, 412), (524, 200), (200, 212), (324, 112), (324, 100)]
    spots = pack([Item(*sides) for sides in cut], size)
    assert spots is not None
    assert {spot.core for spot in spots} == {0}


def test_busy_items_are_kept_apart() -> None:
    spots = pack([Item(1, 1, 6), Item(1, 1, 6), Item(1, 1, 4)], CoreSize(9, 9, 10))
    assert spots is not None
    assert spots[0].core != spots[1].core


@pytest.mark.parametrize(
    ("sizes", "bound"),
    [
        ([], 0),
        ([(10, 10)], 1),
        ([(10, 5), (10, 5)], 1),
        ([(6, 6)] * 3, 3),  # no two lie side by side, though their area fits two cores
        ([(6, 10), (6, 10), (4, 10)], 2),
        ([(6, 6), (4, 4), (6, 6)], 2),
        ([(5, 5)] * 5, 2),
        ([(6, 5)] * 4, 2),
    ],
)
def test_the_bound_sees_what_cannot_lie_side_by_side(
    sizes: list[tuple[int, int]], bound: int
) -> None:
    assert least_cores(sizes, 10, 10) == bound


def test_many_small_items_are_packed_quickly() -> None:
    items = [Item(9 * (1 + index % 7), 8 * (1 + index % 11)) for index in range(400)]
    start = time.process_time()
    assert pack(items, CoreSize(256, 256)) is not None
    assert time.process_time() - start < 1.0
