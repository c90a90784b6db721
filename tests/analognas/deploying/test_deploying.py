"""Networks are placed, programmed, aged, compensated and measured."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from analognas.deploying import DeploymentSettings, Source, deploy, deploy_model, write_deployment
from analognas.deploying.chip_hardware import hardware_of_chip, on_cores
from analognas.deploying.folder import FILE_TEXTS, ONE_CHIP, README
from analognas.errors import UserError
from analognas.simulator import HARDWARE, HERMES_DEFAULT, IDEAL
from analognas.simulator.chip import Placement, load_chip
from analognas.simulator.devices import PcmHermes

TIMES_S = (1.0, 86_400.0)
HERMES = DeploymentSettings(chip=load_chip("hermes"), chips=3, times_s=TIMES_S)
FILES = {name.format(0) for name in FILE_TEXTS} | {README}


class StoppedError(Exception):
    pass


def test_an_ideal_chip_answers_like_the_digital_network(source: Source) -> None:
    settings = replace(HERMES, hardware=IDEAL, compensation="none")
    found = deploy(source, settings).deployment
    assert found.digital_accuracy == 1.0
    for result in found.results:
        assert result.accuracy == (1.0, 1.0)
        assert result.agreement == (1.0, 1.0)
        assert max(result.output_error) < 1e-4


def test_a_noisy_chip_does_not(source: Source) -> None:
    found = deploy(source, HERMES).deployment
    assert found.score_name == "accuracy"
    assert [one.chip for one in found.results] == [0, 1, 2]
    assert min(error for one in found.results for error in one.output_error) > 0.01
    assert found.score().chips == 3
    assert found.work() is None


def test_without_labels_the_digital_answers_count(source: Source) -> None:
    blind = replace(source, test=replace(source.test, labels=None))
    found = deploy(blind, HERMES).deployment
    assert found.score_name == "agreement"
    assert found.digital_accuracy is None
    assert found.score().accuracy == deploy(source, HERMES).deployment.score().accuracy


def test_compensation_matters_after_a_day(source: Source) -> None:
    device = PcmHermes(programming_noise_scale=0.0, read_noise_scale=0.0)
    drifting = replace(IDEAL, device=device)
    day = replace(HERMES, times_s=(86_400.0,), hardware=drifting, chips=5)
    errors = {
        name: deploy(source, replace(day, compensation=name)).deployment.output_error().mean()[0]
        for name in ("none", "gdc", "adabs", "gdc+adabs")
    }
    assert errors["gdc"] < 0.8 * errors["none"]
    assert len(set(errors.values())) == 4


@pytest.mark.parametrize("programming", ["verify", "gdp"])
def test_pulses_are_counted_by_tile(source: Source, programming: str) -> None:
    settings = replace(HERMES, programming=programming, chips=1)
    found = deploy(source, settings).deployment
    logs = found.chips[0].logs
    assert {one.layer for one in logs} == {"conv", "depthwise", "fc"}
    work = found.work()
    assert work is not None
    assert work.pulses == sum(one.log.pulses for one in logs) > work.cells
    assert found.output_error().mean()[0] < 0.5


def test_blocks_lie_on_their_cores_and_rows_are_added(source: Source, tmp_path: Path) -> None:
    chip = load_chip("generic")
    geometry = chip.geometry
    small = replace(
        chip,
        geometry=replace(
            geometry,
            rows=replace(geometry.rows, value=50),
            columns=replace(geometry.columns, value=8),
            adcs_per_core=replace(geometry.rows, value=8),
        ),
    )
    write_deployment(tmp_path / "out", source, replace(HERMES, chip=small, chips=1))
    routing = pd.read_csv(tmp_path / "out" / "routing.csv")
    fc = routing[routing["layer"] == "fc"]
    assert list(fc["partial_sum"]) == [1, 2, 3]
    assert set(fc["partial_sums"]) == {3}
    assert list(fc["input_start"]) == [0, 48, 96]
    cells = pd.read_parquet(tmp_path / "out" / "conductances.parquet")
    placed = cells.groupby(["layer", "block"], observed=True).agg(
        {"core": ["min", "max"], "row": ["min", "max"], "column": ["min", "max"]}
    )
    for line in routing.to_dict("records"):
        found = placed.loc[(line["layer"], line["block"])]
        assert found["core"].tolist() == [line["core"], line["core"]]
        for axis in ("row", "column"):
            first, stop = line[f"core_{axis}_start"], line[f"core_{axis}_stop"]
            assert found[axis].tolist() == [first, stop - 1]


def test_the_folder_holds_everything(source: Source, tmp_path: Path) -> None:
    out = tmp_path / "out"
    found = write_deployment(out, source, replace(HERMES, programming="verify", chips=2))
    assert {path.name for path in out.iterdir()} == FILES
    assert not [path for path in tmp_path.iterdir() if path.name != "out"]
    content = json.loads((out / "deployment.json").read_text())
    assert content["mean"] == list(found.score().mean())
    assert content["cost"]["energy_nJ"] > 0
    Placement.from_dict(json.loads((out / "placement.json").read_text()))
    assert load_chip(out / "chip.toml").hash == HERMES.chip.hash
    columns = pd.read_csv(out / "columns.csv")
    assert len(columns) == 4 + 4 + 3
    scales = columns[columns["layer"] == "fc"]["scale"]
    weight = source.network.get_submodule("fc").weight
    assert isinstance(weight, torch.Tensor)
    assert scales.to_numpy() == pytest.approx(weight.detach().abs().amax(dim=1).numpy(), rel=1e-5)
    log = pd.read_csv(out / "programming.csv")
    assert len(log) == 2 * 3
    cells = pd.read_parquet(out / "conductances.parquet")
    assert sorted(cells["chip"].unique()) == [0, 1]
    one = pd.read_csv(out / ONE_CHIP.format(0))
    assert len(one) * 2 == len(cells)
    text = (out / README).read_text()
    for name in FILES - {README}:
        assert name in text


def test_a_used_folder_is_refused(source: Source, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="nothing is overwritten"):
        write_deployment(tmp_path / "out", source, HERMES)


def test_a_stopped_deployment_goes_on(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analognas.deploying.deploying.CHIPS_AT_ONCE", 1)
    out, seen = tmp_path / "out", list[str]()

    def stop(done: int, total: int, message: str) -> None:
        if done == 2:
            raise StoppedError

    def listen(done: int, total: int, message: str) -> None:
        seen.append(message)

    with pytest.raises(StoppedError):
        write_deployment(out, source, HERMES, progress=stop)
    assert not out.exists()
    resumed = write_deployment(out, source, HERMES, progress=listen)
    assert [text for text in seen if text.startswith("programming")] == ["programming chip 2"]
    whole = deploy(source, HERMES)
    assert resumed.results == whole.deployment.results
    kept = pd.read_parquet(out / "conductances.parquet")
    for number in range(3):
        mine = kept[kept["chip"] == number]["programmed_uS"].to_numpy()
        assert (mine == whole.conductances(number).to_pandas()["programmed_uS"].to_numpy()).all()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_chips_of_other_settings_are_not_used(source: Source, tmp_path: Path) -> None:
    def stop(done: int, total: int, message: str) -> None:
        if done:
            raise StoppedError

    with pytest.raises(StoppedError):
        write_deployment(tmp_path / "out", source, replace(HERMES, seed=1), progress=stop)
    found = write_deployment(tmp_path / "out", source, HERMES)
    assert found.results == deploy(source, HERMES).deployment.results


def test_measured_conductances_take_the_place_of_programming(
    source: Source, tmp_path: Path
) -> None:
    settings = replace(HERMES, chips=2)
    write_deployment(tmp_path / "first", source, settings)
    cells = tmp_path / "first" / "conductances.parquet"
    found = write_deployment(tmp_path / "second", source, replace(settings, conductances=cells))
    assert found.programming == "measured"
    assert [one.chip for one in found.results] == [0, 1]
    again = pd.read_parquet(tmp_path / "second" / "conductances.parquet")
    assert again.equals(pd.read_parquet(cells))
    assert found.output_error().mean()[0] < 0.5
    broken = tmp_path / "broken.csv"  # a chip whose second device of every pair is dead
    table = pd.read_csv(tmp_path / "first" / ONE_CHIP.format(0))
    table.loc[table["cell"] == 1, "programmed_uS"] = 0.0
    table.to_csv(broken, index=False)
    worse = deploy(source, replace(settings, conductances=broken)).deployment
    assert worse.output_error().mean()[0] > 2 * found.output_error().mean()[0]


def test_any_model_is_deployed_from_python(network: nn.Module, source: Source) -> None:
    found = deploy_model(
        network,
        source.calibration,
        chip="generic",
        labels=source.test.labels,
        title="mine",
        chips=2,
        times_s=TIMES_S,
    )
    assert found.title == "mine"
    assert found.placement.used_cores == 1  # packed
    assert found.hardware.tile.rows == 512
    assert found.digital_accuracy == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compensation": "magic"}, "Choose one of: none, gdc"),
        ({"programming": "magic"}, "gdp"),
        ({"read_mode": "magic"}, "1-phase"),
        ({"chips": 0}, "at least 1"),
        ({"times_s": (10.0, 1.0)}, "rise"),
        ({"keep_digital": ("magic",)}, "keep_digital"),
        ({"hardware": HARDWARE["reram_wan"], "programming": "gdp"}, "phase-change"),
    ],
)
def test_impossible_settings_are_one_message(
    source: Source, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        deploy(source, replace(HERMES, **changes))  # type: ignore[arg-type]


def test_adabs_needs_batch_norms(source: Source) -> None:
    bare = replace(source, network=nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).eval())
    with pytest.raises(UserError, match="batch norms"):
        deploy(bare, replace(HERMES, compensation="adabs"))


def test_a_network_that_does_not_fit_is_refused(source: Source) -> None:
    big = replace(source, network=nn.Sequential(nn.Flatten(), nn.Linear(36, 20_000)).eval())
    blind = replace(big, test=replace(source.test, labels=None))
    with pytest.raises(UserError, match="79 cores"):
        deploy(blind, HERMES)


def test_labels_must_be_classes_of_the_network(source: Source) -> None:
    wrong = replace(source.test, labels=torch.full((24,), 3))
    with pytest.raises(UserError, match="from 0 to 2"):
        deploy(replace(source, test=wrong), HERMES)


@pytest.mark.parametrize(
    ("chip", "mode", "bits"), [("generic", "6-bit", 6), ("generic", None, 8), ("hermes", None, 8)]
)
def test_the_hardware_of_a_chip_has_its_converters(chip: str, mode: str | None, bits: int) -> None:
    hardware = hardware_of_chip(load_chip(chip), mode)
    assert hardware.converters.adc_bits == bits
    assert on_cores(hardware, load_chip(chip)).tile.rows == load_chip(chip).rows


def test_the_preset_of_a_chip_is_used() -> None:
    assert hardware_of_chip(load_chip("hermes")) == HERMES_DEFAULT
