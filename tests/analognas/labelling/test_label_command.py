"""Tests of `analognas label`, with fake training but the real plan."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from analognas.cli.door import Door
from analognas.cli.label import label
from analognas.labelling import campaign, read_folder
from analognas.search_spaces import Architecture, Fits, SearchSpace
from analognas.surrogates.label_table import LabelTable

SMALL = ["--networks", "3", "--replicated", "1", "--seeds", "2", "--workers", "1"]
SMALL += ["--variants", "0"]
Command = Callable[..., Result]


@pytest.fixture
def command(fakes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `analognas label ...` with fake jobs and a quick sample of networks."""

    def fake_workshop(*_: object) -> Any:
        return fakes.FakeWorkshop()

    def sample(
        space: SearchSpace, rng: np.random.Generator, n: int, fits: Fits
    ) -> list[Architecture]:
        found: dict[str, Architecture] = {}
        while len(found) < n:
            arch = space.sample(rng, fits)
            found[arch.key] = arch
        return list(found.values())

    monkeypatch.setattr(campaign, "TrainAndMeasure", fake_workshop)
    monkeypatch.setattr(campaign, "MeasureAgain", fake_workshop)
    monkeypatch.setattr(campaign, "sample_spread", sample)
    app = typer.Typer(cls=Door, pretty_exceptions_enable=False)
    app.command("label")(label)
    app.command("other")(lambda: None)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["label", *map(str, arguments)])

    return run


def test_a_run_ends_with_a_label_set_that_can_be_measured_again(
    command: Command, tmp_path: Path, fakes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_weights(*_: object) -> Any:
        return fakes.FakeWorkshop(with_weights=True)

    monkeypatch.setattr(campaign, "TrainAndMeasure", with_weights)
    out = tmp_path / "run"
    result = command("--task", "digits", *SMALL, "--out", out)
    assert result.exit_code == 0, result.output
    assert "4 of 4 labels" in result.output
    table = LabelTable.read(out)
    assert len(table.networks) == 4
    assert table.networks["key"].nunique() == 3
    stored = json.loads((out / "settings.json").read_text())
    assert stored["part"] == "validation"
    assert stored["data_name"] == "sklearn-digits"

    again = tmp_path / "again"
    coarse = ["--set", "converters.adc_bits=6", "--variants", 0]
    result = command("--reevaluate", out, *coarse, "--out", again)
    assert result.exit_code == 0, result.output
    assert len(LabelTable.read(again).networks) == 3  # one file of weights per network
    settings = read_folder(again).settings
    assert settings["source"] == "run"
    assert settings["hardware_hash"] != stored["hardware_hash"]
    assert "converters.adc_bits=6" in settings["hardware"]
    assert not (again / "weights").exists()


def test_the_same_command_goes_on_and_another_is_refused(command: Command, tmp_path: Path) -> None:
    arguments = ["--task", "digits", *SMALL, "--out", tmp_path / "run"]
    assert command(*arguments).exit_code == 0
    before = (tmp_path / "run/journal.jsonl").read_text()
    assert command(*arguments).exit_code == 0
    assert (tmp_path / "run/journal.jsonl").read_text() == before
    result = command(*arguments, "--chips", "9")
    assert result.exit_code == 2
    assert "chips is 20 there, 9 here" in " ".join(result.output.split())


def test_what_is_done_can_be_written_at_any_time(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command("--task", "digits", *SMALL, "--out", out)
    lines = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    (out / "journal.jsonl").write_text("".join(lines[:2]) + lines[2][:100])
    result = command("--finish-now", "--out", out)
    assert result.exit_code == 0
    assert "cut short" in result.output
    assert len(LabelTable.read(out).networks) == 2


def test_failed_jobs_end_in_exit_code_1_with_their_reasons(
    command: Command, tmp_path: Path, fakes: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    command("--task", "digits", *SMALL, "--out", out)
    (out / "journal.jsonl").unlink()
    job = read_folder(out).jobs[0]

    def failing(*_: object) -> Any:
        return fakes.FakeWorkshop(failing=frozenset({job.id}))

    monkeypatch.setattr(campaign, "TrainAndMeasure", failing)
    result = command("--task", "digits", *SMALL, "--out", out)
    assert result.exit_code == 1
    assert f"no luck with {job.id}" in " ".join(result.output.split())
    assert "--finish-now" in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"--networks": 0}, "networks"),
        ({"--networks": 3, "--replicated": 4}, "replicated <= networks"),
        ({"--chips": 0}, "chips"),
        ({"--task": "chess"}, "kws"),
        ({"--space": "outer"}, "tinyml"),
        ({"--hardware": "abacus"}, "hermes"),
        ({"--set": "adc_bits"}, "key=value"),
        ({"--set": "converters.adc_bit=6"}, "converters.adc_bits"),
        ({"--device": "tpu"}, "auto, cpu, cuda"),
        ({"--reevaluate": "/nowhere"}, "no label run"),
    ],
)
def test_bad_options_are_one_message_and_exit_code_2(
    command: Command, tmp_path: Path, options: Mapping[str, object], told: str
) -> None:
    out = tmp_path / "run"
    chosen = {"--task": "digits", **options}
    result = command(*[part for pair in chosen.items() for part in pair], "--out", out)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert not (out / "settings.json").exists()


def test_the_task_is_asked_for(command: Command, tmp_path: Path) -> None:
    result = command("--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "--task is missing" in result.output


def test_label_sets_of_two_machines_are_merged(command: Command, tmp_path: Path) -> None:
    for seed in (0, 1):
        made = command("--task", "digits", *SMALL, "--seed", seed, "--out", tmp_path / str(seed))
        assert made.exit_code == 0, made.output
    parts = ["--merge", tmp_path / "0", "--merge", tmp_path / "1"]
    result = command(*parts, "--out", tmp_path / "both")
    assert result.exit_code == 0, result.output
    table = LabelTable.read(tmp_path / "both")
    assert len(table.networks) == 8
    assert "`0`" in table.card

    again = command(*parts, "--out", tmp_path / "both")
    assert again.exit_code == 2
    assert "not empty" in again.output
    alone = command("--merge", tmp_path / "0", "--out", tmp_path / "one")
    assert alone.exit_code == 2
    assert "at least twice" in alone.output
