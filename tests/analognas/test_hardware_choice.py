"""The hardware that is simulated belongs to the chip that is charged for."""

from dataclasses import replace
from pathlib import Path

import pytest

from analognas.errors import UserError
from analognas.hardware_choice import CHIP_HARDWARE, check_ages, cost_notes, hardware_for_chip
from analognas.simulator import HARDWARE, HERMES_DEFAULT
from analognas.simulator.chip import CHIPS, load_chip

HERMES, AON, GENERIC = load_chip("hermes"), load_chip("aon-cim"), load_chip("generic")


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("hardware", [None, *HARDWARE])
def test_tiles_are_as_large_as_the_cores(name: str, hardware: str | None) -> None:
    chip = load_chip(name)
    tile = hardware_for_chip(hardware, {}, chip).tile
    assert (tile.rows, tile.columns) == (chip.rows, chip.columns)


@pytest.mark.parametrize(("chip", "preset"), CHIP_HARDWARE.items())
def test_a_known_chip_has_its_own_preset_unchanged(chip: str, preset: str) -> None:
    assert hardware_for_chip(None, {}, load_chip(chip)) == HARDWARE[preset]


def test_a_preset_of_another_size_says_so_in_its_name() -> None:
    hardware = hardware_for_chip("pcm_2019", {}, HERMES)
    assert hardware.name == "pcm_2019, tiles of 256 x 256"
    assert hardware == replace(HARDWARE["pcm_2019"], name=hardware.name, tile=HERMES_DEFAULT.tile)


def test_another_chip_has_cells_and_converters_as_its_file_says() -> None:
    hardware = hardware_for_chip(None, {}, GENERIC)
    assert hardware.device == HARDWARE["hermes_one_cell"].device
    assert (hardware.converters.dac_bits, hardware.converters.adc_bits) == (8, 8)
    fewer = replace(GENERIC, default_read_mode="6-bit")
    hardware = hardware_for_chip(None, ["converters.adc_bits=5"], fewer)
    assert (hardware.converters.dac_bits, hardware.converters.adc_bits) == (6, 5)


def test_a_file_of_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(replace(HERMES_DEFAULT, name="mine").to_toml())
    assert hardware_for_chip(str(path), {}, HERMES).name == "mine"
    with pytest.raises(UserError, match="mine has 256 x 256 and aon-cim has 1024 x 512"):
        hardware_for_chip(str(path), {}, AON)
    settings = ["tile.rows=1024", "tile.columns=512"]
    assert hardware_for_chip(str(path), settings, AON).tile.rows == 1024


def test_a_setting_that_contradicts_the_chip_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"has 128 x 256 and hermes has 256 x 256.*tile\.rows = 256"
    ):
        hardware_for_chip(None, ["tile.rows=128"], HERMES)


def test_cells_that_nobody_measured_for_so_long_are_refused() -> None:
    reram = HARDWARE["reram_wan"]
    assert check_ages(reram, (1.0, 172_800.0)) is reram
    with pytest.raises(UserError, match=r"reram_wan cannot be measured at 2\.592e\+06 s.*two days"):
        check_ages(reram)
    for name in HARDWARE.keys() - {"reram_wan"}:
        assert check_ages(HARDWARE[name]) is HARDWARE[name]


@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_as_it_is_charged_as_it_is_simulated(name: str) -> None:
    chip = load_chip(name)
    assert cost_notes(hardware_for_chip(None, {}, chip), chip) == []


def test_converters_that_nobody_charges_are_told() -> None:
    coarse = hardware_for_chip(None, {"converters.adc_bits": "4"}, GENERIC)
    (note,) = cost_notes(coarse, GENERIC)
    assert "simulated with 4-bit ADCs" in note
    assert "those of the 8-bit ADCs of the chip generic" in note
    dac, adc = cost_notes(hardware_for_chip(None, {}, AON), AON, "6-bit")
    assert "8-bit inputs" in dac
    assert "6-bit ADCs of the chip aon-cim" in adc
    (note,) = cost_notes(hardware_for_chip("ideal", {}, HERMES), HERMES)
    assert "no ADCs" in note
