import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from analognas.cli.resume import resume
from analognas.cli.search import search
from analognas.errors import UserError
from analognas.searching import OBJECTIVES, FrontRecord, SearchConfig, SearchResult

app = typer.Typer()
app.command()(search)
app.command()(resume)


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Replaces the search itself; what it was called with is remembered."""
    seen: dict[str, Any] = {}

    def result(config: SearchConfig, path: Path) -> SearchResult:
        scores = dict.fromkeys(OBJECTIVES, 0.5)
        front = (FrontRecord("abc123", {}, scores, ("accuracy", "knee")),)
        return SearchResult(
            path, config, front, front, (), 7, 1.5, "basis.", "Costs are modelled.", ("A guess.",)
        )

    def run(config: SearchConfig, path: Path, progress: Any = None) -> SearchResult:
        seen.update(config=config, path=path)
        return result(config, path)

    def resumed(path: Path, progress: Any = None, *, device: str | None = None) -> SearchResult:
        seen.update(path=path)
        return result(SearchConfig(task="digits"), path)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("analognas.searching.search_task", run)
    monkeypatch.setattr("analognas.searching.resume_search", resumed)
    return seen


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_the_defaults_of_the_command_are_those_of_the_settings(searched: dict[str, Any]) -> None:
    assert invoke("search", "--task", "kws").exit_code == 0
    assert searched["config"] == SearchConfig(task="kws")
    assert searched["path"].parent == Path("runs")


def test_every_flag_reaches_the_settings(searched: dict[str, Any]) -> None:
    line = (
        "search --task kws --data d --words yes,no --split lists --space conv --chip c.toml "
        "--hardware h.toml --set a.b=1 --set c=x=y --surrogate s.json --objectives drop,cores "
        "--budget 10m --sampler tpe --max-cores 8 --max-params 9 --max-energy-nj 7.5 "
        "--min-accuracy 0.5 --winners 1 --baselines --seed 3 --device cpu --workers 2 "
        "--storage sqlite:///x.db --out here"
    )
    assert invoke(*line.split()).exit_code == 0
    assert searched["path"] == Path("here")
    assert searched["config"] == SearchConfig(
        task="kws",
        data="d",
        words=("yes", "no"),
        split="lists",
        space="conv",
        chip="c.toml",
        hardware="h.toml",
        surrogate="s.json",
        overrides={"a.b": "1", "c": "x=y"},
        objectives=("drop", "cores"),
        budget="10m",
        sampler="tpe",
        max_cores=8,
        max_parameters=9,
        max_energy_nJ=7.5,
        min_accuracy=0.5,
        winners=1,
        baselines=True,
        seed=3,
        device="cpu",
        workers=2,
        storage="sqlite:///x.db",
    )


def test_a_search_by_training_has_settings_of_its_own_and_says_what_its_numbers_are(
    searched: dict[str, Any],
) -> None:
    line = "search --task imu --evaluator training --budget 4m --epochs 3 --reevaluate 0"
    output = invoke(*line.split()).output
    assert searched["config"] == SearchConfig(
        task="imu", evaluator="training", budget="4m", epochs=3, reevaluate=0
    )
    assert "(fraction, simulated, validation part)" in output
    assert "networks that were trained and measured, in 2 s of one core" in " ".join(output.split())
    assert "predicted" not in output
    content = json.loads(invoke(*line.split(), "--json").stdout)
    assert content["front"][0]["training seeds"] == 1
    assert content["optimism"] == {"front": None, "winners": None}


def test_the_front_is_shown_with_what_must_be_said_beside_it(searched: dict[str, Any]) -> None:
    output = invoke("search", "--task", "kws").output
    for words in ("abc123", "accuracy, knee", "predicted", "modelled", "basis.", "A guess."):
        assert words in output


@pytest.mark.parametrize("command", [("search", "--task", "kws"), ("resume", "some/run")])
def test_the_result_is_also_json(command: tuple[str, ...], searched: dict[str, Any]) -> None:
    content = json.loads(invoke(*command, "--json").stdout)
    assert content["networks"] == 7
    assert content["warnings"] == ["A guess."]
    assert content["front"][0]["key"] == "abc123"
    assert content["front"][0]["energy per inference (nJ, modelled)"] == 0.5


def test_a_dry_run_searches_nothing(
    searched: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "analognas.searching.planning.plan_search", lambda config: {"task": config.task}
    )
    result = invoke("search", "--task", "kws", "--dry-run", "--json")
    assert json.loads(result.stdout) == {"task": "kws"}
    assert not searched
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "adc_bits"), "key=value"),
        (("--objectives", "speed"), "Unknown objective 'speed'.*accuracy-low@1day"),
        (("--budget", "many"), "minutes"),
        (("--max-cores", "0"), "max_cores"),
    ],
)
def test_a_bad_value_is_an_error_of_the_user(
    arguments: tuple[str, ...], words: str, searched: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=words):
        invoke("search", "--task", "kws", *arguments)
