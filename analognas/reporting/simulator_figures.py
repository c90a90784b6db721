"""Pictures of what an analysis of the simulator has found. They show records and never compute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from analognas.records import EVALUATION_TIMES_S
from analognas.reporting.style import (
    INK,
    MARKERS,
    MUTED,
    PAPER,
    PICKS,
    layer_colours,
    name_axes,
    new_axes,
    new_figure,
)
from analognas.reporting.wording import time_name

if TYPE_CHECKING:
    from analognas.simulator.analysis import (
        ConductanceHistogram,
        EffectError,
        ErrorSummary,
        LayerErrorSummary,
        Sensitivity,
    )

ACROSS = 4  # histograms beside each other


def plot_mvm_error(errors: Mapping[str, Sequence[ErrorSummary]]) -> Figure:
    """Error of a tile over time, one line per hardware, with a band of one sd over chips."""
    figure = new_figure(6.4, 3.8)
    axes = new_axes(figure)
    for index, (name, summaries) in enumerate(errors.items()):
        times = [summary.t_s for summary in summaries]
        low = [summary.mean - summary.spread for summary in summaries]
        high = [summary.mean + summary.spread for summary in summaries]
        colour = PICKS[index % len(PICKS)]
        axes.fill_between(times, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(
            times,
            [summary.mean for summary in summaries],
            color=colour,
            marker=MARKERS[index % len(MARKERS)],
            markersize=4.5,
            linewidth=1.6,
            label=name,
        )
    _time_axis(axes, sorted({s.t_s for summaries in errors.values() for s in summaries}))
    axes.yaxis.set_major_formatter(FuncFormatter(_as_percent))
    axes.set_ylim(bottom=0)
    name_axes(axes, "time since programming", "error of a matrix-vector product (simulated)")
    if len(errors) > 1:
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def plot_effect_budget(budget: Sequence[EffectError], *, t_s: float) -> Figure:
    """Error with each effect alone and with each one removed, at one time."""
    records = [record for record in budget if record.t_s == t_s]
    figure = new_figure(6.4, 1.3 + 0.34 * len(records))
    axes = _rows_of(figure, [record.effect for record in records])
    places = range(len(records))
    alone = [record.alone.mean for record in records]
    axes.barh(places, alone, height=0.55, color=PICKS[0], label="this effect alone")
    removed = [record.without.mean for record in records]
    axes.plot(removed, places, "D", color=PICKS[1], markersize=5, label="all but this effect")
    for record in records[:1]:
        axes.axvline(record.total.mean, color=INK, linewidth=0.9, label="all effects")
    axes.xaxis.set_major_formatter(FuncFormatter(_as_percent))
    axes.set_xlim(left=0)
    axes.set_xlabel(
        f"error of a matrix-vector product {time_name(t_s)} after programming (simulated)",
        color=MUTED,
        fontsize=9,
    )
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def plot_layer_errors(errors: Sequence[LayerErrorSummary]) -> Figure:
    """Error of every layer: filled on its own input, open accumulated up to it; a line per time."""
    layers = list(dict.fromkeys(error.layer for error in errors))
    times = list(dict.fromkeys(error.t_s for error in errors))
    figure = new_figure(max(5.0, 2.0 + 0.45 * len(layers)), 4.2)
    axes = new_axes(figure)
    for t_s, colour in zip(times, layer_colours(len(times)), strict=True):
        own = {error.layer: error for error in errors if error.t_s == t_s}
        axes.errorbar(
            range(len(layers)),
            [own[layer].own for layer in layers],
            yerr=[own[layer].own_spread for layer in layers],
            color=colour,
            marker="o",
            markersize=4.5,
            linewidth=1.4,
            capsize=2,
            label=time_name(t_s),
        )
        together = [own[layer].accumulated for layer in layers]
        known = [math.nan if value is None else value for value in together]
        axes.plot(
            range(len(layers)),
            known,
            color=colour,
            marker="o",
            markersize=4.5,
            markerfacecolor=PAPER,
            linewidth=0.8,
            linestyle=":",
        )
    axes.set_xticks(range(len(layers)), layers, rotation=60, ha="right", fontsize=8)
    axes.yaxis.set_major_formatter(FuncFormatter(_as_percent))
    axes.set_ylim(bottom=0)
    name_axes(axes, "", "error of a layer (simulated); filled: its own, open: accumulated")
    legend = axes.legend(
        title="after programming", title_fontsize=8.5, frameon=False, fontsize=8.5, labelcolor=INK
    )
    legend.get_title().set_color(MUTED)
    return figure


def plot_layer_sensitivity(sensitivity: Sensitivity, *, t_s: float) -> Figure:
    """Accuracy with one layer analog, and with one layer digital, between the two extremes."""
    layers = sensitivity.layers
    figure = new_figure(6.4, 1.3 + 0.34 * len(layers))
    axes = _rows_of(figure, [layer.layer for layer in layers])
    places = range(len(layers))
    axes.axvline(sensitivity.all_digital, color=INK, linewidth=0.9, label="all digital")
    axes.axvline(
        sensitivity.all_analog, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), label="all analog"
    )
    analog = [layer.only_analog for layer in layers]
    axes.plot(analog, places, "o", color=PICKS[0], markersize=6, label="only this analog")
    digital = [layer.only_digital for layer in layers]
    axes.plot(digital, places, "D", color=PICKS[1], markersize=5, label="only this digital")
    axes.xaxis.set_major_formatter(FuncFormatter(_as_percent))
    axes.set_xlabel(
        f"accuracy {time_name(t_s)} after programming (simulated)", color=MUTED, fontsize=9
    )
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8.5, labelcolor=INK)
    return figure


def plot_conductances(histograms: Sequence[ConductanceHistogram]) -> Figure:
    """Cells of every layer by conductance, programmed and aged; counts on a logarithmic axis."""
    layers = list(dict.fromkeys(histogram.layer for histogram in histograms))
    across = min(ACROSS, len(layers))
    down = -(-len(layers) // across)
    figure = new_figure(2.3 * across + 0.6, 1.7 * down + 0.8)
    all_axes = figure.subplots(down, across, squeeze=False, sharex=True).flatten()
    for axes in all_axes[len(layers) :]:
        axes.set_axis_off()
    for axes, layer in zip(all_axes, layers, strict=False):
        axes.patch.set_alpha(0.0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=MUTED, labelcolor=INK, length=2, labelsize=7.5)
        for histogram in histograms:
            if histogram.layer == layer:
                aged = histogram.state == "aged"
                axes.stairs(
                    histogram.counts,
                    histogram.edges_uS,
                    color=PICKS[1] if aged else PICKS[0],
                    linewidth=1.2,
                    label=f"after {time_name(histogram.t_s)}" if aged else "programmed",
                )
        axes.set_yscale("log")
        axes.set_title(layer, loc="left", color=MUTED, fontsize=8)
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.supxlabel("conductance (uS)", color=MUTED, fontsize=9)
    figure.supylabel("cells", color=MUTED, fontsize=9)
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=2,
        frameon=False,
        fontsize=8.5,
        labelcolor=INK,
    )
    return figure


def _rows_of(figure: Figure, names: Sequence[str]) -> Axes:
    """Axes with one named row per record, the first on top."""
    axes = new_axes(figure)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=MUTED, alpha=0.25, linewidth=0.7)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    return axes


def _time_axis(axes: Axes, times_s: Sequence[float]) -> None:
    axes.set_xscale("symlog" if times_s[0] == 0 else "log")
    named = {t_s: name for name, t_s in EVALUATION_TIMES_S.items() if t_s in times_s}
    if named:
        axes.set_xticks(list(named), list(named.values()))
        axes.xaxis.set_minor_locator(NullLocator())


def _as_percent(value: float, _: object = None) -> str:
    return f"{100 * value:.4g} %"
