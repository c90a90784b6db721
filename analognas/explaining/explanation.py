"""One network explained: contributions of choices, what would change it, checked if wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from analognas.asking.subject import Subject
from analognas.explaining.checking import Check, Checked, check_changes
from analognas.explaining.contributions import (
    AVERAGE_OVER,
    Shares,
    contributions,
    draw_networks,
)
from analognas.explaining.counterfactuals import (
    TIMES_S,
    Counterfactuals,
    counterfactuals,
    interesting,
)
from analognas.explaining.label_effects import LabelEffect, label_effects, labels_of

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Explanation:
    """Of one network; `averaged` networks of the space are what it is compared with."""

    subject: Subject
    level: float
    averaged: int
    shares: tuple[Shares, ...]
    changes: Counterfactuals
    checked: tuple[Checked, ...] = ()
    check: Check | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "network": self.subject.arch.key,
            "name": self.subject.name,
            "task": self.subject.setting.task.title,
            "hardware": self.subject.setting.hardware.name,
            "surrogate": self.subject.setting.chosen.to_dict(),
            "warnings": list(self.subject.warnings),
            "level": self.level,
            "averaged_networks": self.averaged,
            "contributions": [one.to_dict() for one in self.shares],
            "changes": self.changes.to_dict(),
            "checked": [one.to_dict() for one in self.checked],
        }


@dataclass(frozen=True)
class WhatLabelsSay:
    """About choices, for a task; `name` is that of the label set, None if there is none."""

    name: str | None
    about: str
    effects: tuple[LabelEffect, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "labels": self.name,
            "about": self.about,
            "effects": [one.to_dict() for one in self.effects],
        }


def explain_network(
    subject: Subject, *, level: float, most_pairs: int, progress: Progress | None = None
) -> Explanation:
    """Take the prediction of a network apart, and change the network in every sensible way.

    Raises:
        UserError: The surrogate has no trees, or the network is not of the space.
    """
    changes = counterfactuals(subject, level=level, most_pairs=most_pairs, progress=progress)
    average_over = draw_networks(subject, AVERAGE_OVER)
    done = 0

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(TIMES_S), "contributions")

    shares = contributions(subject, TIMES_S, average_over, tell)
    return Explanation(subject, level, len(average_over), shares, changes)


def check_explanation(
    explanation: Explanation, count: int, how: Check, progress: Progress | None = None
) -> Explanation:
    """Train the network itself and the `count` most interesting changed ones."""
    changes = explanation.changes
    chosen = interesting(changes, count)
    checked = check_changes(explanation.subject, changes.base, chosen, how, progress)
    return replace(explanation, checked=checked, check=how)


def what_labels_say(subject: Subject, wanted: str | None) -> WhatLabelsSay:
    """What the labels of a task say about choices; nothing, if there are none."""
    task = subject.setting.task
    named = labels_of(task, wanted)
    if named is None:
        about = (
            f"There are no labels of {task.title}: nothing can be said. Make some with "
            f"`analognas label --task {task.name}`, and name them with --labels."
        )
        return WhatLabelsSay(None, about, ())
    return WhatLabelsSay(
        named.name, named.table.description().summary(), label_effects(named.table)
    )
