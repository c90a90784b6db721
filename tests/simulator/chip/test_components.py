"""Chips whose energy is given by component: what follows from their figures, and bad files."""

import re
from pathlib import Path

import pytest

from analognas.simulator.chip import ChipSpec, datasheet, load_chip
from analognas.simulator.chip.provenance import provenance
from analognas.simulator.chip.spec import chip_file

GENERIC = chip_file("generic").read_text(encoding="utf-8")
CELLS = 512 * 512


def chip_with(tmp_path: Path, *changes: tuple[str, str]) -> ChipSpec:
    """The template with some text replaced; every text must be there."""
    text = GENERIC
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_chip(path)


@pytest.mark.parametrize(
    ("mode", "peak_TOPS"), [("8-bit", 2.02), ("6-bit", 7.71), ("4-bit", 26.21)]
)
def test_the_peak_of_aon_cim_follows_from_geometry_cycle_time_and_shared_adcs(
    mode: str, peak_TOPS: float
) -> None:
    chip = load_chip("aon-cim")
    assert (chip.cores, chip.rows, chip.columns, chip.adcs_per_core) == (1, 1024, 512, 128)
    assert chip.read_modes[mode].peak_TOPS == pytest.approx(peak_TOPS, rel=0.01)
    cycle_ns = {"8-bit": 130, "6-bit": 34, "4-bit": 10}[mode]
    assert chip.read_modes[mode].latency_ns == pytest.approx(4 * cycle_ns)
    assert chip.read_modes[mode].bits == int(mode[0])


def test_recalled_and_fitted_figures_of_aon_cim_say_so() -> None:
    chip = load_chip("aon-cim")
    trust = {(e.part, e.quantity): e.trust for e in datasheet(chip)}
    assert trust["geometry", "ADCs of a core"] == "recalled"
    assert trust["converters", "one output gain for all layers"] == "recalled"
    assert chip.converters.global_adc_gain is not None
    assert chip.converters.global_adc_gain.value
    for mode in chip.read_modes:
        assert trust[mode, "conversion"] == "recalled"
        assert trust[mode, "factor on all component energies"] == "fitted"
        assert trust[mode, "energy of an output per MVM"] == "assumed"
        assert {"recalled", "fitted", "assumed"} <= set(provenance(chip, mode))
    assert provenance(load_chip("hermes"), "4-phase") == ("published", "second-hand")
    assert provenance(load_chip("generic"), "8-bit") == ("assumed",)


def test_the_energy_of_an_mvm_is_the_sum_of_its_actions() -> None:
    mode = load_chip("generic").read_modes["8-bit"]
    pJ = {
        "array": CELLS * 6.5e-3,
        "dac": 512 * 4 * 2.0,  # every row once per pass of the shared ADCs
        "adc": 512 * 40.0,
        "digital": 512 * 0.5,
        "links": 512 * 8 * 0.1,
        "buffers": (512 + 512) * 8 * 0.05,
    }
    found = mode.actions.energies_nJ(512, 512)
    assert found == pytest.approx({name: energy * 1e-3 for name, energy in pJ.items()})
    assert mode.energy_nJ_per_mvm == pytest.approx(sum(pJ.values()) * 1e-3)
    assert mode.efficiency_TOPS_per_W == pytest.approx(2 * CELLS / sum(pJ.values()))


def test_rows_and_columns_in_use_are_charged_only_where_unused_ones_are_gated(
    tmp_path: Path,
) -> None:
    gated = load_chip("generic").read_mode().actions
    found = gated.energies_nJ(100, 130)
    assert found["array"] == pytest.approx(100 * 130 * 6.5e-6)
    assert found["dac"] == pytest.approx(100 * 2 * 2e-3)  # 130 columns: two passes of 128 ADCs
    assert found["adc"] == pytest.approx(130 * 40e-3)
    whole = chip_with(tmp_path, ("gates_unused = { value = true", "gates_unused = { value = false"))
    actions = whole.read_mode().actions
    assert actions.energies_nJ(100, 130) == actions.energies_nJ(512, 512)
    assert actions.energies_nJ(512, 512) == gated.energies_nJ(512, 512)


@pytest.mark.parametrize(("columns", "passes"), [(1, 1), (128, 1), (129, 2), (512, 4)])
def test_an_mvm_takes_one_conversion_per_column_of_an_adc(columns: int, passes: int) -> None:
    actions = load_chip("generic").read_mode("6-bit").actions
    assert actions.passes(columns) == passes
    assert actions.latency_ns(columns) == pytest.approx(passes * 34.0)


def test_a_factor_scales_every_component(tmp_path: Path) -> None:
    scale = 'energy_scale = { value = 3, source = "me", trust = "fitted" }\n'
    conversion = 'conversion_ns = { value = 130, source = "127 steps of 1 ns, and 3 ns", trust'
    chip = chip_with(tmp_path, (conversion, scale + conversion))
    plain = load_chip("generic").read_modes
    for mode, factor in (("8-bit", 3.0), ("6-bit", 1.0)):
        assert chip.read_modes[mode].actions.energies_nJ(9, 9) == pytest.approx(
            {k: factor * e for k, e in plain[mode].actions.energies_nJ(9, 9).items()}
        )


def test_areas_of_components_add_up_where_no_sum_is_given() -> None:
    chip = load_chip("generic")
    assert chip.areas is not None
    assert chip.area_mm2 == pytest.approx(sum(chip.areas.by_component_mm2.values()))
    assert chip.area_mm2 == pytest.approx(6.6)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("value = 128,", "value = 64,"),
        ("gates_unused = { value = true", "gates_unused = { value = false"),
        ("packed = { value = true", "packed = { value = false"),
        ("cell_fJ = { value = 6.5", "cell_fJ = { value = 6.4"),
        ("value = 34,", "value = 35,"),
        ("operation_pJ = { value = 0.5", "operation_pJ = { value = 0.6"),
        ('"aggregation", ', ""),
        ("bit_pJ = { value = 0.1", "bit_pJ = { value = 0.2"),
        ("bit_pJ = { value = 0.05", "bit_pJ = { value = 0.2"),
        ("standby_uW = { value = 50.0", "standby_uW = { value = 51.0"),
        ("links_mm2 = { value = 0.4", "links_mm2 = { value = 0.5"),
        ("read_voltage_V = { value = 0.2", "read_voltage_V = { value = 0.3"),
    ],
)
def test_the_hash_changes_with_everything_that_a_cost_depends_on(
    old: str, new: str, tmp_path: Path
) -> None:
    assert chip_with(tmp_path, (old, new)).hash != load_chip("generic").hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('source = "template"', 'source = "me"'),
        ('adc_kind = { value = "CCO"', 'adc_kind = { value = "SAR"'),
        ("size_KiB = { value = 512", "size_KiB = { value = 256"),
    ],
)
def test_the_hash_does_not_change_with_what_only_describes(
    old: str, new: str, tmp_path: Path
) -> None:
    assert chip_with(tmp_path, (old, new)).hash == load_chip("generic").hash


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (  # missing
            "adc_pJ = {",
            "# {",
            r"performance\.8-bit\.energies\.adc_pJ: this key is required, but it is missing",
        ),
        ("array_mm2 = {", "# {", r"areas\.array_mm2: this key is required"),
        ("standby_uW = {", "# {", r"power\.standby_uW: this key is required"),
        (
            "conversion_ns = {",
            "# {",
            r"give either peak_TOPS, mvm_latency_ns or conversion_ns, but",
        ),
        # negative, zero, too large, of a wrong kind
        (
            "cell_fJ = { value = 6.5",
            "cell_fJ = { value = -6.5",
            r"energies\.cell_fJ\.value: .*-6\.5",
        ),
        (
            "dac_pJ = { value = 2.0",
            "dac_pJ = { value = 0",
            r"energies\.dac_pJ\.value: .*, but got 0",
        ),
        ("bit_pJ = { value = 0.1", "bit_pJ = { value = nan", r"links\.bit_pJ\.value: .*finite"),
        ("standby_uW = { value = 50.0", "standby_uW = { value = -1", r"power\.standby_uW\.value: "),
        ("packed = { value = true", "packed = { value = 1", r"packed\.value: must be a valid boo"),
        (
            "operation_pJ = { value = 0.5",
            'operation_pJ = { value = "0.5"',
            r"operation_pJ\.value: ",
        ),
        # unknown
        (
            "gates_unused",
            "gate_unused",
            r"geometry\.gate_unused: unknown key\. Did you mean 'gates",
        ),
        ("cell_fJ", "cel_fJ", r"energies\.cel_fJ: unknown key\. Did you mean 'cell_fJ'"),
        ("[buffers]", "[bufers]", r"bufers: unknown key\. Did you mean 'buffers'"),
        ('"relu"', '"rleu"', r"digital\.on_chip\.value\.2: must be .*'relu'.*, but got 'rleu'"),
        # contradicting
        (
            "adcs_per_core = { value = 128",
            "adcs_per_core = { value = 513",
            r"adcs_per_core must not exceed columns.*adcs_per_core=513, columns=512",
        ),
        (
            "cells_per_polarity = { value = 1",
            "cells_per_polarity = { value = 3",
            r"cells_per_weight must be cells_per_polarity.*per_weight=2, cells_per_polarity=3",
        ),
        (
            "dac_bits = { value = 8",
            "dac_bits = { value = 7",
            r"performance\.8-bit\.bits must not exceed.*got 8 with dac_bits=7, adc_bits=8",
        ),
        (
            "dac_lsb_ns = { value = 1.0",
            "dac_lsb_ns = { value = 2.0",
            r"mode 8-bit must last as long as the longest input pulse of 8 bits, 254 ns.*lasts 130",
        ),
        (
            "# Optional: area_mm2 of all cores.",
            'area_mm2 = { value = 7.5, source = "me", trust = "assumed" } #',
            r"geometry\.area_mm2 must agree.*it is 7\.5 and they give 6\.6",
        ),
        (
            '"max_pool"]',
            '"max_pool", "softmax"]',
            r"on chip or off chip, but on_chip and off_chip both list softmax",
        ),
        (
            '[performance."6-bit".energies]',
            'core_mvm_energy_nJ = { value = 9, source = "me", trust = "assumed" }\n'
            '[performance."6-bit".energies]',
            r"give either chip_mvm_energy_uJ, core_mvm_energy_nJ or energies, but got core",
        ),
        (
            '[performance."6-bit"]',
            '[performance."6-bit"]\n'
            'efficiency_TOPS_per_W = { value = 100, source = "me", trust = "assumed" }',
            r"efficiency_TOPS_per_W must agree.*it is 100 and they give 67\.59",
        ),
    ],
)
def test_a_mistake_in_a_chip_file_is_answered_with_file_key_and_rule(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message) as error:
        chip_with(tmp_path, (old, new))
    assert str(error.value).startswith(str(tmp_path / "mine.toml"))


def test_gating_needs_energies_of_components(tmp_path: Path) -> None:
    whole_core = 'core_mvm_energy_nJ = { value = 9, source = "me", trust = "assumed" }\n'
    text = re.sub(r"(?m)^(cell_fJ|dac_pJ|adc_pJ) = .*\n", "", GENERIC)
    text = re.sub(r"(?m)^(conversion_ns = .*\n)", rf"\1{whole_core}", text)
    path = tmp_path / "mine.toml"
    path.write_text(re.sub(r'(?m)^\[performance."\d-bit".energies\]\n', "", text))
    with pytest.raises(
        ValueError, match=r"gates_unused needs the energies.*8-bit gives the energy"
    ):
        load_chip(path)


def test_a_factor_on_the_energy_of_a_whole_core_is_refused(tmp_path: Path) -> None:
    text = chip_file("hermes").read_text(encoding="utf-8")
    scale = 'energy_scale = { value = 2, source = "me", trust = "fitted" }\n'
    path = tmp_path / "mine.toml"
    path.write_text(text + "\n" + scale, encoding="utf-8")
    with pytest.raises(ValueError, match="energy_scale must come with energies"):
        load_chip(path)


def test_the_file_of_an_unknown_chip_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown chip 'nix'\. Choose one of: aon-cim, gener"):
        chip_file("nix")
