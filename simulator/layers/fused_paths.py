"""Torch's fused transformer kernels, which would read the digital weights past the crossbars.

In evaluation, `nn.TransformerEncoderLayer` and `nn.TransformerEncoder` call no submodule but hand
all weights to one kernel, or pack the batch into a nested tensor. Each asks a switch of its own
first; it is off where a layer inside is analog.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from analognas.simulator.layers.analog_layer import AnalogLayer

SWITCHES: dict[type[nn.Module], str] = {
    nn.TransformerEncoderLayer: "activation_relu_or_gelu",
    nn.TransformerEncoder: "use_nested_tensor",
}


@dataclass(frozen=True)
class SwitchedOff:
    """False, and remembers what was there."""

    original: object

    def __bool__(self) -> bool:
        return False


def switch_off_fused_paths(network: nn.Module) -> None:
    for module, switch in _with_switch(network):
        value = getattr(module, switch, False)
        if value and any(isinstance(part, AnalogLayer) for part in module.modules()):
            setattr(module, switch, SwitchedOff(value))


def switch_on_fused_paths(network: nn.Module) -> None:
    """Undo `switch_off_fused_paths`."""
    for module, switch in _with_switch(network):
        value = getattr(module, switch, None)
        if isinstance(value, SwitchedOff):
            setattr(module, switch, value.original)


def _with_switch(network: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    for module in network.modules():
        for kind, switch in SWITCHES.items():
            if isinstance(module, kind):
                yield module, switch
