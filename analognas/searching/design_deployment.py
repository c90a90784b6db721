"""Deploy networks of a search: each is trained, measured and placed on its own hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analognas.deployment.chosen_hardware import ChosenHardware
from analognas.deployment.network import Deployment, NamedNetwork
from analognas.deployment.winners import deploy_winners, named_baselines
from analognas.searching.by_training import found_accuracies
from analognas.searching.design_scoring import kept_digital
from analognas.searching.designs import Design
from analognas.searching.hardware_names import TITLES
from analognas.training import FULL_RECIPE, pick_device

if TYPE_CHECKING:
    from analognas.searching.front import FrontRecord
    from analognas.searching.loop import Progress
    from analognas.searching.setup import SearchSetup


def deploy_front(
    directory: Path,
    setup: SearchSetup,
    winners: Sequence[FrontRecord],
    progress: Progress | None,
) -> tuple[Path, ...]:
    """Train, deploy and measure members of a front, and baselines if the search asks for them.

    Args:
        directory: The run folder.
        setup: Of the search.
        winners: Members that are worth it.
        progress: Told how far all of them are together.

    Returns:
        The folders of the bundles.
    """
    predict = None if setup.config.trains else setup.scorer.intervals
    picks = []
    for winner in winners:
        design = Design.from_dict(winner.architecture)
        picks.append(
            NamedNetwork(
                winner.name,
                design.arch,
                predicted={} if predict is None else predict(design),
                found=found_accuracies(winner.scores) if predict is None else {},
                setting=own_setting(setup, design),
            )
        )
    setting = common_setting(setup)
    return deploy_winners(
        directory,
        setting,
        picks,
        baselines=named_baselines(setting, predict) if setup.config.baselines else (),
        workers=setup.config.workers,
        progress=progress,
    )


def common_setting(setup: SearchSetup) -> Deployment:
    """What networks without hardware of their own have in common: baselines, plain winners."""
    return Deployment(
        task=setup.task,
        space=setup.space,
        hardware=setup.hardware,
        chip=setup.chip,
        seed=setup.config.seed,
        device=str(pick_device(setup.config.device)),
    )


def own_setting(setup: SearchSetup, design: Design) -> Deployment:
    """The setting of one network, on the hardware that was chosen for it if any was searched."""
    setting = common_setting(setup)
    if setup.hardware_genes is None:
        return setting
    made = setup.workshop.made(design.choice)
    values = setup.workshop.values(design.choice)
    choices = {TITLES[gene]: values[gene] for gene in setup.hardware_genes.values}
    return replace(
        setting,
        hardware=made.hardware,
        chip=made.chip,
        recipe=made.recipe(FULL_RECIPE),
        chosen=ChosenHardware(
            key=design.key,
            keep_digital=kept_digital(setup.space, design),
            choices={title: value for title, value in choices.items() if value is not None},
        ),
    )
