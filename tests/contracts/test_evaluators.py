"""What everything that evaluates promises: our own evaluators, tables and functions."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analognas import Result, TableEvaluator, Trial
from analognas.examples.own_evaluator import NoisyEvaluator
from analognas.search_spaces import Architecture, make_space
from analognas.searching.evaluators import (
    Evaluator,
    FunctionEvaluator,
    is_replicable,
    offered_fidelities,
)
from analognas.searching.trials import evaluate_apart

SPACE = make_space("conv", input_shape=(1, 16, 16), n_classes=10)


def draw(count: int) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [SPACE.sample(rng, lambda arch: SPACE.parameters(arch) < 300_000) for _ in range(count)]


def size_of(arch: Architecture) -> dict[str, float]:
    return {"parameters": float(SPACE.parameters(arch))}


def size_at(arch: Architecture, fidelity: float, seed: int) -> dict[str, float]:
    return {"parameters": SPACE.parameters(arch) * fidelity + seed}


def make_table() -> TableEvaluator:
    rows: list[dict[str, Any]] = [
        {"architecture": arch, "fidelity": fidelity, "seed": seed, "accuracy": 0.1 * seed, "x": 1.0}
        for arch in draw(6)
        for fidelity in (0.5, 1.0)
        for seed in (7, 9)
    ]
    return TableEvaluator(pd.DataFrame(rows), SPACE)


EVALUATORS: dict[str, Callable[[], Evaluator]] = {
    "function": lambda: FunctionEvaluator(size_of),
    "function with seed and fidelity": lambda: FunctionEvaluator(size_at),
    "table": make_table,
    "example": NoisyEvaluator,
}


@pytest.fixture(params=list(EVALUATORS))
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    return EVALUATORS[request.param]()


def trials_of(evaluator: Evaluator) -> list[Trial]:
    seeds = (0, 1) if is_replicable(evaluator) else (0,)
    return [
        Trial(arch, fidelity, seed)
        for arch in draw(6)
        for fidelity in offered_fidelities(evaluator)
        for seed in seeds
    ]


def values(results: Sequence[Result]) -> list[Any]:
    return [(result.metrics, result.seconds, result.failure) for result in results]


def test_every_trial_has_one_finite_result_with_the_same_metrics(evaluator: Evaluator) -> None:
    trials = trials_of(evaluator)
    results = evaluate_apart(evaluator, trials)
    assert len(results) == len(trials)
    assert [result.failure for result in results] == [None] * len(trials)
    assert len({tuple(result.metrics or {}) for result in results}) == 1


def test_a_result_depends_on_its_trial_alone(evaluator: Evaluator) -> None:
    trials = trials_of(evaluator)
    together = values(evaluator.evaluate(trials))
    assert values(evaluator.evaluate(trials[::-1]))[::-1] == together
    assert [values(evaluator.evaluate([trial]))[0] for trial in trials] == together


def test_another_seed_gives_another_result_only_if_it_says_so(evaluator: Evaluator) -> None:
    first, second = evaluator.evaluate([Trial(draw(1)[0], seed=seed) for seed in (0, 1)])
    assert (first.metrics != second.metrics) == is_replicable(evaluator)


def test_full_evaluations_are_offered(evaluator: Evaluator) -> None:
    assert offered_fidelities(evaluator)[-1] == 1.0
    assert not list(evaluator.evaluate([]))


@pytest.mark.parametrize("fidelities", [(), (0.5,), (0.0, 1.0), (1.0, 2.0), ("low", "high")])
def test_fidelities_that_make_no_sense_are_refused(fidelities: tuple[Any, ...]) -> None:
    class Odd(NoisyEvaluator):
        pass

    Odd.fidelities = fidelities
    with pytest.raises(ValueError, match="1 must be one of them"):
        offered_fidelities(Odd())
