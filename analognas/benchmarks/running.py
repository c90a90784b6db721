"""Run a benchmark from its settings to its page in `results/`."""

from __future__ import annotations

import os
import platform
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch

from analognas import __version__
from analognas.allocator import keep_freed_memory
from analognas.benchmarks.contestants import (
    Contestant,
    named_networks,
    searched,
    widest_network,
)
from analognas.benchmarks.measuring import MeasurementSetting, measure_all
from analognas.benchmarks.tables import Benchmark, BenchmarkRow, records, to_markdown
from analognas.files import write_text
from analognas.hardware_choice import check_ages, hardware_for_chip
from analognas.labelling.job import TaskChoice
from analognas.limits import make_fits
from analognas.search_spaces import make_space
from analognas.searching.config import SearchConfig
from analognas.simulator import SIMULATOR_VERSION
from analognas.simulator.chip import cost_scope, load_chip
from analognas.tasks import load_task
from analognas.training import FULL_RECIPE, Progress, pick_device

NAME = "benchmark"


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """What to compare, and how thoroughly.

    `search` holds task, data, budget and seed; the random search gets the same. `folder` keeps
    everything that is finished, so that the same command continues after a stop.
    """

    search: SearchConfig
    folder: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    chips: int = 25
    epochs: int = FULL_RECIPE.epochs
    workers: int | None = None
    command: str = "analognas bench"


def run_benchmark(
    config: BenchmarkConfig, out: Path, progress: Progress | None = None
) -> Benchmark:
    """Search, train every network under every seed, measure, and write page and table.

    Args:
        config: What to compare.
        out: Page to write (Markdown); a CSV file of the same name lies beside it.
        progress: Told how far the present part is.
    """
    keep_freed_memory()
    search = config.search
    task = load_task(search.task, split=search.split, data=search.data, words=search.words)
    space = make_space(search.space, input_shape=task.input_shape, n_classes=task.n_classes)
    chip = load_chip(search.chip)
    hardware = check_ages(hardware_for_chip(search.hardware, search.overrides, chip))
    fits = make_fits(space, task.limits, chip)
    found, basis = searched(search, config.folder / "search", progress, random=False)
    drawn, _ = searched(search, config.folder / "random", progress, random=True)
    contestants: list[Contestant] = [
        *found,
        *drawn,
        *named_networks(space, fits),
        widest_network(task.input_shape, task.n_classes, fits),
    ]
    setting = MeasurementSetting(
        task=TaskChoice(search.task, search.split, search.data, search.words),
        hardware=hardware,
        chip=chip,
        recipe=replace(FULL_RECIPE, epochs=config.epochs),
        chips=config.chips,
        device=str(pick_device(search.device)),
    )
    measured = measure_all(
        setting,
        [contestant.architecture for contestant in contestants],
        config.folder / "measurements",
        seeds=config.seeds,
        workers=config.workers or os.cpu_count() or 1,
        progress=progress,
    )
    benchmark = Benchmark(
        title=f"Benchmark: {task.title}",
        command=config.command,
        facts={
            "data": f"{task.title} ({task.provenance}); test part, {len(task.test)} inputs",
            "split": task.split,
            "hardware": f"{hardware.name}, hash {hardware.hash}; chip {chip.name}, "
            f"{chip.default_read_mode} reads",
            "training": f"{config.epochs} epochs hardware-aware, seeds "
            + ", ".join(map(str, config.seeds)),
            "chips": f"{config.chips} simulated chips per training",
            "search": f"{search.asked_budget} candidates each for {search.strategy} and random "
            f"search, seed {search.seed}, picked by prediction; {basis}",
            "versions": f"analognas {__version__}, simulator {SIMULATOR_VERSION}, "
            f"torch {torch.__version__}, Python {platform.python_version()}",
            "for machines": f"the same numbers are in `{out.with_suffix('.csv').name}`",
            **({"notes": " ".join(task.notes)} if task.notes else {}),
        },
        rows=tuple(
            BenchmarkRow(
                contestant,
                tuple(measured[contestant.architecture.key, seed] for seed in config.seeds),
            )
            for contestant in contestants
        ),
        scope=cost_scope(chip),
    )
    write_text(out, to_markdown(benchmark))
    write_text(out.with_suffix(".csv"), pd.DataFrame(records(benchmark)).to_csv(index=False))
    return benchmark


def command_of(arguments: list[str]) -> str:
    """The command as it was typed, with the last part only of paths that begin at the root."""
    shown = [Path(a).name if Path(a).is_absolute() else a for a in arguments]
    return shlex.join(["analognas", *shown])
