"""Named features of realised networks, the same for every space."""

from collections.abc import Callable, Mapping, Sequence
from math import log2, log10
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from analognas.search_spaces.architecture import Architecture
from analognas.search_spaces.layers import (
    LayerSpec,
    count_multiplications,
    count_parameters,
    downsampling,
)

FloatArray: TypeAlias = NDArray[np.float64]
Layers: TypeAlias = Sequence[LayerSpec]
Number: TypeAlias = Callable[[Layers], float]


def encode_networks(
    layers: Sequence[tuple[LayerSpec, ...]], architectures: Sequence[Architecture]
) -> tuple[tuple[str, ...], FloatArray]:
    """Names `(F,)` in a fixed order and values `(N, F)`, all finite."""
    matrix = [
        [
            *(feature(specs) for feature in LAYER_FEATURES.values()),
            *(feature(network) for feature in BLOCK_FEATURES.values()),
        ]
        for specs, network in zip(layers, architectures, strict=True)
    ]
    names = (*LAYER_FEATURES, *BLOCK_FEATURES)
    return names, np.asarray(matrix, dtype=np.float64).reshape(len(matrix), len(names))


def _convolutions(layers: Layers) -> list[LayerSpec]:
    return [layer for layer in layers if layer.kind != "linear"]


def _number_of(kind: str) -> Number:
    return lambda layers: float(sum(layer.kind == kind for layer in layers))


def _share(part: Callable[[LayerSpec], bool], amount: Callable[[LayerSpec], int]) -> Number:
    """Share of the layers for which `part` holds in the sum of `amount` over all layers."""
    return lambda layers: (
        sum(amount(layer) for layer in layers if part(layer))
        / sum(amount(layer) for layer in layers)
    )


def _largest_share(amount: Callable[[LayerSpec], int]) -> Number:
    return lambda layers: max(map(amount, layers)) / sum(map(amount, layers))


def _parameters(layer: LayerSpec) -> int:
    return layer.parameters


def _multiplications(layer: LayerSpec) -> int:
    return layer.multiplications


def _mean(value: Callable[[LayerSpec], float]) -> Number:
    return lambda layers: sum(map(value, layers)) / len(layers)


def _log_fan_in(layer: LayerSpec) -> float:
    return log2(layer.fan_in)


def _kernel_area(layer: LayerSpec) -> int:
    return layer.kernel[0] * layer.kernel[1]


def _widths(layers: Layers) -> list[int]:
    return [layer.out_channels for layer in _convolutions(layers)]


def _weighted_log_fan_in(layers: Layers) -> float:
    """Mean over all weights, so that large layers count more."""
    total = sum(map(_parameters, layers))
    return sum(_parameters(layer) * _log_fan_in(layer) for layer in layers) / total


def _depth(layers: Layers) -> float:
    """Layers on the longest path from input to output."""
    depths: dict[int, int] = {}
    for layer in layers:
        if layer.branch == 1:
            depths[layer.block] = depths.get(layer.block, 0) + 1
    return float(sum(depths.values()))


def _spread_of_depth(layers: Layers, position: float) -> float:
    """Fraction of the parameters that lie before this relative position in the chain of blocks."""
    last = layers[-1].block
    return _share(lambda layer: layer.block <= position * last, _parameters)(layers)


LAYER_FEATURES: Mapping[str, Number] = {
    "log10_parameters": lambda layers: log10(count_parameters(tuple(layers))),
    "log10_multiplications": lambda layers: log10(count_multiplications(tuple(layers))),
    "log10_multiplications_per_parameter": lambda layers: log10(
        count_multiplications(tuple(layers)) / count_parameters(tuple(layers))
    ),
    "depth": _depth,
    "layers": lambda layers: float(len(layers)),
    "regular_layers": _number_of("conv"),
    "depthwise_layers": _number_of("depthwise"),
    "pointwise_layers": _number_of("pointwise"),
    "depthwise_parameter_share": _share(lambda layer: layer.kind == "depthwise", _parameters),
    "depthwise_multiplication_share": _share(
        lambda layer: layer.kind == "depthwise", _multiplications
    ),
    "pointwise_parameter_share": _share(lambda layer: layer.kind == "pointwise", _parameters),
    "pointwise_multiplication_share": _share(
        lambda layer: layer.kind == "pointwise", _multiplications
    ),
    "largest_layer_parameter_share": _largest_share(_parameters),
    "largest_layer_multiplication_share": _largest_share(_multiplications),
    "stem_multiplication_share": _share(lambda layer: layer.block == 0, _multiplications),
    "head_parameter_share": _share(lambda layer: layer.kind == "linear", _parameters),
    "first_half_parameter_share": lambda layers: _spread_of_depth(layers, 0.5),
    "log2_stem_width": lambda layers: log2(_widths(layers)[0]),
    "log2_last_width": lambda layers: log2(layers[-1].in_channels),
    "log2_mean_width": lambda layers: log2(sum(_widths(layers)) / len(_widths(layers))),
    "log2_largest_width": lambda layers: log2(max(_widths(layers))),
    "log2_smallest_width": lambda layers: log2(min(_widths(layers))),
    "mean_log2_fan_in": _mean(_log_fan_in),
    "weighted_log2_fan_in": _weighted_log_fan_in,
    "largest_log2_fan_in": lambda layers: max(map(_log_fan_in, layers)),
    "smallest_log2_fan_in": lambda layers: min(map(_log_fan_in, layers)),
    "smallest_log2_fan_in_and_out": lambda layers: min(
        _log_fan_in(layer) + log2(layer.out_channels) for layer in layers
    ),
    "stem_kernel_area": lambda layers: float(_kernel_area(layers[0])),
    "mean_kernel_area": lambda layers: _mean(_kernel_area)(_convolutions(layers)),
    "rectangular_layer_share": lambda layers: _mean(
        lambda layer: float(layer.kernel[0] != layer.kernel[1])
    )(_convolutions(layers)),
    "log10_activations": lambda layers: log10(
        sum(layer.out_channels * layer.positions for layer in layers)
    ),
    "log10_matrix_vector_multiplications": lambda layers: log10(
        sum(layer.positions for layer in layers)
    ),
    "log2_stem_positions": lambda layers: log2(layers[0].positions),
    "log2_final_positions": lambda layers: log2(_convolutions(layers)[-1].positions),
}

BLOCK_FEATURES: Mapping[str, Callable[[Architecture], float]] = {
    "blocks": lambda network: float(len(network.choices)),
    "log2_downsampling": lambda network: log2(downsampling(network)),
    "identity_shortcuts": lambda network: float(
        sum(block.shortcut == "identity" for block in network.choices)
    ),
    "projection_shortcuts": lambda network: float(
        sum(block.shortcut == "projection" for block in network.choices)
    ),
    "mean_branches": lambda network: (
        sum(block.branches for block in network.choices) / len(network.choices)
    ),
    "most_branches": lambda network: float(max(block.branches for block in network.choices)),
    "is_resnet": lambda network: float(network.space == "resnet"),
}
