"""The hypervolume against known volumes and against counting cells."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analognas.searching.hypervolumes import contributions, hypervolume

SIDE = 5


def counted(points: list[tuple[int, ...]], objectives: int) -> int:
    """Unit cells below the reference point that some point dominates."""
    return sum(
        any(all(a <= b for a, b in zip(point, cell, strict=True)) for point in points)
        for cell in itertools.product(range(SIDE), repeat=objectives)
    )


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_it_is_the_number_of_dominated_cells(objectives: int, data: st.DataObject) -> None:
    point = st.tuples(*[st.integers(0, SIDE + 1)] * objectives)
    points = data.draw(st.lists(point, min_size=1, max_size=7))
    losses = np.array(points, dtype=float)
    reference = [float(SIDE)] * objectives
    assert hypervolume(losses, reference) == counted(points, objectives)
    for row, gain in enumerate(contributions(losses, reference)):
        without = counted(points[:row] + points[row + 1 :], objectives)
        assert gain == counted(points, objectives) - without


def test_points_beyond_the_reference_add_nothing() -> None:
    assert hypervolume(np.array([[2.0, 0.0], [0.0, 2.0]]), (1.0, 1.0)) == 0.0
    assert hypervolume(np.zeros((0, 2)), (1.0, 1.0)) == 0.0


def test_what_has_no_volume_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        hypervolume(np.array([[np.nan, 0.0]]), (1.0, 1.0))
    with pytest.raises(ValueError, match=r"\(N, D\)"):
        hypervolume(np.array([[0.0, 0.0, 0.0]]), (1.0, 1.0))
