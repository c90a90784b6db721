"""The figures of a report. They show records and tables as they are and never compute results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from analognas.records import EVALUATION_TIMES_S, Evaluation
from analognas.reporting.style import (
    BASELINES,
    CELL,
    INK,
    MARKERS,
    MUTED,
    PAPER,
    PICKS,
    layer_colours,
    name_axes,
    new_axes,
    new_figure,
    spread,
)
from analognas.simulator.chip import Placement

DIGITAL_POSITION_S = 0.08  # where the digital accuracy stands on the time axis
REPLICA_HATCH = "//////"
LEGEND_COLUMNS, LEGEND_WIDTH_IN = 3, 3.5  # of the names of the layers on a chip
LONGEST_NAME = 18  # of a layer in the legend
CORE_SHARE = 0.9  # of the distance between cores that a core takes
SMALLEST_SIDE_IN = 0.43  # of a core with its gap
SMALLEST_NUMBERED_IN = 0.11  # a block on a shared core with less room has no number
SIDE_WITH_WORDS_IN = 0.8  # of cores large enough for words above them
SHOWN_FRACTION = 0.9  # of the candidates; the worst would squeeze the front into a line


@dataclass(frozen=True)
class Prediction:
    """A predicted accuracy as a fraction; the bounds may be unknown."""

    mean: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class ShownNetwork:
    """A measured network as the figures show it."""

    name: str
    evaluation: Evaluation
    predicted: Prediction | None  # at the time that the figure is about
    baseline: bool
    colour: str
    marker: str


def network_styles(baseline: Sequence[bool]) -> list[tuple[str, str]]:
    """Choose colour and marker of every network; picks get bright colours, baselines quiet ones."""
    styles = []
    for index, is_baseline in enumerate(baseline):
        rank = sum(1 for other in baseline[:index] if other == is_baseline)
        palette = BASELINES if is_baseline else PICKS
        styles.append((palette[rank % len(palette)], MARKERS[rank % len(MARKERS)]))
    return styles


def plot_front(candidates: pd.DataFrame, networks: Sequence[ShownNetwork], *, t_s: float) -> Figure:
    """Predicted accuracy of every candidate against its modelled energy, and what became of it.

    Args:
        candidates: Columns `energy_nJ`, `accuracy` (fraction, predicted), `front` (bool).
        networks: Measured networks; an arrow leads from the predicted to the simulated accuracy.
        t_s: Time after programming that the accuracies are about.
    """
    figure = new_figure(7.4, 4.3)
    axes = new_axes(figure)
    front = candidates[candidates["front"]].sort_values("energy_nJ")
    rest = candidates[~candidates["front"]]
    axes.scatter(
        rest["energy_nJ"] / 1e3,
        rest["accuracy"],
        s=7,
        color=MUTED,
        alpha=0.3,
        linewidths=0,
    )
    axes.plot([], [], ".", color=MUTED, alpha=0.6, label="candidate, predicted")
    axes.plot(
        front["energy_nJ"] / 1e3,
        front["accuracy"],
        color=INK,
        linewidth=0.9,
        marker="o",
        markersize=3,
        label="front, predicted",
        drawstyle="steps-post",
    )
    for network in networks:
        _mark_on_front(axes, network, t_s)
    axes.plot([], [], "o", color=INK, markerfacecolor=PAPER, markersize=7, label="predicted")
    axes.plot([], [], "o", color=INK, markersize=7, label="simulated, mean and sd")
    axes.set_xscale("log")
    _plain_log_ticks(axes)
    _percent(axes)
    _show_upper_part(axes, candidates["accuracy"], networks, t_s)
    _name_on_front(axes, networks, t_s)
    name_axes(axes, "energy per inference (μJ, modelled)", f"accuracy {_after(t_s)}")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def plot_drift(networks: Sequence[ShownNetwork]) -> Figure:
    """Simulated accuracy over time: mean, band of one sd, lower bound, and the digital accuracy."""
    figure = new_figure(7.4, 4.3)
    axes = new_axes(figure)
    ends, last_s = [], 1.0
    for network in networks:
        analog = network.evaluation.analog
        times, mean, sd = (np.asarray(v) for v in (analog.times_s, analog.mean(), analog.spread()))
        style = "--" if network.baseline else "-"
        axes.fill_between(
            times, mean - sd, mean + sd, color=network.colour, alpha=0.13, linewidth=0
        )
        axes.plot(times, analog.low(), color=network.colour, linewidth=0.8, linestyle=":")
        axes.plot(
            times,
            mean,
            color=network.colour,
            linewidth=1.8,
            linestyle=style,
            marker=network.marker,
            markersize=4.5,
        )
        axes.plot(
            [DIGITAL_POSITION_S],
            [network.evaluation.digital_accuracy],
            color=network.colour,
            marker=network.marker,
            markerfacecolor=PAPER,
            markersize=5.5,
        )
        ends.append(float(mean[-1]))
        last_s = max(last_s, float(times[-1]))
    axes.set_xscale("log")
    axes.set_xlim(DIGITAL_POSITION_S / 3, last_s * 2)
    names = {"digital": DIGITAL_POSITION_S, **EVALUATION_TIMES_S}
    axes.set_xticks(list(names.values()), list(names))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(0.3, color=MUTED, linewidth=0.7, linestyle=(0, (2, 3)))
    _percent(axes)
    low, high = axes.get_ylim()
    for network, end, place in zip(networks, ends, spread(ends, 0.055 * (high - low)), strict=True):
        axes.annotate(
            network.name,
            (last_s, end),
            (last_s * 6, place),
            color=network.colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": network.colour, "linewidth": 0.6, "alpha": 0.6},
        )
    name_axes(axes, "time since programming", "accuracy on the test part (simulated)")
    return figure


def plot_gap(networks: Sequence[ShownNetwork], *, t_s: float) -> Figure:
    """Predicted against simulated accuracy, one line a network: the optimism gap."""
    figure = new_figure(7.4, 0.9 + 0.42 * max(len(networks), 1))
    axes = new_axes(figure)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=MUTED, alpha=0.25, linewidth=0.7)
    for row, network in enumerate(networks):
        analog = network.evaluation.analog
        index = analog.times_s.index(t_s)
        mean, sd = analog.mean()[index], analog.spread()[index]
        if network.predicted is not None:
            predicted = network.predicted
            if predicted.lower is not None and predicted.upper is not None:
                axes.plot(
                    [predicted.lower, predicted.upper],
                    [row, row],
                    color=network.colour,
                    alpha=0.28,
                    linewidth=5,
                    solid_capstyle="butt",
                )
            axes.plot([predicted.mean, mean], [row, row], color=network.colour, linewidth=1.2)
            axes.plot(
                [predicted.mean],
                [row],
                "o",
                color=network.colour,
                markerfacecolor=PAPER,
                markersize=7,
            )
        axes.errorbar(
            [mean], [row], xerr=[sd], fmt="o", color=network.colour, markersize=7, capsize=3
        )
        axes.plot(
            [network.evaluation.digital_accuracy],
            [row],
            "|",
            color=network.colour,
            markersize=11,
            markeredgewidth=1.5,
        )
    axes.set_yticks(range(len(networks)), [network.name for network in networks])
    axes.set_ylim(len(networks) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(_as_percent))
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.plot([], [], "o", color=INK, markerfacecolor=PAPER, markersize=7, label="predicted")
    axes.plot([], [], color=INK, alpha=0.28, linewidth=5, label="predicted interval")
    axes.errorbar([], [], xerr=[], fmt="o", color=INK, capsize=3, label="simulated, mean and sd")
    axes.plot([], [], "|", color=INK, markersize=11, markeredgewidth=1.5, label="digital")
    axes.set_xlabel(f"accuracy {_after(t_s)}", color=MUTED, fontsize=9)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def plot_chip(placement: Placement) -> Figure:
    """The cores of a chip, each with the blocks of the layers that it holds.

    A block is drawn where it lies and to the scale of the core: what is left of the core is unused.
    The paler it is, the more of its cells hold the zeros between the groups of a grouped layer;
    replicas are hatched. Inputs run from top to bottom, outputs from left to right; the number is
    that of the layer. Few cores have written beside how much of them is used.
    """
    grid = _grid(placement)
    names = {layer.name: number for number, layer in enumerate(placement.layers)}
    colours = layer_colours(len(names))
    lines = -(-(len(names) + 2) // LEGEND_COLUMNS)
    width_in = max(grid.side_in * grid.across, LEGEND_WIDTH_IN)
    figure = new_figure(width_in, grid.side_in * grid.down * grid.pitch + 0.15 * lines + 0.2)
    axes = figure.add_subplot()
    axes.set_axis_off()
    for core in range(placement.chip_cores):
        axes.add_patch(Rectangle(grid.corner(core), CORE_SHARE, grid.height, color=CELL))
    shared = {held.core for held in placement.cores if held.row_offset or held.column_offset}
    for held in placement.cores:
        number, block = names[held.layer], held.block
        across, down = CORE_SHARE / placement.columns, grid.height / placement.rows
        corner = grid.corner(held.core)
        left = corner[0] + across * held.column_offset
        top = corner[1] + down * held.row_offset
        width, height = across * block.columns, down * block.rows
        filled = block.weights / (block.rows * block.columns)
        axes.add_patch(
            Rectangle(
                (left, top),
                width,
                height,
                facecolor=colours[number],
                edgecolor=PAPER,
                hatch=REPLICA_HATCH if held.replica else None,
                alpha=0.35 + 0.65 * filled,
                linewidth=0.4 if held.core in shared else 0,
            )
        )
        label, size = str(number + 1), 7
        if held.core not in shared:
            right, bottom = corner[0] + 0.86, corner[1] + grid.height - 0.04
            axes.text(right, bottom, label, color=INK, fontsize=size, ha="right", va="baseline")
        elif min(width, height) * grid.side_in > SMALLEST_NUMBERED_IN:
            middle = (left + width / 2, top + height / 2)
            ink = PAPER if filled > 0.5 and not held.replica else INK
            axes.text(*middle, label, color=ink, fontsize=size, ha="center", va="center")
    if grid.has_words:
        for core, fraction in placement.utilisation_by_core.items():
            left, top = grid.corner(core)
            note = f"{core}: {_as_percent(round(fraction, 3))}"
            axes.text(left, top - 0.02, note, color=MUTED, fontsize=7, ha="left", va="bottom")
    axes.set_xlim(-0.02, grid.across)
    axes.set_ylim(grid.down * grid.pitch, -0.02)
    axes.set_aspect("equal")
    _explain_chip(figure, placement, colours)
    return figure


@dataclass(frozen=True)
class _Grid:
    """Where the cores of a chip are drawn; lengths are in units of a core's width with its gap."""

    across: int
    down: int
    height: float  # of a core
    side_in: float

    @property
    def has_words(self) -> bool:
        return self.side_in >= SIDE_WITH_WORDS_IN

    @property
    def pitch(self) -> float:
        """From one row of cores to the next."""
        return self.height + 1 - CORE_SHARE + self._words

    @property
    def _words(self) -> float:
        return 0.14 / self.side_in if self.has_words else 0.0

    def corner(self, core: int) -> tuple[float, float]:
        """Left and top of a core."""
        return core % self.across, core // self.across * self.pitch + self._words


def _grid(placement: Placement) -> _Grid:
    """Lay the cores out as nearly square as they go."""
    cores, ratio = placement.chip_cores, placement.rows / placement.columns
    across = min(max(1, math.ceil(math.sqrt(cores * ratio))), cores)
    down = -(-cores // across)
    side_in = max(SMALLEST_SIDE_IN, min(3.4 / across, 3.4 / (down * ratio)))
    return _Grid(across, down, CORE_SHARE * ratio, side_in)


def _explain_chip(figure: Figure, placement: Placement, colours: Sequence[str]) -> None:
    """The legend: every layer, a replica and what is unused."""
    handles = [
        Patch(facecolor=colour, label=f"{number} {_shortened(layer.name)}")
        for number, (layer, colour) in enumerate(
            zip(placement.layers, colours, strict=True), start=1
        )
    ]
    if any(held.replica for held in placement.cores):
        handles.append(
            Patch(
                facecolor=MUTED, edgecolor=PAPER, linewidth=0, hatch=REPLICA_HATCH, label="replica"
            )
        )
    handles.append(Patch(facecolor=CELL, label="unused"))
    figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=LEGEND_COLUMNS,
        frameon=False,
        fontsize=6.5,
        labelcolor=INK,
        handlelength=1.0,
        handleheight=1.0,
        columnspacing=1.0,
        labelspacing=0.35,
        borderpad=0.0,
    )


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"\u2026{name[1 - LONGEST_NAME :]}"


def _mark_on_front(axes: Axes, network: ShownNetwork, t_s: float) -> None:
    evaluation = network.evaluation
    energy = evaluation.cost.energy_nJ / 1e3
    index = evaluation.analog.times_s.index(t_s)
    mean, sd = evaluation.analog.mean()[index], evaluation.analog.spread()[index]
    if network.predicted is not None:
        axes.annotate(
            "",
            (energy, mean),
            (energy, network.predicted.mean),
            arrowprops={"arrowstyle": "-|>", "color": network.colour, "shrinkA": 4, "shrinkB": 3},
        )
        axes.plot(
            [energy],
            [network.predicted.mean],
            marker=network.marker,
            color=network.colour,
            markerfacecolor=PAPER,
            markersize=7.5,
        )
    axes.errorbar(
        [energy],
        [mean],
        yerr=[sd],
        marker=network.marker,
        color=network.colour,
        markersize=7.5,
        capsize=3,
        linewidth=1.2,
    )


def _name_on_front(axes: Axes, networks: Sequence[ShownNetwork], t_s: float) -> None:
    """Write names beside the simulated points, apart from each other."""
    low, high = axes.get_ylim()
    heights = [network.evaluation.analog.at(t_s) for network in networks]
    for network, height, place in zip(
        networks, heights, spread(heights, 0.055 * (high - low)), strict=True
    ):
        energy = network.evaluation.cost.energy_nJ / 1e3
        axes.annotate(
            network.name,
            (energy, height),
            (energy * 1.13, place),
            color=network.colour,
            fontsize=9,
            fontweight="bold",
            va="center",
            arrowprops={"arrowstyle": "-", "color": network.colour, "linewidth": 0.6},
        )


def _show_upper_part(
    axes: Axes, accuracy: pd.Series, networks: Sequence[ShownNetwork], t_s: float
) -> None:
    important = [network.evaluation.analog.at(t_s) for network in networks]
    important += [network.predicted.mean for network in networks if network.predicted is not None]
    if len(accuracy):
        important.append(float(accuracy.quantile(1 - SHOWN_FRACTION)))
    if not important:
        return
    top = max([*important, *accuracy])
    low = min(important)
    margin = 0.06 * max(top - low, 0.01)
    axes.set_ylim(low - margin, min(top + margin, 1.0 + margin))
    hidden = int((accuracy < low - margin).sum())
    if hidden:
        axes.annotate(
            f"{hidden} candidates lie below",
            (0.995, 0.02),
            xycoords="axes fraction",
            color=MUTED,
            fontsize=8,
            ha="right",
        )


def _plain_log_ticks(axes: Axes) -> None:
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _percent(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(_as_percent))
    axes.yaxis.set_major_locator(MaxNLocator(7))


def _as_percent(value: float, _: object = None) -> str:
    return f"{100 * value:.4g} %"


def _after(t_s: float) -> str:
    names = {seconds: name for name, seconds in EVALUATION_TIMES_S.items()}
    return f"{names.get(t_s, f'{t_s:g} s')} after programming"
