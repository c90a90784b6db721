"""Variations of a template chip, and what they cost."""

from dataclasses import replace

import pytest

from analognas.errors import UserError
from analognas.exploring.chip_variants import ChipChoice, check_variable, variant
from analognas.hardware_choice import adc_bits_of
from analognas.simulator.chip import CHIPS, estimate_cost, load_chip, place_layers
from analognas.simulator.mapping import LayerShape

GENERIC = load_chip("generic")
OWN = ChipChoice(512, 512, 1, "8-bit", 8, "gdc")
LAYERS = [LayerShape("a", "linear", 300, 200, mvms=10), LayerShape("b", "linear", 200, 10)]


def cost_of(choice: ChipChoice) -> dict[str, float]:
    chip = variant(GENERIC, choice)
    cost = estimate_cost(place_layers(LAYERS, chip), chip)
    return {**cost.components_nJ, "latency": cost.latency_us, "area": cost.area_mm2}


@pytest.mark.parametrize("name", CHIPS)
def test_a_chip_with_its_own_figures_costs_what_it_costs(name: str) -> None:
    chip = load_chip(name)
    for mode in chip.read_modes:
        cells = chip.geometry.cells_per_polarity
        assert cells is not None
        bits = adc_bits_of(chip, mode)
        own = ChipChoice(chip.rows, chip.columns, cells.value, mode, bits, "none")
        same = variant(chip, own)
        assert same.default_read_mode == mode
        assert same.read_mode() == chip.read_mode(mode)
        assert same.area_mm2 == chip.area_mm2


def test_bits_of_the_adcs_cost_energy_and_time() -> None:
    own, more, fewer = (cost_of(replace(OWN, adc_bits=bits)) for bits in (8, 9, 6))
    assert more["adc"] == pytest.approx(2 * own["adc"])
    assert fewer["adc"] == pytest.approx(own["adc"] / 4)
    for component in ("array", "dac", "digital", "links", "buffers", "area"):
        assert more[component] == pytest.approx(own[component])
    assert more["latency"] > 1.5 * own["latency"]
    assert fewer["latency"] == pytest.approx(own["latency"])


def test_cells_cost_energy_and_area_of_the_array() -> None:
    one, two = cost_of(OWN), cost_of(replace(OWN, cells=2))
    assert two["array"] == pytest.approx(2 * one["array"])
    assert two["adc"] == pytest.approx(one["adc"])
    assert two["area"] - one["area"] == pytest.approx(2.1 / 16)  # that of an array of the template


def test_smaller_cores_are_more_cores_with_shorter_rows() -> None:
    small = variant(GENERIC, replace(OWN, rows=128, columns=256))
    assert (small.cores, small.rows, small.columns) == (128, 128, 256)
    assert small.adcs_per_core == 64
    assert small.read_mode().actions.dac_nJ == pytest.approx(GENERIC.read_mode().actions.dac_nJ / 2)
    areas, own = small.areas, GENERIC.areas
    assert areas is not None
    assert own is not None
    assert areas.array_mm2.value == pytest.approx(own.array_mm2.value)
    assert areas.dac_mm2.value == pytest.approx(2 * own.dac_mm2.value)
    assert areas.adc_mm2.value == pytest.approx(4 * own.adc_mm2.value)
    assert areas.buffers_mm2 == own.buffers_mm2


def test_a_varied_figure_says_that_it_is_assumed() -> None:
    figures = variant(GENERIC, replace(OWN, cells=2)).performance["8-bit"].energies
    assert figures is not None
    assert figures.cell_fJ.trust == "assumed"
    assert "varied" in figures.cell_fJ.source


def test_a_chip_that_does_not_split_its_energy_is_not_varied() -> None:
    check_variable(load_chip("hermes"), "--cells", changes=False)
    with pytest.raises(UserError, match=r"--cells.*generic"):
        check_variable(load_chip("hermes"), "--cells", changes=True)
