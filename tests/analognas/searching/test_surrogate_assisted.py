"""The strategy that learns from what was evaluated, and its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from analognas.searching.candidates import Codes, Verdict
from analognas.searching.hypervolumes import hypervolume
from analognas.searching.objectives import OBJECTIVES, Objective
from analognas.searching.strategies.base import Description, Problem, Strategy, StrategyMaker
from analognas.searching.strategies.guesses import Guess
from analognas.searching.strategies.improvement import directions, improvements, reach
from analognas.searching.strategies.outlook import Outlook, Scales
from analognas.searching.strategies.random_search import RandomSearch
from analognas.searching.strategies.surrogate_assisted import START, SurrogateAssisted

ACCURACY, ENERGY = OBJECTIVES["accuracy@1day"], OBJECTIVES["energy"]
GENES = {**{f"width{index}": (1, 2, 3, 4, 5, 6) for index in range(5)}, "kind": ("a", "b")}
REFERENCE = (0.0, np.log(200.0))


def worth(codes: Codes) -> dict[str, float]:
    """Wide networks are accurate and dear, uneven ones and kind b are worse."""
    widths = [float(codes[f"width{index}"]) for index in range(5)]
    uneven = sum(abs(a - b) for a, b in pairwise(widths))
    accuracy = 1 - np.exp(-sum(widths) / 10) - 0.02 * uneven - 0.1 * (codes["kind"] == "b")
    return {ACCURACY.name: float(accuracy), ENERGY.name: float(np.sum(np.square(widths)))}


def problem(**settings: object) -> Problem:
    return replace(Problem(GENES, (ACCURACY, ENERGY)), **settings)  # type: ignore[arg-type]


def search(
    make: StrategyMaker, asked: Problem, seed: int, evaluations: int, seconds: float | None = None
) -> tuple[Strategy, list[Verdict]]:
    strategy, told = make(asked, seed), []
    for batch in range(evaluations):
        verdicts = []
        for proposal in strategy.ask(batch, strategy.batch_size):
            network = asked.identify(proposal.codes)
            assert network is not None
            verdicts.append(
                Verdict(
                    network.key,
                    worth(proposal.codes),
                    codes=proposal.codes,
                    seed=proposal.seed,
                    seconds=seconds,
                )
            )
        strategy.tell(verdicts)
        told += verdicts
        if len(told) >= evaluations:
            break
    return strategy, told[:evaluations]


def volume(verdicts: Sequence[Verdict]) -> float:
    losses = [[-v.scores[ACCURACY.name], np.log(v.scores[ENERGY.name])] for v in verdicts]
    return hypervolume(np.array(losses), REFERENCE)


def test_it_finds_more_than_random_search_with_as_many_evaluations() -> None:
    ours = [volume(search(SurrogateAssisted, problem(), seed, 20)[1]) for seed in range(2)]
    random = [volume(search(RandomSearch, problem(), seed, 20)[1]) for seed in range(6)]
    assert min(ours) > max(random)


def test_a_first_guess_of_an_objective_is_built_upon() -> None:
    def describe(codes: Sequence[Codes], *, guessed: bool) -> Description:
        keys = [repr([one[gene] for gene in GENES]) for one in codes]
        scores = [worth(one) for one in codes]
        features = pd.DataFrame({"nothing": 0.0}, index=keys)
        if guessed:
            features[ACCURACY.name] = [score[ACCURACY.name] for score in scores]
        known = pd.DataFrame({ENERGY.name: [score[ENERGY.name] for score in scores]}, index=keys)
        unique = ~features.index.duplicated()
        return Description(tuple(keys), features[unique], known[unique])

    def found(*, guessed: bool) -> float:
        asked = problem(describe=partial(describe, guessed=guessed))
        _, told = search(SurrogateAssisted, asked, 0, 14)
        return max(verdict.scores[ACCURACY.name] for verdict in told)

    assert found(guessed=True) > found(guessed=False) + 0.1


def test_members_of_the_front_are_repeated_where_seeds_differ() -> None:
    _, told = search(SurrogateAssisted, problem(replicable=True), 0, 30)
    repeated = [verdict for verdict in told if verdict.seed > 0]
    assert repeated
    assert max(verdict.seed for verdict in repeated) < 3
    _, told = search(SurrogateAssisted, problem(replicable=False), 0, 18)
    assert all(verdict.seed == 0 for verdict in told)


def test_nothing_is_evaluated_twice_under_one_seed() -> None:
    _, told = search(SurrogateAssisted, problem(replicable=True), 1, 30)
    evaluated = [(verdict.key, verdict.seed) for verdict in told[START:]]
    assert len(set(evaluated)) == len(evaluated)


def test_a_network_that_failed_is_not_proposed_again() -> None:
    strategy, told = search(SurrogateAssisted, problem(), 0, START)
    first = strategy.ask(1, 2)
    keys = [network.key for p in first if (network := problem().identify(p.codes))]
    strategy.tell(
        [Verdict(key, {}, codes=p.codes, failed=True) for key, p in zip(keys, first, strict=True)]
    )
    for batch in range(2, 4):
        again = strategy.ask(batch, 2)
        found = [network.key for p in again if (network := problem().identify(p.codes))]
        assert not set(found) & {*keys, *(verdict.key for verdict in told)}
        strategy.tell(
            [Verdict(k, {}, codes=p.codes, failed=True) for k, p in zip(found, again, strict=True)]
        )


def test_it_ends_when_there_is_little_to_gain() -> None:
    asked = problem()
    _, told = search(SurrogateAssisted, asked, 0, 14, seconds=60.0)

    def proposals_with(smallest_gain: float) -> Sequence[object]:
        strategy = SurrogateAssisted(asked, 0, smallest_gain=smallest_gain)
        strategy.tell(told)
        return strategy.ask(9, 2)

    assert proposals_with(1e-6)
    assert not proposals_with(10.0)


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_average_over_directions_is_the_hypervolume(objectives: int) -> None:
    rng = np.random.default_rng(0)
    front = rng.uniform(0.3, 1.0, (6, objectives))
    point = front.min(axis=0) - np.linspace(0.1, -0.1, objectives)
    reference = np.ones(objectives)
    along = directions(objectives, 200_000, rng)
    np.testing.assert_allclose(np.linalg.norm(along, axis=1), 1.0)
    reached = reach(front, reference, along).max(axis=0)
    gained = improvements(reach(point, reference, along), reached)
    exact = hypervolume(np.vstack([front, point]), reference) - hypervolume(front, reference)
    assert exact > 0
    # The same factor stands between both, whatever the points are.
    factor = reached.mean() / hypervolume(front, reference)
    assert gained / factor == pytest.approx(exact, rel=0.02)


def test_guesses_are_sure_where_something_is_known() -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(-1, 1, (40, 3))
    values = features @ np.array([1.0, -2.0, 0.0])
    guess = Guess(features, values, seed=0)
    luck = rng.standard_normal(200)
    drawn = guess.draw(np.vstack([features[:1], [[5.0, 5.0, 5.0]]]), luck)
    assert drawn.shape == (200, 2)
    process = drawn[:100]
    assert process[:, 0].mean() == pytest.approx(values[0], abs=0.1)
    assert process[:, 0].std() < 0.1 < process[:, 1].std()


def test_wide_ranges_are_compared_by_their_logarithms() -> None:
    losses = np.array([[1.0, -0.9], [10.0, -0.5], [100.0, -0.1]])
    scaled = Scales(losses).apply(losses)
    np.testing.assert_allclose(scaled[:, 0], [0.0, 0.5, 1.0])
    np.testing.assert_allclose(scaled[:, 1], [0.0, 0.5, 1.0])


def test_dear_evaluations_must_promise_more() -> None:
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"x": np.linspace(0, 1, 20)}, index=[f"{i}" for i in range(20)])
    nothing = pd.DataFrame(index=features.index)
    described = Description(tuple(features.index), features, nothing)
    losses = np.sin(20 * features[["x"]].to_numpy())

    def gains(seconds: Mapping[bool, float]) -> np.ndarray:
        outlook = Outlook(
            (Objective("metric", "metric", "minimize"),),
            described,
            losses,
            np.zeros(20),
            np.array([seconds[x > 0.5] for x in features["x"]]),
            np.random.default_rng(1),
        )
        asked = pd.DataFrame({"x": rng.permutation(np.linspace(0, 1, 50))}).sort_values("x")
        keys = tuple(map(str, range(50)))
        asked.index = pd.Index(keys)
        return outlook.gains(Description(keys, asked, pd.DataFrame(index=asked.index)))[0]

    even, uneven = gains({True: 10.0, False: 10.0}), gains({True: 100.0, False: 10.0})
    assert uneven[:20].sum() / uneven[30:].sum() > 2 * even[:20].sum() / even[30:].sum()


def test_demands_that_were_missed_are_learned() -> None:
    x, z = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 1, 6), np.linspace(0, 1, 6)))
    features = pd.DataFrame({"x": x, "z": z}, index=[f"{i}" for i in range(36)])
    outlook = Outlook(
        (Objective("metric", "metric", "maximize"),),
        Description(tuple(features.index), features, features[[]]),
        -features[["x"]].to_numpy(),
        np.where(z > 0.5, z, 0.0),
        np.full(36, np.nan),
        np.random.default_rng(1),
    )
    asked = pd.DataFrame({"x": [1.2, 1.2], "z": [0.1, 0.9]}, index=["kept", "missed"])
    gains, _ = outlook.gains(Description(("kept", "missed"), asked, asked[[]]))
    assert gains[0] > 5 * gains[1] > 0
