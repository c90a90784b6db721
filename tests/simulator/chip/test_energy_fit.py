import pytest

from analognas.simulator.chip import load_chip, place_layers
from analognas.simulator.chip.energy_fit import (
    fit_energy_scale,
    network_efficiency_TOPS_per_W,
    with_energy_scale,
)
from analognas.simulator.mapping import LayerShape

LAYER = LayerShape("layer", "conv2d", 28, 60, (3, 3), mvms=100)


@pytest.mark.parametrize("name", ["generic", "aon-cim"])
def test_a_fitted_chip_has_the_efficiency_that_it_was_fitted_to(name: str) -> None:
    chip = load_chip(name)
    placement = place_layers([LAYER], chip)
    scale = fit_energy_scale(placement, chip, "6-bit", efficiency_TOPS_per_W=7.0)
    fitted = with_energy_scale(chip, "6-bit", scale, source="7 TOPS/W")
    assert network_efficiency_TOPS_per_W(placement, fitted, "6-bit") == pytest.approx(7.0)
    assert fit_energy_scale(placement, fitted, "6-bit", efficiency_TOPS_per_W=7.0) == pytest.approx(
        scale
    )
    figure = fitted.performance["6-bit"].energy_scale
    assert figure is not None
    assert (figure.trust, figure.source) == ("fitted", "7 TOPS/W")
    assert fitted.read_modes["8-bit"] == chip.read_modes["8-bit"]


def test_useful_operations_leave_out_zeros_between_groups() -> None:
    chip = load_chip("hermes")
    depthwise = LayerShape("layer", "conv2d", 28, 28, (3, 3), groups=28, mvms=100)
    placement = place_layers([depthwise], chip)
    expected = 2 * 28 * 9 / 52.8125e-9 * 1e-12
    assert network_efficiency_TOPS_per_W(placement, chip) == pytest.approx(expected)


def test_the_energy_of_a_whole_core_cannot_be_fitted() -> None:
    chip = load_chip("hermes")
    with pytest.raises(ValueError, match="'4-phase' of chip 'hermes' must give the energies of"):
        fit_energy_scale(place_layers([LAYER], chip), chip, "4-phase", efficiency_TOPS_per_W=1.0)


def test_a_network_without_layers_has_no_efficiency() -> None:
    chip = load_chip("generic")
    with pytest.raises(ValueError, match="must have a layer on the chip"):
        network_efficiency_TOPS_per_W(place_layers([], chip), chip)
