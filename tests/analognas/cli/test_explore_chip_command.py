"""`analognas explore-chip` as a user calls it."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from analognas.cli.app import build_app
from analognas.search_spaces import make_space

RUNNER = CliRunner()
MODELS_FILE = Path(__file__).parents[1] / "deploying" / "conftest.py"
FAST = ["--chips", "1", "--samples", "12", "--core-size", "64x32", "--read-mode", "8-bit"]


@pytest.fixture
def exported(tmp_path: Path) -> list[str]:
    spec = importlib.util.spec_from_file_location("deploying_models", MODELS_FILE)
    assert spec is not None
    assert spec.loader is not None
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    network, x = models.with_weights(models.SmallNet()), models.inputs_of(20, 1, 6, 6)
    path = models.export(network, x[:5], tmp_path / "small.pt2")
    with torch.no_grad():
        labels = network(x).argmax(dim=-1).numpy()
    np.savez(tmp_path / "data.npz", inputs=x.numpy(), labels=labels)
    return [str(path), "--inputs", str(tmp_path / "data.npz")]


def run(*arguments: str) -> str:
    result = RUNNER.invoke(build_app(), ["explore-chip", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = RUNNER.invoke(build_app(), ["explore-chip", *arguments])
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    return " ".join(result.stderr.split())


def test_a_sweep_is_a_table_and_a_picture(exported: list[str], tmp_path: Path) -> None:
    out = tmp_path / "chips"
    text = run(*exported, *FAST, "--out", str(out))
    assert "Pareto chips" in text
    assert "64x32" in text
    assert {"chips.csv", "chips.json", "chips.png", "chips.svg"} <= {p.name for p in out.iterdir()}
    content = json.loads((out / "chips.json").read_text())
    assert len(content["points"]) == 2 * 2 * 2  # cells, ADC bits, compensation
    shown = run(*exported, *FAST, "--out", str(out), "--all", "--json")
    assert json.loads(shown)["programmed"] == 0


def test_a_named_network_is_trained_first(tmp_path: Path) -> None:
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    codes = dict(space.codes(space.named["analognet-like"]))
    codes |= {"conv.stages": 2, "conv.width_1": 8, "conv.width_2": 8}
    arch = space.decode(codes)
    assert arch is not None
    path = tmp_path / "arch.json"
    path.write_text(json.dumps(arch.to_dict()))
    arguments = ["--task", "digits", "--epochs", "1", "--cells", "1", "--adc-bits", "8"]
    text = run(str(path), *arguments, *FAST)
    assert "trained for 1 epoch" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--chip", "vacuum"], "hermes"),
        (["--core-size", "big"], "256x256"),
        (["--cells", "5"], "from 1 to 2"),
        (["--adc-bits", "x"], "6,8"),
        (["--read-mode", "9-bit"], "8-bit"),
        (["--compensation", "hope"], "gdc+adabs"),
        (["--after", "soon"], "1h"),
        (["--hardware", "vacuum"], "pcm_2019"),
        (["--test", "missing.npz"], "missing.npz"),
        (["--part", "train"], "validation"),
        (["--chip", "hermes", "--cells", "1"], "generic"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_bad_input_is_one_message(exported: list[str], arguments: list[str], message: str) -> None:
    assert message in refused(*exported, *FAST[:4], *arguments)


def test_an_unknown_network_is_one_message() -> None:
    assert "ds-cnn" in refused("vacuum", "--task", "digits", *FAST)
