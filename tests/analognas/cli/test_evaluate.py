"""`analognas evaluate` as a user calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analognas.cli.app import build_app
from analognas.deployment.bundle import FILES
from analognas.search_spaces import make_space

RUNNER = CliRunner()
FAST = ["--task", "digits", "--epochs", "1", "--chips", "2"]


@pytest.fixture
def architecture(tmp_path: Path) -> Path:
    space = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    codes = dict(space.codes(space.named["analognet-like"]))
    codes |= {"conv.stages": 2, "conv.width_1": 8, "conv.width_2": 8}
    arch = space.decode(codes)
    assert arch is not None
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(arch.to_dict()))
    return path


def test_a_network_is_measured_at_five_times(architecture: Path) -> None:
    result = RUNNER.invoke(build_app(), ["evaluate", str(architecture), *FAST, "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["part"] == "validation"
    assert len(content["analog"]["accuracy"]) == 5
    assert {len(row) for row in content["analog"]["accuracy"]} == {2}
    assert content["label"] == "simulated"
    assert content["training"]["epochs"] == 1


def test_a_bundle_is_written_on_request(architecture: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    arguments = ["evaluate", str(architecture), *FAST, "--out", str(out)]
    result = RUNNER.invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == set(FILES)
    again = RUNNER.invoke(build_app(), arguments)
    assert again.exit_code == 2
    assert "nothing is overwritten" in again.output


def test_the_placement_is_told_on_any_chip(architecture: Path) -> None:
    arguments = ["evaluate", str(architecture), *FAST, "--chip", "aon-cim"]
    result = RUNNER.invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert "modelled on aon-cim (8-bit): 1 core, " in told
    assert "at least 1 if shared ideally (met)" in told
    assert "The energy covers arrays, DACs, ADCs, digital units, buffers" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ds-cnn", "--set", "tile.rows=64"], "64 x 256 and hermes has 256 x 256"),
        (["missing.json"], "ds-cnn"),
        (["ds-cnn", "--part", "train"], "validation, test"),
        (["ds-cnn", "--chip", "vacuum"], "hermes"),
        (["ds-cnn", "--hardware", "vacuum"], "pcm_2019"),
        (["ds-cnn", "--set", "converters.adc_bits"], "key=value"),
        (["ds-cnn", "--set", "converters.adc_bits=99"], "16"),
    ],
)
def test_bad_input_is_one_message(arguments: list[str], message: str) -> None:
    result = RUNNER.invoke(build_app(), ["evaluate", *arguments, *FAST])
    assert result.exit_code == 2
    assert message in result.output.replace("\n", " ")


def test_a_network_of_another_task_is_refused(architecture: Path) -> None:
    result = RUNNER.invoke(build_app(), ["evaluate", str(architecture), "--task", "kws"])
    assert result.exit_code == 2
    assert "(1, 49, 10)" in result.output


@pytest.mark.parametrize("content", ["{}", "[1]", '{"space": "conv"}', "not json"])
def test_a_corrupt_architecture_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "architecture.json"
    path.write_text(content)
    result = RUNNER.invoke(build_app(), ["evaluate", str(path), *FAST])
    assert result.exit_code == 2, result.output
