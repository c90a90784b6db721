"""Networks on every chip of a sweep."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from analognas.deploying import DeploymentSettings, Examples, Source, deploy
from analognas.errors import UserError
from analognas.exploring import SweepSettings, choices, explore, variant
from analognas.exploring.folder import FILES, check_folder, write_sweep
from analognas.exploring.kept_scores import FILE, KeptScores
from analognas.exploring.sweep_settings import hardware_of
from analognas.simulator import HARDWARE
from analognas.simulator.chip import load_chip

GENERIC = load_chip("generic")
SMALL = SweepSettings(
    chip=GENERIC,
    core_sizes=((64, 32), (32, 16)),
    cells=(1, 2),
    adc_bits=(4, 8),
    read_modes=("8-bit",),
    chips=2,
    inputs=16,
)


@pytest.fixture
def source() -> Source:
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(40, 20), nn.ReLU(), nn.Linear(20, 3))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
        x = torch.randn(40, 5, 8, generator=generator)
        labels = network(x).argmax(dim=-1)
    return Source(
        title="net",
        network=network.eval(),
        input_shape=(5, 8),
        test=Examples(x, labels),
        calibration=x,
    )


def test_every_combination_is_measured_and_programmed_once_per_cells(source: Source) -> None:
    found = explore([source], SMALL)
    assert len(found.points) == 2 * 2 * 2 * 2
    assert len({point.choice for point in found.points}) == 16
    assert found.programmed == 4
    assert found.digital == {"net": 1.0}
    assert found.inputs == 16
    assert 0 < sum(point.pareto for point in found.points) < 16
    coarse = [p.accuracy for p in found.points if p.choice.adc_bits == 4]
    fine = [p.accuracy for p in found.points if p.choice.adc_bits == 8]
    assert sum(fine) > sum(coarse)


def test_a_point_is_what_a_deployment_on_that_chip_gives(source: Source) -> None:
    """Reading the same cells otherwise is as good as programming that chip."""
    found = explore([source], SMALL)
    point = found.points[-2]
    chip = variant(GENERIC, point.choice)
    settings = DeploymentSettings(
        chip=chip,
        hardware=hardware_of(SMALL, point.choice, chip),
        chips=2,
        times_s=(SMALL.t_s,),
        compensation=point.choice.compensation,
    )
    deployed = deploy(replace(source, test=source.test.first(16)), settings).deployment
    assert deployed.score().mean()[0] == point.accuracy
    assert deployed.cost.energy_nJ == point.energy_nJ
    assert deployed.cost.area_mm2 == point.area_mm2


def test_a_stopped_sweep_goes_on(source: Source, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int, message: str) -> None:
        if done == 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        explore([source], SMALL, kept=KeptScores(tmp_path), progress=stop)
    assert len((tmp_path / FILE).read_text().splitlines()) == 6
    with (tmp_path / FILE).open("a") as file:
        file.write('{"key": "to')  # torn by a crash
    resumed = explore([source], SMALL, kept=KeptScores(tmp_path))
    assert resumed.points == explore([source], SMALL).points
    assert resumed.programmed == 3  # the first of four is finished
    again = explore([source], SMALL, kept=KeptScores(tmp_path))
    assert again.programmed == 0
    assert again.points == resumed.points


def test_chips_that_are_too_small_are_left_out_by_name(source: Source) -> None:
    one_core = replace(GENERIC.geometry, cores=replace(GENERIC.geometry.cores, value=1))
    tiny = replace(GENERIC, geometry=one_core)
    big = replace(source, network=nn.Sequential(nn.Flatten(), nn.Linear(40, 15_000)).eval())
    blind = replace(big, test=replace(source.test, labels=None))
    with pytest.raises(UserError, match=r"No chip .* holds a network"):
        explore([blind], replace(SMALL, chip=tiny))


def test_several_networks_stay_apart(source: Source) -> None:
    settings = replace(SMALL, cells=(1,), adc_bits=(8,), core_sizes=((64, 32),))
    found = explore([source, source], settings)
    assert list(found.digital) == ["net (1)", "net (2)"]
    first, second = found.of("net (1)"), found.of("net (2)")
    assert [point.accuracy for point in first] == [point.accuracy for point in second]
    blind = replace(source, test=replace(source.test, labels=None))
    with pytest.raises(UserError, match="labels"):
        explore([source, blind], settings)
    assert explore([blind], settings).score_name == "agreement"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"core_sizes": ((8, 512),)}, "--core-size"),
        ({"cells": (3,)}, "--cells"),
        ({"adc_bits": (1,)}, "--adc-bits"),
        ({"read_modes": ("9-bit",)}, "8-bit"),
        ({"compensations": ("hope",)}, "gdc"),
        ({"hardware": HARDWARE["pcm_2019"]}, "--cells"),
        ({"chip": load_chip("hermes"), "read_modes": None}, "--core-size"),
        (
            {"chip": load_chip("hermes"), "core_sizes": None, "cells": None, "read_modes": None},
            "--adc-bits",
        ),
    ],
)
def test_what_cannot_be_varied_is_one_message(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        choices(replace(SMALL, **changes))


def test_a_chip_that_does_not_split_its_energy_varies_by_read_mode() -> None:
    found = choices(SweepSettings(chip=load_chip("hermes")))
    assert {choice.read_mode for choice in found} == {"1-phase", "4-phase"}
    assert {choice.core_size for choice in found} == {"256x256"}
    assert {choice.adc_bits for choice in found} == {8}


def test_adabs_needs_batch_norms(source: Source) -> None:
    with pytest.raises(UserError, match="batch norms"):
        explore([source], replace(SMALL, compensations=("adabs",)))


def test_table_and_picture_are_written(source: Source, tmp_path: Path) -> None:
    found = explore([source], replace(SMALL, chips=1), kept=KeptScores(tmp_path))
    write_sweep(tmp_path, found)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    lines = (tmp_path / "chips.csv").read_text().splitlines()
    assert len(lines) == 1 + 16
    svg = (tmp_path / "chips.svg").read_text()
    assert "cores 64x32" in svg
    assert (tmp_path / "chips.png").read_bytes().startswith(b"\x89PNG")
    write_sweep(tmp_path, found)
    assert (tmp_path / "chips.svg").read_text() == svg
    check_folder(tmp_path)
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match=r"mine\.txt"):
        check_folder(tmp_path)
