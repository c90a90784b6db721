"""The bridge between a search space and the chip: a network's layers as im2col matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analognas.simulator.mapping import LayerShape

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace


def layer_shapes(space: SearchSpace, arch: Architecture) -> tuple[LayerShape, ...]:
    """Describe every convolution and linear layer of `arch` as the chip sees it.

    Built from the space's layer list alone, without a torch module: fast enough to place every
    candidate of a search.

    Returns:
        One shape per layer in the order of execution, under the layer's name in the built network.
    """
    shapes = []
    for layer in space.layers(arch):
        if layer.kind == "linear":
            shape = LayerShape(layer.name, "linear", layer.in_channels, layer.out_channels)
        else:
            height, width = layer.output_size
            shape = LayerShape(
                layer.name,
                "conv2d",
                layer.in_channels,
                layer.out_channels,
                layer.kernel,
                layer.groups,
                mvms=height * width,
            )
        shapes.append(shape)
    return tuple(shapes)
