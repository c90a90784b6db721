"""The figures of a report. They show records and tables as they are and never compute results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from analognas.records import EVALUATION_TIMES_S, Evaluation
from analognas.reporting.style import (
    BASELINES,
    INK,
    MARKERS,
    MUTED,
    PAPER,
    PICKS,
    name_axes,
    new_axes,
    new_figure,
    spread,
)

DIGITAL_POSITION_S = 0.08  # where the digital accuracy stands on the time axis
SHOWN_FRACTION = 0.9  # of the candidates; the worst would squeeze the front into a line


@dataclass(frozen=True)
class Prediction:
    """An expected accuracy as a fraction; the bounds may be unknown."""

    mean: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class ShownNetwork:
    """A measured network as the figures show it."""

    name: str
    evaluation: Evaluation
    predicted: Prediction | None  # or found by the search, at the time that the figure is about
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


def plot_front(
    candidates: pd.DataFrame,
    networks: Sequence[ShownNetwork],
    *,
    t_s: float,
    kind: str = "predicted",
) -> Figure:
    """Accuracy of every candidate against its modelled energy, and what became of it.

    Args:
        candidates: Columns `energy_nJ`, `accuracy` (fraction), `front` (bool).
        networks: Measured networks; an arrow leads from that accuracy to the simulated one.
        t_s: Time after programming that the accuracies are about.
        kind: What the accuracies of candidates are.
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
    axes.plot([], [], ".", color=MUTED, alpha=0.6, label="candidate")
    axes.plot(
        front["energy_nJ"] / 1e3,
        front["accuracy"],
        color=INK,
        linewidth=0.9,
        marker="o",
        markersize=3,
        label="front",
        drawstyle="steps-post",
    )
    for network in networks:
        _mark_on_front(axes, network, t_s)
    axes.plot([], [], "o", color=INK, markerfacecolor=PAPER, markersize=7, label=kind)
    axes.plot([], [], "o", color=INK, markersize=7, label="simulated, test part")
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


def plot_gap(networks: Sequence[ShownNetwork], *, t_s: float, kind: str = "predicted") -> Figure:
    """What was expected against the simulated accuracy, one line a network: the optimism gap."""
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
    axes.plot([], [], "o", color=INK, markerfacecolor=PAPER, markersize=7, label=kind)
    if any(network.predicted and network.predicted.lower is not None for network in networks):
        axes.plot([], [], color=INK, alpha=0.28, linewidth=5, label=f"{kind}, interval")
    axes.errorbar([], [], xerr=[], fmt="o", color=INK, capsize=3, label="simulated, test part")
    axes.plot([], [], "|", color=INK, markersize=11, markeredgewidth=1.5, label="digital")
    axes.set_xlabel(f"accuracy {_after(t_s)}", color=MUTED, fontsize=9)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


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
            path_effects=[withStroke(linewidth=3.5, foreground=PAPER)],  # over the candidates
            zorder=10,
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
