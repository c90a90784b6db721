"""A weight matrix inside of a larger torch module, as a layer of its own."""

from collections.abc import Callable

from torch import nn

from analognas.simulator.hardware import Hardware
from analognas.simulator.layers.analog_layer import AnalogLayer

# The hardware of the layer of this name; None if it stays digital.
HardwareOf = Callable[[str], Hardware | None]


def matrix_layer(
    weight: nn.Parameter,
    bias: nn.Parameter | None,
    name: str,
    hardware_of: HardwareOf,
    *,
    kind: type[AnalogLayer] = AnalogLayer,
) -> AnalogLayer | nn.Linear:
    """Make a layer that computes `weight x + bias` with these very parameters.

    Args:
        weight: `(O, I)`.
        bias: `(O,)` or None.
        name: Path of the layer in its network.
        hardware_of: Decides whether and on which tiles it is analog.
        kind: Of analog layer.
    """
    outputs, inputs = weight.shape
    linear = nn.Linear(inputs, outputs, bias=bias is not None, device="meta")
    linear.weight = weight
    if bias is not None:
        linear.bias = bias
    hardware = hardware_of(name)
    return linear if hardware is None else kind(linear, hardware, name)
