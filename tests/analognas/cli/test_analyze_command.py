"""`analognas analyze` as a user calls it."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from analognas.cli.app import build_app
from analognas.deployment.bundle import read_bundle
from analognas.deployment.network import (
    Deployment,
    Methods,
    NamedNetwork,
    Progress,
    deploy_network,
    measure_on_test_part,
)
from analognas.search_spaces import Architecture, make_space
from analognas.simulator import (
    HERMES_DEFAULT,
    calibrate_input_ranges,
    hardware_with,
    spawn_generator,
    to_analog,
)
from analognas.simulator.chip import load_chip
from analognas.stored_network import default_pick
from analognas.tasks import load_task
from analognas.training import FULL_RECIPE, TrainedNetwork

RUNNER = CliRunner()
TILE = ["analyze", "tile", "--rows", "40", "--columns", "20", "--chips", "2"]
NETWORK = ["analyze", "network"]
FAST = ["--chips", "2", "--inputs", "20", "--times", "1s,1d"]


def run(*arguments: str) -> str:
    result = RUNNER.invoke(build_app(), list(arguments))
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    result = RUNNER.invoke(build_app(), list(arguments))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    return " ".join(result.stderr.split())


# ------------------------------------------------------------------------ tile


def test_a_tile_is_measured_at_five_times_and_by_effect() -> None:
    found = json.loads(run(*TILE, "--hardware", "standard_aimc", "--json"))
    assert found["hardware"] == "standard_aimc"
    assert found["workload"]["rows"] == 40
    assert [error["t_s"] for error in found["errors"]] == [
        1.0,
        3600.0,
        86_400.0,
        2_592_000.0,
        31_536_000.0,
    ]
    effects = [record["effect"] for record in found["budget"] if record["t_s"] == 1.0]
    assert effects[0] == "programming"
    assert "IR drop" in effects
    for record in found["budget"]:
        (error,) = [e["mean"] for e in found["errors"] if e["t_s"] == record["t_s"]]
        assert record["total"] == error
        assert record["share"] == pytest.approx(1 - (record["without"] / record["total"]) ** 2)


def test_settings_and_times_are_those_of_the_user() -> None:
    coarse, fine = (
        json.loads(run(*TILE, "--set", f"converters.adc_bits={bits}", "--times", "1h", "--json"))
        for bits in (4, 8)
    )
    assert [error["t_s"] for error in coarse["errors"]] == [3600.0]
    assert coarse["errors"][0]["mean"] > fine["errors"][0]["mean"]
    assert coarse["hardware"] == "hermes with converters.adc_bits=4"


def test_a_tile_is_shown_as_tables_a_page_and_pictures(tmp_path: Path) -> None:
    page = tmp_path / "tile.md"
    output = run(*TILE, "--times", "1s,1y", "--out", str(page), "--figures", str(tmp_path))
    for text in ("40 x 20 weights on hermes", "1/f noise", "share, % (1 year)"):
        assert text in output
    text = page.read_text()
    assert text.startswith("# Error of a tile on hermes\n\nMade by `analognas")
    assert "| programming | " in text
    for name in ("tile_error.png", "tile_budget.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_hardware_without_effects_has_no_budget(tmp_path: Path) -> None:
    output = run(*TILE, "--hardware", "ideal", "--figures", str(tmp_path))
    assert "Error by effect" not in output
    assert {path.name for path in tmp_path.iterdir()} == {"tile_error.png"}


def test_times_end_where_the_cells_are_no_longer_known() -> None:
    output = run(*TILE, "--hardware", "reram_wan")
    assert "Not after 1 month, 1 year: the cell's model ends before." in " ".join(output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hardware", "vacuum"], "Unknown hardware 'vacuum'. Choose one of: aihwkit_default"),
        (["--set", "converters.adc_bit=6"], "Unknown setting 'converters.adc_bit'"),
        (["--set", "converters.adc_bits"], "key=value"),
        (["--times", "1s,soon"], "unit of s, min, h, d, mo, y, but got 'soon'"),
        (["--times", "-1s"], "times of at least 0"),
        (["--hardware", "reram_wan", "--times", "1y"], "`t_s <= 172800` must hold"),
        (["--out", "tile.png"], "must name a page that ends in .md, but got tile.png"),
    ],
)
def test_bad_input_is_one_message(arguments: list[str], message: str) -> None:
    assert message in refused(*TILE, *arguments)


# --------------------------------------------------------------------- network


def untrained(setting: Deployment, arch: Architecture, progress: Progress) -> TrainedNetwork:
    """A network with random weights and calibrated ranges, as if it had been trained."""
    network = setting.space.build(arch, generator=spawn_generator(0, "weights")).eval()
    analog = to_analog(network, setting.hardware)
    calibrate_input_ranges(analog, torch.from_numpy(setting.task.train.inputs[:50]))
    return TrainedNetwork(setting.space, arch, analog, setting.recipe, setting.seed, 0.0)


def no_onnx(path: Path, *_: object) -> None:
    path.write_text("")


def write_bundle(folder: Path, adc_bits: str = "8") -> Path:
    task = load_task("digits")
    space = make_space("tinyml", input_shape=task.input_shape, n_classes=task.n_classes)
    codes = dict(space.codes(space.named["analognet-like"]))
    codes |= {"conv.stages": 2, "conv.width_1": 8, "conv.width_2": 8}
    arch = space.decode(codes)
    assert arch is not None
    setting = Deployment(
        task=task,
        space=space,
        hardware=hardware_with(HERMES_DEFAULT, {"converters.adc_bits": adc_bits}),
        chip=load_chip("hermes"),
        seed=0,
        chips=1,
        recipe=FULL_RECIPE,
        methods=Methods(untrained, measure_on_test_part, no_onnx),
    )
    deploy_network(setting, NamedNetwork("small", arch), folder)
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("networks") / "small")


def test_the_layers_of_a_network_are_measured(bundle: Path) -> None:
    found = json.loads(run(*NETWORK, str(bundle), *FAST, "--json"))
    assert found["hardware"] == "hermes"
    assert (found["chips"], found["inputs"], found["part"]) == (2, 20, "validation")
    layers = ["stem.conv", "block1.conv", "head"]
    assert [(layer["t_s"], layer["layer"]) for layer in found["layers"]] == [
        (t_s, layer) for t_s in (1.0, 86_400.0) for layer in layers
    ]
    first = found["layers"][0]
    assert first["accumulated"] == pytest.approx(first["own"])
    assert [histogram["state"] for histogram in found["conductances"]] == ["programmed", "aged"] * 3
    assert [layer["layer"] for layer in found["sensitivity"]["layers"]] == layers
    assert found["sensitivity"]["t_s"] == 86_400.0
    assert run(*NETWORK, str(bundle), *FAST, "--json") == json.dumps(found, indent=2) + "\n"


def test_a_network_is_shown_as_tables_a_page_and_pictures(bundle: Path, tmp_path: Path) -> None:
    page = tmp_path / "network.md"
    output = run(*NETWORK, str(bundle), *FAST, "--out", str(page), "--figures", str(tmp_path))
    for text in ("stem.conv", "accumulated, % (1 day)", "Conductances", "All layers digital"):
        assert text in output
    assert "## Accuracy by layer" in page.read_text()
    for name in ("layer_errors.png", "conductances.png", "layer_sensitivity.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_the_weights_can_be_put_on_other_hardware(bundle: Path) -> None:
    arguments = [*NETWORK, str(bundle), *FAST, "--no-sensitivity", "--json"]
    own = json.loads(run(*arguments))
    assert own["sensitivity"] is None
    ideal = json.loads(run(*arguments, "--hardware", "ideal"))
    assert max(layer["own"] for layer in ideal["layers"]) < 1e-4
    coarse = json.loads(run(*arguments, "--set", "converters.adc_bits=4"))
    assert coarse["layers"][0]["own"] > own["layers"][0]["own"]


def test_hardware_that_is_no_preset_must_be_given(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "coarse", adc_bits="5")
    assert "which is no preset" in refused(*NETWORK, str(folder), *FAST)
    run(*NETWORK, str(folder), *FAST, "--no-sensitivity", "--hardware", "hermes")


def test_bad_folders_and_options_are_one_message(bundle: Path, tmp_path: Path) -> None:
    assert "analognas evaluate ds-cnn --out FOLDER" in refused(*NETWORK, str(tmp_path))
    assert "Leave it out" in refused(*NETWORK, str(bundle), "--pick", "knee")
    assert "validation, test" in refused(*NETWORK, str(bundle), "--part", "train")
    assert "'vacuum'" in refused(*NETWORK, str(bundle), "--hardware", "vacuum")


def test_data_of_another_kind_are_refused(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    for path in bundle.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    record = json.loads((folder / "evaluation.json").read_text())
    record["data_key"] = "0123456789abcdef"
    (folder / "evaluation.json").write_text(json.dumps(record))
    assert "The data must be those that" in refused(*NETWORK, str(folder), *FAST)


def test_the_help_teaches_by_example() -> None:
    for command in ("tile", "network"):
        text = " ".join(run("analyze", command, "--help").split())
        assert f"analognas analyze {command}" in text


def test_a_run_without_a_trained_knee_means_its_first_trained_network(
    bundle: Path, tmp_path: Path
) -> None:
    assert default_pick(tmp_path) == "knee"  # nothing is trained: the message names the knee
    shutil.copytree(bundle, tmp_path / "winners" / "only")
    assert default_pick(tmp_path) == read_bundle(bundle).key
