"""Explanations as a page with a figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from analognas.errors import UserError
from analognas.explaining.explanation import Explanation, WhatLabelsSay
from analognas.explaining.tables import explanation_tables, labels_table, sentences
from analognas.files import write_text, writing
from analognas.reporting.simulator_tables import ShownTable, to_page
from analognas.reporting.style import INK, PAPER, PICKS, RULE, name_axes, new_axes, new_figure
from analognas.reporting.wording import time_name

PAGE, FIGURE, NUMBERS = "explain.md", "explain.png", "explain.json"
PNG_DPI = 150


def to_json(found: Sequence[Explanation], says: WhatLabelsSay) -> dict[str, object]:
    """Everything that was found; accuracies are fractions."""
    return {
        "format_version": 1,
        "networks": [one.to_dict() for one in found],
        "labels": says.to_dict(),
    }


def write_page(
    folder: Path, found: Sequence[Explanation], says: WhatLabelsSay, *, command: str
) -> None:
    """Write page, figure and numbers into a folder, which may hold other things."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file. Choose a folder with --out.")
    figure = plot_contributions(found)
    with writing(folder / FIGURE) as path:
        figure.savefig(path, dpi=PNG_DPI, facecolor=PAPER)
    write_text(folder / NUMBERS, json.dumps(to_json(found, says), indent=1) + "\n")
    write_text(folder / PAGE, _page(found, says, command))


def _page(found: Sequence[Explanation], says: WhatLabelsSay, command: str) -> str:
    tables: list[ShownTable] = []
    for one in found:
        tables += explanation_tables(one)
    if says.name is not None:
        tables.append(labels_table(says))
    page = to_page(f"Explained: {', '.join(one.subject.title for one in found)}", command, tables)
    head, rest = page.split("\n\n## ", 1)
    short = [f"- {one.subject.name}: {line}" for one in found for line in sentences(one)]
    basis = list(dict.fromkeys(one.subject.setting.chosen.basis for one in found))
    parts = [
        head,
        *basis,
        f"![Contributions of choices to the predicted accuracy]({FIGURE})",
        "\n".join(short),
        *([] if says.name is not None else [says.about]),
    ]
    return "\n\n".join(parts) + "\n\n## " + rest


def plot_contributions(found: Sequence[Explanation]) -> Figure:
    """One group of bars per choice, one bar per network, at the last of the times."""
    last = [one.shares[-1] for one in found]
    names = sorted(
        last[0].by_choice, key=lambda name: max(abs(one.by_choice[name]) for one in last)
    )
    figure = new_figure(7.0, 1.2 + 0.22 * len(names) * (0.6 + len(found)))
    axes = new_axes(figure)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=RULE, linewidth=0.7)
    height = 0.8 / len(found)
    for rank, (one, shares) in enumerate(zip(found, last, strict=True)):
        middles = [place + 0.4 - (rank + 0.5) * height for place in range(len(names))]
        values = [100 * shares.by_choice[name] for name in names]
        axes.barh(
            middles,
            values,
            height=0.9 * height,
            color=PICKS[rank % len(PICKS)],
            label=(
                f"{one.subject.title}: {100 * shares.average:.1f} to {100 * shares.predicted:.1f} %"
            ),
        )
        for middle, value in zip(middles, values, strict=True):
            axes.annotate(
                f"{value:+.1f}",
                (value, middle),
                textcoords="offset points",
                xytext=(3 if value >= 0 else -3, 0),
                ha="left" if value >= 0 else "right",
                va="center",
                fontsize=7.5,
                color=INK,
            )
    axes.set_yticks(range(len(names)), names)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    axes.margins(x=0.12)
    axes.set_ylim(-0.6 - 0.4 * len(found), len(names) - 0.4)  # the legend has its place below
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="lower right")
    after = time_name(last[0].t_s)
    name_axes(
        axes, "points (predicted)", f"From the average network to this one, accuracy after {after}"
    )
    return figure
