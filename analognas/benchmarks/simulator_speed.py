"""Measure how much slower, and how much larger, a simulated network is than the network itself."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from analognas import __version__
from analognas.benchmarks.running import command_of
from analognas.benchmarks.simulator_competitors import COMPETITORS
from analognas.benchmarks.simulator_measuring import MeasuredModel, rows_at_most
from analognas.benchmarks.simulator_models import MODELS
from analognas.benchmarks.simulator_records import (
    FormatRow,
    LineRow,
    MemoryRow,
    PartsRow,
    ProfileRow,
    Row,
    SpeedReport,
    SpeedRow,
)
from analognas.benchmarks.simulator_tables import to_json, to_markdown, work_title
from analognas.benchmarks.simulator_timing import FULL, QUICK, Effort
from analognas.benchmarks.simulator_work import RECIPE, SETTINGS, STANDARD, TIMES_S
from analognas.errors import UserError, lookup
from analognas.files import write_text
from analognas.simulator import SIMULATOR_VERSION
from analognas.training import Progress, pick_device

MESSAGES: Mapping[type[Row], str] = {
    FormatRow: "memory formats",
    PartsRow: "steps of an evaluation",
    MemoryRow: "memory",
    LineRow: "linearity",
    ProfileRow: "profile",
}
CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, kw_only=True)
class SpeedConfig:
    """What to measure; `out` is the page that will be written, if any."""

    models: tuple[str, ...] = tuple(MODELS)
    effort: Effort = FULL
    device: str = "auto"
    threads: int | None = None
    seed: int = 0
    out: Path | None = None

    @property
    def command(self) -> str:
        """What to type to measure the same again."""
        options: list[str] = ["bench", "simulator"]
        if self.models != tuple(MODELS):
            options += ["--only", ",".join(self.models)]
        if self.effort == QUICK:
            options += ["--quick"]
        if self.device != "auto":
            options += ["--device", self.device]
        if self.threads is not None:
            options += ["--threads", str(self.threads)]
        if self.seed:
            options += ["--seed", str(self.seed)]
        if self.out is not None:
            options += ["--out", str(self.out)]
        return command_of(options)


def run_simulator_speed(config: SpeedConfig, progress: Progress | None = None) -> SpeedReport:
    """Measure every chosen model, one after the other.

    Raises:
        UserError: A model is unknown, or the device is not there.
    """
    models = {name: lookup(MODELS, name, "model") for name in config.models}
    if config.out is not None and config.out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {config.out}.")
    device = pick_device(config.device)
    load_before = os.getloadavg()
    rows: list[Row] = []
    each = rows_at_most(config.effort)
    with torch_threads(config.threads):
        for index, (name, model) in enumerate(models.items()):
            measured = MeasuredModel(
                name=name, model=model, effort=config.effort, device=device, seed=config.seed
            )
            _tell(progress, index * each, len(models) * each, f"{name}: started")
            for done, row in enumerate(measured.rows(), start=1 + index * each):
                rows.append(row)
                _tell(progress, done, len(models) * each, f"{name}: {_summary(row)}")
        facts = _facts(config, device, load_before)
    _tell(progress, len(models) * each, len(models) * each, "done")
    return SpeedReport(
        command=config.command,
        facts=facts,
        settings=SETTINGS,
        models={name: f"{model.title}; batch of {model.batch}" for name, model in models.items()},
        speed=tuple(row for row in rows if isinstance(row, SpeedRow)),
        formats=tuple(row for row in rows if isinstance(row, FormatRow)),
        parts=tuple(row for row in rows if isinstance(row, PartsRow)),
        memory=tuple(row for row in rows if isinstance(row, MemoryRow)),
        lines=tuple(row for row in rows if isinstance(row, LineRow)),
        profiles=tuple(row for row in rows if isinstance(row, ProfileRow)),
    )


def write_page(report: SpeedReport, out: Path) -> Path:
    """Write the page and the JSON file beside it; return the latter's place."""
    data = out.with_suffix(".json")
    write_text(out, to_markdown(report, data_file=data.name))
    write_text(data, json.dumps(to_json(report), indent=2, allow_nan=False) + "\n")
    return data


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let torch, and with it the simulator, use `count` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tell(progress: Progress | None, done: int, total: int, message: str) -> None:
    if progress is not None:
        progress(done, total, message)


def _summary(row: Row) -> str:
    if isinstance(row, SpeedRow):
        return f"{work_title(row.work)}, {row.verdict}"
    return MESSAGES[type(row)]


def _facts(
    config: SpeedConfig, device: torch.device, load_before: tuple[float, float, float]
) -> dict[str, str]:
    effort = config.effort
    recipe = ", ".join(f"{name} {value}" for name, value in RECIPE.to_dict().items())
    others = {
        competitor.package: _version(competitor.package)
        if competitor.is_installed
        else f"not installed and not timed ({competitor.install})"
        for competitor in COMPETITORS.values()
    }
    return {
        "machine": f"{_processor(device)}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} torch threads, device {device}",
        "load": f"{_load(load_before)} before, {_load(os.getloadavg())} after (mean number of "
        "running processes over 1, 5 and 15 minutes)",
        "versions": f"analognas {__version__}, simulator {SIMULATOR_VERSION}, "
        f"torch {torch.__version__}, numba {_version('numba')}, "
        f"Python {platform.python_version()}",
        "training": f"one step on hardware {STANDARD.name} "
        f"({STANDARD.hash}) with its DAC and ADC, noise at full strength; {recipe}",
        "evaluation": f"{effort.chips} chips at {len(TIMES_S)} times, one batch, programming and "
        f"ageing included; FP32: {effort.chips * len(TIMES_S)} forward passes of the batch",
        "timing": f"FP32 and analog in turns, at least {effort.pairs} pairs and "
        f"{effort.seconds:g} s; the first run of each is not counted; work shorter than "
        f"{effort.block_seconds:g} s is repeated within a sample",
        "seed": str(config.seed),
        "other simulators": "; ".join(f"{name} {said}" for name, said in others.items()),
    }


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _load(averages: tuple[float, float, float]) -> str:
    return " ".join(f"{average:.2f}" for average in averages)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
