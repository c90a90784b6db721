"""A whole search on the small digits task, with a small surrogate of our own."""

import csv
import errno
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import torch

from analognas.errors import RunFailed, UserError
from analognas.searching import (
    OBJECTIVES,
    RunDirectory,
    SearchConfig,
    read_front,
    resume_search,
    search_task,
)
from analognas.searching.planning import plan_search
from analognas.searching.run_directory import default_directory, locked
from analognas.searching.setup import prepare
from analognas.searching.surrogate_choice import choose_surrogate
from analognas.simulator import HERMES_DEFAULT, PCM_2019, SIMULATOR_VERSION
from analognas.simulator.chip import load_chip
from analognas.surrogate_features import architecture_features
from analognas.surrogates.boosting import BoostingSettings
from analognas.surrogates.feature_table import with_times
from analognas.surrogates.label_table import NOMINAL, LabelDescription
from analognas.surrogates.xgboost_trees import TreeSettings, XGBoostSurrogate
from analognas.tasks import Task, load_task


@pytest.fixture(scope="session")
def digits() -> Task:
    return load_task("digits")


@pytest.fixture(scope="session")
def surrogate_path(digits: Task, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A surrogate fitted on accuracies that we made up: larger is better, time is worse."""
    from analognas.search_spaces import make_space

    space = make_space("conv", input_shape=digits.input_shape, n_classes=digits.n_classes)
    chip = load_chip("hermes")
    rng = np.random.default_rng(0)
    archs = {arch.key: arch for arch in (space.sample(rng) for _ in range(40))}
    archs = {key: arch for key, arch in archs.items() if space.parameters(arch) < 200_000}
    features = with_times(
        architecture_features(space, list(archs.values()), chip), (1.0, 86_400.0, 3.15e7)
    )
    size = features["log10_tile_reads"].to_numpy()
    mean = np.clip(0.32 + 0.12 * size - 0.02 * features["log10_t_s"].to_numpy(), 0.0, 0.99)
    targets = pd.DataFrame(
        {
            "key": features.index,
            "t_s": 10 ** features["log10_t_s"].to_numpy(),
            "mean": mean,
            "variant": NOMINAL,
            "sd": 0.012,
            "chips": 8.0,
            "clips": 300.0,
            "seeds": 1,
        }
    )
    description = LabelDescription(
        task="digits",
        data_name=digits.data_name,
        data_key=digits.data_key,
        split=digits.split,
        part="validation",
        hardware=HERMES_DEFAULT.name,
        hardware_hash=HERMES_DEFAULT.hash,
        simulator_version=SIMULATOR_VERSION,
        architectures=len(archs),
        chips=8,
        times_s=(1.0, 86_400.0, 3.15e7),
    )
    surrogate = XGBoostSurrogate(
        TreeSettings(mean=BoostingSettings(trees=30), calibration_folds=2)
    ).fit(features, targets, description=description)
    path = tmp_path_factory.mktemp("surrogate") / "digits.json"
    path.write_text(surrogate.to_json())
    return str(path)


@pytest.fixture
def config(surrogate_path: str) -> SearchConfig:
    return SearchConfig(
        task="digits", space="conv", budget=45, winners=0, population=20, surrogate=surrogate_path
    )


@pytest.fixture(scope="session")
def finished_run(surrogate_path: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "digits"
    search_task(
        SearchConfig(
            task="digits",
            space="conv",
            budget=45,
            winners=0,
            population=20,
            surrogate=surrogate_path,
        ),
        path,
    )
    return path


class StopAfter:
    """A progress callback that plays a user who presses Ctrl-C."""

    def __init__(self, networks: int, error: BaseException) -> None:
        self.networks = networks
        self.error = error

    def __call__(self, done: int, total: int, message: str) -> None:
        if done >= self.networks:
            raise self.error


def test_a_run_folder_explains_itself(finished_run: Path) -> None:
    run = RunDirectory(finished_run)
    assert run.config().budget == 45
    assert run.environment()["optuna"] == optuna.__version__
    provenance = run.provenance()
    assert provenance["hardware_hash"] == HERMES_DEFAULT.hash
    assert "fitted on task digits" in provenance["surrogate"]["basis"]
    assert len(run.journal.read()) >= 3
    assert {entry.name for entry in finished_run.iterdir()} == {
        ".lock",
        "chip.toml",
        "config.json",
        "environment.json",
        "front.csv",
        "hardware.toml",
        "journal.jsonl",
        "provenance.json",
        "study.db",
    }


def test_the_front_table_says_units_and_where_its_numbers_come_from(finished_run: Path) -> None:
    with (finished_run / "front.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    accuracy, energy = (OBJECTIVES[name].heading for name in ("accuracy@1day", "energy"))
    assert accuracy == "accuracy after 1 day (fraction, predicted)"
    assert energy == "energy per inference (nJ, modelled)"
    accuracies = [float(row[accuracy]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [float(row[energy]) for row in rows] == sorted(
        (float(row[energy]) for row in rows), reverse=True
    )
    assert all("predicted by the surrogate" in row["predictions"] for row in rows)
    assert {name for row in rows for name in row["picked for"].split("+")} >= {
        "accuracy",
        "knee",
        "energy",
    }


def test_the_study_file_holds_the_front_for_the_dashboard(finished_run: Path) -> None:
    front = read_front(RunDirectory(finished_run))
    storage = optuna.storages.RDBStorage(f"sqlite:///{finished_run / 'study.db'}")
    study = optuna.load_study(study_name="digits", storage=storage)
    best = {trial.user_attrs["key"] for trial in study.best_trials}
    assert best == {member.key for member in front}
    assert study.metric_names == ["accuracy@1day", "energy"]
    storage.remove_session()
    storage.engine.dispose()


@pytest.mark.parametrize("networks", [1, 40])
def test_an_interrupted_search_loses_nothing_and_ends_the_same(
    networks: int, config: SearchConfig, finished_run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "digits"
    with pytest.raises(KeyboardInterrupt, match=f"analognas resume {path}"):
        search_task(config, path, StopAfter(networks, KeyboardInterrupt()))
    assert read_front(RunDirectory(path))
    assert (path / "front.csv").exists()
    assert (path / "study.db").exists()
    result = resume_search(path)
    assert result.networks == 45
    assert result.front == read_front(RunDirectory(finished_run))
    assert (path / "front.csv").read_bytes() == (finished_run / "front.csv").read_bytes()


def test_a_finished_run_can_be_resumed_without_searching_again(
    finished_run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(finished_run, path)
    before = (path / "journal.jsonl").read_bytes()
    result = resume_search(path)
    assert result.networks == 45
    assert (path / "journal.jsonl").read_bytes() == before


def test_a_full_disk_is_a_failed_run_that_can_be_resumed(
    config: SearchConfig, tmp_path: Path
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(RunFailed, match=r"No space left.*analognas resume"):
        search_task(config, tmp_path / "run", StopAfter(20, full))
    assert resume_search(tmp_path / "run").networks == 45


def test_an_existing_run_is_never_overwritten(config: SearchConfig, finished_run: Path) -> None:
    before = {path: path.read_bytes() for path in finished_run.iterdir()}
    with pytest.raises(UserError, match=r"holds a run already.*analognas resume"):
        search_task(config, finished_run)
    assert {path: path.read_bytes() for path in finished_run.iterdir()} == before


def test_a_folder_with_other_content_or_a_file_is_left_alone(
    config: SearchConfig, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        search_task(config, tmp_path)
    with pytest.raises(UserError, match="is a file"):
        search_task(config, tmp_path / "note.txt")
    assert [entry.name for entry in tmp_path.iterdir()] == ["note.txt"]


def test_bad_settings_leave_no_folder_behind(config: SearchConfig, tmp_path: Path) -> None:
    for change, words in (
        ({"task": "chess"}, "digits, .*kws"),
        ({"space": "huge"}, "conv"),
        ({"chip": "potato"}, "hermes"),
        ({"hardware": "vacuum"}, "hermes_one_cell, ideal, pcm_2019"),
        ({"overrides": {"converters.bits": "6"}}, "converters.adc_bits"),
        ({"surrogate": "oracle"}, "no surrogate 'oracle'"),
    ):
        with pytest.raises(UserError, match=words):
            search_task(replace(config, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_impossible_limits_name_the_tightest_and_the_nearest_feasible_value(
    config: SearchConfig, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"tightest is `max_parameters = 20`.*at least \d+"):
        search_task(replace(config, max_parameters=20), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_accuracy_out_of_reach_says_what_is_reachable(
    config: SearchConfig, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"best predicted accuracy after one day is 0\.\d+"):
        search_task(replace(config, min_accuracy=0.999), tmp_path / "run")
    assert (tmp_path / "run" / "front.csv").exists()


def test_limits_and_demands_hold_on_the_whole_front(config: SearchConfig, tmp_path: Path) -> None:
    limited = replace(
        config, max_cores=9, max_parameters=30_000, max_energy_nJ=2_000.0, min_accuracy=0.4
    )
    result = search_task(limited, tmp_path / "run")
    batches = RunDirectory(tmp_path / "run").journal.read()
    for candidate in (one for batch in batches for one in batch.candidates):
        assert candidate.scores["cores"] <= 9
        assert candidate.scores["parameters"] <= 30_000
        assert candidate.scores["energy"] <= 2_000.0
    assert all(member.scores["accuracy@1day"] >= 0.4 for member in result.front)


def test_a_run_in_use_is_refused(finished_run: Path) -> None:
    with (
        locked(finished_run),
        pytest.raises(UserError, match=r"in use by another process \(\d+\)"),
    ):
        resume_search(finished_run)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", None, "config.json is missing"),
        ("config.json", "{}", "not written by `analognas search`"),
        ("config.json", "[", "not JSON"),
        ("journal.jsonl", None, "journal.jsonl is missing"),
        ("journal.jsonl", "rubbish\n", "not the journal"),
        ("provenance.json", "{", "damaged"),
        ("provenance.json", "{}", "the hardware and .* changed"),
        ("hardware.toml", "name = 3", "hardware"),
    ],
)
def test_a_corrupt_or_foreign_run_folder_is_refused(
    name: str, content: str | None, words: str, finished_run: Path, tmp_path: Path
) -> None:
    path = tmp_path / "copy"
    shutil.copytree(finished_run, path)
    if content is None:
        (path / name).unlink()
    else:
        (path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        resume_search(path)


def test_resuming_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run folder"):
        resume_search(tmp_path / "nothing")
    with pytest.raises(UserError, match="not the folder of a search"):
        resume_search(tmp_path)


def test_a_changed_surrogate_is_refused_on_resume(
    config: SearchConfig, surrogate_path: str, tmp_path: Path
) -> None:
    own = tmp_path / "own.json"
    own.write_text(Path(surrogate_path).read_text())
    with pytest.raises(KeyboardInterrupt):
        search_task(
            replace(config, surrogate=str(own)),
            tmp_path / "run",
            StopAfter(20, KeyboardInterrupt()),
        )
    content = json.loads(own.read_text())
    content["content"]["settings"]["smooth_share"] = 0.25
    own.write_text(json.dumps(content))
    with pytest.raises(UserError, match="the surrogate changed"):
        resume_search(tmp_path / "run")


def test_hardware_files_may_disappear_after_the_start(config: SearchConfig, tmp_path: Path) -> None:
    hardware = tmp_path / "mine.toml"
    hardware.write_text(HERMES_DEFAULT.to_toml())
    changed = replace(config, hardware=str(hardware), overrides={"converters.adc_bits": "6"})
    with pytest.raises(KeyboardInterrupt):
        search_task(changed, tmp_path / "run", StopAfter(20, KeyboardInterrupt()))
    hardware.unlink()
    result = resume_search(tmp_path / "run")
    assert any("for hardware hermes" in warning for warning in result.warnings)


def test_another_data_set_or_hardware_makes_the_predictions_a_guess(
    digits: Task, surrogate_path: str
) -> None:
    same = choose_surrogate(digits, HERMES_DEFAULT, surrogate_path)
    assert same.warnings == ()
    other_data = choose_surrogate(
        replace(digits, data_name="folder:mine"), HERMES_DEFAULT, surrogate_path
    )
    assert f"fitted on {digits.data_name}, split {digits.split}" in other_data.basis
    assert "for folder:mine, split image, they are a guess" in other_data.basis
    other_hardware = choose_surrogate(digits, PCM_2019, surrogate_path)
    assert f"for pcm_2019 ({PCM_2019.hash}) they are a guess" in other_hardware.basis
    other_content = choose_surrogate(replace(digits, data_key="0"), HERMES_DEFAULT, surrogate_path)
    assert "other content" in other_content.basis


def test_a_batch_scores_like_single_networks(config: SearchConfig) -> None:
    setup = prepare(config)
    rng = np.random.default_rng(1)
    archs = [setup.space.sample(rng, setup.fits) for _ in range(5)]
    together = setup.scorer.score(archs)
    for arch, row in zip(archs, together, strict=True):
        assert setup.scorer.score([arch]) == [row]
        assert list(row) == list(setup.scorer.metrics)
        assert row["drop"] == row["accuracy@1s"] - row["accuracy@1month"]
        assert 0.0 <= row["accuracy-low@1day"] <= row["accuracy@1day"] <= 1.0
        intervals = setup.scorer.intervals(arch)
        assert intervals[86_400.0].mean == row["accuracy@1day"]
        assert intervals[86_400.0].lower <= intervals[86_400.0].mean <= intervals[86_400.0].upper


def test_a_live_storage_gets_every_network_once_also_after_a_resume(
    config: SearchConfig, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'live.db'}"
    live = replace(config, storage=url, budget=20, population=5)
    with pytest.raises(KeyboardInterrupt):
        search_task(live, tmp_path / "run", StopAfter(8, KeyboardInterrupt()))
    result = resume_search(tmp_path / "run")
    storage = optuna.storages.RDBStorage(url)
    keys = [
        trial.user_attrs["key"]
        for trial in optuna.load_study(study_name="run", storage=storage).trials
    ]
    assert len(keys) == len(set(keys)) == result.networks == 20
    storage.remove_session()
    storage.engine.dispose()


def test_a_storage_that_is_lost_costs_the_live_view_alone(
    config: SearchConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = tmp_path / "live.db"
    live = replace(config, storage=f"sqlite:///{database}", budget=20, population=5)

    def lose(done: int, total: int, message: str) -> None:
        if done >= 8:
            database.unlink(missing_ok=True)

    result = search_task(live, tmp_path / "run", lose)
    assert result.networks == 20
    told = [record.message for record in caplog.records if "storage" in record.message]
    assert len(told) == 1
    assert "goes on without it" in told[0]


def test_an_unusable_storage_is_an_error_of_the_user(config: SearchConfig, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="storage"):
        search_task(replace(config, storage="nonsense://x"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_told_before_anything_is_done(
    config: SearchConfig, finished_run: Path, tmp_path: Path
) -> None:
    elsewhere = replace(config, device="cuda")
    with pytest.raises(UserError, match="Use --device cpu"):
        search_task(elsewhere, tmp_path / "run")
    with pytest.raises(UserError, match="Use --device cpu"):
        plan_search(elsewhere)
    assert not (tmp_path / "run").exists()
    path = tmp_path / "moved"
    shutil.copytree(finished_run, path)
    (path / "config.json").write_text(replace(resume_search(path).config, device="cuda").to_json())
    with pytest.raises(UserError, match="Use --device cpu"):
        resume_search(path)
    assert resume_search(path, device="cpu").networks == 45


def test_a_damaged_configuration_is_named(finished_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    shutil.copytree(finished_run, path)
    config = path / "config.json"
    config.write_text(config.read_text()[:40])
    with pytest.raises(UserError, match=r"config\.json is damaged: .*not JSON.*new search"):
        resume_search(path)


def test_the_winners_of_the_front_are_trained_with_their_predictions(
    config: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def deploy(
        directory: Path, setting: Any, picks: Sequence[Any], **rest: Any
    ) -> tuple[Path, ...]:
        seen.update(setting=setting, picks=picks, **rest)
        return tuple(directory / pick.name for pick in picks)

    monkeypatch.setattr("analognas.searching.design_deployment.deploy_winners", deploy)
    monkeypatch.setattr("analognas.reporting.write_report", lambda path: seen.update(report=path))
    result = search_task(replace(config, winners=3, baselines=True), tmp_path / "run")
    assert [pick.architecture.key for pick in seen["picks"]] == [w.key for w in result.winners]
    assert len(result.bundles) == len(result.winners) == min(3, len(result.front))
    first = seen["picks"][0]
    assert first.predicted[86_400.0].mean == result.winners[0].scores["accuracy@1day"]
    assert "ds-cnn" in {baseline.name for baseline in seen["baselines"]}
    assert seen["setting"].seed == config.seed
    assert seen["report"] == tmp_path / "run"


def test_a_dry_run_says_what_would_be_done(config: SearchConfig) -> None:
    plan = plan_search(config)
    assert "networks" in plan["space"]
    assert "max_cores" in plan["limits"]
    assert "surrogate" in plan["surrogate"]
    assert plan["time"].endswith("s of searching")


def test_default_folders_are_named_after_task_and_seed_and_never_collide(tmp_path: Path) -> None:
    first = default_directory(SearchConfig(task="kws", seed=7), tmp_path)
    assert first.name.startswith("kws-20")
    assert first.name.endswith("-seed7")
    first.mkdir()
    assert default_directory(SearchConfig(task="kws", seed=7), tmp_path).name == f"{first.name}-2"
