"""The published evolution, and every known defect of its public code turned into a test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analognas.searching.budget import Budget
from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.demands import predicted_demands
from analognas.searching.objectives import select_objectives
from analognas.searching.strategies import Problem
from analognas.searching.strategies.analognas_evolution import AnalogNasEvolution, gene_groups
from analognas.searching.strategies.drawing import latin_hypercube

FITNESS = "accuracy@1day"

GENES: dict[str, tuple[int | str, ...]] = {
    "stages": (1, 2, 3, 4, 5),
    "conv.width_1": (8, 16, 32, 64),
    "conv.width_2": (8, 16, 32, 64),
    "conv.kind": ("regular", "separable", "pointwise"),
    "conv.kernel": ("1x1", "3x3", "5x5"),
    "input": ("only",),
}


def evolution(population: int = 20, seed: int = 0, constrained: bool = False) -> AnalogNasEvolution:
    problem = Problem(GENES, select_objectives((FITNESS,)), constrained, population)
    return AnalogNasEvolution(problem, seed)


def judge(codes: Codes, violation: float = 0.0) -> Verdict:
    accuracy = (
        int(codes["stages"]) + int(codes["conv.width_1"]) / 10 + int(codes["conv.width_2"])
    ) / 100
    return Verdict(repr(sorted(codes.items())), {FITNESS: accuracy}, violation)


def ask(strategy: AnalogNasEvolution, batch: int, count: int) -> list[dict[str, int | str]]:
    return [dict(proposal.codes) for proposal in strategy.ask(batch, count)]


def differences(first: Codes, second: Codes) -> list[str]:
    return [gene for gene in GENES if first[gene] != second[gene]]


def test_the_first_population_is_not_one_network_repeated() -> None:
    first = ask(evolution(), 0, 20)
    assert len({repr(codes) for codes in first}) > 15
    first[0]["stages"] = 99
    assert all(codes["stages"] != 99 for codes in first[1:])


def test_the_first_population_is_a_latin_hypercube_that_reaches_both_ends() -> None:
    drawn = latin_hypercube(GENES, 60, np.random.default_rng(0))
    for gene, values in GENES.items():
        counts = [sum(codes[gene] == value for codes in drawn) for value in values]
        assert counts == [60 // len(values)] * len(values)


def test_a_mutation_changes_one_gene_of_its_kind_and_nothing_else() -> None:
    strategy = evolution()
    rng = np.random.default_rng(0)
    groups = gene_groups(GENES)
    assert groups == {
        "depth": ("stages",),
        "width": ("conv.width_1", "conv.width_2"),
        "other": ("conv.kind", "conv.kernel"),
    }
    parent = latin_hypercube(GENES, 1, rng)[0]
    before = dict(parent)
    for kind, genes in groups.items():
        changed = [differences(parent, strategy.mutate(parent, kind, rng)) for _ in range(40)]
        assert all(len(change) == 1 for change in changed)
        assert {change[0] for change in changed} == set(genes)
    assert parent == before


def test_mutated_numbers_move_one_step_and_reach_both_bounds() -> None:
    strategy = evolution()
    rng = np.random.default_rng(0)
    parent = latin_hypercube(GENES, 1, rng)[0]
    reached = {
        stages: {
            strategy.mutate({**parent, "stages": stages}, "depth", rng)["stages"] for _ in range(30)
        }
        for stages in GENES["stages"]
    }
    assert reached == {1: {2}, 2: {1, 3}, 3: {2, 4}, 4: {3, 5}, 5: {4}}


def test_every_allowed_value_can_be_proposed() -> None:
    strategy = evolution()
    seen: set[tuple[str, int | str]] = set()
    for batch in range(15):
        codes = ask(strategy, batch, 20)
        seen |= {(gene, value) for proposal in codes for gene, value in proposal.items()}
        strategy.tell([judge(proposal) for proposal in codes])
    assert seen == {(gene, value) for gene, values in GENES.items() for value in values}


def test_children_descend_from_the_better_half() -> None:
    strategy = evolution()
    first = ask(strategy, 0, 20)
    strategy.tell([judge(codes) for codes in first])
    parents = [member.codes for member in strategy.population[: len(strategy.population) // 2]]
    for child in ask(strategy, 1, 20):
        assert min(len(differences(child, parent)) for parent in parents) == 1


def test_the_next_generation_is_the_best_of_parents_and_children() -> None:
    strategy = evolution()
    everyone: dict[str, float] = {}
    for batch in range(6):
        verdicts = [judge(codes) for codes in ask(strategy, batch, 20)]
        everyone |= {verdict.key: verdict.scores[FITNESS] for verdict in verdicts}
        strategy.tell(verdicts)
        kept = [member.verdict.scores[FITNESS] for member in strategy.population]
        assert kept == sorted(everyone.values(), reverse=True)[: len(kept)]
        assert len(kept) == min(20, len(everyone))


def test_the_best_is_the_best_ever_seen_and_not_the_last_child() -> None:
    strategy = evolution()
    best = 0.0
    for batch in range(6):
        verdicts = [judge(codes) for codes in ask(strategy, batch, 20)]
        best = max(best, *(verdict.scores[FITNESS] for verdict in verdicts))
        strategy.tell(verdicts)
        assert strategy.best is not None
        assert strategy.best.verdict.scores[FITNESS] == best


def test_the_constraint_is_checked_in_every_generation() -> None:
    strategy = evolution(constrained=True)
    for batch in range(6):
        codes = ask(strategy, batch, 20)
        # What scores best is infeasible, in all generations.
        strategy.tell([judge(c, violation=0.5 if int(c["stages"]) > 3 else 0.0) for c in codes])
        assert strategy.best is not None
        assert int(strategy.best.codes["stages"]) <= 3
    half = strategy.population[: len(strategy.population) // 2]
    assert all(member.verdict.violation <= 0 for member in half)


def test_without_any_feasible_network_it_goes_on_and_says_so() -> None:
    strategy = evolution(constrained=True)
    for batch in range(4):
        codes = ask(strategy, batch, 20)
        assert len(codes) == 20
        strategy.tell([judge(c, violation=1.0 / int(c["stages"])) for c in codes])
    assert strategy.best is None
    violations = [member.verdict.violation for member in strategy.population]
    assert violations == sorted(violations)


def test_without_any_network_it_starts_afresh() -> None:
    strategy = evolution()
    first = ask(strategy, 0, 20)
    strategy.tell([None] * 20)
    second = ask(strategy, 1, 20)
    assert len(second) == 20
    assert second != first


def test_accuracy_lost_over_a_month_is_bounded_on_the_real_loop(
    make_loop: Any, tmp_path: Path
) -> None:
    loop = make_loop(
        tmp_path / "journal.jsonl",
        "analognas",
        demands=predicted_demands(max_drop=0.1),
        population=20,
    )
    loop.run(Budget(evaluations=100))
    best = loop.strategy.best
    assert best.verdict.scores["drop"] <= 0.1
    feasible: Sequence[float] = [
        one.scores[FITNESS] for one in loop.candidates.values() if one.scores["drop"] <= 0.1
    ]
    assert best.verdict.scores[FITNESS] == max(feasible)


def test_no_global_random_state_is_touched() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    strategy = evolution()
    strategy.tell([judge(codes) for codes in ask(strategy, 0, 20)])
    ask(strategy, 1, 20)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]  # noqa: NPY002


def test_a_genotype_of_another_space_is_refused() -> None:
    with pytest.raises(ValueError, match="must have the genes"):
        evolution().replay(0, [Proposal({"stages": 1})])
