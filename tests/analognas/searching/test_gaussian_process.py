"""Optuna's Gaussian process where many genotypes stand for the same network."""

from analognas.searching.candidates import Proposal, Verdict
from analognas.searching.objectives import read_objective
from analognas.searching.strategies.base import Problem
from analognas.searching.strategies.optuna_samplers import GaussianProcess

STEPS = tuple(range(6))
PROBLEM = Problem({"active": STEPS, "idle": STEPS}, (read_objective("min:loss"),))
STARTUP = 3


def judge(proposal: Proposal, failed: bool = False) -> Verdict:
    """The best network is the one that random ones find as often as any other."""
    value = int(proposal.codes["active"])
    scores = {} if failed else {"loss": float((value - 4) ** 2)}
    return Verdict(key=str(value), scores=scores, codes=proposal.codes, failed=failed)


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


def test_what_brought_nothing_new_is_followed_by_a_random_genotype() -> None:
    first, other = (GaussianProcess(PROBLEM, 0, startup_trials=STARTUP) for _ in range(2))
    for batch in range(8):
        proposal = first.ask(batch, 1)[0]
        other.ask(batch, 1)
        first.tell([judge(proposal)])
        other.tell([judge(proposal)])
    assert first.ask(8, 1) == other.ask(8, 1)
    again = Proposal({"active": 4, "idle": 0})
    for strategy, batch in ((first, 9), (other, 9)):
        strategy.tell([judge(again)])
        strategy.replay(batch, [again])
    first.tell([judge(again)])
    other.tell([judge(again, failed=True)])
    assert first.ask(10, 1) == other.ask(10, 1), "both draw, whatever they learned"


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
