"""Analog layers: what a torch layer becomes on a chip."""

from analognas.simulator.layers.analog_layer import AnalogLayer, AnalogModel, analog_layers

__all__ = ["AnalogLayer", "AnalogModel", "analog_layers"]
