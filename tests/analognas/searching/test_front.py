"""The Pareto front and the ways of choosing from it."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognas.errors import UserError
from analognas.searching.candidates import Candidate
from analognas.searching.front import (
    MARGIN,
    FrontRecord,
    pareto_front,
    pick,
    pick_winners,
    write_front,
)
from analognas.searching.objectives import OBJECTIVES as KNOWN
from analognas.searching.objectives import select_objectives

OBJECTIVES = select_objectives(("accuracy@1day", "energy"))
Make = Callable[..., Candidate]


def candidate(key: str, accuracy: float, energy: float) -> Candidate:
    scores = dict.fromkeys(KNOWN, 0.0) | {"accuracy@1day": accuracy, "energy": energy}
    return Candidate(key, 0, {}, {"key": key}, scores)


@pytest.fixture
def front() -> tuple[FrontRecord, ...]:
    points = [
        ("best", 0.900, 9_000.0),
        ("almost", 0.899, 6_000.0),
        ("knee", 0.890, 1_000.0),
        ("low", 0.870, 800.0),
        ("least", 0.860, 700.0),
        ("useless", 0.300, 10.0),
    ]
    return pareto_front([candidate(*point) for point in points], OBJECTIVES)


def test_the_front_holds_what_nothing_beats_best_first() -> None:
    found = pareto_front(
        [
            candidate("cheap", 0.8, 1.0),
            candidate("beaten", 0.8, 2.0),
            candidate("good", 0.9, 5.0),
            candidate("worst", 0.1, 9.0),
        ],
        OBJECTIVES,
    )
    assert [member.key for member in found] == ["good", "cheap"]


def test_networks_with_equal_scores_are_on_the_front_once() -> None:
    found = pareto_front([candidate(key, 0.8, 1.0) for key in "abc"], OBJECTIVES)
    assert [member.key for member in found] == ["a"]


def test_the_front_of_nothing_is_empty() -> None:
    assert pareto_front([], OBJECTIVES) == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30
    )
)
def test_no_member_is_dominated_and_everything_else_is(
    points: list[tuple[int, int, int]],
) -> None:
    objectives = select_objectives(("accuracy@1day", "energy", "cores"))
    made = []
    for index, (accuracy, energy, cores) in enumerate(points):
        scores = dict.fromkeys(KNOWN, 0.0)
        scores |= {"accuracy@1day": float(accuracy), "energy": float(energy), "cores": float(cores)}
        made.append(Candidate(str(index), 0, {}, {}, scores))

    def losses(key: str) -> tuple[int, int, int]:
        accuracy, energy, cores = points[int(key)]
        return -accuracy, energy, cores

    def covers(first: str, second: str) -> bool:
        pairs = zip(losses(first), losses(second), strict=True)
        return all(one <= other for one, other in pairs)

    keys = [member.key for member in pareto_front(made, objectives)]
    assert not any(covers(one, other) for one in keys for other in keys if one != other)
    assert all(any(covers(one, str(index)) for one in keys) for index in range(len(points)))


def test_named_picks_are_the_best_the_balanced_and_the_cheapest_useful_one(
    front: tuple[FrontRecord, ...],
) -> None:
    assert pick(front, "accuracy", OBJECTIVES).key == "best"
    assert pick(front, "knee", OBJECTIVES).key == "knee"
    assert pick(front, "energy", OBJECTIVES).key == "least"
    assert pick(front, "useless", OBJECTIVES).key == "useless"
    assert pick(front, "alm", OBJECTIVES).key == "almost"
    assert {member.key: member.picks for member in front if member.picks} == {
        "best": ("accuracy",),
        "knee": ("knee",),
        "least": ("energy",),
    }


def test_a_network_far_below_the_best_is_never_picked_for_being_cheap(
    front: tuple[FrontRecord, ...],
) -> None:
    best = front[0].scores["accuracy@1day"]
    for winner in pick_winners(front, 5, OBJECTIVES):
        assert winner.scores["accuracy@1day"] >= best - MARGIN


def test_an_unknown_pick_lists_the_known_ones(front: tuple[FrontRecord, ...]) -> None:
    with pytest.raises(UserError, match="accuracy, knee, energy, best"):
        pick(front, "nothing", OBJECTIVES)
    with pytest.raises(UserError, match="several networks: low, least"):
        pick(front, "l", OBJECTIVES)
    with pytest.raises(UserError, match="front is empty"):
        pick((), "knee", OBJECTIVES)


def test_winners_are_the_picks_and_then_the_widest_gaps(front: tuple[FrontRecord, ...]) -> None:
    keys = [winner.key for winner in pick_winners(front, 4, OBJECTIVES)]
    assert keys == ["best", "knee", "least", "almost"]
    assert [winner.key for winner in pick_winners(front, 1, OBJECTIVES)] == ["best"]
    assert pick_winners(front, 0, OBJECTIVES) == ()
    assert len(pick_winners(front, 99, OBJECTIVES)) == 5
    assert pick_winners((), 3, OBJECTIVES) == ()


def test_a_front_of_one_network_has_one_winner_with_every_name() -> None:
    front = pareto_front([candidate("only", 0.8, 1.0)], OBJECTIVES)
    (winner,) = pick_winners(front, 3, OBJECTIVES)
    assert winner.name == "accuracy+knee+energy"


def test_the_table_marks_objectives_first_and_keeps_the_basis(
    front: tuple[FrontRecord, ...], tmp_path: Path
) -> None:
    write_front(
        tmp_path / "front.csv", front, OBJECTIVES, basis="predicted by X, a guess", scope="modelled"
    )
    with (tmp_path / "front.csv").open() as stream:
        header, *rows = list(csv.reader(stream))
    assert header[2:4] == [objective.heading for objective in OBJECTIVES]
    assert len(header) == 4 + len(KNOWN)
    assert all(row[-2] == "predicted by X, a guess" for row in rows)
    assert all(row[-1] == "modelled" for row in rows)
    assert [row[0] for row in rows] == [member.key for member in front]
