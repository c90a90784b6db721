"""`analognas search --evaluator training`: candidates are trained and measured, not predicted."""

import csv
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analognas.errors import UserError
from analognas.records import EVALUATION_TIMES_S, AccuracyOverTime
from analognas.reporting import write_report
from analognas.reporting.contents import command_line
from analognas.searching.by_training import (
    front_of_run,
    notes_on_trainings,
    reached_fidelity,
)
from analognas.searching.candidates import Candidate
from analognas.searching.config import SearchConfig, make_config
from analognas.searching.measured import measured_life
from analognas.searching.planning import plan_search
from analognas.searching.run_directory import RunDirectory
from analognas.searching.running import SearchResult, read_front, resume_search, search_task
from analognas.searching.setup import prepare

ONE_BRACKET = 4  # full trainings: 4 networks at a quarter, 2 at a half, 1 in full, and a bit


@pytest.fixture(scope="module")
def config() -> SearchConfig:
    return SearchConfig(
        task="digits",
        evaluator="training",
        sampler="multi-fidelity",
        epochs=1,
        budget=ONE_BRACKET,
        max_parameters=4_000,
        min_accuracy=0.05,
        winners=0,
        workers=1,
        device="cpu",
    )


@pytest.fixture(scope="module")
def finished(config: SearchConfig, tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    return search_task(config, tmp_path_factory.mktemp("runs") / "digits")


def test_everything_says_that_candidates_were_simulated(finished: SearchResult) -> None:
    run = finished.directory
    assert "simulated, not predicted" in finished.basis
    assert finished.warnings == ()
    rows = list(csv.DictReader((run / "front.csv").read_text().splitlines()))
    assert len(rows) == len(finished.front)
    headings = ",".join(rows[0])
    assert "accuracy after 1 day (fraction, simulated, validation part)" in headings
    assert "energy per inference (nJ, modelled)" in headings
    assert "predicted" not in headings
    assert "training seeds" in rows[0]
    assert "predicted" not in json.dumps(json.loads((run / "provenance.json").read_text()))[:60]
    page = write_report(run).read_text(encoding="utf-8")
    assert "found (simulated, validation part)" in page
    assert "multi-fidelity" in page
    assert "was predicted" not in page
    assert "--evaluator training" in command_line(finished.config)


def test_by_default_trainings_teach_the_search(config: SearchConfig, tmp_path: Path) -> None:
    result = search_task(replace(config, sampler=None, budget=10, reevaluate=0), tmp_path / "run")
    assert result.front
    evaluations = [
        one for batch in RunDirectory(result.directory).journal.read() for one in batch.candidates
    ]
    assert len(evaluations) == 10
    assert {one.fidelity for one in evaluations} == {1.0}
    assert "surrogate-assisted" in write_report(result.directory).read_text(encoding="utf-8")


def test_the_front_is_judged_again_under_seeds_and_chips_that_chose_nothing(
    finished: SearchResult,
) -> None:
    run = RunDirectory(finished.directory)
    trained = [json.loads(path.read_text()) for path in run.trainings_path.iterdir()]
    searched = {one.seed for batch in run.journal.read() for one in batch.candidates}
    assert searched == {0}
    assert {one["seed"] for one in trained} == {1000, 1001}  # those of winners start at 0
    assert {one["part"] for one in trained} == {"validation"}
    again = finished.reevaluation
    assert again is not None
    assert [member.key for member in again.front] == [member.key for member in finished.front]
    gap = finished.front[0].scores["accuracy@1day"] - again.front[0].scores["accuracy@1day"]
    if len(again.front) == 1:
        assert again.gaps["accuracy@1day"] == pytest.approx(gap)
    assert gap != 0.0
    stored = json.loads(run.reevaluation_path.read_text())
    assert stored["label"] == "simulated, validation part"
    assert stored["gaps"] == dict(again.gaps)
    assert stored["front"][0]["found"] == dict(finished.front[0].scores)
    assert "The front under fresh seeds" in write_report(run.path).read_text(encoding="utf-8")


class Killed(BaseException):
    """Ends a process at once, as far as a test can."""


def test_a_search_that_is_killed_goes_on_to_the_same_end(
    config: SearchConfig, finished: SearchResult, tmp_path: Path
) -> None:
    told = 0

    def kill(done: int, total: int, message: str) -> None:
        nonlocal told
        told += 1
        if told > 2:
            raise Killed

    path = tmp_path / "run"
    with pytest.raises(Killed):
        search_task(config, path, kill)
    with (path / "journal.jsonl").open("a") as stream:
        stream.write('{"in_progress": 1, "ke')  # a line that was being written
    made = len(list((path / "trainings").iterdir()))
    assert 0 < made < len(list((finished.directory / "trainings").iterdir()))
    result = resume_search(path)
    assert result.front == finished.front
    assert result.reevaluation == finished.reevaluation
    for name in ("front.csv", "reevaluation.json"):
        assert (path / name).read_bytes() == (finished.directory / name).read_bytes()


def test_a_finished_search_is_read_again_and_trains_nothing(
    finished: SearchResult, tmp_path: Path
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(finished.directory, path)
    shutil.rmtree(path / "trainings")
    result = resume_search(path)
    assert result.front == finished.front == read_front(RunDirectory(path))
    assert result.reevaluation == finished.reevaluation
    assert not (path / "trainings").exists()


def test_a_run_is_not_continued_with_another_training(
    finished: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(finished.directory, path)
    monkeypatch.setattr("analognas.searching.by_training.SEEDS_APART", 500)
    with pytest.raises(UserError, match="the training of candidates"):
        resume_search(path)


def test_winners_carry_what_the_search_had_found(
    finished: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def deploy(directory: Path, setting: Any, picks: Sequence[Any], **rest: Any) -> tuple[()]:
        seen.update(picks=picks, setting=setting)
        return ()

    monkeypatch.setattr("analognas.searching.design_deployment.deploy_winners", deploy)
    path = tmp_path / "copy"
    shutil.copytree(finished.directory, path)
    (path / "config.json").write_text(replace(finished.config, winners=1).to_json())
    result = resume_search(path)
    (pick,) = seen["picks"]
    assert pick.architecture.key == result.winners[0].key
    assert not pick.predicted
    assert pick.found[86_400.0] == result.winners[0].scores["accuracy@1day"]
    assert seen["setting"].seed == 0  # and 1000 and more in the search


def test_two_processes_find_what_one_finds(
    config: SearchConfig, finished: SearchResult, tmp_path: Path
) -> None:
    small = replace(config, budget=1, reevaluate=0, workers=2)
    result = search_task(small, tmp_path / "run")
    one = {
        c.id: c.scores
        for b in RunDirectory(finished.directory).journal.read()
        for c in b.candidates
    }
    two = {
        c.id: c.scores for b in RunDirectory(tmp_path / "run").journal.read() for c in b.candidates
    }
    assert two.items() <= one.items()
    assert len(two) == 4
    assert result.reevaluation is None


def test_a_budget_that_ends_early_gives_the_front_of_what_was_trained_furthest(
    config: SearchConfig, tmp_path: Path
) -> None:
    result = search_task(replace(config, budget=1), tmp_path / "run")
    assert len(result.front) > 0
    (note,) = result.warnings
    assert "trained for 25 % of them" in note
    assert "A full training takes about" in note
    assert result.reevaluation is None
    assert note in write_report(tmp_path / "run").read_text(encoding="utf-8")


def test_demands_that_no_trained_network_meets_are_named(
    config: SearchConfig, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"as simulated.*min_accuracy = 0.999.*best simulated"):
        search_task(replace(config, budget=1, min_accuracy=0.999), tmp_path / "run")


def test_failed_trainings_are_counted_and_a_front_takes_means_over_seeds() -> None:
    config = SearchConfig(task="digits", evaluator="training")

    def one(key: str, seed: int, accuracy: float, fidelity: float = 1.0) -> Candidate:
        scores = dict.fromkeys(config.catalogue, 0.0) | {"accuracy@1day": accuracy, "energy": 1.0}
        return Candidate(key, 0, {}, {}, scores, fidelity, seed, 3.0)

    failed = Candidate("c", 0, {}, {}, {}, failure="the process ended with exit code -9")
    trained = [one("a", 0, 0.9), one("a", 1, 0.5), one("b", 0, 0.8), one("d", 0, 0.99, 0.5), failed]
    objectives = [config.catalogue[name] for name in config.objectives]
    (best,) = front_of_run(trained, objectives, ())
    assert (best.key, best.seeds) == ("b", 1)
    assert reached_fidelity(trained) == 1.0
    (note,) = notes_on_trainings(config, trained)
    assert "1 of 5 trainings failed" in note
    assert "exit code -9" in note


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"evaluator": "training", "surrogate": "x"}, "surrogate.*nothing is predicted"),
        ({"evaluator": "training", "label_budget": "5m"}, "label_budget.*nothing is predicted"),
        ({"epochs": 3}, "epochs.*only winners are trained"),
        ({"reevaluate": 1}, "reevaluate.*only winners are trained"),
        ({"evaluator": "training", "epochs": 0}, "epochs"),
        ({"evaluator": "training", "reevaluate": -1}, "reevaluate"),
        ({"evaluator": "guess"}, "evaluator"),
        ({"evaluator": "training", "objectives": ["yield@1day"]}, "--min-accuracy"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        make_config({"task": "digits", **values})


def test_defaults_follow_the_evaluator() -> None:
    trained = SearchConfig(task="digits", evaluator="training")
    assert (trained.strategy, trained.asked_budget, trained.reevaluations) == (
        "surrogate-assisted",
        "30m",
        1,
    )
    predicted = SearchConfig(task="digits")
    assert (predicted.strategy, predicted.asked_budget, predicted.reevaluations) == (
        "nsga2",
        2000,
        0,
    )
    assert SearchConfig.from_json(trained.to_json()) == trained


def test_a_task_without_surrogate_is_told_the_way_out() -> None:
    with pytest.raises(UserError, match="--evaluator training"):
        prepare(SearchConfig(task="imu"))
    plan = plan_search(SearchConfig(task="imu", evaluator="training", budget="4m"))
    assert "240 s of training" in plan["time"]
    assert "every network of the front once more" in plan["time"]
    assert "simulated, not predicted" in plan["candidates"]


@pytest.mark.parametrize("sampler", ["random", "nsga2", "surrogate-assisted", "local-search"])
def test_every_strategy_that_needs_a_problem_gets_one(sampler: str) -> None:
    from analognas.searching.spaces import Decoder

    setup = prepare(SearchConfig(task="imu", evaluator="training", sampler=sampler))
    strategy = setup.strategy(Decoder(setup.searched, setup.fits))
    assert strategy.ask(0, 2)


def test_service_life_and_yield_are_read_off_the_chips() -> None:
    times_s = tuple(EVALUATION_TIMES_S.values())
    # Two chips; the mean falls from 0.9 to 0.7 between 1 hour and 1 day.
    rows = ((0.92, 0.92), (0.91, 0.89), (0.71, 0.69), (0.6, 0.6), (0.5, 0.5))
    life = measured_life(AccuracyOverTime(times_s, rows), 0.8)
    assert 3_600 < life.life_s < 86_400
    assert life.life_s == pytest.approx((3_600 * 86_400) ** 0.5)  # half the way in log time
    assert life.low_life_s < life.life_s
    assert life.yields == {"1s": 1.0, "1h": 1.0, "1day": 0.0, "1month": 0.0, "1year": 0.0}
    assert measured_life(AccuracyOverTime(times_s, rows), 0.9).yields["1h"] == 0.5
    assert measured_life(AccuracyOverTime(times_s, rows), 0.95).life_s == 0.0
    assert measured_life(AccuracyOverTime(times_s, rows), 0.4).life_s == times_s[-1]
