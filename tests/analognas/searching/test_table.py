"""Tables of results as evaluators, and the space of the networks that they have."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analognas import TableEvaluator, TableSpace, Trial, run_search
from analognas.examples.own_space import Perceptron, PerceptronSpace, evaluate
from analognas.search_spaces import Architecture, make_space

CONV = make_space("conv", input_shape=(1, 16, 16), n_classes=10)
SPACE = PerceptronSpace()
OBJECTIVES = ("max:accuracy", "min:parameters")


def networks(count: int = 12) -> list[Architecture]:
    rng = np.random.default_rng(0)
    return [CONV.sample(rng) for _ in range(count)]


def frame(count: int = 12, seeds: tuple[int, ...] = (0,)) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for index, arch in enumerate(networks(count)):
        text = json.dumps(arch.to_dict())
        size = CONV.parameters(arch)
        rows += [
            {"architecture": text, "seed": seed, "accuracy": 0.5 + 0.01 * index + 0.1 * seed}
            | {"parameters": size, "seconds": 2.0}
            for seed in seeds
        ]
    return pd.DataFrame(rows)


def genes_frame() -> pd.DataFrame:
    rows = [
        {**SPACE.codes(net), **evaluate(net)} for net in map(Perceptron, [(8,), (16, 8), (32,)])
    ]
    return pd.DataFrame(rows)


# What can be given.


@pytest.mark.parametrize("form", ["frame", "csv", "parquet", "mapping", "evaluator"])
def test_a_table_in_any_form_is_an_evaluator(form: str, tmp_path: Path) -> None:
    table: Any = frame()
    if form == "csv":
        table.to_csv(tmp_path / "table.csv", index=False)
        table = str(tmp_path / "table.csv")
    elif form == "parquet":
        table.to_parquet(tmp_path / "table.parquet")
        table = tmp_path / "table.parquet"
    elif form == "mapping":
        metrics = frame()[["accuracy", "parameters"]].to_dict("records")
        table = dict(zip(networks(), metrics, strict=True))
    elif form == "evaluator":
        table = TableEvaluator(frame(), CONV)
    outcome = run_search(CONV, table, OBJECTIVES, budget=12)
    expected = {arch.key: 0.5 + 0.01 * index for index, arch in enumerate(networks())}
    found = {one.key: one.scores["accuracy"] for one in outcome.evaluations}
    assert found == pytest.approx(expected)
    assert outcome.seconds == 24.0 or form == "mapping"


def test_networks_may_be_given_by_their_genes() -> None:
    outcome = run_search(SPACE, genes_frame(), ("max:accuracy", "min:weights"), budget=3)
    assert {one.key for one in outcome.evaluations} == {"8", "16-8", "32"}


@pytest.mark.parametrize("strategy", ["random", "nsga2", "regularised-evolution", "local-search"])
def test_every_network_of_a_table_is_found(strategy: str) -> None:
    outcome = run_search(CONV, frame(), OBJECTIVES, strategy, budget=12)
    assert len(outcome.evaluations) == 12


def test_seeds_are_numbered_from_the_lowest_and_used_for_the_optimism() -> None:
    table = TableEvaluator(frame(seeds=(11, 5)), CONV)
    arch = networks()[0]
    results = table.evaluate([Trial(arch, seed=seed) for seed in (0, 1, 2)])
    accuracies = [None if r.metrics is None else r.metrics["accuracy"] for r in results]
    assert accuracies[:2] == [pytest.approx(1.0), pytest.approx(1.6)]
    assert results[2].failure == f"the table has no seed 2 of network {arch.key}"
    assert table.seeds(arch.key) == 2
    outcome = run_search(CONV, table, OBJECTIVES, budget=12, reevaluate=1)
    assert outcome.reevaluation is not None
    assert outcome.reevaluation.gaps["accuracy"] == pytest.approx(-0.6)


def test_learning_curves_are_fidelities() -> None:
    short, full = frame(), frame()
    short["fidelity"], full["fidelity"] = 0.5, 1.0
    outcome = run_search(CONV, pd.concat([short, full]), OBJECTIVES, "multi-fidelity", 8)
    assert {one.fidelity for one in outcome.evaluations} == {0.5, 1.0}
    assert outcome.failed == 0


# What is refused, with its row.


def change(**columns: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(table: pd.DataFrame) -> pd.DataFrame:
        for name, value in columns.items():
            table[name] = table[name].astype(object) if name in table.columns else 1.0
            table.loc[2, name] = value
        return table

    return changed


FOREIGN = make_space("resnet", input_shape=(1, 16, 16), n_classes=10)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (change(accuracy=float("nan")), "Row 3 of the table: `accuracy` must be a finite number"),
        (change(accuracy="high"), "Row 3 .*finite number, but got 'high'"),
        (change(accuracy=None), "Row 3 .*`accuracy`"),
        (change(fidelity=2.0), "Row 3 .*fidelity must be above 0 and at most 1"),
        (change(fidelity=0.5), "must have a full evaluation"),
        (change(seed=0.5), "Row 3 .*whole number"),
        (change(seconds=-1.0), "Row 3 .*`seconds` must not be negative"),
        (change(architecture="{"), "Row 3 .*cannot be read"),
        (change(architecture="[]"), "Row 3 .*cannot be read"),
        (
            change(architecture=json.dumps(next(iter(FOREIGN.named.values())).to_dict())),
            "Row 3 .*not in the space",
        ),
        (lambda table: pd.concat([table, table[:1]]), "Row 13 .*must be there once"),
        (lambda table: table[:0], "at least one row"),
        (lambda table: table.drop(columns="architecture"), "column `architecture` or in one"),
        (lambda table: table[["architecture", "seed"]], "must have metrics"),
        (lambda table: table.drop(columns="parameters"), "no 'parameters'. It has: accuracy"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_the_rule(
    broken: Callable[[pd.DataFrame], pd.DataFrame], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        run_search(CONV, broken(frame()), OBJECTIVES, budget=5)


def test_a_gene_without_such_a_value_is_named_with_its_row() -> None:
    table = genes_frame()
    table.loc[1, "width_1"] = 17
    with pytest.raises(ValueError, match=r"Row 2 .*gene 'width_1' must be one of 8, 16"):
        run_search(SPACE, table, "max:accuracy", budget=5)


def test_a_mapping_must_have_networks_as_keys() -> None:
    with pytest.raises(ValueError, match="must have networks of the space as keys, but got 'a'"):
        run_search(CONV, {"a": {"accuracy": 1.0}}, "max:accuracy", budget=5)


def test_a_budget_that_ends_before_the_first_label_says_so() -> None:
    with pytest.raises(ValueError, match="ends before the first evaluation, which takes 2 s"):
        run_search(CONV, frame(), OBJECTIVES, budget="1s")


def test_a_search_goes_on_with_the_very_same_table_only(tmp_path: Path) -> None:
    first = run_search(CONV, frame(), OBJECTIVES, budget=6, directory=tmp_path / "run")
    shuffled = frame().sample(frac=1.0, random_state=0)
    again = run_search(CONV, shuffled, OBJECTIVES, budget=6, directory=tmp_path / "run")
    assert again.evaluations == first.evaluations
    other = frame().assign(accuracy=0.5)
    with pytest.raises(ValueError, match="search with other table"):
        run_search(CONV, other, OBJECTIVES, budget=6, directory=tmp_path / "run")


# The space of the networks of a table.


def test_a_genotype_becomes_the_nearest_network() -> None:
    members = networks()
    space = TableSpace(CONV, members)
    assert [member.key for member in space.members] == sorted(arch.key for arch in members)
    for arch in members:
        assert space.decode(CONV.codes(arch)) == arch
    rng = np.random.default_rng(1)
    _, raw = CONV.encode(space.members)
    spread = raw.std(axis=0)
    for _ in range(10):
        codes = CONV.random_codes(rng)
        wanted = CONV.encode([CONV.decode(codes)])[1]  # type: ignore[list-item]
        scaled = (raw - wanted)[:, spread > 0] / spread[spread > 0]
        nearest = space.members[int((scaled**2).sum(axis=1).argmin())]
        assert space.decode(codes) == nearest
        others = [member for member in space.members if member != nearest]
        assert space.decode(codes, others.__contains__) in others
    assert space.decode(codes, lambda arch: False) is None


def test_without_features_genotypes_are_compared() -> None:
    space = TableSpace(SPACE, [Perceptron((8,)), Perceptron((128, 8))])
    codes = SPACE.codes(Perceptron((64, 8)))
    assert space.decode(codes) == Perceptron((128, 8))


def test_equally_near_networks_are_told_apart_by_key() -> None:
    for order in ([(8,), (32,)], [(32,), (8,)]):
        space = TableSpace(SPACE, [Perceptron(widths) for widths in order])
        assert space.decode(SPACE.codes(Perceptron((16,)))) == Perceptron((32,))  # "32" < "8"
