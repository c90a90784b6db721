"""Baselines of a benchmark."""

import pytest

from analognas.benchmarks.contestants import named_networks, widest_network
from analognas.limits import make_fits
from analognas.search_spaces import make_space
from analognas.simulator.chip import load_chip
from analognas.tasks import Limits

SHAPE = (1, 49, 10)
LIMITS = Limits(max_cores=64, max_parameters=300_000, max_multiplications=12_000_000)


def test_the_widest_network_uses_the_limits_up() -> None:
    space = make_space("tinyml", input_shape=SHAPE, n_classes=10)
    fits = make_fits(space, LIMITS, load_chip("hermes"))
    widest = widest_network(SHAPE, 10, fits)
    assert fits(widest.architecture)
    widths = {layer.out_channels for layer in space.layers(widest.architecture)[:-1]}
    assert len(widths) == 1
    assert {layer.kind for layer in space.layers(widest.architecture)} == {"conv", "linear"}
    assert max(widths) > 80
    used = max(
        space.parameters(widest.architecture) / LIMITS.max_parameters,
        space.multiplications(widest.architecture) / LIMITS.max_multiplications,
    )
    assert used > 0.5


def test_impossible_limits_are_said() -> None:
    with pytest.raises(ValueError, match="narrowest"):
        widest_network(SHAPE, 10, lambda arch: False)


def test_named_networks_that_break_the_limits_are_left_out() -> None:
    space = make_space("tinyml", input_shape=SHAPE, n_classes=10)
    small = Limits(max_cores=64, max_parameters=30_000, max_multiplications=12_000_000)
    names = [c.name for c in named_networks(space, make_fits(space, small, load_chip("hermes")))]
    assert names == ["ds-cnn"]
