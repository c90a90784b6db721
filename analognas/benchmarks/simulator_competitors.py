"""Other simulators, timed on the same work where they are installed.

Run with AIHWKIT-Lightning 2.1 and AIHWKIT 1.1 and 1.2. What they cannot do (grouped convolutions,
some effects) becomes a remark beside the name instead of an end of the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from analognas.benchmarks import aihwkit
from analognas.benchmarks.simulator_timing import Work
from analognas.benchmarks.simulator_work import (
    LEARNING_RATE,
    MOMENTUM,
    RECIPE,
    STANDARD,
    TIMES_S,
    Subject,
    training_step,
)
from analognas.simulator import Hardware

STEPS = 2**8 - 2  # of an 8-bit converter, in both packages
WEIGHT_NOISE = 0.1  # relative to the largest weight; its size does not change the cost


@dataclass(frozen=True)
class Competitor:
    """Another simulator; `evaluation` makes the work of one chip for a setting (i, ii or iii)."""

    package: str
    install: str
    training: Callable[[Subject], Work]
    evaluation: Callable[[Subject, str], Work] | None

    @property
    def is_installed(self) -> bool:
        return find_spec(self.package) is not None


def lightning_training(subject: Subject) -> Work:
    """A hardware-aware step of AIHWKIT-Lightning."""
    configs: Any = import_module("aihwkit_lightning.simulator.configs")
    config = configs.TorchInferenceRPUConfig()
    _set_converters(config)
    config.forward.out_noise_per_channel = True
    config.modifier.noise_type = configs.WeightNoiseInjectionType.ADD_NORMAL_PER_CHANNEL
    config.modifier.std_dev = WEIGHT_NOISE
    config.clip.type = configs.WeightClipType.LAYER_GAUSSIAN
    config.clip.sigma = RECIPE.clip_sigma
    analog = _converted("aihwkit_lightning", subject, config)
    optim: Any = import_module("aihwkit_lightning.optim")
    optimizer = optim.AnalogOptimizer(
        torch.optim.SGD,
        analog.analog_layers,
        analog.parameters(),
        lr=LEARNING_RATE,
        momentum=MOMENTUM,
    )
    return training_step(analog.train(), optimizer, subject)


def aihwkit_training(subject: Subject, tiles: str) -> Work:
    """A hardware-aware step of AIHWKIT."""
    choices = aihwkit.names()
    config = aihwkit.new_config(tiles)
    _set_aihwkit(config)
    config.modifier.type = choices.WeightModifierType.ADD_NORMAL
    config.modifier.std_dev = WEIGHT_NOISE
    config.clip.type = choices.WeightClipType.LAYER_GAUSSIAN
    config.clip.sigma = RECIPE.clip_sigma
    analog = _converted("aihwkit", subject, config)
    optim: Any = import_module("aihwkit.optim")
    optimizer = optim.AnalogSGD(analog.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    optimizer.regroup_param_groups(analog)
    return training_step(analog.train(), optimizer, subject)


def aihwkit_evaluation(subject: Subject, setting: str, tiles: str) -> Work:
    """Program a chip of AIHWKIT, and age and read it at every time."""
    inference: Any = import_module("aihwkit.inference")
    config = aihwkit.new_config(tiles)
    _set_aihwkit(config)
    config.noise_model = inference.PCMLikeNoiseModel(g_max=25.0)
    config.drift_compensation = inference.GlobalDriftCompensation()
    if setting != "i":
        config.forward.w_noise_type = aihwkit.names().WeightNoiseType.PCM_READ
        config.forward.w_noise = STANDARD.weight_read_noise
    if setting == "iii":
        config.forward.ir_drop = 1.0
    analog = _converted("aihwkit", subject, config).eval()

    def evaluate() -> None:
        with torch.no_grad():
            analog.program_analog_weights()
            for t_s in TIMES_S:
                analog.drift_analog_weights(t_s)
                analog(subject.x)

    return evaluate


COMPETITORS: Mapping[str, Competitor] = {
    "AIHWKIT-Lightning": Competitor(
        "aihwkit_lightning", "pip install aihwkit-lightning", lightning_training, None
    ),
    **{
        f"AIHWKIT, {tiles} tiles": Competitor(
            aihwkit.PACKAGE,
            aihwkit.INSTALL,
            partial(aihwkit_training, tiles=tiles),
            partial(aihwkit_evaluation, tiles=tiles),
        )
        for tiles in aihwkit.CONFIGS
    },
}


def _set_converters(config: Any, hardware: Hardware = STANDARD) -> None:
    """What both packages call by the same names."""
    config.forward.inp_res = STEPS
    config.forward.out_res = STEPS
    config.forward.out_bound = hardware.converters.output_bound
    config.forward.out_noise = hardware.converters.output_noise
    config.mapping.max_input_size = hardware.tile.rows
    config.pre_post.input_range.enable = True


def _set_aihwkit(config: Any) -> None:
    _set_converters(config)
    choices = aihwkit.names()
    config.forward.noise_management = choices.NoiseManagementType.NONE
    config.forward.bound_management = choices.BoundManagementType.NONE
    config.mapping.max_output_size = STANDARD.tile.columns
    config.mapping.digital_bias = True
    config.mapping.weight_scaling_omega = 1.0
    config.mapping.weight_scaling_columnwise = True


def _converted(package: str, subject: Subject, config: Any) -> Any:
    conversion: Any = import_module(f"{package}.nn.conversion")
    analog = conversion.convert_to_analog(subject.network, config)
    left: Sequence[str] = [
        type(module).__name__
        for module in analog.modules()
        if isinstance(module, nn.LSTM | nn.MultiheadAttention)
    ]
    if left:
        raise NotImplementedError(f"stays digital: {', '.join(left)}")
    return analog
