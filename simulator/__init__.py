"""Crossbar simulator: turn a PyTorch model into its analog twin."""

from analognas.simulator.convert import (
    calibrate_input_ranges,
    program,
    set_time,
    to_analog,
    to_digital,
)
from analognas.simulator.hardware import ConverterConfig, Hardware, TileConfig, hardware_with
from analognas.simulator.hwa import clip_weights_, start_hwa_training
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.presets import HARDWARE, HERMES_DEFAULT, IDEAL, PCM_2019
from analognas.simulator.streams import spawn_generator
from analognas.simulator.training import HwaRecipe
from analognas.simulator.version import SIMULATOR_VERSION

__all__ = [
    "HARDWARE",
    "HERMES_DEFAULT",
    "IDEAL",
    "PCM_2019",
    "SIMULATOR_VERSION",
    "AnalogLayer",
    "AnalogModel",
    "ConverterConfig",
    "Hardware",
    "HwaRecipe",
    "TileConfig",
    "analog_layers",
    "calibrate_input_ranges",
    "clip_weights_",
    "hardware_with",
    "program",
    "set_time",
    "spawn_generator",
    "start_hwa_training",
    "to_analog",
    "to_digital",
]
