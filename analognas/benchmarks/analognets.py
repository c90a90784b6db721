"""The training of AnalogNets, part by part: noise, ADC constraint, convolutions without groups."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path

import torch

from analognas import __version__
from analognas.allocator import keep_freed_memory
from analognas.benchmarks.analognets_cases import (
    DEPTHWISE,
    ETA,
    HARDWARE_OF_BITS,
    LEARNED,
    LEARNING_RATE,
    MAIN,
    METHODS,
    REGULAR,
    networks,
)
from analognas.benchmarks.analognets_jobs import Effort, Job, read_results
from analognas.benchmarks.analognets_page import to_json, to_markdown
from analognas.benchmarks.analognets_tables import AnalogNetsReport, NetworkFacts
from analognas.benchmarks.analognets_work import measure
from analognas.deployment.processes import run_in_processes
from analognas.errors import UserError
from analognas.files import write_text
from analognas.labelling.job import TaskChoice
from analognas.search_spaces import ConvSpace
from analognas.shapes import layer_shapes
from analognas.simulator import SIMULATOR_VERSION
from analognas.simulator.chip import load_chip, place_layers
from analognas.training import Progress, TrainingRecipe

CHIP = "aon-cim"


@dataclass(frozen=True, kw_only=True)
class AnalogNetsConfig:
    """What to measure; `folder` keeps what is finished, so that the same command continues."""

    task: TaskChoice
    folder: Path
    effort: Effort = field(default_factory=Effort)
    workers: int = 2
    command: str = "analognas bench analognets"


def run_analognets(config: AnalogNetsConfig, progress: Progress | None = None) -> AnalogNetsReport:
    """Train and measure everything that is not finished yet.

    Raises:
        UserError: The data cannot be used.
    """
    keep_freed_memory()
    task = config.task.load()
    space = ConvSpace(task.input_shape, task.n_classes)
    chip = load_chip(CHIP)
    facts = {}
    for name, arch in networks(space).items():
        placement = place_layers(layer_shapes(space, arch), chip)
        facts[name] = NetworkFacts(
            key=arch.key,
            parameters=space.parameters(arch),
            multiplications=space.multiplications(arch),
            utilisation_fraction=placement.utilisation_fraction,
        )
    jobs = _jobs(config)
    done = [0] * len(jobs)

    def report(position: int, percent: int, total: int, message: str) -> None:
        done[position] = percent
        if progress is not None:
            progress(sum(done), 100 * len(jobs), message)

    run_in_processes(
        measure, [(job.name, job) for job in jobs], workers=config.workers, report=report
    )
    effort = config.effort
    first = TrainingRecipe()
    return AnalogNetsReport(
        command=config.command,
        title=task.title,
        facts={
            "data": f"{task.title} ({task.provenance}); test part, {len(task.test)} inputs",
            "split": task.split,
            "hardware": ", ".join(f"{one.name} {one.hash}" for one in HARDWARE_OF_BITS.values())
            + f"; every network fits the array of {chip.name}",
            "training": f"{effort.epochs} epochs per stage, learning rates {first.learning_rate:g} "
            f"and {LEARNING_RATE:g}, eta {ETA:g}; seeds {', '.join(map(str, effort.seeds))}",
            "choices": "eta (of 0.05 and 0.1), the second learning rate (of 2e-3 and 4e-3) and all "
            "ranges were chosen on the validation part of the Arabic keywords, the former two "
            "under seed 0; nothing was chosen on a test part",
            "chips": f"{effort.chips} simulated chips per training, the same draws for all rows",
            "versions": f"analognas {__version__}, simulator {SIMULATOR_VERSION}, torch "
            f"{torch.__version__}, Python {platform.python_version()}",
            **({"notes": " ".join(task.notes)} if task.notes else {}),
        },
        networks=facts,
        results=tuple(result for job in jobs for result in read_results(job)),
    )


def _jobs(config: AnalogNetsConfig) -> list[Job]:
    def job(
        network: str, seed: int, methods: tuple[str, ...], groups: tuple[str, ...] = ("together",)
    ) -> Job:
        return Job(
            task=config.task,
            folder=config.folder,
            effort=config.effort,
            network=network,
            seed=seed,
            methods=methods,
            groups=groups,
        )

    seeds = config.effort.seeds
    return [
        *(job(MAIN, seed, tuple(METHODS)) for seed in seeds),
        *(job(DEPTHWISE, seed, (LEARNED,), ("together", "apart")) for seed in seeds),
        *(job(REGULAR, seed, (LEARNED,)) for seed in seeds),
    ]


def write_page(report: AnalogNetsReport, out: Path) -> Path:
    """Write the page and the JSON file beside it; return the latter's place.

    Raises:
        UserError: `out` is not a page.
    """
    if out.suffix != ".md":
        raise UserError(f"`--out` must name a page that ends in .md, but got {out}.")
    data = out.with_suffix(".json")
    write_text(out, to_markdown(report, data_file=data.name))
    write_text(data, json.dumps(to_json(report), indent=1, allow_nan=False) + "\n")
    return data
