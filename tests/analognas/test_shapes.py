"""A space's layer list and the built network say the same to the chip."""

import numpy as np
import pytest

from analognas.limits import make_fits
from analognas.search_spaces import Architecture, Fits, SearchSpace, make_space
from analognas.shapes import digital_work, layer_shapes, place_architecture
from analognas.simulator import spawn_generator
from analognas.simulator.chip import (
    estimate_cost,
    load_chip,
    place,
    place_layers,
    trace_network,
)
from analognas.tasks import Limits

SHAPE = (1, 49, 10)
SPACE = make_space("tinyml", input_shape=SHAPE, n_classes=12)
NETWORKS = 12


def drawn(space: SearchSpace, fits: Fits | None = None) -> list[Architecture]:
    rng = np.random.default_rng(4)
    return [space.sample(rng, fits) for _ in range(NETWORKS)]


@pytest.mark.parametrize("name", SPACE.named)
def test_named_networks_are_as_built(name: str) -> None:
    arch = SPACE.named[name]
    trace = trace_network(SPACE.build(arch, generator=spawn_generator(0, "build")), SHAPE)
    assert layer_shapes(SPACE, arch) == trace.layers
    assert digital_work(SPACE, arch) == trace.digital


@pytest.mark.parametrize("family", ["conv", "resnet"])
@pytest.mark.parametrize("shape", [SHAPE, (3, 32, 32)], ids=["sound", "image"])
def test_random_networks_are_as_built(family: str, shape: tuple[int, int, int]) -> None:
    space = make_space(family, input_shape=shape, n_classes=7)
    for arch in drawn(space):
        trace = trace_network(space.build(arch, generator=spawn_generator(0, "build")), shape)
        assert layer_shapes(space, arch) == trace.layers
        assert digital_work(space, arch) == trace.digital


@pytest.mark.parametrize("family", ["conv", "resnet"])
@pytest.mark.parametrize("name", ["aon-cim", "generic"])
def test_cost_of_a_candidate_is_that_of_the_placed_network(family: str, name: str) -> None:
    space = make_space(family, input_shape=SHAPE, n_classes=12)
    chip = load_chip(name)
    fits = make_fits(space, Limits(64, 10**6, 10**9), chip)
    for arch in drawn(space, fits):
        placement = place_architecture(space, arch, chip)
        network = space.build(arch, generator=spawn_generator(0, "build"))
        cost = estimate_cost(placement, chip)
        assert cost == estimate_cost(place(network, SHAPE, chip), chip)
        without = estimate_cost(place_layers(placement.layers, chip), chip)
        assert cost.energy_nJ > without.energy_nJ


def test_a_chip_that_charges_no_digital_work_is_not_told_of_any() -> None:
    arch = SPACE.named["ds-cnn"]
    chip = load_chip("hermes")
    assert place_architecture(SPACE, arch, chip) == place_layers(layer_shapes(SPACE, arch), chip)
