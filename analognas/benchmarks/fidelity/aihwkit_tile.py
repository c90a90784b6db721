"""The tile of the standard AIMC model a third time, by AIHWKIT.

Its tiles are those that Rasch et al. (2023) used, so it should find the same. It differs in one
point: it maps programmed weights to conductances anew (`remapped` in `tile.py`).
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch

from analognas.benchmarks.aihwkit import (
    COMPILED,
    IN_TORCH,
    is_usable,
    names,
    new_config,
    why_not_compiled,
)
from analognas.benchmarks.fidelity.tile import (
    COLUMNS,
    OUTPUT_BOUND,
    OUTPUT_NOISE,
    READ_NOISE,
    ROWS,
    STEPS,
    G_MAX_uS,
    Switches,
    draw_tile,
    relative_error,
)

OFF = -1  # of resolutions and bounds


def has_effects(switches: Switches) -> bool:
    """Whether AIHWKIT is here, with tiles that have these effects."""
    if not is_usable():
        return False
    return why_not_compiled() is None or not (switches.read_noise or switches.ir_drop)


def aihwkit_tile_errors(
    switches: Switches, times_s: Sequence[float], *, scaled: bool, rng: np.random.Generator
) -> list[float]:
    """Mean relative error of one programmed tile at every time, as `tile_errors`."""
    layers: Any = import_module("aihwkit.nn")
    weight, x = draw_tile(scaled=scaled, rng=rng)
    exact = x @ weight.T
    columns, rows = weight.shape
    errors = []
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.random.manual_seed(int(rng.integers(2**31)))  # it draws from the global generator
        config = standard_config(switches, scaled=scaled)
        layer = layers.AnalogLinear(rows, columns, bias=False, rpu_config=config)
        layer.set_weights(torch.tensor(weight, dtype=torch.float32))
        layer.eval()
        layer.program_analog_weights()
        for t_s in times_s:
            layer.drift_analog_weights(t_s)
            y = layer(torch.tensor(x, dtype=torch.float32)).double().numpy()
            errors.append(relative_error(y, exact))
    return errors


def standard_config(switches: Switches, *, scaled: bool) -> Any:
    """The standard AIMC model with these effects, `scaled` with a scale for every column."""
    inference: Any = import_module("aihwkit.inference")
    choices = names()
    config = new_config(COMPILED if why_not_compiled() is None else IN_TORCH)
    forward = config.forward
    forward.noise_management = choices.NoiseManagementType.NONE
    forward.bound_management = choices.BoundManagementType.NONE
    forward.inp_res = forward.out_res = STEPS if switches.converters else OFF
    forward.out_bound = OUTPUT_BOUND if switches.converters else OFF
    forward.out_noise = OUTPUT_NOISE if switches.output_noise else 0.0
    if switches.read_noise:
        forward.w_noise_type = choices.WeightNoiseType.PCM_READ
        forward.w_noise = READ_NOISE
    if switches.ir_drop:
        forward.ir_drop = 1.0
    config.mapping.max_input_size, config.mapping.max_output_size = ROWS, COLUMNS
    config.mapping.weight_scaling_omega = float(scaled)
    config.mapping.weight_scaling_columnwise = scaled
    config.pre_post.input_range.enable = False
    config.noise_model = inference.PCMLikeNoiseModel(
        g_max=G_MAX_uS,
        prog_noise_scale=float(switches.programming),
        read_noise_scale=float(switches.read_1f),
        drift_scale=float(switches.drift),
    )
    config.drift_compensation = inference.GlobalDriftCompensation()
    return config
