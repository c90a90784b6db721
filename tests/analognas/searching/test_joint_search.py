"""Searches that decide about the hardware together with the network."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from analognas.cli.resume import resume
from analognas.cli.search import search
from analognas.deployment import read_bundle
from analognas.deployment.exporting import export_pick
from analognas.deployment.network import NamedNetwork, is_finished
from analognas.deployment.winners import FOLDER, deploy_winners
from analognas.errors import UserError
from analognas.hardware_choice import hardware_for_chip
from analognas.labelling.job import TaskChoice
from analognas.reporting import write_report
from analognas.search_spaces import make_space
from analognas.searching import (
    RunDirectory,
    SearchConfig,
    make_config,
    read_front,
    resume_search,
    search_task,
)
from analognas.searching.by_training import evaluations_of
from analognas.searching.candidates import Trial
from analognas.searching.design_deployment import common_setting, own_setting
from analognas.searching.designs import Design, HardwareChoice
from analognas.searching.hardware_names import ADC_BITS, DIGITAL_LAYERS, shown
from analognas.searching.planning import plan_search
from analognas.searching.setup import SearchSetup, prepare
from analognas.searching.training_evaluator import TrainingEvaluator
from analognas.simulator import HERMES_DEFAULT, Hardware
from analognas.simulator.chip import load_chip
from analognas.stored_network import find_stored
from analognas.surrogate_fitting import label_features
from analognas.surrogates import LabelTable
from analognas.surrogates.boosting import BoostingSettings
from analognas.surrogates.xgboost_trees import TreeSettings, XGBoostSurrogate
from analognas.training import FULL_RECIPE, LABEL_RECIPE

BUDGET = 40


@pytest.fixture(scope="session")
def surrogate_path(varied_labels: LabelTable, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Learned from made-up labels on variants of the hardware: fewer ADC bits are worse."""
    path = tmp_path_factory.mktemp("surrogate") / "digits.json"
    path.write_text(fit_quickly(varied_labels).to_json())
    return str(path)


def fit_quickly(labels: LabelTable) -> XGBoostSurrogate:
    settings = TreeSettings(mean=BoostingSettings(trees=30), calibration_folds=2)
    return XGBoostSurrogate(settings).fit(
        label_features(labels, HERMES_DEFAULT), labels.targets(), description=labels.description()
    )


@pytest.fixture(scope="session")
def config(surrogate_path: str) -> SearchConfig:
    return SearchConfig(
        task="digits",
        chip="generic",
        budget=BUDGET,
        winners=0,
        population=20,
        surrogate=surrogate_path,
        search_hardware=("all",),
    )


@pytest.fixture(scope="session")
def finished(config: SearchConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("joint") / "run"
    search_task(config, path)
    return path


def test_the_front_shows_what_was_chosen(finished: Path) -> None:
    with (finished / "front.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    front = read_front(RunDirectory(finished))
    titles = ["layers kept digital", "devices per polarity", "ADC bits", "read mode"]
    assert list(rows[0])[:7] == ["key", "picked for", "network", *titles]
    for row, member in zip(rows, front, strict=True):
        assert {title: row[title] for title in titles} == {
            title: str(value) for title, value in shown(member.codes).items()
        }
        design = Design.from_dict(member.architecture)
        assert (row["key"], row["network"]) == (design.key, design.arch.key)
    assert len({row["ADC bits"] for row in rows} | {row["layers kept digital"] for row in rows}) > 2


def test_the_same_network_can_be_scored_on_different_hardware(finished: Path) -> None:
    candidates = evaluations_of(RunDirectory(finished))
    designs = [Design.from_dict(one.architecture) for one in candidates]
    assert len({design.key for design in designs}) == BUDGET
    assert len({design.arch.key for design in designs}) < BUDGET
    scores = {d.key: one.scores for d, one in zip(designs, candidates, strict=True)}
    setup = prepare(RunDirectory(finished).config(), folder=finished)
    assert setup.scorer.score(designs[:5]) == [scores[design.key] for design in designs[:5]]


def test_warnings_count_the_designs_that_are_a_guess(finished: Path) -> None:
    warnings = json.loads((finished / "provenance.json").read_text())["warnings"]
    candidates = evaluations_of(RunDirectory(finished))
    digital = sum(one.codes[DIGITAL_LAYERS] != "none" for one in candidates)
    assert any(f"{digital} of {BUDGET} designs keep layers digital" in text for text in warnings)
    (assumed,) = [text for text in warnings if "pJ (assumed" in text]
    assert "0.9 pJ" in assumed
    (left_out,) = [text for text in warnings if "is not searched" in text]
    assert "noise" in left_out


def test_designs_beyond_the_labels_are_counted(
    config: SearchConfig, nominal_labels: LabelTable, tmp_path: Path
) -> None:
    path = tmp_path / "nominal.json"
    path.write_text(fit_quickly(nominal_labels).to_json())
    changed = replace(config, surrogate=str(path), budget=20, search_hardware=("adc-bits",))
    result = search_task(changed, tmp_path / "run")
    assert any("20 of 20 designs are on hardware" in text for text in result.warnings)
    assert any("learned from one hardware" in text for text in result.warnings)


class Stop:
    """A progress callback that plays a user who presses Ctrl-C."""

    def __call__(self, done: int, total: int, message: str) -> None:
        if done >= BUDGET // 2:
            raise KeyboardInterrupt


def test_an_interrupted_joint_search_ends_the_same(
    config: SearchConfig, finished: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt, match="analognas resume"):
        search_task(config, tmp_path / "run", Stop())
    resume_search(tmp_path / "run")
    for name in ("front.csv", "provenance.json"):
        assert (tmp_path / "run" / name).read_bytes() == (finished / name).read_bytes()


SCRIPT = """
import sys, time
from analognas.searching import SearchConfig, search_task, resume_search
from pathlib import Path

config, folder = SearchConfig.from_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2])

def slowly(done, total, message):
    time.sleep(0.3)

if (folder / "config.json").exists():
    resume_search(folder, slowly)
else:
    search_task(config, folder, slowly)
"""


@pytest.mark.slow
def test_a_joint_search_that_is_killed_ends_the_same(
    config: SearchConfig, finished: Path, tmp_path: Path
) -> None:
    folder, settings = tmp_path / "run", tmp_path / "config.json"
    settings.write_text(config.to_json())
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(settings), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    journal, deadline = folder / "journal.jsonl", time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if journal.exists() and journal.stat().st_size > 2000:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "front.csv").exists()
    resume_search(folder)
    assert (folder / "front.csv").read_bytes() == (finished / "front.csv").read_bytes()


def test_a_search_without_hardware_has_no_columns_of_it(
    config: SearchConfig, tmp_path: Path
) -> None:
    search_task(replace(config, search_hardware=(), budget=10), tmp_path / "run")
    header = (tmp_path / "run" / "front.csv").read_text().splitlines()[0]
    assert "ADC bits" not in header
    assert "network," not in header
    assert "searched_hardware" not in json.loads((tmp_path / "run" / "provenance.json").read_text())


def test_the_command_shows_what_was_chosen(finished: Path) -> None:
    app = typer.Typer()
    app.command()(resume)
    shown_on_terminal = CliRunner().invoke(app, [str(finished)], catch_exceptions=False)
    assert "-bit ADC" in shown_on_terminal.stdout
    as_json = CliRunner().invoke(app, [str(finished), "--json"], catch_exceptions=False)
    front = json.loads(as_json.stdout)["front"]
    assert {row["read mode"] for row in front} <= {"8-bit", "6-bit"}
    assert {row["devices per polarity"] for row in front} <= {1, 2}
    assert all(len(row["network"]) == 12 for row in front)


def test_the_flag_reaches_the_settings(
    config: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(search)
    line = f"--task digits --chip generic --surrogate {config.surrogate} --dry-run --json"
    flag = ["--search-hardware", "devices, adc-bits"]
    plan = CliRunner().invoke(app, [*line.split(), *flag], catch_exceptions=False)
    searched = json.loads(plan.stdout)["searched hardware"]
    assert searched == "devices per polarity: 1, 2; ADC bits: 5, 6, 7, 8"
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_lists_what_is_searched(config: SearchConfig) -> None:
    plan = plan_search(config)
    assert "ADC bits: 5, 6, 7, 8" in plan["searched hardware"]
    assert "designs" in plan["space"]
    without = plan_search(replace(config, search_hardware=()))
    assert "searched hardware" not in without
    assert "networks" in without["space"]


def test_settings_name_what_is_wrong(config: SearchConfig, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'adc'.*adc-bits, all, devices"):
        make_config({"task": "digits", "search_hardware": ("adc",)})
    for chip, name, words in (("hermes", "adc-bits", "whole cores"), ("generic", "noise", "noise")):
        wrong = replace(config, chip=chip, search_hardware=(name,))
        with pytest.raises(UserError, match=words):
            search_task(wrong, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# Winners, and training in the loop.

CHOICE = HardwareChoice("both", 2, 6, "6-bit", None)


@pytest.fixture(scope="session")
def design() -> Design:
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    rng = np.random.default_rng(3)
    return Design(min((space.sample(rng) for _ in range(30)), key=space.multiplications), CHOICE)


@pytest.fixture(scope="session")
def setup(config: SearchConfig) -> SearchSetup:
    return prepare(config)


@pytest.fixture(scope="session")
def deployed(
    setup: SearchSetup, design: Design, finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The run with one winner, trained for one epoch on 2 chips, and a plain one beside it."""
    path = tmp_path_factory.mktemp("deployed") / "run"
    shutil.copytree(finished, path)
    quick = replace(FULL_RECIPE, epochs=1)
    picks = [
        NamedNetwork(
            name,
            one.arch,
            setting=replace(own_setting(setup, one), recipe=quick, chips=2),
        )
        for name, one in (("accuracy", design), ("energy", Design(design.arch)))
    ]
    deploy_winners(path, common_setting(setup), picks, workers=1)
    return path


def test_a_winner_is_made_for_its_own_hardware(
    deployed: Path, setup: SearchSetup, design: Design
) -> None:
    folder = deployed / FOLDER / f"accuracy-{design.key}"
    bundle = read_bundle(folder)
    made = setup.workshop.made(design.choice)
    assert bundle.evaluation.hardware_hash == made.hardware.hash
    assert Hardware.from_toml(folder / "hardware.toml").hash == made.hardware.hash
    assert load_chip(folder / "chip.toml").hash == made.chip.hash
    assert bundle.chosen is not None
    assert bundle.chosen.choices == {
        "layers kept digital": "both",
        "devices per polarity": 2,
        "ADC bits": 6,
        "read mode": "6-bit",
    }
    names = [layer.name for layer in setup.space.layers(design.arch)]
    assert bundle.chosen.keep_digital == (names[0], names[-1])
    placed = {layer["name"] for layer in bundle.placement["layers"]}
    assert placed == set(names[1:-1])
    total = float(bundle.layers[-1]["energy_nJ"])
    assert total == pytest.approx(bundle.evaluation.cost.energy_nJ)
    assert bundle.evaluation.architecture == design.arch.to_dict()
    assert "chosen     layers kept digital both" in (folder / "README.txt").read_text()


def test_one_network_on_two_hardwares_makes_two_winners(
    deployed: Path, setup: SearchSetup, design: Design
) -> None:
    other = read_bundle(deployed / FOLDER / f"energy-{design.arch.key}")
    assert other.chosen is not None
    assert other.chosen.keep_digital == ()
    assert other.evaluation.hardware_hash == setup.hardware.hash
    setting = own_setting(setup, design)
    assert not is_finished(other.folder, setting, NamedNetwork("energy", design.arch))


def test_a_stored_winner_goes_back_onto_its_own_hardware(deployed: Path, design: Design) -> None:
    stored = find_stored(deployed, "accuracy")
    assert stored.hardware is not None
    hardware = Hardware.from_toml(stored.hardware)
    assert hardware.converters.adc_bits == 6
    analog = stored.on_hardware(hardware, device="cpu")
    digital = dict(analog.network.named_modules())
    for name in stored.keep_digital:
        assert type(digital[name]).__module__.startswith("torch.nn")


def test_an_exported_winner_keeps_its_own_hardware(
    deployed: Path, setup: SearchSetup, design: Design, tmp_path: Path
) -> None:
    exported = export_pick(deployed, "accuracy", tmp_path / "out")
    assert exported.key == design.key
    made = setup.workshop.made(design.choice)
    assert Hardware.from_toml(tmp_path / "out" / "hardware.toml").hash == made.hardware.hash
    (tmp_path / "out" / "chip.toml").unlink()
    with pytest.raises(UserError, match=r"chip\.toml is missing"):
        read_bundle(tmp_path / "out")


def test_the_report_says_what_was_chosen(deployed: Path) -> None:
    page = write_report(deployed).read_text()
    assert "chosen hardware" in page
    assert "Chosen by the search: layers kept digital both, devices per polarity 2" in page
    assert "ADC bits: 5, 6, 7, 8" in page
    assert "different hardware or data" not in page
    assert "--search-hardware all" in page
    assert "0.9 pJ per multiplication" in page


def test_a_network_is_trained_and_measured_on_its_own_hardware(
    design: Design, tmp_path: Path
) -> None:
    chip = load_chip("generic")
    evaluator = TrainingEvaluator(
        task=TaskChoice("digits"),
        space="tinyml",
        hardware=hardware_for_chip(None, (), chip),
        chip=chip,
        epochs=1,
        chips=2,
        cache=tmp_path,
    )
    noisy = Design(design.arch, replace(CHOICE, noise=2.0))
    found = evaluator.measure(noisy, 1.0, 0)
    assert found.key == noisy.key
    assert found.cost.read_mode == "6-bit"
    assert found.hardware_hash != evaluator.hardware.hash
    assert noise_of(found.training) == 2 * LABEL_RECIPE.hwa.weight_noise
    plain = evaluator.measure(design.arch, 1.0, 0)
    assert plain.key == design.arch.key
    assert plain.hardware_hash == evaluator.hardware.hash
    assert noise_of(plain.training) == LABEL_RECIPE.hwa.weight_noise
    assert plain.cost.cores >= found.cost.cores
    (again,) = evaluator.evaluate([Trial(noisy)])
    assert again.metrics is not None
    assert again.metrics["accuracy@1day"] == found.analog.at(86_400.0)
    assert len(list(tmp_path.iterdir())) == 2


def noise_of(training: dict[str, Any]) -> float:
    return float(training["hwa"]["weight_noise"])


def test_every_gene_is_searched_where_candidates_are_trained(tmp_path: Path) -> None:
    config = make_config(
        {
            "task": "digits",
            "chip": "generic",
            "evaluator": "training",
            "epochs": 1,
            "budget": 2,
            "sampler": "random",
            "reevaluate": 0,
            "max_parameters": 5_000,
            "winners": 0,
            "workers": 1,
            "search_hardware": ("all",),
        }
    )
    result = search_task(config, tmp_path / "run")
    for member in result.front:
        assert len(shown(member.codes)) == 5
        assert member.codes[ADC_BITS] in (5, 6, 7, 8)
    assert not any("not searched" in text for text in result.warnings)
    assert resume_search(tmp_path / "run").front == result.front
