"""`analognas deploy` as a user calls it."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from analognas.cli.app import build_app
from analognas.search_spaces import make_space

RUNNER = CliRunner()
FAST = ["--chips", "2", "--times", "1s,1d"]
SMALL = ["--chips", "1", "--times", "1s"]


def _models() -> ModuleType:
    path = Path(__file__).parents[1] / "deploying" / "conftest.py"
    spec = importlib.util.spec_from_file_location("deploying_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODELS = _models()


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    x = MODELS.inputs_of(5, 1, 6, 6)
    path: Path = MODELS.export(MODELS.with_weights(MODELS.SmallNet()), x, tmp_path / "small.pt2")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.safetensors"
    x = MODELS.inputs_of(20, 1, 6, 6)
    with torch.no_grad():
        labels = MODELS.with_weights(MODELS.SmallNet())(x).argmax(dim=-1)
    save_file({"inputs": x, "labels": labels}, path)
    return path


def run(*arguments: str) -> str:
    result = RUNNER.invoke(build_app(), ["deploy", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = RUNNER.invoke(build_app(), ["deploy", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    return " ".join(result.stderr.split())


def test_an_exported_model_with_data(exported: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = run(str(exported), "--inputs", str(data), "--chip", "generic", *FAST, "--out", str(out))
    assert "accuracy" in text
    assert "no analog effect" in text
    content = json.loads((out / "deployment.json").read_text())
    assert content["digital_accuracy"] == 1.0
    assert content["chip"] == "generic"
    assert len(content["results"]) == 2


def test_an_exported_model_alone(exported: Path, tmp_path: Path) -> None:
    found = json.loads(run(str(exported), *FAST, "--out", str(tmp_path / "out"), "--json"))
    assert found["score"] == "agreement"
    assert found["examples"] == 5
    assert "sample inputs" in found["notes"][0]


def test_a_round_trip_through_measured_conductances(exported: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run(str(exported), *FAST, "--out", str(first))
    cells = first / "conductances_chip_0.csv"
    text = run(str(exported), "--conductances", str(cells), *FAST, "--out", str(second))
    assert "measured" in text
    assert pd.read_csv(second / cells.name).equals(pd.read_csv(cells))
    message = refused(
        *(str(exported), "--conductances", str(cells), "--chip", "generic", *FAST),
        *("--out", str(tmp_path / "third")),
    )
    assert "cells that hold weights are missing" in message


def test_weights_of_a_named_architecture(tmp_path: Path) -> None:
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    codes = dict(space.codes(space.named["analognet-like"]))
    codes |= {"conv.stages": 2, "conv.width_1": 8, "conv.width_2": 8}
    arch = space.decode(codes)
    assert arch is not None
    (tmp_path / "arch.json").write_text(json.dumps(arch.to_dict()))
    network = space.build(arch, generator=torch.Generator().manual_seed(0))
    weights = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), weights)
    arguments = [str(weights), "--task", "digits", *SMALL, "--out", str(tmp_path / "out")]
    found = json.loads(run(*arguments, "--architecture", str(tmp_path / "arch.json"), "--json"))
    assert found["score"] == "accuracy"
    message = refused(*arguments[:-1], str(tmp_path / "b"), "--architecture", "ds-cnn")
    assert "must hold the weights of ds-cnn" in message
    assert "--architecture" in refused(*arguments[:-1], str(tmp_path / "c"))


def test_pulses_on_one_chip_by_default(exported: Path, tmp_path: Path) -> None:
    arguments = ["--programming", "gdp", "--times", "1s", "--out", str(tmp_path / "out"), "--json"]
    found = json.loads(run(str(exported), *arguments))
    assert len(found["results"]) == 1
    assert found["programming_work"]["mvms"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--chip", "vacuum"], "hermes"),
        (["--read-mode", "9-phase"], "1-phase"),
        (["--hardware", "vacuum"], "pcm_2019"),
        (["--set", "converters.adc_bits=99"], "16"),
        (["--programming", "shouting"], "verify"),
        (["--compensation", "hope"], "gdc+adabs"),
        (["--times", "soon"], "--times"),
        (["--inputs", "missing.npz"], "missing.npz"),
        (["--conductances", "missing.csv"], "missing.csv"),
        (["--keep-digital", "magic"], "magic"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_bad_input_is_one_message(
    exported: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refused(str(exported), *arguments, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["missing", "model.bin", "empty"])
def test_what_is_no_model_is_one_message(tmp_path: Path, name: str) -> None:
    if name == "empty":
        (tmp_path / name).mkdir()
    if name == "model.bin":
        (tmp_path / name).write_text("x")
    message = refused(str(tmp_path / name), "--out", str(tmp_path / "out"))
    assert "analognas evaluate" in message
