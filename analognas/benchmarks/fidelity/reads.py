"""Reads of a tile, one effect at a time, against their closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from analognas.benchmarks.fidelity import laws
from analognas.benchmarks.fidelity.laws import YEAR_S, Moments
from analognas.benchmarks.fidelity.trial import Check, Measure, Trial, moments
from analognas.simulator import (
    IDEAL,
    ConverterConfig,
    Hardware,
    TileConfig,
    analog_layers,
    program,
    set_time,
    to_analog,
)
from analognas.simulator.devices import StateIndependent
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.ir_drop import IrDrop
from analognas.simulator.output_stage import OutputStage
from analognas.simulator.presets import STANDARD_AIMC

LSB = 2 * 10 / 254  # of an 8-bit ADC with a bound of 10
COLUMNS = 100
Compensation = Literal["gdc", "none"]


def _outputs(
    trial: Trial, effect: str, hardware: Hardware, weight: Tensor, x: Tensor, *, t_s: float = 0.0
) -> Tensor:
    """Outputs `(M, C)` of one programmed chip in the precision of the trial."""
    columns, rows = weight.shape
    layer = nn.Linear(rows, columns, bias=False, dtype=trial.dtype)
    layer.weight.data.copy_(weight)
    analog = to_analog(layer, hardware)
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(1.0)
    program(analog, chips=1, generator=trial.generator(effect, "chip"))
    set_time(analog, t_s=t_s, generator=trial.generator(effect, "time"))
    with torch.no_grad():
        outputs: Tensor = analog(x.to(trial.dtype))[0]
    return outputs.double()


def _same_reads(trial: Trial, effect: str, hardware: Hardware) -> tuple[Tensor, float, float]:
    """Errors of many reads of the same product, and its sums of |w| x^2 and of x^2."""
    rows = 16
    weight = torch.linspace(-1, 1, rows, dtype=torch.float64).expand(COLUMNS, rows)
    x = torch.linspace(0.2, 0.9, rows, dtype=torch.float64)
    reads = _outputs(trial, effect, hardware, weight, x.expand(trial.draws // COLUMNS, rows))
    squared = float((weight[0].abs() * x.square()).sum())
    return reads - weight[0] @ x, squared, float(x.square().sum())


def _uniform(trial: Trial, effect: str, bound: float) -> Tensor:
    x = torch.empty(trial.draws, 1, dtype=torch.float64)
    return x.uniform_(-bound, bound, generator=trial.generator(effect, "inputs"))


_ONE = torch.ones(1, 1, dtype=torch.float64)


def _dac(trial: Trial, effect: str) -> Iterator[Check]:
    x = _uniform(trial, effect, 1.0)
    converters = replace(IDEAL.converters, dac_bits=8)
    y = _outputs(trial, effect, replace(IDEAL, converters=converters), _ONE, x)
    yield from moments(effect, "rounding error, 8 bits", y - x, laws.uniform(2 / 254))


def _adc(trial: Trial, effect: str) -> Iterator[Check]:
    x = _uniform(trial, effect, 12.5 * LSB)  # whole steps
    converters = ConverterConfig(dac_bits=None, adc_bits=8, output_bound=10.0, output_noise=0.0)
    y = _outputs(trial, effect, replace(IDEAL, converters=converters), _ONE, x)
    yield from moments(effect, "rounding error, 8 bits, bound 10", y - x, laws.uniform(LSB))


def _drive_noise(trial: Trial, effect: str) -> Iterator[Check]:
    rows = 16
    weight = torch.linspace(0.1, 1, rows, dtype=torch.float64)[None]
    x = torch.full((trial.draws, rows), 0.5, dtype=torch.float64)
    hardware = replace(IDEAL, input_stage=InputStage(noise=0.02))
    y = _outputs(trial, effect, hardware, weight, x)
    law = Moments(float(weight.sum()) * 0.5, 0.02 * float(weight.norm()))
    yield from moments(effect, "output, noise 0.02", y, law)


def _output_noise(trial: Trial, effect: str) -> Iterator[Check]:
    converters = replace(IDEAL.converters, output_noise=0.04)
    errors, *_ = _same_reads(trial, effect, replace(IDEAL, converters=converters))
    yield from moments(effect, "error of a read", errors, Moments(0.0, 0.04))


def _read_noise(trial: Trial, effect: str) -> Iterator[Check]:
    noisy = replace(IDEAL, weight_read_noise=0.0175)
    errors, weighted, _ = _same_reads(trial, effect, noisy)
    law = Moments(0.0, 0.0175 * math.sqrt(weighted))
    yield from moments(effect, "error of a read", errors, law)
    constant = replace(noisy, read_noise_law="constant")
    errors, _, plain = _same_reads(trial, effect, constant)
    law = Moments(0.0, 0.0175 * math.sqrt(plain))
    yield from moments(effect, "error of a read, constant law", errors, law)


def _ir_drop(trial: Trial, effect: str) -> Iterator[Check]:
    rows = 512
    hardware = replace(IDEAL, tile=STANDARD_AIMC.tile, ir_drop=IrDrop(strength=1.0))
    for drive, level in ((1.0, 1.0), (0.5, 0.3)):
        weight = torch.full((1, rows), level, dtype=torch.float64)
        weight[0, 0] = 1.0  # the column's scale
        x = torch.full((1, rows), drive, dtype=torch.float64)
        x[0, 0] = 0.0
        current = (rows - 1) * drive * level
        profiled = sum(1 - (1 - j / rows) ** 2 for j in range(1, rows)) * drive * level
        expected = laws.ir_drop_output(current, current, profiled, rows)
        measured = float(_outputs(trial, effect, hardware, weight, x))
        yield Check(effect, f"output of 511 rows, w = {level:g}", expected, measured, None)


def _columns(trial: Trial, effect: str) -> Iterator[Check]:
    weight = torch.ones(trial.draws, 1, dtype=torch.float64)
    x = torch.full((1, 1), 0.8, dtype=torch.float64)

    def read(stage: OutputStage) -> Tensor:
        tile = TileConfig(rows=1, columns=trial.draws)
        hardware = replace(IDEAL, output_stage=stage, tile=tile)
        return _outputs(trial, effect, hardware, weight, x)

    offset = read(OutputStage(voltage_offset_spread=0.05, reference_weight=0.0))
    yield from moments(effect, "voltage offset", 1 - offset / 0.8, laws.half_clamped(0.05))
    gain = read(OutputStage(adc_gain_spread=0.03))
    yield from moments(effect, "gain of the ADC", gain / 0.8, laws.folded_normal(1.0, 0.03))
    shift = read(OutputStage(adc_offset_spread=0.02))
    yield from moments(effect, "offset of the ADC", shift - 0.8, Moments(0.0, 0.02))
    bent = float(read(OutputStage(s_shape=0.5))[0, 0])
    yield Check(effect, "S-shape of 0.5 at 0.8", 0.8 / (1 + 0.05 * 0.8), bent, None)
    series = float(read(OutputStage(series_resistance=0.1, reference_weight=0.0))[0, 0])
    yield Check(effect, "series resistance of 0.1 at 0.8", 0.8 / 1.08, series, None)


def _compensation(trial: Trial, effect: str) -> Iterator[Check]:
    even = StateIndependent(programming_noise_uS=0.0, nu_mean=0.1, nu_sigma=0.0, read_noise_uS=0.0)
    weight = torch.linspace(-1, 1, 64, dtype=torch.float64).reshape(4, 16)
    x = torch.full((1, 16), 0.5, dtype=torch.float64)
    exact = float((x @ weight.T)[0, 0])
    kinds: dict[Compensation, float] = {"gdc": 1.0, "none": ((YEAR_S + 20) / 20) ** -0.1}
    for kind, factor in kinds.items():
        hardware = replace(IDEAL, device=even, compensation=kind)
        y = _outputs(trial, effect, hardware, weight, x, t_s=YEAR_S)
        yield Check(effect, f"output after a year, {kind}", exact * factor, float(y[0, 0]), None)


READS: Mapping[str, Measure] = {
    "DAC": _dac,
    "drive noise": _drive_noise,
    "IR drop": _ir_drop,
    "read noise": _read_noise,
    "column errors": _columns,
    "output noise": _output_noise,
    "ADC": _adc,
    "drift compensation": _compensation,
}
