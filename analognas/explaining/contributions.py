"""What the choices of a network contribute to its predicted accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from analognas.asking.subject import Subject
from analognas.errors import UserError, checking
from analognas.explaining.choices import choices_of
from analognas.searching.design_scoring import design_rows
from analognas.surrogates import XGBoostSurrogate

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture

AVERAGE_OVER = 48  # networks of the space, drawn within the limits


@dataclass(frozen=True)
class Shares:
    """A prediction at one time, taken apart.

    Args:
        t_s: Seconds after programming.
        average: Predicted accuracy (fraction) of the average network, averaged in log odds.
        predicted: That of the network.
        by_choice: What each choice contributes (fractions); they lead from one to the other.
        trees: The part of that which the trees add.
    """

    t_s: float
    average: float
    predicted: float
    by_choice: Mapping[str, float]
    trees: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "t_s": self.t_s,
            "average": self.average,
            "predicted": self.predicted,
            "by_choice": dict(self.by_choice),
            "of_which_trees": dict(self.trees),
            "label": "predicted",
        }


def draw_networks(subject: Subject, count: int) -> tuple[Architecture, ...]:
    """Networks of the space that keep the limits in the place of the subject, always the same."""
    space, fits = subject.setting.space, subject.setting.fits
    rng = np.random.default_rng(0)
    found: dict[str, Architecture] = {}
    with checking("limits"):
        for _ in range(10 * count):
            arch = space.sample(rng, lambda one: fits(subject.design(one)))
            found.setdefault(arch.key, arch)
            if len(found) == count:
                break
    return tuple(found.values())


def contributions(
    subject: Subject,
    times_s: Sequence[float],
    average_over: Sequence[Architecture],
    tell: Callable[[], None] = lambda: None,
) -> tuple[Shares, ...]:
    """Take the predicted accuracy apart at every time, against the average of some networks.

    Contributions are found in log odds, where the surrogate adds up, and put into fractions by one
    factor per time, so that they lead exactly from the average to the prediction.

    Args:
        subject: The network.
        times_s: Seconds after programming.
        average_over: Networks on the same hardware.
        tell: Called after every time.

    Raises:
        UserError: The surrogate does not consist of a smooth part and trees.
    """
    setting, surrogate = subject.setting, subject.setting.chosen.surrogate
    if not isinstance(surrogate, XGBoostSurrogate):
        raise UserError(
            "Contributions must come from a surrogate with trees, but "
            f"{setting.chosen.name} is of the kind {getattr(surrogate, 'kind', 'unknown')!r}. Name "
            "the one that it was made from with --surrogate."
        )
    groups = choices_of(surrogate.columns)
    found = []
    for t_s in times_s:
        rows = feature_rows(subject, [subject.arch, *average_over], (t_s,))
        parts = surrogate.contributions(rows.iloc[:1], rows.iloc[1:], groups)
        average, predicted = float(expit(parts.base)), float(expit(parts.total))
        factor = _slope(parts.base, parts.total)
        found.append(
            Shares(
                t_s=t_s,
                average=average,
                predicted=predicted,
                by_choice={name: factor * value for name, value in parts.groups.items()},
                trees={name: factor * value for name, value in parts.trees.items()},
            )
        )
        tell()
    return tuple(found)


def feature_rows(
    subject: Subject, archs: Sequence[Architecture], times_s: Sequence[float]
) -> pd.DataFrame:
    """What the surrogate sees of networks in the place of the subject."""
    setting = subject.setting
    designs = [subject.design(arch) for arch in archs]
    return design_rows(setting.space, setting.workshop, designs, times_s)


def _slope(low: float, high: float) -> float:
    """Accuracy per log odds between two places; where they coincide, the derivative."""
    if abs(high - low) < 1e-6:
        return float(expit(low) * (1.0 - expit(low)))
    return float((expit(high) - expit(low)) / (high - low))
