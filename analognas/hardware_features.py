"""Hardware as numbers that a surrogate can learn from: settings, cells, and errors of products.

No column names a kind of cell. Any hardware can be asked for all of them, so that a surrogate may
be asked about cells that it never met: it is told how far off their products are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd
import torch
from torch import Tensor, nn

from analognas.simulator import (
    Hardware,
    analog_layers,
    program,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.devices import Device

ONE_SECOND_S, ONE_DAY_S = 1.0, 86_400.0
NO_CONVERTER_BITS = 16  # stands for a converter that neither quantises nor clips

REFERENCE_CHIPS = 4
REFERENCE_INPUTS = 48
REFERENCE_OUTPUTS = 48
WEIGHT_CLIP_SIGMAS = 2.5  # as training clips them: weights are normal within these bounds
INPUT_SIGMA = 1 / 3  # of the inputs, the positive half of a normal law as behind a ReLU
MOMENT_CELLS = 2_048
DIGITS = 5  # of every feature: the last bits of a sum are no physics

# Groups of settings that no other column tells of, except through the errors of products.
FURTHER_EFFECTS = ("mapping", "faults", "input_stage", "circuit", "output_stage")

SETTING_COLUMNS = (
    "hardware_dac_bits",
    "hardware_adc_bits",
    "hardware_log2_output_bound",
    "hardware_output_noise",
    "hardware_log2_tile_rows",
    "hardware_log2_tile_columns",
    "hardware_read_noise",
    "hardware_cells_per_weight",
    "hardware_wire_drop",
    "hardware_global_compensation",
    "hardware_recalibrated",
    "hardware_uncompensated",
    "hardware_further_effects",
)
CELL_COLUMNS = (
    "hardware_programming_error",
    "hardware_empty_cell_error",
    "hardware_drift",
    "hardware_drift_spread",
    "hardware_slow_noise",
)


@dataclass(frozen=True)
class Reference:
    """A small layer whose products stand for those of similar layers in a network.

    Args:
        inputs: Rows of its matrix; of a depthwise layer, its channels.
        depthwise: One 3 x 3 kernel per channel instead of a full matrix.
    """

    inputs: int
    depthwise: bool = False

    def layer(self) -> nn.Module:
        if self.depthwise:
            return nn.Conv2d(self.inputs, self.inputs, 3, groups=self.inputs, bias=False)
        return nn.Linear(self.inputs, REFERENCE_OUTPUTS, bias=False)

    def draw_inputs(self) -> Tensor:
        """Inputs between 0 and 1, the same for all hardware."""
        shape = (self.inputs, 3, 3) if self.depthwise else (self.inputs,)
        x = torch.empty(REFERENCE_INPUTS, *shape)
        x.normal_(0.0, INPUT_SIGMA, generator=spawn_generator(0, "inputs", self.inputs))
        return x.abs_().clamp_(max=1.0)


# Layers of a network are compared with the first three by the rows that are summed.
REFERENCES: Mapping[str, Reference] = {
    "narrow": Reference(12),
    "middle": Reference(96),
    "wide": Reference(768),
    "depthwise": Reference(48, depthwise=True),
}
ERROR_COLUMNS = tuple(
    f"hardware_log10_{what}_{name}" for what in ("error", "noise", "gain") for name in REFERENCES
)
HARDWARE_COLUMNS = (*SETTING_COLUMNS, *CELL_COLUMNS, *ERROR_COLUMNS)


def hardware_features(
    hardware: Hardware, times_s: Sequence[float], *, recalibrated: bool = False
) -> pd.DataFrame:
    """Describe hardware at some times after programming.

    Args:
        hardware: Any.
        times_s: Seconds after programming.
        recalibrated: Whether batch norms are calibrated anew on the aged chip (AdaBS).

    Returns:
        One row per time, indexed by `t_s`, with `HARDWARE_COLUMNS`. The same hardware has the same
        features, whatever its name; errors of products are simulated with fixed seeds and kept.

    Raises:
        ValueError: The cells say nothing about one of the times.
    """
    times = tuple(float(t_s) for t_s in times_s)
    if not times or min(times) <= 0:
        raise ValueError(f"`times_s` must hold positive seconds, but got {list(times_s)}.")
    constant = (*_settings(hardware, recalibrated), *_cell_moments(hardware.device))
    errors = _product_errors(hardware, times, recalibrated)
    rows = [[round(value, DIGITS) for value in (*constant, *row)] for row in errors]
    return pd.DataFrame(rows, columns=list(HARDWARE_COLUMNS), index=pd.Index(times, name="t_s"))


def _settings(hardware: Hardware, recalibrated: bool) -> tuple[float, ...]:
    """Values in the order of `SETTING_COLUMNS`."""
    converters, tile, ir_drop = hardware.converters, hardware.tile, hardware.ir_drop
    plain = Hardware()
    parallel = getattr(hardware.device, "cells_per_polarity", 1)
    further = [name for name in FURTHER_EFFECTS if getattr(hardware, name) != getattr(plain, name)]
    compensated = hardware.compensation != "none"
    return (
        float(converters.dac_bits or NO_CONVERTER_BITS),
        float(converters.adc_bits or NO_CONVERTER_BITS),
        math.log2(converters.output_bound),
        converters.output_noise,
        math.log2(tile.rows),
        math.log2(tile.columns),
        hardware.weight_read_noise,
        float(hardware.mapping.cells_per_weight * parallel),
        1e3 * ir_drop.strength * tile.rows / ir_drop.conductance_ratio,
        float(compensated),
        float(recalibrated),
        float(not (compensated or recalibrated)),
        float(len(further) + (hardware.read_noise_law != plain.read_noise_law)),
    )


@lru_cache(maxsize=1_024)
def _cell_moments(device: Device) -> tuple[float, ...]:
    """Values in the order of `CELL_COLUMNS`, of cells that hold weights like those of a network.

    Errors are in units of the range of a cell; drift is the exponent of the conductance's power law
    between a second and a day, whether or not the cell ages by such a law.
    """
    size = device.g_max_uS - device.g_min_uS
    r = _draw_weights(torch.empty(MOMENT_CELLS), "moments").abs_()
    programming = device.programming_sigma_uS(r).square().mean().sqrt() / size
    empty = device.programming_sigma_uS(torch.zeros(1)).mean() / size
    held = device.g_min_uS + r * size
    ageing = device.draw_ageing(held, generator=spawn_generator(0, "ageing"))
    young = device.aged_uS(held, ageing, t_s=ONE_SECOND_S)
    old = device.aged_uS(held, ageing, t_s=ONE_DAY_S)
    decades = math.log((ONE_DAY_S + device.t_ref_s) / (ONE_SECOND_S + device.t_ref_s))
    counted = (r > 0.05) & (young > 0) & (old > 0)
    exponent = -torch.log(old[counted] / young[counted]) / decades
    slow = device.read_sigma_uS(old, held, t_s=ONE_DAY_S).square().mean().sqrt() / size
    drift = (exponent.mean(), exponent.std()) if bool(counted.any()) else (exponent.sum(),) * 2
    return tuple(float(value) for value in (programming, empty, *drift, slow))


@lru_cache(maxsize=4_096)
def _product_errors(
    hardware: Hardware, times_s: tuple[float, ...], recalibrated: bool
) -> tuple[tuple[float, ...], ...]:
    """One row per time in the order of `ERROR_COLUMNS`."""
    by_reference = [
        _reference_errors(reference, hardware, times_s, recalibrated)
        for reference in REFERENCES.values()
    ]
    return tuple(
        tuple(errors[place][kind] for kind in range(3) for errors in by_reference)
        for place in range(len(times_s))
    )


@torch.no_grad()
def _reference_errors(
    reference: Reference, hardware: Hardware, times_s: Sequence[float], recalibrated: bool
) -> list[tuple[float, float, float]]:
    """Logarithms of error, noise and gain of a layer's products at every time.

    The error is the mean of `|y - y_0| / |y_0|` over inputs and chips (Rasch et al., Nat. Commun.
    14, 5282 (2023)), the gain the factor that y_0 appears with in y, and the noise what is left of
    the error when the gain is taken out.
    """
    digital = reference.layer()
    weight = _draw_weights(next(digital.parameters()).data, "weights")
    analog = to_analog(digital, hardware)
    ((_, layer),) = analog_layers(analog)
    layer.weight.data.copy_(weight)
    layer.input_range.data.fill_(1.0)
    x = reference.draw_inputs()
    exact = digital(x).flatten(1).double()
    program(analog, chips=REFERENCE_CHIPS, generator=spawn_generator(0, "chips"))
    found = []
    for t_s in times_s:
        set_time(analog, t_s=t_s, generator=spawn_generator(0, "time", repr(t_s)))
        y = analog(x).flatten(2).double()
        if recalibrated:
            y = _with_moments_of(exact, y)
        gain = float((y * exact).sum() / exact.square().sum() / len(y))
        error = _relative(y - exact, exact)
        noise = _relative(y - gain * exact, exact) / max(abs(gain), _SMALLEST)
        found.append((_log10(error), _log10(noise), _log10(gain)))
    return found


_SMALLEST = 1e-4


def _log10(value: float) -> float:
    return math.log10(max(value, _SMALLEST))


def _draw_weights(like: Tensor, name: str) -> Tensor:
    like = like.normal_(generator=spawn_generator(0, name, like.numel()))
    return like.clamp_(-WEIGHT_CLIP_SIGMAS, WEIGHT_CLIP_SIGMAS).div_(WEIGHT_CLIP_SIGMAS)


def _relative(difference: Tensor, exact: Tensor) -> float:
    """Mean ratio of norms; `difference` is `(chips, inputs, outputs)`, `exact` lacks the chips."""
    ratio = difference.norm(dim=-1) / exact.norm(dim=-1)
    return float(ratio.mean())


def _with_moments_of(exact: Tensor, y: Tensor) -> Tensor:
    """Give the outputs of every chip mean and spread of the exact ones, as batch norms would."""
    centred = y - y.mean(dim=1, keepdim=True)
    spread = y.std(dim=1, keepdim=True).clamp_min(1e-9)
    return centred / spread * exact.std(dim=0) + exact.mean(dim=0)
