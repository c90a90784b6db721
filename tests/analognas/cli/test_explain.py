"""`analognas explain` as a user calls it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analognas import search
from analognas.asking.subject import SubjectRequest, find_subject
from analognas.cli.app import build_app
from analognas.explaining.contributions import feature_rows
from analognas.searching.designs import PLAIN
from analognas.searching.run_directory import RunDirectory

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    search("digits", out=folder, budget=20, winners=0, max_cores=6)
    return folder


def test_a_run_is_explained_within_its_own_limits(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "explained"
    arguments = ["explain", str(run_folder), "--pick", "accuracy", "--out", str(out)]
    result = RUNNER.invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    for words in ("Why accuracy", "changed in one way", "In short", "What the labels digits-8x8"):
        assert words in result.stdout
    assert {path.name for path in out.iterdir()} == {"explain.md", "explain.png", "explain.json"}
    page = (out / "explain.md").read_text()
    assert "Made by `analognas" in page
    assert "explain.png" in page
    content = json.loads((out / "explain.json").read_text())
    (network,) = content["networks"]
    month = network["contributions"][-1]
    assert month["average"] + sum(month["by_choice"].values()) == pytest.approx(
        month["predicted"], abs=1e-5
    )
    changes = network["changes"]
    assert max(one["modelled"]["cores"] for one in changes["singles"]) <= 6
    assert changes["too_large"] > 0
    assert len(content["labels"]["effects"]) == 5


def test_a_check_pairs_seeds_and_is_made_once(run_folder: Path) -> None:
    arguments = ["explain", str(run_folder), "--pick", "energy", "--json", "--simulate", "1"]
    fast = ["--seeds", "2", "--epochs", "1", "--chips", "1"]
    first = RUNNER.invoke(build_app(), [*arguments, *fast])
    assert first.exit_code == 0, first.output
    kept = sorted((run_folder / "explain" / "trainings").iterdir())
    assert len(kept) == 4
    assert {json.loads(path.read_text())["part"] for path in kept} == {"validation"}
    times = [path.stat().st_mtime_ns for path in kept]
    again = RUNNER.invoke(build_app(), [*arguments, *fast])
    assert again.stdout == first.stdout
    assert [path.stat().st_mtime_ns for path in kept] == times
    base, changed = json.loads(first.stdout)["networks"][0]["checked"]
    assert base["words"] == "unchanged"
    assert {one["change"] for one in base["simulated"]} == {0.0}
    month, base_month = changed["simulated"][-1], base["simulated"][-1]
    assert month["change"] == pytest.approx(month["accuracy"] - base_month["accuracy"])
    assert month["sd"] is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ds-cnn", "--simulate", "1"], "Name one with --out"),
        (["ds-cnn", "--labels", "nothing"], "no label set 'nothing'"),
        (["ds-cnn", "--pick", "all"], "not the folder of a run"),
        (["ds-cnn", "--task", "imu"], "No surrogate is fitted for the task 'imu'"),
    ],
)
def test_bad_requests_are_answered_with_the_remedy(arguments: list[str], message: str) -> None:
    result = RUNNER.invoke(build_app(), ["explain", "--task", "digits", *arguments])
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())


def test_a_run_without_trained_networks_cannot_explain_them_all(run_folder: Path) -> None:
    result = RUNNER.invoke(build_app(), ["explain", str(run_folder), "--pick", "all"])
    assert result.exit_code == 2
    assert "no trained network" in result.stderr


def test_hardware_that_a_search_chose_stays_with_its_network(tmp_path: Path) -> None:
    run = tmp_path / "joint"
    hardware = ("digital-layers", "adc-bits")
    search("digits", out=run, budget=16, winners=0, chip="generic", search_hardware=hardware)
    designs = {
        candidate.key: candidate.architecture
        for batch in RunDirectory(run).journal.read()
        for candidate in batch.candidates
        if {"digital_layers", "adc_bits"} <= set(candidate.architecture.get("hardware", {}))
    }
    key, design = next(iter(designs.items()))
    subject = find_subject(SubjectRequest(network=str(run), pick=key))
    assert subject.keep_digital
    assert subject.arch.to_dict() == design["architecture"]
    converters = subject.setting.hardware.converters
    assert converters.adc_bits == design["hardware"]["adc_bits"]
    (warning,) = [text for text in subject.warnings if "digital, as no label does" in text]
    assert subject.keep_digital[0] in warning
    on_tiles = feature_rows(subject, [subject.arch], (1.0,))["tiles"].item()
    plain = replace(subject, choice=PLAIN)
    assert on_tiles < feature_rows(plain, [subject.arch], (1.0,))["tiles"].item()
