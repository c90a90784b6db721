"""Optuna's Gaussian process where many genotypes stand for the same network."""

from dataclasses import replace

import pytest

from analognas.searching.candidates import Proposal, Verdict
from analognas.searching.objectives import read_objective
from analognas.searching.strategies.base import Problem, batch_generator
from analognas.searching.strategies.drawing import random_codes
from analognas.searching.strategies.optuna_samplers import GaussianProcess

STEPS = tuple(range(6))
PROBLEM = Problem({"active": STEPS, "idle": STEPS}, (read_objective("min:loss"),))
STARTUP = 3


def judge(proposal: Proposal) -> Verdict:
    """One gene makes the network, and 4 is its best value."""
    value = int(proposal.codes["active"])
    return Verdict(key=str(value), scores={"loss": (value - 4.0) ** 2}, codes=proposal.codes)


def test_it_finds_all_networks_although_it_likes_one_best() -> None:
    strategy = GaussianProcess(PROBLEM, 0, startup_trials=STARTUP)
    found: list[str] = []
    for batch in range(45):
        verdict = judge(strategy.ask(batch, 1)[0])
        found.append(verdict.key)
        strategy.tell([verdict])
    assert set(found) == {str(value) for value in STEPS}
    # What it knows is told again, or it would not come back to the best in between.
    assert found[STARTUP:].count("4") > 45 / len(STEPS)


@pytest.mark.parametrize("outcome", ["known", "failed", "nothing fits"])
def test_what_brought_nothing_new_is_followed_by_a_random_genotype(outcome: str) -> None:
    strategy = GaussianProcess(PROBLEM, 0, startup_trials=STARTUP)
    for batch in range(5):
        proposal = strategy.ask(batch, 1)[0]
        strategy.tell([judge(proposal)])
    strategy.ask(5, 1)
    known = judge(proposal)
    strategy.tell([{"known": known, "failed": replace(known, failed=True)}.get(outcome)])
    drawn = random_codes(PROBLEM.genes, batch_generator(0, "random", 6))
    assert strategy.ask(6, 1) == [Proposal(drawn)]


def test_a_search_that_goes_on_draws_what_it_would_have_drawn() -> None:
    whole = GaussianProcess(PROBLEM, 1, startup_trials=STARTUP)
    history = []
    for batch in range(12):
        proposal = whole.ask(batch, 1)[0]
        whole.tell([judge(proposal)])
        history.append(proposal)
    again = GaussianProcess(PROBLEM, 1, startup_trials=STARTUP)
    for batch, proposal in enumerate(history[:7]):
        again.replay(batch, [proposal])
        again.tell([judge(proposal)])
    for batch, proposal in enumerate(history[7:], 7):
        assert again.ask(batch, 1) == [proposal]
        again.tell([judge(proposal)])
