"""The published presets: their physics does not change by accident, and files hold all of them."""

from pathlib import Path

import pytest

from analognas.simulator import HARDWARE, Hardware, hardware_with
from analognas.simulator.chip import load_chip
from analognas.simulator.devices import Pcm2019, PcmHermes, ReramCmo
from analognas.simulator.presets import STANDARD_AIMC

# Committed label tables and models were made with these: they name their hardware by its hash.
PINNED = {"hermes": "dd5ae6c7388b", "pcm_2019": "9809302ed6c4", "ideal": "a4d06a5142b0"}


@pytest.mark.parametrize(("name", "expected"), PINNED.items())
def test_the_hash_of_hardware_in_use_stays(name: str, expected: str) -> None:
    assert HARDWARE[name].hash == expected


@pytest.mark.parametrize("name", HARDWARE)
def test_a_preset_knows_its_name_and_survives_a_file(name: str, tmp_path: Path) -> None:
    hardware = HARDWARE[name]
    assert hardware.name == name
    path = tmp_path / "hardware.toml"
    path.write_text(hardware.to_toml(), encoding="utf-8")
    again = Hardware.from_toml(path)
    assert again == hardware
    assert again.hash == hardware.hash
    assert hardware_with(hardware, {}) == hardware


def test_no_two_presets_are_the_same() -> None:
    assert len({hardware.hash for hardware in HARDWARE.values()}) == len(HARDWARE)


def test_the_standard_model_is_that_of_the_paper() -> None:
    hardware = STANDARD_AIMC
    converters = hardware.converters
    assert hardware.device == Pcm2019()
    assert (hardware.tile.rows, hardware.tile.columns) == (512, 512)
    assert (converters.dac_bits, converters.adc_bits) == (8, 8)
    assert (converters.output_bound, converters.output_noise) == (10.0, 0.04)
    assert hardware.weight_read_noise == 0.0175
    assert hardware.read_noise_law == "pcm"
    assert hardware.ir_drop.strength == 1.0
    assert hardware.ir_drop.conductance_ratio == pytest.approx(571_428.57, rel=1e-8)
    assert hardware.compensation == "gdc"


def test_the_defaults_of_the_toolkit_are_its_documented_ones() -> None:
    hardware = HARDWARE["aihwkit_default"]
    converters, stage = hardware.converters, hardware.input_stage
    assert (converters.dac_bits, converters.adc_bits) == (7, 9)
    assert (converters.output_bound, converters.output_noise) == (12.0, 0.06)
    assert (stage.scaling, stage.bound_management) == ("abs_max", "iterative")
    assert hardware.weight_read_noise == 0.0


def test_cells_differ_where_the_names_say_so() -> None:
    assert HARDWARE["hermes_one_cell"].device == PcmHermes(cells_per_polarity=1)
    single = HARDWARE["reram_cmo"]
    assert isinstance(single.device, ReramCmo)
    assert single.device.acceptance == "2%"
    assert single.mapping.cells_per_weight == 1


@pytest.mark.parametrize("bits", [8, 6, 4])
def test_the_chip_of_analognets_is_one_array_with_one_gain(bits: int) -> None:
    hardware = HARDWARE[f"aon_cim_{bits}bit"]
    chip = load_chip("aon-cim")
    assert (hardware.tile.rows, hardware.tile.columns) == (chip.rows, chip.columns)
    assert (hardware.converters.dac_bits, hardware.converters.adc_bits) == (bits, bits)
    assert hardware.mapping.scaling == "layer"  # without it, a column would have a gain of its own
    assert hardware.device == Pcm2019()
