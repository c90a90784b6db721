"""Picture of the search benchmark: value against evaluations and seconds. It shows records only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from analognas.benchmarks.search_methods import METHODS, OURS, START
from analognas.benchmarks.search_table_report import BenchFacts, TableReport
from analognas.benchmarks.search_training_jobs import CONTESTANTS
from analognas.benchmarks.search_training_report import TrainingReport
from analognas.reporting.style import BASELINES, INK, MUTED, PICKS, RULE, new_figure

PANELS = (
    ("front", "evaluations", "share of the table's hypervolume"),
    ("front", "seconds", "share of the table's hypervolume"),
    ("accuracy", "evaluations", "best accuracy after a day"),
    ("accuracy", "seconds", "best accuracy after a day"),
)
TRAINING_PANELS = (
    ("hypervolume_found", "hypervolume, as found"),
    ("best_found", "best accuracy after a day, as found"),
)
NAMES = tuple(dict.fromkeys([*METHODS, *CONTESTANTS]))
LineStyle = Literal["-", "--", "-.", ":"]
LINES: tuple[LineStyle, ...] = ("-", "--", "-.", ":")
BAND = 0.12  # opacity


def plot_search(table: TableReport | None, training: TrainingReport | None) -> Figure:
    """A row of panels per label set, and one for the searches that train."""
    benches = [] if table is None else list(table.benches)
    rows = len(benches) + (training is not None)
    figure = new_figure(13.0, 0.9 + 2.9 * rows)
    grid = figure.subplots(rows, len(PANELS), squeeze=False)
    shown: set[str] = set()
    for line, facts in zip(grid, benches, strict=False):
        assert table is not None
        for axes, (question, unit, name) in zip(line, PANELS, strict=True):
            _style(axes, f"{facts.name}: {name}", unit, question)
            shown |= _table_panel(axes, table, facts, question, unit)
    if training is not None:
        for axes, (measure, name) in zip(grid[-1], TRAINING_PANELS, strict=False):
            _style(axes, f"end to end: {name}", "seconds", measure)
            shown |= _training_panel(axes, training, measure)
        for axes in grid[-1][len(TRAINING_PANELS) :]:
            axes.set_axis_off()
    figure.legend(
        handles=[
            Line2D([], [], color=colour, linestyle=style, linewidth=width, label=name)
            for name in NAMES
            if name in shown
            for colour, style, width in [_look(name)]
        ],
        loc="outside lower center",
        ncols=6,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
    return figure


def _table_panel(
    axes: Axes, report: TableReport, facts: BenchFacts, question: str, unit: str
) -> set[str]:
    shown, lowest, highest = set(), [], []
    for name in NAMES[::-1]:
        band = report.bands.get((facts.name, question, name, unit))
        if band is None:
            continue
        colour, style, width = _look(name)
        low, high = band.mean - band.half_width, band.mean + band.half_width
        axes.fill_between(band.spent, low, high, color=colour, alpha=BAND, linewidth=0)
        axes.plot(band.spent, band.mean, color=colour, linestyle=style, linewidth=width)
        first = START if unit == "evaluations" else START * facts.mean_seconds
        later = band.spent >= min(first, band.spent[-1])
        lowest.append(float(band.mean[later][0]))
        highest.append(float(high[later].max()))
        shown.add(name)
    _limit(axes, lowest, highest)
    return shown


def _training_panel(axes: Axes, report: TrainingReport, measure: str) -> set[str]:
    shown, lowest, highest = set(), [], []
    for name in NAMES[::-1]:
        curve = report.curves.get((name, measure))
        if curve is None:
            continue
        colour, style, width = _look(name)
        axes.plot(report.seconds, curve, color=colour, linestyle=style, linewidth=width)
        lowest.append(float(curve[len(curve) // 4]))
        highest.append(float(curve.max()))
        shown.add(name)
    _limit(axes, lowest, highest)
    return shown


def _limit(axes: Axes, lowest: Sequence[float], highest: Sequence[float]) -> None:
    """Leave out the steep start of all curves."""
    if not lowest:
        return
    low, high = min(lowest), max(highest)
    room = 0.06 * max(high - low, 1e-3)
    axes.set_ylim(low - room, high + room)


def _look(name: str) -> tuple[str, LineStyle, float]:
    """Colour, line style and width; ours is told apart at once."""
    if name == OURS:
        return PICKS[0], "-", 2.4
    place = [other for other in NAMES if other != OURS].index(name)
    colours = (*PICKS[1:], *BASELINES)
    return colours[place % len(colours)], LINES[place % len(LINES)], 1.3


def _style(axes: Axes, title: str, unit: str, question: str) -> None:
    axes.patch.set_alpha(0.0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3, labelsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    if question != "hypervolume_found":
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{round(100 * value, 2):g} %")
        )
    axes.set_xlabel({"seconds": "recorded seconds"}.get(unit, unit), color=MUTED, fontsize=8.5)
    axes.set_title(title, loc="left", color=MUTED, fontsize=8, pad=8)
