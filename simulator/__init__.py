"""Crossbar simulator: turn a PyTorch model into its analog twin."""

from analognas.simulator.ageing import over_time
from analognas.simulator.calibration import RangeRule, calibrate_input_ranges
from analognas.simulator.compensation.recalibration import (
    recalibrate_batch_norm,
    recalibrate_input_ranges,
)
from analognas.simulator.convert import (
    program,
    programming_logs,
    reprogram,
    set_time,
    to_analog,
    to_digital,
)
from analognas.simulator.hardware import ConverterConfig, Hardware, TileConfig, hardware_with
from analognas.simulator.hwa import TrainingSession, noisy_training
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.memory import chips_that_fit
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
    "RangeRule",
    "TileConfig",
    "TrainingSession",
    "analog_layers",
    "calibrate_input_ranges",
    "chips_that_fit",
    "hardware_with",
    "noisy_training",
    "over_time",
    "program",
    "programming_logs",
    "recalibrate_batch_norm",
    "recalibrate_input_ranges",
    "reprogram",
    "set_time",
    "spawn_generator",
    "to_analog",
    "to_digital",
]
