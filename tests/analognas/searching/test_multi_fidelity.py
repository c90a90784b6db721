"""Successive halving: who goes on, who is repeated, and who never is."""

from collections.abc import Sequence

import numpy as np
import pytest

from analognas.searching.candidates import Proposal, Verdict
from analognas.searching.objectives import read_objective
from analognas.searching.strategies import Problem
from analognas.searching.strategies.multi_fidelity import (
    MOST_SEEDS,
    MultiFidelity,
    boundary,
    promotion_order,
)
from analognas.searching.strategies.sorting import crowding, non_dominated_ranks

GENES: dict[str, tuple[int | str, ...]] = {"x": tuple(range(20)), "y": tuple(range(20))}


def strategy(*, replicable: bool = False) -> MultiFidelity:
    objectives = (read_objective("min:first"), read_objective("min:second"))
    problem = Problem(GENES, objectives, fidelities=(0.25, 0.5, 1.0), replicable=replicable)
    return MultiFidelity(problem, 0)


def judge(
    proposals: Sequence[Proposal], *, noise: float = 0.0, fails: int | None = None
) -> list[Verdict]:
    verdicts = []
    for one in proposals:
        x, y = int(one.codes["x"]), int(one.codes["y"])
        shift = noise * float(np.random.default_rng([x, y, one.seed]).normal())
        scores = {"first": x + y + shift, "second": 20.0 - x + y + shift}
        key, failed = f"{x}-{y}", x == fails
        verdicts.append(
            Verdict(
                key, {} if failed else scores, 0.0, one.codes, one.fidelity, one.seed, None, failed
            )
        )
    return verdicts


def test_half_goes_on_to_twice_the_fidelity_and_then_a_new_bracket_begins() -> None:
    halving = strategy()
    rungs = []
    for batch in range(12):
        proposals = halving.ask(batch, halving.batch_size)
        rungs.append([(one.fidelity, str(one.codes)) for one in proposals])
        halving.tell(judge(proposals))
    assert [len(rung) for rung in rungs] == [4, 2, 1, 8, 4, 2, 16, 8, 4, 16, 8, 4]
    assert [rung[0][0] for rung in rungs] == [0.25, 0.5, 1.0] * 4
    for before, after in ((0, 1), (1, 2), (3, 4), (6, 7)):
        assert {codes for _, codes in rungs[after]} <= {codes for _, codes in rungs[before]}


def test_what_is_told_twice_counts_once() -> None:
    halving = strategy(replicable=True)
    first = halving.ask(0, halving.batch_size)
    halving.tell(judge(first, noise=1.0))
    results = {spot: len(values) for spot, values in halving._results.items()}
    halving.replay(1, first)
    halving.tell(judge(first, noise=1.0))
    assert {spot: len(values) for spot, values in halving._results.items()} == results


def test_nobody_goes_on_before_somebody_who_is_better_in_everything() -> None:
    halving = strategy()
    first = halving.ask(0, halving.batch_size)
    verdicts = judge(first)
    halving.tell(verdicts)
    promoted = {str(one.codes) for one in halving.ask(1, halving.batch_size)}
    losses = np.array([list(verdict.scores.values()) for verdict in verdicts])
    ranks = non_dominated_ranks(losses)
    in_ranks = [rank for one, rank in zip(first, ranks, strict=True) if str(one.codes) in promoted]
    out_ranks = [r for one, r in zip(first, ranks, strict=True) if str(one.codes) not in promoted]
    assert max(in_ranks) <= min(out_ranks)


def test_failed_networks_never_go_on() -> None:
    halving = strategy()
    for batch in range(9):
        proposals = halving.ask(batch, halving.batch_size)
        if proposals[0].fidelity > 0.25:
            assert all(one.codes["x"] != 0 for one in proposals)
        halving.tell(judge(proposals, fails=0))


def test_after_a_bracket_in_which_all_failed_the_next_one_begins() -> None:
    halving = strategy()
    for batch in range(3):
        proposals = halving.ask(batch, halving.batch_size)
        assert {one.fidelity for one in proposals} == {0.25}
        verdicts = judge(proposals)
        halving.tell([Verdict(v.key, {}, 0.0, v.codes, v.fidelity, failed=True) for v in verdicts])


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_repetitions_go_where_they_can_change_the_decision(noise: float) -> None:
    halving = strategy(replicable=True)
    repeated: list[Proposal] = []
    everything = 0
    for batch in range(40):
        proposals = halving.ask(batch, halving.batch_size)
        repeated += [one for one in proposals if one.seed > 0]
        everything += len(proposals)
        halving.tell(judge(proposals, noise=noise))
    assert all(one.fidelity < 1.0 and one.seed < MOST_SEEDS for one in repeated)
    if noise == 0.0:
        assert len(repeated) == 4  # a first look at the spread, at each of two fidelities
    else:
        assert 0.1 * everything < len(repeated) < 0.5 * everything


def test_the_boundary_is_where_an_error_would_exchange_two_networks() -> None:
    losses = np.array([[0.0], [1.0], [1.9], [2.0], [5.0], [6.0]])
    errors = np.full((6, 1), 0.15)
    assert boundary(losses, np.zeros(6), 3, errors) == [2, 3]
    assert boundary(losses, np.zeros(6), 3, np.zeros((6, 1))) == []


def test_the_infeasible_come_last_the_least_violating_first() -> None:
    losses = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [0.5, 0.5]])
    assert promotion_order(losses, np.array([3.0, 0.0, 0.0, 1.0])).tolist() == [1, 2, 3, 0]


def test_ranks_and_crowding_of_a_small_example() -> None:
    losses = np.array([[0.0, 4.0], [1.0, 2.0], [4.0, 0.0], [2.0, 3.0], [5.0, 5.0], [1.0, 2.0]])
    ranks = non_dominated_ranks(losses)
    assert ranks.tolist() == [0, 0, 0, 1, 2, 0]
    lonely = crowding(losses, ranks)
    assert np.isinf(lonely[[0, 2, 3, 4]]).all()
    assert np.isfinite(lonely[[1, 5]]).all()
