"""What the programming benchmark compares: methods, cores, inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from analognas.simulator import HERMES_DEFAULT, Hardware, spawn_generator
from analognas.simulator.ir_drop import IrDrop
from analognas.simulator.output_stage import OutputStage
from analognas.simulator.presets import HERMES_ONE_CELL
from analognas.simulator.programming import GradientDescent, ProgrammingMethod, WriteAndVerify

ROWS = COLUMNS = 256
VECTORS = 1000  # held-out inputs of a kind
BITS = (4, 5, 6, 7, 8, 9, 10)
IR_DROPS = (0.0, 1.0, 3.0)
DEVICES = {1: HERMES_ONE_CELL, 2: HERMES_DEFAULT}  # per polarity
DENSE, UNIFORM, SPARSE = "dense normal", "dense uniform", "sparse ReLU-like"
ZERO_FRACTION = 0.7  # of sparse inputs
INPUT_SIGMA = 1 / 3

VERIFY, FINE, CAREFUL = "verify", "verify, fine reads", "verify, fine reads x8, margin 3"
GDP = "gdp"
PLAIN, AFFINE, LONG = "gdp, plain gradient", "gdp, affine columns", "gdp, no pulse limit"

VERIFICATIONS: Mapping[str, WriteAndVerify] = {
    VERIFY: WriteAndVerify(),
    FINE: WriteAndVerify(reads="fine"),
    CAREFUL: WriteAndVerify(reads="fine", repeats=8, margin_counts=3.0),
}
METHODS: Mapping[str, ProgrammingMethod] = {
    **VERIFICATIONS,
    GDP: GradientDescent(),
    PLAIN: GradientDescent(whiten=False),
    AFFINE: GradientDescent(affine=True),
    LONG: GradientDescent(iterations=60, dead_zone_end=GradientDescent().dead_zone_end / 2),
}
MEANINGS: Mapping[str, str] = {
    VERIFY: "write-and-verify, cells read through the ADC of the products, margin 5 of 80 counts "
    "but at least half a step of that ADC",
    FINE: "the same, but cells are read with a gain of their own: 80 counts per device whatever "
    "the ADC bits",
    CAREFUL: "as before, every reading the mean of 8, margin 3 counts",
    GDP: "gradient descent with random inputs, least-squares gradient; never reads a cell; no more "
    f"pulses per core than `{FINE}` took on the same core",
    PLAIN: "the same with the plain gradient",
    AFFINE: "`gdp` with a gain and an offset fitted to every column in the end",
    LONG: "`gdp` with 60 rounds, half the last dead zone and no limit on pulses",
}
MAIN = (VERIFY, FINE, CAREFUL, GDP)


@dataclass(frozen=True)
class Case:
    """One kind of core.

    Args:
        name: What is special; "" on the grid of ADC bits and IR drops.
        devices: Per polarity.
        hardware: All of it.
        methods: Names of `METHODS`.
        t_s: Age at which the error is measured, in seconds; 0 right after programming.
        weights: "normal" or "uniform".
        calibrated: Whether every column gets a digital factor, fitted to inputs of its own.
    """

    name: str
    devices: int
    hardware: Hardware
    methods: tuple[str, ...]
    t_s: float = 0.0
    weights: str = "normal"
    calibrated: bool = False

    @property
    def adc_bits(self) -> int:
        return self.hardware.converters.adc_bits or 0

    @property
    def ir_drop(self) -> float:
        return self.hardware.ir_drop.strength


def core_hardware(devices: int, *, adc_bits: int, ir_drop: float) -> Hardware:
    """The 64-core chip's cells behind an ADC and wires of choice."""
    base = DEVICES[devices]
    return replace(
        base,
        name=f"{base.name}, {adc_bits} bit, IR drop {ir_drop:g}",
        converters=replace(base.converters, adc_bits=adc_bits),
        ir_drop=IrDrop(strength=ir_drop),
    )


def grid(bits: tuple[int, ...], drops: tuple[float, ...]) -> list[Case]:
    """Cores by devices, IR drop and ADC bits, bits varying fastest."""
    return [
        Case("", devices, core_hardware(devices, adc_bits=adc_bits, ir_drop=ir_drop), MAIN)
        for devices in DEVICES
        for ir_drop in drops
        for adc_bits in bits
    ]


def special_cases() -> list[Case]:
    """Where one of the methods should have an advantage, or a variant matters."""
    cases = []
    for devices in DEVICES:
        usual = core_hardware(devices, adc_bits=8, ir_drop=0.0)
        exact = core_hardware(devices, adc_bits=12, ir_drop=0.0)
        exact = replace(
            exact,
            converters=replace(exact.converters, output_noise=0.0),
            weight_read_noise=0.0,
        )
        gains = replace(usual, output_stage=OutputStage(adc_gain_spread=0.0709))
        wires = core_hardware(devices, adc_bits=8, ir_drop=12.0)
        cases += [
            Case("one day after programming", devices, usual, MAIN, t_s=86_400.0),
            Case("one digital factor per column", devices, usual, MAIN, calibrated=True),
            Case("uniform weights", devices, usual, MAIN, weights="uniform"),
            Case("12-bit ADC without any noise", devices, exact, (VERIFY, CAREFUL, GDP)),
            Case("7 % spread of column gains", devices, gains, (FINE, GDP, AFFINE)),
            Case("IR drop of strength 12", devices, wires, (FINE, GDP, AFFINE)),
            Case("variants of the descent", devices, usual, (FINE, GDP, PLAIN, LONG)),
        ]
    return cases


def draw_weight(seed: int, kind: str) -> Tensor:
    """Normal or uniform weights, the largest of every column 1; `(C, R)`."""
    weight = torch.empty(COLUMNS, ROWS)
    generator = spawn_generator(seed, "programming", "weights", kind)
    if kind == "uniform":
        weight.uniform_(-1, 1, generator=generator)
    else:
        weight.normal_(generator=generator)
    return weight / weight.abs().amax(dim=1, keepdim=True)


def draw_inputs(seed: int) -> dict[str, Tensor]:
    """Held-out inputs by kind, `(VECTORS, R)` within [-1, 1]."""

    def stream(name: str) -> torch.Generator:
        return spawn_generator(seed, "programming", "held-out inputs", name)

    shape = (VECTORS, ROWS)
    dense = torch.empty(shape).normal_(0.0, INPUT_SIGMA, generator=stream(DENSE)).clamp_(-1, 1)
    uniform = torch.empty(shape).uniform_(-1, 1, generator=stream(UNIFORM))
    positive = torch.empty(shape).normal_(0.0, INPUT_SIGMA, generator=stream(SPARSE))
    kept = torch.empty(shape).uniform_(generator=stream("kept")) >= ZERO_FRACTION
    return {DENSE: dense, UNIFORM: uniform, SPARSE: positive.abs_().clamp_(max=1) * kept}
