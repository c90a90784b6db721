"""Searches that train: how finalists are chosen and judged, and a whole one in small."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from analognas.benchmarks.search_training_jobs import Finalist, TrainingRun, TrainingStep
from analognas.benchmarks.search_training_report import curve_of, paired_interval, values_of
from analognas.benchmarks.search_training_work import (
    REFERENCE_ENERGY_NJ,
    choose_finalists,
    front_hypervolume,
    seconds_of_labels,
)
from analognas.cli.app import build_app
from analognas.searching.front import FrontRecord

RUNNER = CliRunner()


def member(key: str, accuracy: float, energy_nJ: float) -> FrontRecord:
    return FrontRecord(key, {}, {"accuracy@1day": accuracy, "energy": energy_nJ})


def finalist(key: str, energy_nJ: float, found: float, *fresh: float) -> Finalist:
    return Finalist(key, {}, 100, energy_nJ, found, fresh, tuple(f - 0.1 for f in fresh))


def make_run(steps: tuple[TrainingStep, ...] = (), *finalists: Finalist) -> TrainingRun:
    return TrainingRun("random", 0, 10.0, 0.0, len(finalists), steps, finalists)


def test_a_network_rules_the_decades_below_the_reference() -> None:
    places = [(0.5, REFERENCE_ENERGY_NJ / 100)]
    assert front_hypervolume(places) == pytest.approx(1.0)
    places.append((0.9, REFERENCE_ENERGY_NJ / 10))
    assert front_hypervolume(places) == pytest.approx(0.9 + 0.5)
    assert front_hypervolume([(0.9, 2 * REFERENCE_ENERGY_NJ)]) == 0.0


def test_finalists_are_the_best_one_and_those_that_add_most() -> None:
    front = [
        member("best", 0.9, 1e5),
        member("nearly", 0.89, 9e4),
        member("cheap", 0.6, 1e3),
        member("cheaper", 0.5, 9e2),
    ]
    assert [one.key for one in choose_finalists(front, 2)] == ["best", "cheap"]
    assert {one.key for one in choose_finalists(front, 9)} == {one.key for one in front}


def test_the_best_network_is_the_one_that_looked_best() -> None:
    run = make_run((), finalist("lucky", 1e4, 0.9, 0.6, 0.8), finalist("true", 1e4, 0.8, 0.85))
    values = values_of(run)
    assert values["best_found"] == 0.9
    assert values["best_validation"] == pytest.approx(0.7)
    assert values["best_fresh"] == pytest.approx(0.6)
    decades = math.log10(REFERENCE_ENERGY_NJ / 1e4)
    assert values["hypervolume_found"] == pytest.approx(0.9 * decades)
    assert values["hypervolume_fresh"] == pytest.approx(0.75 * decades)


def test_a_curve_holds_means_over_seeds_of_full_trainings() -> None:
    steps = (
        TrainingStep("a", 0.25, 0, 1.0, 0.99, 1e4),
        TrainingStep("a", 1.0, 0, 2.0, 0.9, 1e4),
        TrainingStep("b", 1.0, 0, 2.0, None, None),
        TrainingStep("a", 1.0, 1, 2.0, 0.7, 1e4),
    )
    run = make_run(steps)
    seconds = np.array([0.0, 2.9, 3.0, 6.9, 7.0])
    assert curve_of(run, "best_found", seconds) == pytest.approx([0.0, 0.0, 0.9, 0.9, 0.8])


def test_an_interval_is_that_of_student() -> None:
    one = paired_interval("ours", "other", "best_fresh", [0.1, 0.2, 0.3, 0.4])
    half = 3.182446305 * np.std([0.1, 0.2, 0.3, 0.4], ddof=1) / 2
    assert (one.mean, one.lower, one.upper) == pytest.approx((0.25, 0.25 - half, 0.25 + half))


def test_a_run_is_read_back_as_it_was_written() -> None:
    step = TrainingStep("a", 0.5, 1, 2.0, None, None)
    run = make_run((step,), finalist("a", 1e4, 0.9, 0.8, 0.7))
    assert TrainingRun.from_dict(json.loads(json.dumps(run.to_dict()))) == run
    with pytest.raises(ValueError, match="format_version"):
        TrainingRun.from_dict({**run.to_dict(), "format_version": 99})


def test_the_labels_of_a_shipped_surrogate_have_a_price() -> None:
    seconds = seconds_of_labels("digits-8x8")
    assert seconds is not None
    assert seconds > 60
    assert seconds_of_labels("somebody's own") is None


def run_small(folder: Path, out: Path, *further: str) -> Result:
    arguments = ["bench", "search", "--only", "training", "--task", "digits", "--out", str(out)]
    arguments += ["--folder", str(folder), "--seconds", "3", "--epochs", "1", "--chips", "1"]
    arguments += ["--finalists", "2", "--fresh-seeds", "1", "--fresh-chips", "2", "--workers", "1"]
    arguments += ["--labels", "digits-8x8", *further]
    return RUNNER.invoke(build_app(), arguments)


@pytest.mark.slow
def test_searches_that_train_are_compared_and_continue(tmp_path: Path) -> None:
    folder, out = tmp_path / "work", tmp_path / "search.md"
    methods = "random,widest that fits,surrogate-assisted with a first guess"
    some = ("--methods", methods, "--seeds", "2")
    result = run_small(folder, out, *some)
    assert result.exit_code == 0, result.output
    table = tmp_path / "search_training.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["method"], row["seed"]) for row in rows] == [
        (method, seed)
        for seed in "01"
        for method in (
            "surrogate-assisted with a first guess",
            "random",
            "widest that fits",
        )
    ]
    for row in rows:
        assert not row["failure"]
        assert 0 < float(row["best accuracy, fresh, test part"]) <= 1
        if row["method"] != "widest that fits":
            assert float(row["charged seconds"]) <= 3
        assert (float(row["seconds of labels"]) > 0) == ("guess" in row["method"])
    page = out.read_text()
    for part in ("The searches in tables are missing", "End to end: differences", "1,000,000 nJ"):
        assert part in page
    assert "significant" not in page
    trained = {p: p.stat().st_mtime_ns for p in folder.glob("[tf]*/*.json")}
    for kept in folder.glob("runs/*/random-1.json"):
        kept.unlink()  # as if it had been stopped right before its end
    assert run_small(folder, out, *some).exit_code == 0
    assert {p: p.stat().st_mtime_ns for p in folder.glob("[tf]*/*.json")} == trained
    assert list(csv.DictReader(table.read_text().splitlines())) == rows
    other = run_small(folder, out, *some, "--only", "page", "--seeds", "3")
    assert other.exit_code == 0
    assert "Not finished yet: surrogate-assisted with a first guess, seed 2" in out.read_text()


def test_a_method_that_has_no_time_is_shown_as_failed(tmp_path: Path) -> None:
    out = tmp_path / "search.md"
    few = ("--methods", "random", "--seeds", "1", "--seconds", "0.1")
    result = run_small(tmp_path / "work", out, *few)
    assert result.exit_code == 0, result.output
    (row,) = csv.DictReader((tmp_path / "search_training.csv").read_text().splitlines())
    assert "ends before the first evaluation" in row["failure"]
    assert "random, seed 0, failed" in out.read_text()
