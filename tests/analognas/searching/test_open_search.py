"""`run_search` with anybody's space and evaluator: bad input, failures, resumption, honesty."""

import errno
import importlib.util
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analognas import (
    Budget,
    Objective,
    Problem,
    Proposal,
    Result,
    SearchOutcome,
    Trial,
    Verdict,
    run_search,
)
from analognas.errors import UserError
from analognas.examples.own_space import Perceptron, PerceptronSpace, evaluate
from analognas.searching.candidates import Candidate
from analognas.searching.loop import HOPELESS_FAILURES

HERE = Path(__file__).parent
OBJECTIVES = ("max:accuracy", "min:weights")
SPACE = PerceptronSpace()


def search(
    evaluator: Any = evaluate, objectives: Any = OBJECTIVES, **settings: Any
) -> SearchOutcome:
    settings = {"budget": 60, **settings}
    return run_search(SPACE, evaluator, objectives, **settings)


def journal_of(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in line.items() if key != "seconds"}
        for line in lines
        if "in_progress" not in line
    ]


class Named:
    """An evaluator that does to a network what its first width says."""

    replicable = False

    def __init__(self, **by_width: Callable[[Perceptron], Any]) -> None:
        self.by_width = {int(name.removeprefix("w")): does for name, does in by_width.items()}

    def evaluate(self, trials: Sequence[Trial]) -> list[Any]:
        return [self._one(trial.arch) for trial in trials]

    def _one(self, arch: Perceptron) -> Any:
        does = self.by_width.get(arch.widths[0])
        return Result(evaluate(arch)) if does is None else does(arch)


# What comes out.


def test_the_front_is_sorted_and_every_evaluation_is_there() -> None:
    outcome = search()
    assert len(outcome.evaluations) == len(outcome.to_frame()) == 60
    accuracies = [member.scores["accuracy"] for member in outcome.front]
    assert accuracies == sorted(accuracies, reverse=True)
    assert outcome.best is outcome.front[0]
    assert outcome.hypervolume({"accuracy": 0.0, "weights": 50_000.0}) > 0
    assert "front of 60 evaluations" in outcome.summary()


def test_objectives_are_texts_or_records_and_demands_hold() -> None:
    own = Objective("weights", "weights of all layers", "minimize", "weights")
    outcome = search(objectives=["max:accuracy", own, "weights<=5000", "accuracy>=0.3"])
    assert [objective.heading for objective in outcome.objectives] == [
        "accuracy (evaluated)",
        "weights of all layers (weights, evaluated)",
    ]
    assert all(member.scores["weights"] <= 5000 for member in outcome.front)
    assert all(member.scores["accuracy"] >= 0.3 for member in outcome.front)


def test_one_objective_needs_no_list() -> None:
    assert len(search(objectives="max:accuracy").front) == 1


def test_a_function_may_take_seed_and_fidelity() -> None:
    seen = []

    def judge(arch: Perceptron, fidelity: float, seed: int) -> dict[str, float]:
        seen.append((fidelity, seed))
        return evaluate(arch)

    search(judge, strategy="multi-fidelity", budget=20, reevaluate=2)
    assert {fidelity for fidelity, _ in seen} == {0.25, 0.5, 1.0}
    assert {seed for _, seed in seen} >= {0, 1, 2}


def test_a_strategy_may_ask_for_features_of_genotypes() -> None:
    described = []

    class Curious:
        batch_size = 4

        def __init__(self, problem: Problem, seed: int) -> None:
            assert problem.describe is not None
            codes = [SPACE.codes(Perceptron((8, width))) for width in (8, 16, 16)]
            described.append(problem.describe(codes))
            self.genes = problem.genes

        def ask(self, batch: int, count: int) -> list[Proposal]:
            return [Proposal({gene: v[batch % len(v)] for gene, v in self.genes.items()})]

        def replay(self, batch: int, proposals: Sequence[Proposal]) -> None: ...

        def tell(self, verdicts: Sequence[Verdict | None]) -> None: ...

    class Describing(Named):
        def describe(self, archs: Sequence[Perceptron]) -> tuple[pd.DataFrame, pd.DataFrame]:
            depth = pd.DataFrame({"depth": [len(arch.widths) for arch in archs]})
            return depth, pd.DataFrame({"weights": [evaluate(arch)["weights"] for arch in archs]})

    search(Describing(), strategy=Curious, budget=3)
    (found,) = described
    assert found.keys == ("8-8", "8-16", "8-16")
    assert found.features.index.tolist() == found.known.index.tolist() == ["8-8", "8-16"]
    assert found.features["depth"].tolist() == [2, 2]


# Bad arguments.


class NotASpace:
    genes = (1, 2)


def space_with(genes: Any) -> Any:
    space = PerceptronSpace()
    space.genes = genes
    return space


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objectives": ()}, "At least one objective"),
        ({"objectives": ("accuracy",)}, "max:NAME or min:NAME"),
        ({"objectives": ("max:a", "min:a")}, "given once"),
        ({"objectives": ("max:accuracy", "weights<=many")}, "must be written like"),
        ({"strategy": "magic"}, r"Unknown strategy 'magic'.*local-search"),
        ({"strategy": 3}, "name or a maker"),
        ({"strategy": lambda problem, seed: object()}, "batch_size, ask, replay, tell"),
        ({"strategy": "multi-fidelity"}, "more than one fidelity"),
        ({"budget": "soon"}, "budget must be"),
        ({"budget": Budget()}, "positive limit"),
        ({"workers": 0}, "`workers` must be at least 1"),
        ({"time_limit_s": -1.0}, "`time_limit_s` positive"),
        ({"reevaluate": 2}, "`reevaluate` needs an evaluator that knows several seeds"),
        ({"fits": lambda arch: False}, "None of 200 random genotypes"),
        ({"evaluator": 3}, "but got int"),
        ({"evaluator": "nobody"}, "There is no evaluator 'nobody'"),
        ({"evaluator": "missing.csv"}, "cannot be read"),
        ({"space": NotASpace()}, "lacks decode, codes"),
        ({"space": space_with({})}, "at least one gene"),
        ({"space": space_with({"a": (1, 1)})}, "different whole numbers"),
        ({"space": space_with({"a": (0.5,)})}, "different whole numbers"),
        ({"known": [(Perceptron((8,)), {"accuracy": 0.5})]}, "8 has no weights"),
    ],
)
def test_an_argument_that_cannot_be_used_is_one_clear_error(
    changes: dict[str, Any], words: str
) -> None:
    arguments: dict[str, Any] = {
        "space": SPACE,
        "evaluator": evaluate,
        "objectives": OBJECTIVES,
        "budget": 10,
    }
    with pytest.raises(ValueError, match=words):
        run_search(**{**arguments, **changes})


def test_the_gaussian_process_is_capped_and_says_so() -> None:
    outcome = run_search(
        SPACE, evaluate, OBJECTIVES, "tpe", 400, fits=lambda arch: len(arch.widths) == 1
    )
    assert any("tpe does 300 evaluations instead of 400" in note for note in outcome.notes)


# Failures.


def boom(arch: Perceptron) -> Any:
    raise KeyError(f"no {arch.key}")


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        (boom, "KeyError: 'no 16"),
        (lambda arch: Result(None, failure="diverged"), "diverged"),
        (lambda arch: None, "a NoneType instead of a Result"),
        (lambda arch: Result({"accuracy": 0.5}), "no metric weights among accuracy"),
        (lambda arch: Result({"accuracy": float("nan"), "weights": 1.0}), "accuracy is nan"),
        (lambda arch: Result({"accuracy": "high", "weights": 1.0}), "'high' and not a number"),  # type: ignore[dict-item]
        (lambda arch: Result({"accuracy": True, "weights": 1.0}), "True and not a number"),
        (lambda arch: Result([0.5, 1.0]), "instead of numbers by name"),  # type: ignore[arg-type]
        (lambda arch: Result(evaluate(arch), seconds=-1.0), "`seconds` is -1.0"),
    ],
)
def test_what_goes_wrong_for_some_is_recorded_and_the_search_goes_on(
    does: Callable[[Perceptron], Any], reason: str
) -> None:
    outcome = search(Named(w16=does))
    failed = [one for one in outcome.evaluations if one.failure is not None]
    assert len(outcome.evaluations) == 60
    assert 0 < len(failed) == outcome.failed < 60
    assert all(one.architecture["widths"][0] == 16 for one in failed)
    assert all(reason in (one.failure or "") for one in failed)
    assert f"{outcome.failed} failed" in outcome.summary()


def test_a_wrong_number_of_results_is_a_failure_of_those_networks() -> None:
    class Short(Named):
        def evaluate(self, trials: Sequence[Trial]) -> list[Any]:
            return [r for r in super().evaluate(trials) if r is not None]

    outcome = search(Short(w16=lambda arch: None))
    failed = [one for one in outcome.evaluations if one.failure is not None]
    assert failed
    assert all(one.architecture["widths"][0] == 16 for one in failed)
    assert {one.failure for one in failed} == {"0 results for one trial"}


def test_if_all_of_the_first_fail_the_search_stops_with_the_reason(tmp_path: Path) -> None:
    calls = []

    def never(arch: Perceptron) -> dict[str, float]:
        calls.append(arch)
        raise OSError("the licence server is down")

    with pytest.raises(ValueError, match=r"All of the first 20 evaluations failed.*licence server"):
        search(never, directory=tmp_path / "run", budget=1000)
    assert len(calls) <= 2 * HOPELESS_FAILURES


def test_if_all_of_few_evaluations_fail_that_is_said() -> None:
    with pytest.raises(ValueError, match=r"None of 5 evaluations gave.*failed with: KeyError"):
        search(Named(**{f"w{width}": boom for width in (8, 16, 32, 64, 128)}), budget=5)


def functions() -> Any:
    """The module with functions that other processes import, under its own name."""
    name = "evaluating_functions"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.mark.slow
def test_what_hangs_or_dies_is_ended_and_the_search_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    space = space_with({"layers": (1,), "width_1": (8, 16, 32, 64, 128)})
    outcome = run_search(
        space, functions().troubled, OBJECTIVES, "random", 5, time_limit_s=0.5, workers=2
    )
    assert {one.key: one.failure for one in outcome.evaluations} == {
        "8": None,
        "16": "took longer than 0.5 s",
        "32": "the process ended with exit code 3",
        "64": "RuntimeError: no way",
        "128": None,
    }
    assert {member.key for member in outcome.front} == {"8", "128"}


@pytest.mark.parametrize("settings", [{"time_limit_s": 5.0}, {"workers": 2}])
def test_an_evaluator_that_other_processes_cannot_import_is_refused(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match=r"must be able to import.*top level of a module"):
        search(lambda arch: evaluate(arch), **settings)


# Budgets.


def charging(seconds: float) -> Callable[[Perceptron], Result]:
    return lambda arch: Result(evaluate(arch), seconds=seconds)


def test_a_budget_of_time_counts_what_the_evaluator_charges() -> None:
    everyone = {f"w{width}": charging(7.0) for width in (8, 16, 32, 64, 128)}
    outcome = search(Named(**everyone), budget="1m")
    assert len(outcome.evaluations) == 8  # the ninth would end after 63 s
    assert outcome.seconds == 56.0


def test_what_evaluations_take_changes_nothing_unless_the_budget_is_time() -> None:
    def found(power: int, budget: int | Budget) -> list[str]:
        judge = Named(**{f"w{w}": charging(float(w) ** power) for w in (8, 16, 32, 64, 128)})
        outcome = search(judge, strategy="surrogate-assisted", budget=budget)
        return [one.key for one in outcome.evaluations]

    assert found(2, 16) == found(0, 16)
    timed = Budget(evaluations=16, seconds=math.inf)
    assert found(2, timed) != found(0, timed)


def test_a_budget_that_ends_before_the_first_evaluation_says_so() -> None:
    everyone = {f"w{width}": charging(7.0) for width in (8, 16, 32, 64, 128)}
    with pytest.raises(ValueError, match="5 s ends before the first evaluation, which takes 7 s"):
        search(Named(**everyone), budget="5s")


@pytest.mark.parametrize(
    "budget",
    [
        Budget(),
        Budget(evaluations=math.nan),
        Budget(seconds=math.inf),
        Budget(evaluations=10, seconds=-1.0),
        "\N{SUPERSCRIPT TWO}",
        0,
    ],
    ids=str,
)
def test_a_budget_that_never_ends_or_never_begins_is_refused(budget: Any) -> None:
    with pytest.raises(ValueError, match=r"budget must (be|have)"):
        search(budget=budget)


def test_a_budget_of_time_ends_slow_evaluations_between_two_networks() -> None:
    def slow(arch: Perceptron) -> dict[str, float]:
        time.sleep(0.05)
        return evaluate(arch)

    started = time.perf_counter()
    outcome = search(slow, budget=Budget(seconds=0.6))
    assert 0 < len(outcome.evaluations) < 50  # less than a batch of the strategy
    assert time.perf_counter() - started < 5.0


def test_cheap_evaluations_count_as_a_share_of_a_full_one() -> None:
    outcome = search(lambda arch, fidelity: evaluate(arch), strategy="multi-fidelity", budget=12)
    assert sum(one.fidelity for one in outcome.evaluations) <= 12
    assert len(outcome.evaluations) > 12


# Going on.


def test_the_same_call_goes_on_and_a_larger_budget_searches_further(tmp_path: Path) -> None:
    first = search(directory=tmp_path / "run", budget=40)
    again = search(directory=tmp_path / "run", budget=40)
    assert again.evaluations == first.evaluations
    more = search(directory=tmp_path / "run", budget=60)
    assert more.evaluations[:40] == first.evaluations
    assert len(more.evaluations) == 60
    assert (tmp_path / "run" / "front.csv").read_text().startswith("key,seeds,accuracy (evaluated)")


def uneven(arch: Perceptron) -> Result:
    """Wide networks take long, narrow ones would still fit when the time is nearly over."""
    return Result(evaluate(arch), seconds=float(arch.widths[0]))


@pytest.mark.parametrize("strategy", ["nsga2", "random", "regularised-evolution", "local-search"])
def test_a_search_that_ended_is_left_as_it_is(strategy: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"strategy": strategy, "directory": tmp_path / "run"}
    judge = Named(**{f"w{width}": uneven for width in (8, 16, 32, 64, 128)})
    first = search(judge, budget="5m", **settings)
    journal = (tmp_path / "run" / "journal.jsonl").read_text()
    for smaller_or_same in ("5m", "4m"):
        again = search(judge, budget=smaller_or_same, **settings)
        assert again.evaluations == first.evaluations
        assert again.front == first.front
    assert (tmp_path / "run" / "journal.jsonl").read_text() == journal
    more = search(judge, budget="10m", **settings)
    assert more.evaluations[: len(first.evaluations)] == first.evaluations
    assert first.seconds < 300 < more.seconds <= 600
    once_more = search(judge, budget="10m", **settings)
    assert once_more.evaluations == more.evaluations


def test_a_full_disk_is_no_fault_of_the_network(tmp_path: Path) -> None:
    def full(arch: Perceptron) -> dict[str, float]:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "run"
    with pytest.raises(OSError, match="No space left"):
        search(full, directory=folder)
    resumed = search(directory=folder)
    assert resumed.failed == 0
    assert resumed.front == search(directory=tmp_path / "whole").front


@pytest.mark.slow
def test_a_full_disk_in_a_worker_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    with pytest.raises(OSError, match="No space left"):
        search(functions().disk_is_full, workers=2, budget=4)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    search(directory=tmp_path / "run")
    with pytest.raises(ValueError, match="search with other seed"):
        search(directory=tmp_path / "run", seed=1)
    with pytest.raises(ValueError, match="other strategy"):
        search(directory=tmp_path / "run", strategy="random")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"not empty \(note.txt\)"):
        search(directory=tmp_path / "mine")
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="analognas resume"):
        search(directory=tmp_path / "task")


SCRIPT = """
import sys, time
from analognas import run_search
from analognas.examples.own_space import PerceptronSpace, evaluate

def slow(arch):
    time.sleep(0.12)
    return evaluate(arch)

objectives = ("max:accuracy", "min:weights")
run_search(PerceptronSpace(), slow, objectives, budget=60, directory=sys.argv[1])
"""


@pytest.mark.slow
def test_a_search_that_is_killed_at_random_ends_like_one_that_was_not(tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    chance = random.Random(0)
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder)], env=environment)
        journal = folder / "journal.jsonl"
        before = journal.stat().st_size if journal.exists() else 0
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if journal.exists() and journal.stat().st_size > before + 2000:
                break
            time.sleep(0.02)
        time.sleep(chance.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
    noted = [line for line in journal.read_text().splitlines() if "in_progress" in line]
    assert noted  # a batch takes seconds: what was evaluated of it is kept

    evaluated = []

    def counting(arch: Perceptron) -> dict[str, float]:
        evaluated.append(arch.key)
        return evaluate(arch)

    resumed = search(counting, directory=folder, budget=60)
    whole = search(directory=tmp_path / "whole", budget=60)
    assert journal_of(folder)[1:] == journal_of(tmp_path / "whole")[1:]
    assert resumed.front == whole.front
    assert len(evaluated) < 60


# Honesty.


def noisy(arch: Perceptron, seed: int) -> dict[str, float]:
    rng = np.random.default_rng([*arch.widths, seed])
    true = evaluate(arch)
    return {**true, "accuracy": true["accuracy"] + 0.05 * rng.normal()}


def test_the_front_is_evaluated_again_and_the_optimism_is_shown(tmp_path: Path) -> None:
    outcome = search(noisy, reevaluate=4, directory=tmp_path / "run")
    again = outcome.reevaluation
    assert again is not None
    assert [one.key for one in again.front] == [one.key for one in outcome.front]
    assert again.gaps["accuracy"] > 0.01
    assert again.gaps["weights"] == 0.0
    assert again.fresh_hypervolume < again.found_hypervolume
    assert f"reference point accuracy {again.reference['accuracy']:.4g}" in again.summary()
    for member in again.front:
        widths = [int(width) for width in member.key.split("-")]
        fresh = [noisy(Perceptron(tuple(widths)), seed)["accuracy"] for seed in (1, 2, 3, 4)]
        assert member.scores["accuracy"] == pytest.approx(np.mean(fresh))
    assert search(noisy, reevaluate=4, directory=tmp_path / "run").reevaluation == again


def test_known_evaluations_of_an_earlier_outcome_are_taken_as_they_are() -> None:
    earlier = search(budget=30)
    calls = []

    def judge(arch: Perceptron) -> dict[str, float]:
        calls.append(arch.key)
        return evaluate(arch)

    outcome = search(judge, known=earlier.evaluations, budget=20)
    assert len(calls) == 20
    assert not set(calls) & {one.key for one in earlier.evaluations}
    assert len(outcome.evaluations) == 50


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ([(Perceptron((8,)), {"accuracy": math.nan, "weights": 1.0})], "finite.*accuracy=nan"),
        ([(Perceptron((8,)), {"accuracy": "high", "weights": 1.0})], "Known network 1"),
        ([("no network", {"accuracy": 1.0, "weights": 1.0})], "Known network 1"),
    ],
    ids=["nan", "text", "no network"],
)
def test_known_networks_that_make_no_sense_are_refused(known: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        search(known=known)


def test_known_networks_of_another_space_are_refused() -> None:
    other = Candidate("x", -1, {"depth": 1}, {}, {"accuracy": 0.9, "weights": 3.0})
    with pytest.raises(UserError, match=r"`known`.*genes"):
        search(known=[other])
