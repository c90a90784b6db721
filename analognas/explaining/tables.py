"""Explanations as tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from analognas.explaining.counterfactuals import Change, Counterfactual, interesting
from analognas.explaining.explanation import Explanation, WhatLabelsSay
from analognas.explaining.label_effects import INTERVAL, LabelEffect, in_words
from analognas.reporting.simulator_tables import ShownTable
from analognas.reporting.wording import time_name

SENTENCES = 3
CENTRAL = f"{100 * (INTERVAL[1] - INTERVAL[0]):.0f}"
SMALLEST = 0.0005  # contributions below it at all times are not shown (fraction)


def explanation_tables(found: Explanation) -> list[ShownTable]:
    """Contributions, single changes, pairs of changes, and those that were simulated."""
    tables = [_contributions(found)]
    changes = found.changes
    title = f"{found.subject.title} changed in one way: predicted accuracy, modelled cost"
    lost = (
        f" {changes.too_large} further changes break a limit or do not fit the chip."
        if changes.too_large
        else ""
    )
    note = (
        f"Points of accuracy, predicted, against {_percent(changes.base.accuracy)} % unchanged; in "
        f"brackets the {100 * found.level:g} % band of the change, the errors of both predictions "
        "taken as independent, which is cautious. In the order of the predicted gain." + lost
    )
    tables.append(_changes(title, changes.base, changes.singles, note))
    if changes.pairs:
        tables.append(
            _changes(
                "Changed in two ways: what no other change beats in accuracy and energy",
                changes.base,
                changes.pairs,
                "",
            )
        )
    if found.checked:
        tables.append(_checked(found))
    return tables


def sentences(found: Explanation) -> list[str]:
    """The most interesting changes in words, with the simulated change where there is one."""
    base = found.changes.base
    simulated = {one.predicted.arch.key: one.simulated for one in found.checked[1:]}
    chosen = [one.predicted for one in found.checked[1:]]
    lines = []
    for one in chosen or interesting(found.changes, SENTENCES):
        last = one.accuracy[-1]
        low, high = last.change - last.half_width, last.change + last.half_width
        line = (
            f"{one.words}: {100 * last.change:+.1f} points after {time_name(last.t_s)} (predicted, "
            f"{100 * found.level:g} % band {100 * low:+.0f} to {100 * high:+.0f})"
        )
        if one.arch.key in simulated:
            truth = simulated[one.arch.key][-1]
            spread = "" if truth.sd is None else f" +- {100 * truth.sd:.1f}"
            line += f", {100 * truth.change:+.1f}{spread} (simulated)"
        cores = one.cost.cores - base.cost.cores
        energy = 100 * (one.cost.energy_nJ / base.cost.energy_nJ - 1.0)
        line += f", {cores:+d} core{'s' * (abs(cores) != 1)}, {energy:+.0f} % energy (modelled)"
        lines.append(line)
    return lines


def labels_table(says: WhatLabelsSay) -> ShownTable:
    """Differences between labelled networks of equal size."""
    times = [one.t_s for effect in says.effects for one in effect.differences]
    names = [f"{time_name(t_s)}, points (simulated)" for t_s in dict.fromkeys(times)]
    words = "; ".join(in_words(says.effects)) or "nothing"
    return ShownTable(
        f"What the labels {says.name} say",
        ("choice", "difference between", "networks without/with or below/above", *names),
        tuple(
            (
                effect.contrast.name,
                effect.contrast.words,
                f"{effect.counts[0]}/{effect.counts[1]}",
                *_differences(effect, len(names)),
            )
            for effect in says.effects
        ),
        f"Between networks of equal parameters and multiplications that are alike in the other "
        f"choices (regression); in brackets the central {CENTRAL} % of a bootstrap over networks. "
        "Associations in the labels, not effects of a change. Settled at the last time: "
        f"{words}. Labels: {says.about}.",
    )


def _contributions(found: Explanation) -> ShownTable:
    first = found.shares[0]
    order = sorted(first.by_choice, key=lambda name: -abs(found.shares[-1].by_choice[name]))
    rows: list[tuple[object, ...]] = [
        (
            f"average of {found.averaged} networks of the space, %",
            *(f"{100 * one.average:.1f}" for one in found.shares),
        )
    ]
    rows += [
        (name, *(f"{100 * one.by_choice[name]:+.1f}" for one in found.shares))
        for name in order
        if any(abs(one.by_choice[name]) >= SMALLEST for one in found.shares)
    ]
    rows.append(
        (f"{found.subject.title}, %", *(f"{100 * one.predicted:.1f}" for one in found.shares))
    )
    return ShownTable(
        f"Why {found.subject.title} is predicted as it is: {found.subject.setting.task.title}",
        ("choice, points", *(f"after {time_name(one.t_s)} (predicted)" for one in found.shares)),
        tuple(rows),
        "What the surrogate adds for each choice, in points, from the average network to this one "
        "on the same hardware: SHAP values of its trees, exact Shapley values of its smooth part, "
        "in log odds, brought to points by one factor per time. It says how the surrogate "
        "predicts, not what causes accuracy; choices that go together share what they add.",
    )


def _changes(
    title: str, base: Counterfactual, changed: Sequence[Counterfactual], note: str
) -> ShownTable:
    columns = (
        "change",
        *(f"{time_name(one.t_s)}, points" for one in base.accuracy),
        "cores",
        "energy, uJ",
        "latency, us",
        "parameters",
    )
    cost = base.cost
    itself = (
        "unchanged",
        *(f"{100 * one.mean:.1f} %" for one in base.accuracy),
        str(cost.cores),
        f"{cost.energy_nJ / 1e3:.3g}",
        f"{cost.latency_us:.0f}",
        f"{base.parameters:,}",
    )
    rows = [
        (
            one.words,
            *(_with_band(change) for change in one.accuracy),
            f"{one.cost.cores - cost.cores:+d}",
            f"{(one.cost.energy_nJ - cost.energy_nJ) / 1e3:+.3g}",
            f"{one.cost.latency_us - cost.latency_us:+.0f}",
            f"{one.parameters - base.parameters:+,}",
        )
        for one in changed
    ]
    return ShownTable(title, columns, (itself, *rows), note)


def _checked(found: Explanation) -> ShownTable:
    how = found.check
    assert how is not None  # there are checked changes
    times = [time_name(one.t_s) for one in found.changes.base.accuracy]
    columns = [f"{time}, {kind}" for time in times for kind in ("predicted", "simulated")]
    base, *others = found.checked
    rows: list[tuple[object, ...]] = [
        (
            "unchanged, %",
            *(
                f"{100 * value:.1f}"
                for predicted, truth in zip(base.predicted.accuracy, base.simulated, strict=True)
                for value in (predicted.mean, truth.accuracy)
            ),
        )
    ]
    for one in others:
        cells = []
        for predicted, truth in zip(one.predicted.accuracy, one.simulated, strict=True):
            spread = "" if truth.sd is None else f" +- {100 * truth.sd:.1f}"
            cells += [_with_band(predicted), f"{100 * truth.change:+.1f}{spread}"]
        rows.append((one.predicted.words, *cells))
    return ShownTable(
        "Checked by training and simulation",
        ("change, points", *columns),
        tuple(rows),
        f"Simulated: every network trained {how.epochs} epochs by the recipe of the labels under "
        f"the same {how.seeds} seed{'s' * (how.seeds > 1)}, {how.chips} chips each, on the "
        "validation part; +- is the sd of the change over seeds.",
    )


def _with_band(change: Change) -> str:
    return f"{100 * change.change:+.1f} (+-{100 * change.half_width:.0f})"


def _percent(accuracy: Sequence[Change]) -> str:
    return " and ".join(f"{100 * one.mean:.1f}" for one in accuracy)


def _differences(effect: LabelEffect, count: int) -> list[str]:
    if not effect.differences:
        return ["too few networks"] * count
    return [
        f"{100 * one.estimate:+.1f} ({100 * one.lower:+.1f} to {100 * one.upper:+.1f})"
        for one in effect.differences
    ]
