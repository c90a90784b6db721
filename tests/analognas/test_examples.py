"""The examples do what they say, run as a user would."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import analognas.examples
from analognas import SearchOutcome

FOLDER = Path(analognas.examples.__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("own_*.py"))
LONGEST = 60  # lines


def run(name: str) -> SearchOutcome:
    outcome = import_module(f"analognas.examples.{name}").main()
    assert isinstance(outcome, SearchOutcome)
    return outcome


def test_there_is_one_example_of_each_kind_and_none_is_long() -> None:
    assert NAMES == ["own_evaluator", "own_space", "own_strategy", "own_table", "own_task"]
    for name in NAMES:
        assert len((FOLDER / f"{name}.py").read_text().splitlines()) < LONGEST


def test_an_example_runs_as_a_program() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "analognas.examples.own_space"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert "networks on the front of 80 evaluations" in printed.stdout


def test_own_space() -> None:
    outcome = run("own_space")
    assert len(outcome.evaluations) == 80
    assert all(member.scores["weights"] <= 20_000 for member in outcome.front)


def test_own_strategy_finds_a_good_network() -> None:
    best = run("own_strategy").best
    assert best.scores["weights"] <= 20_000
    assert best.scores["accuracy"] > 0.75


def test_own_evaluator_is_charged_its_seconds_and_shows_the_optimism() -> None:
    outcome = run("own_evaluator")
    assert 0.9 * 600 < outcome.seconds <= 600
    assert {one.fidelity for one in outcome.evaluations} == {0.25, 0.5, 1.0}
    assert outcome.reevaluation is not None
    assert outcome.reevaluation.gaps["accuracy"] > 0.003  # noise of 0.01, the best of many
    assert outcome.reevaluation.gaps["parameters"] == 0.0
    assert "Optimism gap" in outcome.summary()


def test_own_table_stays_within_the_table() -> None:
    from analognas.examples.own_table import make_table

    outcome = run("own_table")
    known = make_table()["architecture"].tolist()
    assert all(f'"key": "{member.key}"' in "".join(known) for member in outcome.front)


@pytest.mark.slow
def test_own_task_trains_every_network() -> None:
    outcome = run("own_task")
    assert len(outcome.evaluations) == 4
    assert outcome.failed == 0
    assert outcome.best.scores["accuracy"] > 0.5
