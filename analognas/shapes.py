"""The bridge between a search space and the chip: a network's matrices and its digital work."""

from __future__ import annotations

from itertools import groupby
from math import prod
from typing import TYPE_CHECKING

from analognas.simulator.chip import ChipSpec, DigitalWork, Placement, place_layers
from analognas.simulator.mapping import LayerShape

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from analognas.search_spaces import Architecture, LayerSpec, SearchSpace


def place_architecture(
    space: SearchSpace,
    arch: Architecture,
    chip: ChipSpec,
    *,
    keep_digital: Collection[str] = (),
) -> Placement:
    """Lay `arch` onto a chip as `place` does with the built network, but in a fraction of the time.

    Digital work is noted where the chip file says what it takes, and where layers are kept digital;
    no cost depends on it elsewhere.

    Args:
        space: Of the architecture.
        arch: The network.
        chip: Where to.
        keep_digital: Names of layers that are not placed.

    Raises:
        PlacementError: If the chip has too few cores.
    """
    units = chip.digital
    charged = units is not None and (units.operation_pJ or units.operations_per_ns) is not None
    digital = digital_work(space, arch, keep_digital) if charged or keep_digital else ()
    shapes = [one for one in layer_shapes(space, arch) if one.name not in keep_digital]
    return place_layers(shapes, chip, digital=digital)


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


def digital_work(
    space: SearchSpace, arch: Architecture, keep_digital: Collection[str] = ()
) -> tuple[DigitalWork, ...]:
    """What `arch` does digitally per inference, from the space's layer list alone.

    Every batch norm is folded into the layer before it. What is left are the ReLUs, the additions
    of residual blocks, the average before the head, and the layers kept digital.

    Returns:
        The steps in the order of execution, with the names that `trace_network` gives them.
    """
    *convolutions, head = space.layers(arch)
    steps: list[DigitalWork] = []
    for index, layers in groupby(convolutions, key=lambda layer: layer.block):
        residual = arch.choices[index].shortcut != "none"
        steps += _steps_of_block(list(layers), keep_digital, residual=residual)
    steps.append(DigitalWork("pool", "pooling", head.in_channels))
    if head.name in keep_digital:
        steps.append(DigitalWork(head.name, "matrix", head.multiplications))
    return tuple(steps)


def _steps_of_block(
    layers: list[LayerSpec], keep_digital: Collection[str], *, residual: bool
) -> Iterator[DigitalWork]:
    """ReLUs behind the convolutions; of a residual block the last one comes after the additions."""
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if layer.name in keep_digital:
            yield DigitalWork(layer.name, "matrix", layer.multiplications)
        ends_branch = following is None or following.branch != layer.branch
        if layer.branch and not (residual and ends_branch):
            yield DigitalWork(f"{layer.name}_relu", "relu", _values(layer))
    if residual:
        block = layers[0].name.partition(".")[0]
        branches = len({layer.branch for layer in layers if layer.branch})
        last = layers[-1]
        yield DigitalWork(f"{block}.add", "add", branches * _values(last))
        yield DigitalWork(f"{block}.relu", "relu", _values(last))


def _values(layer: LayerSpec) -> int:
    """Of the map that a layer puts out."""
    return layer.out_channels * prod(layer.output_size)
