"""A space's layer list and the built network say the same to the chip."""

import pytest

from analognas.search_spaces import make_space
from analognas.shapes import layer_shapes
from analognas.simulator import spawn_generator
from analognas.simulator.chip import trace_layers

SPACE = make_space("tinyml", input_shape=(1, 49, 10), n_classes=12)


@pytest.mark.parametrize("name", SPACE.named)
def test_shapes_are_those_of_the_built_network(name: str) -> None:
    arch = SPACE.named[name]
    model = SPACE.build(arch, generator=spawn_generator(0, "build"))
    assert layer_shapes(SPACE, arch) == trace_layers(model, SPACE.input_shape)
