"""What a network would be worth if it were built otherwise: predicted accuracy, modelled cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analognas.asking.subject import Subject
from analognas.errors import checking
from analognas.evaluation import cost_summary
from analognas.explaining.contributions import feature_rows
from analognas.explaining.genes import Edit, edits_of
from analognas.records import EVALUATION_TIMES_S
from analognas.searching.design_scoring import kept_digital
from analognas.searching.front import MARGIN

if TYPE_CHECKING:
    from analognas.records import CostSummary
    from analognas.search_spaces import Architecture

DAY_S, MONTH_S = EVALUATION_TIMES_S["1 day"], EVALUATION_TIMES_S["1 month"]
TIMES_S = (DAY_S, MONTH_S)  # what is told of every change
PREDICTED_AT_ONCE = 100


@dataclass(frozen=True)
class Change:
    """Accuracy at one time, and how far it is from that of the network itself (fractions).

    `half_width` is that of the band of the change at the level of the predictions, the errors of
    both predictions taken as independent.
    """

    t_s: float
    mean: float
    change: float
    half_width: float


@dataclass(frozen=True)
class Counterfactual:
    """A changed network.

    Args:
        words: What is changed; two changes are separated by a comma.
        arch: The result.
        accuracy: Predicted, at `TIMES_S`.
        cost: Modelled.
        parameters: Counted.
        single: Whether one part was changed, not two.
    """

    words: str
    arch: Architecture
    accuracy: tuple[Change, ...]
    cost: CostSummary
    parameters: int
    single: bool

    @property
    def gain(self) -> float:
        """Of the predicted accuracy at the last of the times."""
        return self.accuracy[-1].change

    def to_dict(self) -> dict[str, Any]:
        return {
            "words": self.words,
            "key": self.arch.key,
            "architecture": self.arch.to_dict(),
            "single": self.single,
            "predicted": [asdict(one) for one in self.accuracy],
            "modelled": asdict(self.cost),
            "parameters": self.parameters,
        }


@dataclass(frozen=True)
class Counterfactuals:
    """The network itself, and what becomes of it.

    Args:
        base: Unchanged.
        singles: One part changed, the greatest gain first.
        pairs: Two parts changed: those that no other change beats in accuracy and energy.
        too_large: Changes that break a limit or do not fit the chip.
    """

    base: Counterfactual
    singles: tuple[Counterfactual, ...]
    pairs: tuple[Counterfactual, ...]
    too_large: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "base": self.base.to_dict(),
            "singles": [one.to_dict() for one in self.singles],
            "pairs": [one.to_dict() for one in self.pairs],
            "too_large": self.too_large,
        }


def counterfactuals(
    subject: Subject,
    *,
    level: float,
    most_pairs: int,
    progress: Callable[[int, int, str], None] | None = None,
) -> Counterfactuals:
    """Change a network in every way that `edits_of` knows, alone and two at a time.

    Raises:
        UserError: The network is not of the space, so that it cannot be changed within it.
    """
    space, fits = subject.setting.space, subject.setting.fits
    with checking(f"network {subject.arch.key}"):
        codes = space.codes(subject.arch)
    found: dict[str, tuple[str, Architecture, bool]] = {}
    seen, too_large = {subject.arch.key}, 0
    edits = edits_of(space, codes)
    for group in (*((edit,) for edit in edits), *combinations(edits, 2)):
        arch = _changed(subject, codes, group)
        if arch is None or arch.key in seen:
            continue
        seen.add(arch.key)
        if fits(subject.design(arch)):
            found[arch.key] = (", ".join(edit.words for edit in group), arch, len(group) == 1)
        else:
            too_large += 1
    named = [("unchanged", subject.arch, True), *found.values()]
    made: list[Counterfactual] = []
    for start in range(0, len(named), PREDICTED_AT_ONCE):
        if progress is not None:
            progress(start, len(named), "changes")
        made += _predict(subject, named[start : start + PREDICTED_AT_ONCE], level, made[:1])
    base, *others = made
    others.sort(key=lambda one: -one.gain)
    best = _undominated(others)
    return Counterfactuals(
        base=base,
        singles=tuple(one for one in others if one.single),
        pairs=tuple(one for one in best if not one.single)[:most_pairs],
        too_large=too_large,
    )


def interesting(found: Counterfactuals, count: int) -> tuple[Counterfactual, ...]:
    """Those that are worth a training: spread evenly over what no other change beats.

    The first has the greatest predicted gain, the last the least energy of those that are at most
    `MARGIN` less accurate than the first.
    """
    others = sorted((*found.singles, *found.pairs), key=lambda one: -one.gain)
    best = [one for one in _undominated(others) if one.gain >= others[0].gain - MARGIN]
    chosen = best if len(best) <= count else _evenly(best, count)
    if len(chosen) < count:
        keys = {one.arch.key for one in chosen}
        rest = [one for one in others if one.arch.key not in keys]
        chosen = [*chosen, *rest[: count - len(chosen)]]
    return tuple(chosen)


def _evenly(members: list[Counterfactual], count: int) -> list[Counterfactual]:
    places = np.linspace(0, len(members) - 1, count).round().astype(int).tolist()
    return [members[place] for place in places]


def _undominated(others: Sequence[Counterfactual]) -> list[Counterfactual]:
    """Of changes in the order of their gain, those with less energy than all before them."""
    kept: list[Counterfactual] = []
    for one in others:
        if not kept or one.cost.energy_nJ < kept[-1].cost.energy_nJ:
            kept.append(one)
    return kept


def _changed(subject: Subject, codes: Any, group: tuple[Edit, ...]) -> Architecture | None:
    """The network with all these changes; None where two of them are of one part."""
    if len({edit.part for edit in group}) < len(group):
        return None
    for edit in group:
        codes = edit.apply(codes)
    return subject.setting.space.decode(codes)


def _predict(
    subject: Subject,
    named: Sequence[tuple[str, Architecture, bool]],
    level: float,
    base: Sequence[Counterfactual],
) -> list[Counterfactual]:
    setting = subject.setting
    rows = feature_rows(subject, [arch for _, arch, _ in named], TIMES_S)
    found = setting.chosen.surrogate.predict(rows, level=level)
    shape = (len(named), len(TIMES_S))
    mean = found.mean.reshape(shape)
    half = np.maximum(found.mean - found.lower, found.upper - found.mean).reshape(shape)
    if base:
        from_mean = np.array([one.mean for one in base[0].accuracy])
        from_half = np.array([one.half_width for one in base[0].accuracy])
    else:  # the first is the network itself
        from_mean, from_half = mean[0], half[0]
    chip = setting.workshop.made(subject.choice).chip
    made = []
    for place, (words, arch, single) in enumerate(named):
        itself = arch.key == subject.arch.key
        width = half[place] if itself else np.hypot(half[place], from_half)
        values = zip(TIMES_S, mean[place], mean[place] - from_mean, width, strict=True)
        made.append(
            Counterfactual(
                words=words,
                arch=arch,
                accuracy=tuple(Change(t, float(m), float(c), float(w)) for t, m, c, w in values),
                cost=cost_summary(
                    setting.space,
                    arch,
                    chip,
                    keep_digital=kept_digital(setting.space, subject.design(arch)),
                ),
                parameters=setting.space.parameters(arch),
                single=single,
            )
        )
    return made
