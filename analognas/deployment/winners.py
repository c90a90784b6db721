"""Train, deploy and measure the networks that a search has picked, and baselines beside them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analognas.deployment.bundle import bundle_folder, remove_unfinished
from analognas.deployment.network import (
    Deployment,
    Interval,
    NamedNetwork,
    Pick,
    Progress,
    deploy_network,
    is_finished,
)
from analognas.deployment.processes import run_in_processes
from analognas.shapes import place_architecture
from analognas.simulator.chip import PlacementError

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture

logger = logging.getLogger(__name__)

FOLDER = "winners"
Predict = Callable[["Architecture"], Mapping[float, Interval]]


@dataclass(frozen=True)
class _Job:
    setting: Deployment
    pick: Pick
    baseline: bool
    folder: Path


def deploy_winners(
    directory: Path,
    setting: Deployment,
    picks: Sequence[Pick],
    *,
    baselines: Sequence[Pick] = (),
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Train, deploy and measure networks; every one gets a bundle in `winners/` of the run folder.

    What is finished already is not done again. Every network has random streams of its own, so the
    results do not depend on `workers`.

    Args:
        directory: The run folder.
        setting: Task, space, hardware, chip, seed.
        picks: The picks of the search; a network that is picked twice is trained once. One whose
            hardware was searched has a setting of its own.
        baselines: Networks that go through the same pipeline for comparison.
        workers: Processes that share the work, by default one a core (a GPU: one in all); with 1 it
            is done in this process.
        progress: Told how far all networks are together, in percent of one network each.

    Returns:
        The folders of the bundles, in the order of picks and baselines.
    """
    winners = directory / FOLDER
    remove_unfinished(winners)
    jobs = _jobs(winners, setting, picks, baselines)
    done = [100 if is_finished(job.folder, job.setting, job.pick) else 0 for job in jobs]
    todo = [index for index, percent in enumerate(done) if percent < 100]

    def report(position: int, percent: int, total: int, message: str) -> None:
        done[todo[position]] = 100 * percent // max(total, 1)
        if progress is not None:
            progress(sum(done), 100 * len(jobs), message)

    if workers is None:
        workers = (os.cpu_count() or 1) if setting.device == "cpu" else 1
    if workers > 1 and len(todo) > 1:
        named = [(jobs[index].pick.name, jobs[index]) for index in todo]
        run_in_processes(_deploy, named, workers=workers, report=report)
    else:
        for position, index in enumerate(todo):
            _deploy(jobs[index], lambda *told, position=position: report(position, *told))
    return tuple(job.folder for job in jobs)


def named_baselines(setting: Deployment, predict: Predict | None = None) -> tuple[Pick, ...]:
    """Return the named networks of the space that fit the chip.

    Args:
        setting: Space and chip.
        predict: What the surrogate says of a network; None if nothing is to be said.
    """
    found: list[Pick] = []
    for name, arch in setting.space.named.items():
        try:
            place_architecture(setting.space, arch, setting.chip)
        except PlacementError as error:
            logger.warning("%s is left out of the baselines: %s", name, error)
            continue
        found.append(NamedNetwork(name, arch, predict(arch) if predict else {}))
    return tuple(found)


def _jobs(
    winners: Path, setting: Deployment, picks: Sequence[Pick], baselines: Sequence[Pick]
) -> list[_Job]:
    jobs: dict[str, _Job] = {}
    for baseline, pick in [*((False, p) for p in picks), *((True, p) for p in baselines)]:
        own = pick.setting or setting
        key = own.key_of(pick.architecture)
        folder = bundle_folder(winners, pick.name, key)
        jobs.setdefault(key, _Job(own, pick, baseline, folder))
    return list(jobs.values())


def _deploy(job: _Job, progress: Progress) -> None:
    deploy_network(job.setting, job.pick, job.folder, baseline=job.baseline, progress=progress)
