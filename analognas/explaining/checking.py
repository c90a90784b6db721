"""Predicted changes checked by training: base and changed network under the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from analognas.asking.subject import Subject
from analognas.explaining.counterfactuals import TIMES_S, Counterfactual
from analognas.searching.training_evaluator import CHIPS, TrainingEvaluator
from analognas.training import LABEL_RECIPE


@dataclass(frozen=True)
class SimulatedChange:
    """Of the accuracy (fraction) at one time: mean and sd over seeds, trained side by side.

    The sd is None under a single seed.
    """

    t_s: float
    accuracy: float  # of the changed network
    change: float
    sd: float | None


@dataclass(frozen=True)
class Checked:
    """A changed network with its simulated change; of the base, all changes are zero."""

    predicted: Counterfactual
    simulated: tuple[SimulatedChange, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "words": self.predicted.words,
            "key": self.predicted.arch.key,
            "simulated": [asdict(one) for one in self.simulated],
        }


@dataclass(frozen=True)
class Check:
    """How predicted changes are checked.

    Args:
        seeds: Trainings of every network.
        epochs: Of a training, by the recipe of the labels.
        chips: Simulated chips of every training.
        device: "cpu" or "cuda".
        cache: Folder where finished trainings stay; with the same one a check goes on.
    """

    cache: Path
    seeds: int = 2
    epochs: int = LABEL_RECIPE.epochs
    chips: int = CHIPS
    device: str = "cpu"


def check_changes(
    subject: Subject,
    base: Counterfactual,
    changed: Sequence[Counterfactual],
    how: Check,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Checked, ...]:
    """Train every network under every seed, measure it on the validation part on aged chips.

    Returns:
        The base first, then the changed networks in their order.
    """
    setting = subject.setting
    evaluator = TrainingEvaluator(
        task=setting.choice,
        space=setting.space.name,
        hardware=setting.hardware,
        chip=setting.chip,
        epochs=how.epochs,
        chips=how.chips,
        device=how.device,
        cache=how.cache,
    )
    networks = [base, *changed]
    total = how.seeds * len(networks)
    rows: list[list[tuple[float, ...]]] = []  # by network and seed, at TIMES_S
    for place, network in enumerate(networks):
        rows.append([])
        for seed in range(how.seeds):
            if progress is not None:
                progress(place * how.seeds + seed, total, network.words)
            analog = evaluator.measure(subject.design(network.arch), 1.0, seed).analog
            rows[-1].append(tuple(analog.at(t_s) for t_s in TIMES_S))
    if progress is not None:
        progress(total, total, "")
    return tuple(
        Checked(network, tuple(_change(of_network, rows[0], at) for at in range(len(TIMES_S))))
        for network, of_network in zip(networks, rows, strict=True)
    )


def _change(
    changed: Sequence[tuple[float, ...]], base: Sequence[tuple[float, ...]], at: int
) -> SimulatedChange:
    differences = [one[at] - other[at] for one, other in zip(changed, base, strict=True)]
    return SimulatedChange(
        t_s=TIMES_S[at],
        accuracy=mean(row[at] for row in changed),
        change=mean(differences),
        sd=stdev(differences) if len(differences) > 1 else None,
    )
