"""Compare ways to program cores: error of products, work, accuracy of a network."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from analognas import __version__
from analognas.benchmarks.programming_cases import (
    BITS,
    DEVICES,
    FINE,
    IR_DROPS,
    VERIFICATIONS,
    VERIFY,
    Case,
    core_hardware,
    grid,
    special_cases,
)
from analognas.benchmarks.programming_cores import CoreBench, CoreResult
from analognas.benchmarks.programming_network import NetworkReport, measure_network
from analognas.benchmarks.programming_page import to_json, to_markdown
from analognas.benchmarks.programming_report import ProgrammingReport
from analognas.benchmarks.running import command_of
from analognas.errors import UserError
from analognas.files import write_text
from analognas.simulator import SIMULATOR_VERSION, spawn_generator
from analognas.simulator.programming import Match, match_statistical
from analognas.training import Progress

COMPENSATIONS: tuple[Literal["gdc", "gdc_exact"], ...] = ("gdc", "gdc_exact")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured."""

    seeds: int  # cores of every kind, at least 2
    bits: tuple[int, ...]
    ir_drops: tuple[float, ...]
    epochs: int
    chips: int
    network_bits: tuple[int, ...]
    match_cells: int  # per level


FULL = Effort(
    seeds=10,
    bits=BITS,
    ir_drops=IR_DROPS,
    epochs=20,
    chips=10,
    network_bits=(6, 8),
    match_cells=20_000,
)
QUICK = Effort(
    seeds=2,
    bits=(4, 8),
    ir_drops=(0.0,),
    epochs=2,
    chips=2,
    network_bits=(8,),
    match_cells=2_000,
)


@dataclass(frozen=True, kw_only=True)
class ProgrammingConfig:
    """What to measure; `out` is the page that will be written, if any."""

    effort: Effort = FULL
    seed: int = 0
    out: Path | None = None

    @property
    def command(self) -> str:
        """What to type to measure the same again."""
        options: list[str] = ["bench", "programming"]
        if self.effort == QUICK:
            options += ["--quick"]
        if self.seed:
            options += ["--seed", str(self.seed)]
        if self.out is not None:
            options += ["--out", str(self.out)]
        return command_of(options)


def run_programming(
    config: ProgrammingConfig, progress: Progress | None = None
) -> ProgrammingReport:
    """Measure everything.

    Raises:
        UserError: `out` is not a page.
    """
    if config.out is not None and config.out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {config.out}.")
    effort = config.effort
    cases = [*grid(effort.bits, effort.ir_drops), *special_cases()]
    steps = effort.seeds * len(cases) + 2
    cores: list[CoreResult] = []
    for index in range(effort.seeds):
        bench = CoreBench(config.seed + index)
        for place, case in enumerate(cases):
            _tell(progress, index * len(cases) + place, steps, _title(case, bench.seed))
            cores += bench.measure(case)
    _tell(progress, steps - 2, steps, "levels of write-and-verify")
    matches = _matches(config)
    network = _network(config, progress, steps)
    _tell(progress, steps, steps, "")
    return ProgrammingReport(
        command=config.command,
        facts={
            "versions": f"analognas {__version__}, simulator {SIMULATOR_VERSION}, torch "
            f"{torch.__version__}, Python {platform.python_version()}",
            "seeds": f"{config.seed} to {config.seed + effort.seeds - 1} for cores (weights, "
            f"inputs, chip), {config.seed} for the network",
            "processor": f"{platform.machine()}, {torch.get_num_threads()} thread(s)",
        },
        seeds=effort.seeds,
        cores=tuple(cores),
        matches=matches,
        network=network,
    )


def _matches(config: ProgrammingConfig) -> dict[str, Match]:
    """Statistical cells for `verify` at the ADC bits of the network, and for fine reads."""
    effort, found = config.effort, {}
    for devices in DEVICES:
        for bits in effort.network_bits:
            for name in (VERIFY, FINE):
                if name == FINE and bits != max(effort.network_bits):
                    continue  # fine reads do not meet these bits
                reads = "80 counts per device" if name == FINE else f"{bits} bit"
                found[f"{devices} per polarity, `{name}`, {reads}"] = match_statistical(
                    core_hardware(devices, adc_bits=bits, ir_drop=0.0),
                    VERIFICATIONS[name],
                    cells=effort.match_cells,
                    generator=spawn_generator(config.seed, "match", name, devices, bits),
                )
    return found


def _network(config: ProgrammingConfig, progress: Progress | None, steps: int) -> NetworkReport:
    settings = [
        replace(
            core_hardware(devices, adc_bits=bits, ir_drop=0.0),
            name=f"{devices} per polarity, {bits} bit, {compensation}",
            compensation=compensation,
        )
        for devices in (2, 1)
        for bits in sorted(config.effort.network_bits, reverse=True)
        for compensation in COMPENSATIONS
        if compensation == "gdc_exact" or bits == max(config.effort.network_bits)
    ]
    return measure_network(
        settings,
        epochs=config.effort.epochs,
        chips=config.effort.chips,
        seed=config.seed,
        told=lambda message: _tell(progress, steps - 1, steps, message),
    )


def write_page(report: ProgrammingReport, out: Path) -> Path:
    """Write the page and the JSON file beside it; return the latter's place."""
    data = out.with_suffix(".json")
    write_text(out, to_markdown(report, data_file=data.name))
    write_text(data, json.dumps(to_json(report), separators=(",", ":"), allow_nan=False) + "\n")
    return data


def _title(case: Case, seed: int) -> str:
    what = case.name or f"{case.adc_bits} bit, IR drop {case.ir_drop:g}"
    return f"core {seed}: {case.devices} per polarity, {what}"


def _tell(progress: Progress | None, done: int, total: int, message: str) -> None:
    if progress is not None:
        progress(done, total, message)
