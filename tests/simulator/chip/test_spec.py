import copy
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from analognas.simulator.chip import CHIPS, ChipSpec, datasheet, load_chip
from analognas.simulator.chip.figures import TRUST_MEANING

SHIPPED = Path(__file__).parents[3] / "simulator" / "chip" / "chips"

OWN_CHIP = """
name = "mine"
title = "Two small cores"
default_read_mode = "fast"

[geometry]
cores = { value = 2, source = "me", trust = "derived" }
rows = { value = 100, source = "me", trust = "derived" }
columns = { value = 50, source = "me", trust = "derived" }
cells_per_weight = { value = 2, source = "me", trust = "derived" }
area_mm2 = { value = 3, source = "me", trust = "derived" }

[converters]
dac_bits = { value = 8, source = "me", trust = "derived" }
adc_bits = { value = 6, source = "me", trust = "derived" }

[performance.fast]
mvm_latency_ns = { value = 100.0, source = "me", trust = "derived" }
core_mvm_energy_nJ = { value = 2.5, source = "me", trust = "derived" }
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Write a chip file and return its path."""

    def write_text(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


@pytest.mark.parametrize(
    ("quantity", "one_phase", "four_phase"),
    [
        ("peak_TOPS", 63.1, 16.1),
        ("efficiency_TOPS_per_W", 9.76, 2.48),
        ("latency_ns", 132.9, 521.0),
        ("energy_nJ_per_mvm", 13.4, 52.8),
        ("energy_pJ_per_mac", 0.205, 0.806),
        ("power_W", 6.47, 6.49),
        ("area_mm2_by_density", 40.7, 40.3),
    ],
)
def test_the_published_figures_of_hermes_follow_from_its_file(
    quantity: str, one_phase: float, four_phase: float
) -> None:
    modes = load_chip("hermes").read_modes
    assert getattr(modes["1-phase"], quantity) == pytest.approx(one_phase, rel=0.01)
    assert getattr(modes["4-phase"], quantity) == pytest.approx(four_phase, rel=0.01)


def test_throughput_and_efficiency_of_hermes_follow_from_latency_and_energy_of_one_core() -> None:
    chip = load_chip("hermes")
    operations = 64 * 256 * 256 * 2
    for name, tera_per_s, tera_per_J in [("1-phase", 63.1, 9.76), ("4-phase", 16.1, 2.48)]:
        mode = chip.read_modes[name]
        assert operations / mode.latency_ns * 1e-3 == pytest.approx(tera_per_s, rel=0.01)
        energy_nJ = 64 * mode.energy_nJ_per_mvm
        assert operations / energy_nJ * 1e-3 == pytest.approx(tera_per_J, rel=0.01)


def test_the_hash_of_hermes_stays_since_stored_results_name_it() -> None:
    assert load_chip("hermes").hash == "7bdbe50d4b1e"


def test_hermes_has_64_cores_of_256_x_256_and_is_read_in_four_phases() -> None:
    chip = load_chip("hermes")
    assert (chip.cores, chip.rows, chip.columns) == (64, 256, 256)
    assert chip.default_read_mode == "4-phase"
    assert chip.geometry.cells_per_weight.value == 4
    assert (chip.converters.dac_bits.value, chip.converters.adc_bits.value) == (8, 8)
    assert chip.adcs_per_core == 256
    assert not chip.packed
    assert not chip.gates_unused


def test_the_two_areas_that_the_densities_imply_agree_within_two_percent() -> None:
    areas = [mode.area_mm2_by_density for mode in load_chip("hermes").read_modes.values()]
    assert areas[0] == pytest.approx(areas[1], rel=0.02)


@pytest.mark.parametrize("name", CHIPS)
def test_a_known_chip_is_complete_and_named_as_in_the_list(name: str) -> None:
    chip = load_chip(name)
    assert chip.name == name
    assert chip.default_read_mode in chip.read_modes
    assert chip.area_mm2 > 0
    for mode in chip.read_modes.values():
        assert mode.latency_ns > 0
        assert mode.energy_nJ_per_mvm > 0
        assert mode.density_TOPS_per_mm2 > 0


@pytest.mark.parametrize("name", CHIPS)
def test_a_known_chip_survives_toml_copying_and_hashing(name: str, tmp_path: Path) -> None:
    chip = load_chip(name)
    path = tmp_path / "copy.toml"
    path.write_text(chip.to_toml(), encoding="utf-8")
    again = load_chip(path)
    assert again == chip
    assert again.hash == chip.hash
    assert len({again, chip, copy.deepcopy(chip)}) == 1


@pytest.mark.parametrize("name", CHIPS)
def test_every_entry_of_a_datasheet_says_where_it_is_from(name: str) -> None:
    chip = load_chip(name)
    entries = datasheet(chip)
    parts = {entry.part for entry in entries}
    assert {"geometry", "converters", *chip.read_modes} <= parts
    assert parts <= {*chip.read_modes, *(part.name for part in fields(ChipSpec))}
    assert all(entry.trust in TRUST_MEANING for entry in entries)
    assert all(entry.source for entry in entries)
    for mode in chip.read_modes:
        shown = {entry.quantity for entry in entries if entry.part == mode}
        assert {"peak throughput", "energy efficiency", "throughput density"} <= shown
        assert {"latency of an MVM", "energy of an MVM on one core", "energy per MAC"} <= shown


def test_every_file_in_the_folder_of_chips_is_in_the_list() -> None:
    assert {path.stem for path in SHIPPED.glob("*.toml")} == set(CHIPS)


def test_a_chip_of_ones_own_is_read_from_a_path(write: Callable[[str], Path]) -> None:
    chip = load_chip(str(write(OWN_CHIP)))
    assert (chip.name, chip.cores, chip.rows, chip.columns) == ("mine", 2, 100, 50)
    assert chip.area_mm2_per_core == pytest.approx(1.5)
    mode = chip.read_mode()
    assert mode.latency_ns == pytest.approx(100.0)
    assert mode.energy_nJ_per_mvm == pytest.approx(2.5)
    assert mode.peak_TOPS == pytest.approx(2 * 2 * 100 * 50 / 100e-9 / 1e12)
    quantities = [entry.quantity for entry in datasheet(chip) if entry.trust == "derived"]
    assert "peak throughput" in quantities


def test_the_hash_changes_with_a_number_but_not_with_a_source(write: Callable[[str], Path]) -> None:
    chip = ChipSpec.from_toml(write(OWN_CHIP))
    renamed = ChipSpec.from_toml(write(OWN_CHIP.replace('"me"', '"you"')))
    faster = ChipSpec.from_toml(write(OWN_CHIP.replace("100.0", "99.0")))
    assert chip.hash == renamed.hash != faster.hash


def test_an_unknown_chip_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown chip 'hermse'.*hermes.*\.toml"):
        load_chip("hermse")


def test_an_unknown_read_mode_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown read mode '2-phase'.*1-phase, 4-phase"):
        load_chip("hermes").read_mode("2-phase")


def test_a_missing_chip_file_is_named() -> None:
    with pytest.raises(ValueError, match=r"nowhere\.toml' does not exist.*hermes"):
        load_chip("nowhere.toml")


def test_a_folder_in_place_of_a_chip_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read as a TOML file"):
        load_chip(tmp_path)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe\x00", b"name = 'a'\nname = 'b'"])
def test_a_file_that_is_no_toml_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.toml cannot be read as a TOML file"):
        load_chip(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title =", "titel =", r"titel: unknown key\. Did you mean 'title'\? Known keys: name, "),
        ("rows =", "row =", r"geometry\.row: unknown key\. Did you mean 'rows'\?"),
        ("rows =", "row =", r"geometry\.rows: this key is required, but it is missing"),
        ("mvm_latency_ns", "latency_ns", r"performance\.fast\.latency_ns: unknown key.*peak_TOPS"),
        ("value = 3,", "valu = 3,", r"geometry\.area_mm2\.valu: unknown key.*value, source, trust"),
        ("value = 100,", 'value = "100",', r"geometry\.rows\.value: must be a valid integer"),
        ("value = 100,", "value = true,", r"geometry\.rows\.value: must be a valid integer"),
        ("value = 100,", "value = 0,", r"rows\.value: .*greater than or equal to 1, but got 0"),
        ("value = 6,", "value = 64,", r"adc_bits\.value: .*less than or equal to 32, but got 64"),
        ("value = 2.5,", "value = -2.5,", r"nJ\.value: .*greater than 0, but got -2\.5"),
        ("value = 2.5,", "value = inf,", r"core_mvm_energy_nJ\.value: must be a finite number"),
        ("value = 2.5,", 'value = "2.5",', r"core_mvm_energy_nJ\.value: must be a valid number"),
        (
            '"derived" }\nrows',
            '"rumour" }\nrows',
            "trust: .*'published', 'derived', 'second-hand', '",
        ),
        ('"derived" }\nrows', '"derived", x = 1 }\nrows', r"cores\.x: unknown key"),
        ("core_mvm_energy_nJ", "density_TOPS_per_mm2", "either chip_mvm_energy_uJ, core_mvm"),
        ('"fast"', '"slow"', r"default_read_mode must be one of.*\(fast\), but got 'slow'"),
        ("area_mm2 =", "#", "the area is missing: give geometry.area_mm2"),
        ('name = "mine"', 'name = ""', "name: "),
    ],
)
def test_a_mistake_in_a_chip_file_is_answered_with_file_key_and_rule(
    old: str, new: str, message: str, write: Callable[[str], Path]
) -> None:
    path = write(OWN_CHIP.replace(old, new))
    with pytest.raises(ValueError, match=message) as error:
        load_chip(path)
    assert str(error.value).startswith(str(path))


def test_a_bare_number_in_place_of_a_figure_is_answered_with_the_keys_of_a_figure(
    write: Callable[[str], Path],
) -> None:
    text = OWN_CHIP.replace('cores = { value = 2, source = "me", trust = "derived" }', "cores = 2")
    with pytest.raises(ValueError, match="cores: must be a table with the keys value, source, tr"):
        load_chip(write(text))


def test_figures_that_contradict_each_other_are_refused(write: Callable[[str], Path]) -> None:
    wrong = 'efficiency_TOPS_per_W = { value = 8.0, source = "me", trust = "derived" }\n'
    with pytest.raises(ValueError, match=r"efficiency_TOPS_per_W must agree.*8 and they give 4"):
        load_chip(write(OWN_CHIP + wrong))
    wrong = 'density_TOPS_per_mm2 = { value = 0.2, source = "me", trust = "derived" }\n'
    with pytest.raises(ValueError, match=r"area by performance\.fast\.density.*1 and they give 3"):
        load_chip(write(OWN_CHIP + wrong))
