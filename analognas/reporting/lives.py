"""Service life, yield and fresh seeds as a page shows them: texts, no new numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analognas.deployment.bundle import Bundle
from analognas.reporting.wording import duration, percent, points, significant
from analognas.searching.config import SearchConfig
from analognas.searching.measured import measured_life
from analognas.searching.objectives import TIME_TITLES


def life_entries(bundles: Sequence[Bundle], enough: float | None) -> list[dict[str, Any]]:
    """Service life and yield of every network as texts; empty if no accuracy was asked for."""
    if enough is None:
        return []
    entries = []
    for bundle in bundles:
        life = measured_life(bundle.evaluation.analog, enough)
        entries.append(
            {
                "life": duration(life.life_s),
                "low_life": duration(life.low_life_s),
                "yields": [percent(life.yields[word], 0) for word in TIME_TITLES],
            }
        )
    return entries


def fresh_entry(stored: Mapping[str, Any] | None, config: SearchConfig) -> dict[str, Any] | None:
    """What a page says about the front under fresh seeds; None if it was not evaluated again."""
    if stored is None:
        return None
    objectives = [config.catalogue[name] for name in config.objectives]
    rows = [
        {
            "key": member["key"],
            "values": [
                (_text(member["found"][o.name], o.unit), _text(member["fresh"][o.name], o.unit))
                for o in objectives
            ],
        }
        for member in stored["front"]
    ]
    gaps = [
        f"{o.title}: {points(stored['gaps'][o.name])} points"
        if o.unit == "fraction"
        else f"{o.title}: {stored['gaps'][o.name]:+.4g} {o.unit}"
        for o in objectives
    ]
    reference = [f"{o.title} {_text(stored['reference'][o.name], o.unit)}" for o in objectives]
    return {
        "headings": [_heading(o.title, o.unit) for o in objectives],
        "rows": rows,
        "gaps": "; ".join(gaps),
        "reference": ", ".join(reference),
        "found_hypervolume": f"{stored['found_hypervolume']:.6g}",
        "fresh_hypervolume": f"{stored['fresh_hypervolume']:.6g}",
        "seeds": stored["seeds"],
        "failed": stored["failed"],
    }


def _heading(title: str, unit: str) -> str:
    return f"{title}, {'%' if unit == 'fraction' else unit}"


def _text(value: float, unit: str) -> str:
    if unit == "fraction":
        return percent(value)
    return duration(value) if unit == "s" else significant(value, 4)
