"""Picture of a sweep: accuracy against energy, latency and area. It shows records only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from analognas.exploring.records import ChipPoint, Exploration
from analognas.reporting.style import INK, MARKERS, MUTED, PAPER, PICKS, RULE, new_figure, spread
from analognas.reporting.wording import time_name

COSTS: Mapping[str, str] = {
    "energy_nJ": "energy per inference (nJ, modelled)",
    "latency_us": "latency (us, modelled)",
    "area_mm2": "area of the cores in use (mm2, modelled)",
}
FAINT = 0.3
NEAR = 1.12  # costs within this factor share a column of numbers
LINE = 0.042  # height of a number, of the panel
ROOM = 1.08  # factor beside the least and the largest cost
LABELLED = 30  # Pareto chips that get their number


def plot_chips(found: Exploration) -> Figure:
    """One row of three panels per network; Pareto chips are filled and numbered as in the table."""
    networks = list(dict.fromkeys(point.network for point in found.points))
    figure = new_figure(11.0, 0.9 + 3.3 * len(networks))
    sizes = list(dict.fromkeys(point.choice.core_size for point in found.points))
    cells = sorted({point.choice.cells for point in found.points})
    colours = {size: PICKS[index % len(PICKS)] for index, size in enumerate(sizes)}
    markers = {count: MARKERS[index % len(MARKERS)] for index, count in enumerate(cells)}
    grid = figure.subplots(len(networks), len(COSTS), squeeze=False, sharey="row")
    for row, network in zip(grid, networks, strict=True):
        points = found.of(network)
        for axes, (cost, name) in zip(row, COSTS.items(), strict=True):
            _style(axes, name)
            for point in reversed(points):
                _mark(axes, point, cost, colours, markers)
            _span(axes, [getattr(point, cost) for point in points])
            digital = found.digital[network]
            if digital is not None:
                axes.axhline(digital, color=MUTED, linewidth=0.8, linestyle="--")
        title = f"{network}: {found.score_name} {time_name(found.t_s)} after programming"
        title = f"{title} (simulated)"
        written = row[0].set_title(title, loc="left", color=MUTED, fontsize=9, pad=10)
        written.set_in_layout(False)  # it may reach over the other panels
        _limit(row[0], points, found.digital[network])
        for axes, cost in zip(row, COSTS, strict=True):
            _number(axes, points, cost)
    figure.legend(
        handles=_explanation(colours, markers, digital=any(found.digital.values())),
        loc="outside lower center",
        ncols=8,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
    return figure


def _style(axes: Axes, name: str) -> None:
    axes.patch.set_alpha(0.0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3, labelsize=9)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(100 * value, 2):g} %"))
    axes.set_xlabel(name, color=MUTED, fontsize=9)


def _mark(
    axes: Axes,
    point: ChipPoint,
    cost: str,
    colours: Mapping[str, str],
    markers: Mapping[int, str],
) -> None:
    x, colour = getattr(point, cost), colours[point.choice.core_size]
    marker = markers[point.choice.cells]
    if not point.pareto:
        axes.plot(x, point.accuracy, marker, color=colour, markersize=4.5, alpha=FAINT, mew=0)
        return
    axes.errorbar(
        x,
        point.accuracy,
        yerr=point.sd,
        color=colour,
        marker=marker,
        markersize=7,
        markeredgecolor=PAPER,
        elinewidth=0.8,
        zorder=3,
    )


def _number(axes: Axes, points: Sequence[ChipPoint], cost: str) -> None:
    """Write the numbers of the table beside the Pareto chips; those of one cost stay apart."""
    low, high = axes.get_ylim()
    best = [(n, p) for n, p in enumerate(points, start=1) if p.pareto and n <= LABELLED]
    groups: list[list[tuple[int, ChipPoint]]] = []
    for number, point in sorted(best, key=lambda one: getattr(one[1], cost)):
        if groups and getattr(point, cost) < NEAR * getattr(groups[-1][0][1], cost):
            groups[-1].append((number, point))
        else:
            groups.append([(number, point)])
    for group in groups:
        heights = spread([point.accuracy for _, point in group], LINE * (high - low))
        for (number, point), height in zip(group, heights, strict=True):
            axes.annotate(
                str(number),
                (getattr(point, cost), height),
                xytext=(7, 0),
                textcoords="offset points",
                verticalalignment="center",
                fontsize=8,
                color=INK,
                zorder=4,
                path_effects=[withStroke(linewidth=2, foreground=PAPER)],
            )


def _span(axes: Axes, costs: Sequence[float]) -> None:
    """Show all costs, with room for numbers, also where there is only one."""
    low, high = min(costs), max(costs)
    room = max(ROOM, (high / low) ** 0.06)
    axes.set_xlim(low / room, high * room)


def _limit(axes: Axes, points: Sequence[ChipPoint], digital: float | None) -> None:
    """Show the part where the Pareto chips are, with some room; the rest is cut off below."""
    best = [point for point in points if point.pareto]
    top = max([point.accuracy + point.sd for point in best] + [digital or 0.0])
    low = min(point.accuracy - point.sd for point in best)
    room = 0.08 * max(top - low, 0.02)
    axes.set_ylim(low - room, min(top + room, 1.0 + room))


def _explanation(
    colours: Mapping[str, str], markers: Mapping[int, str], *, digital: bool
) -> list[Line2D]:
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="", label=f"cores {size}")
        for size, colour in colours.items()
    ]
    handles += [
        Line2D(
            [],
            [],
            color=MUTED,
            marker=marker,
            linestyle="",
            label=f"{count} cell{'s' if count > 1 else ''} per polarity",
        )
        for count, marker in markers.items()
    ]
    handles.append(
        Line2D([], [], color=MUTED, marker="o", linestyle="", alpha=FAINT, label="beaten by others")
    )
    if digital:
        handles.append(Line2D([], [], color=MUTED, linestyle="--", label="no analog effect"))
    return handles
