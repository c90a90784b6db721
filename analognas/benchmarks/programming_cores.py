"""Program cores with every method and measure their products."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from analognas.benchmarks.programming_cases import (
    CAREFUL,
    COLUMNS,
    FINE,
    METHODS,
    VECTORS,
    Case,
    draw_inputs,
    draw_weight,
)
from analognas.simulator import Hardware, spawn_generator
from analognas.simulator.analysis.mvm_error import relative_error
from analognas.simulator.devices import draw_ageing, read_conductance
from analognas.simulator.output_stage import ColumnVariation, OutputStage, draw_column_variation
from analognas.simulator.programming import (
    Core,
    GradientDescent,
    Programmed,
    ProgrammingLog,
    ProgrammingMethod,
    write_tile,
)
from analognas.simulator.quantizer import quantize_
from analognas.simulator.streams import NoiseStream


@dataclass(frozen=True)
class CoreResult:
    """One core after one programming.

    Args:
        case: Which core.
        method: Name in `METHODS`.
        seed: Of weights, inputs and chip.
        errors: Mean of |y - y0| / |y0| over held-out inputs, by kind of inputs.
        log: What programming took.
        seconds: Of simulation.
    """

    case: Case
    method: str
    seed: int
    errors: Mapping[str, float]
    log: ProgrammingLog
    seconds: float


@dataclass(frozen=True)
class _Written:
    programmed: Programmed
    log: ProgrammingLog
    seconds: float


class CoreBench:
    """All cases of one seed: the same weights, inputs and chip for every method.

    What a method writes without meeting ADC bits or wires is written once.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.weights = {kind: draw_weight(seed, kind) for kind in ("normal", "uniform")}
        self.inputs = draw_inputs(seed)
        self._fine: dict[tuple[str, int, float, str], _Written] = {}

    def measure(self, case: Case) -> Iterator[CoreResult]:
        variation = self._variation(case.hardware)
        for name in case.methods:
            written = self._write(case, name, variation)
            g_uS = self._aged(written.programmed.g_uS, case)
            errors = self._errors(case, g_uS, written.programmed, variation)
            yield CoreResult(case, name, self.seed, errors, written.log, written.seconds)

    def _write(self, case: Case, name: str, variation: ColumnVariation | None) -> _Written:
        method = METHODS[name]
        noise = case.hardware.converters.output_noise
        key = (name, case.devices, noise, case.weights)
        reusable = name in (FINE, CAREFUL) and variation is None
        if reusable and key in self._fine:
            return self._fine[key]
        if isinstance(method, GradientDescent) and "no pulse limit" not in name:
            plain = replace(case, hardware=replace(case.hardware, output_stage=OutputStage()))
            fine = self._write(plain, FINE, None).log
            method = replace(method, pulses_per_cell=fine.pulses / fine.cells)
        written = _timed(
            self.weights[case.weights], case.hardware, method, variation, seed=self.seed
        )
        if reusable:
            self._fine[key] = written
        return written

    def _variation(self, hardware: Hardware) -> ColumnVariation | None:
        if hardware.output_stage == OutputStage():
            return None
        return draw_column_variation(
            COLUMNS,
            hardware.output_stage,
            hardware.converters,
            generator=spawn_generator(self.seed, "programming", "columns"),
        )

    def _aged(self, g_uS: Tensor, case: Case) -> Tensor:
        """Every cell drifts as one that holds what this cell holds."""
        if case.t_s == 0:
            return g_uS
        device = case.hardware.device
        drift = spawn_generator(self.seed, "programming", "drift")
        ageing = draw_ageing(device, g_uS.clamp(max=device.g_max_uS), generator=drift)
        noise = spawn_generator(self.seed, "programming", "1/f")
        return read_conductance(device, g_uS, ageing, t_s=case.t_s, generator=noise)

    def _errors(
        self,
        case: Case,
        g_uS: Tensor,
        programmed: Programmed,
        variation: ColumnVariation | None,
    ) -> dict[str, float]:
        core, found = Core(case.hardware, variation), {}
        weight = self.weights[case.weights]
        gain = programmed.gain
        if case.calibrated:
            gain = self._column_factor(core, g_uS, weight)
        for kind, x in self.inputs.items():
            stream = NoiseStream(self.seed, "programming", "held-out reads", kind)
            drive = quantize_(x.clone(), bits=case.hardware.converters.dac_bits, bound=1.0)
            exact = x @ weight.T
            y = core.multiply(drive, g_uS, stream).mul_(gain).add_(programmed.offset)
            if case.t_s > 0:  # one digital factor per core undoes the common drift
                y *= (y * exact).sum() / y.square().sum()
            found[kind] = float(relative_error(y, exact).mean())
        return found

    def _column_factor(self, core: Core, g_uS: Tensor, weight: Tensor) -> Tensor:
        """What makes the outputs of every column as large as they should be, `(C,)`."""
        x = torch.empty(VECTORS, weight.shape[1])
        x.uniform_(-1, 1, generator=spawn_generator(self.seed, "programming", "calibration"))
        quantize_(x, bits=core.hardware.converters.dac_bits, bound=1.0)
        exact = x @ weight.T
        y = core.multiply(x, g_uS, NoiseStream(self.seed, "programming", "calibration reads"))
        return exact.square().sum(dim=0) / (exact * y).sum(dim=0)


def _timed(
    weight: Tensor,
    hardware: Hardware,
    method: ProgrammingMethod,
    variation: ColumnVariation | None,
    *,
    seed: int,
) -> _Written:
    start = time.perf_counter()
    with torch.no_grad():
        programmed = write_tile(
            weight,
            hardware,
            method,
            variation=variation,
            generator=spawn_generator(seed, "programming", "chip"),
        )
    assert programmed.log is not None
    return _Written(programmed, programmed.log, time.perf_counter() - start)
