"""Analog twins of torch layers, and the model that holds them."""

from analognas.simulator.layers.analog_layer import AnalogLayer
from analognas.simulator.layers.analog_model import AnalogModel, analog_layers

__all__ = ["AnalogLayer", "AnalogModel", "analog_layers"]
