"""How figures look, and how they become part of a page that may be light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.figure import Figure

INK = "#1c2127"
MUTED = "#6a7280"
RULE = "#d8dce2"
PAPER = "#fefefe"
CELL = "#eceff2"  # an empty core
# Told apart by people who confuse red and green; networks also differ in marker and line.
PICKS = ("#2665b0", "#c2512f", "#2f8a63", "#8a5fb0", "#b98a17", "#1f93a3")
BASELINES = ("#7c7468", "#5f7a8c", "#96735c", "#6f7d55")
MARKERS = ("o", "s", "D", "^", "v", "P")

# A page replaces these colours by variables of its style sheet, so that it can be dark as well.
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        INK: "--ink",
        MUTED: "--muted",
        RULE: "--rule",
        PAPER: "--paper",
        CELL: "--cell",
        **{colour: f"--pick-{index}" for index, colour in enumerate(PICKS, start=1)},
        **{colour: f"--baseline-{index}" for index, colour in enumerate(BASELINES, start=1)},
    }
)

_LAYERS = LinearSegmentedColormap.from_list(
    "layers", ["#3b5ba5", "#2f8fa8", "#3f9d6e", "#a5a53c", "#d58a35", "#c4533f", "#94447f"]
)
_SVG_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "analognas", "font.size": 9.5}


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure without a background; its layout makes room for labels."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    figure.patch.set_alpha(0.0)
    return figure


def new_axes(figure: Figure) -> Axes:
    """Add the one pair of axes of a figure in the common style."""
    axes = figure.add_subplot()
    axes.patch.set_alpha(0.0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3, labelsize=9)
    axes.tick_params(which="minor", length=0)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=RULE, linewidth=0.7)
    axes.set_axisbelow(True)
    return axes


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Name the axes: x below, y as a line above the axis, where it can be read without turning."""
    axes.set_xlabel(x, color=MUTED, fontsize=9)
    axes.set_title(y, loc="left", color=MUTED, fontsize=9, pad=10)


def layer_colours(n_layers: int) -> tuple[str, ...]:
    """One colour a layer, along the depth of the network."""
    last = max(n_layers - 1, 1)
    return tuple(to_hex(_LAYERS(index / last)) for index in range(n_layers))


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Move labels apart so that neighbours keep `gap`, each staying near its position.

    Labels that would touch form a group around their common centre, groups that touch are merged.
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    groups: list[tuple[list[int], float]] = []  # members, position of the middle
    for index in order:
        members, middle = [index], positions[index]
        while groups and middle - groups[-1][1] < gap * (len(members) + len(groups[-1][0])) / 2:
            before, _ = groups.pop()
            members = before + members
            middle = sum(positions[member] for member in members) / len(members)
        groups.append((members, middle))
    moved = [0.0] * len(positions)
    for members, middle in groups:
        for rank, member in enumerate(members):
            moved[member] = middle + gap * (rank - (len(members) - 1) / 2)
    return moved


def to_svg(figure: Figure, description: str) -> str:
    """Return a figure as an SVG element for a page.

    Texts stay texts, the common colours become variables of the style sheet (`VARIABLES`), and the
    same figure always gives the same text.

    Args:
        figure: The figure.
        description: What it shows, for those who cannot see it.
    """
    stream = io.StringIO()
    with matplotlib.rc_context(_SVG_SETTINGS):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    width, height = figure.get_size_inches() * 72
    opening = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {width:g} {height:g}" '
        f'role="img"><title>{escape(description)}</title>'
    )
    svg = re.sub(r"^<svg[^>]*>", lambda _: opening, svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg.strip()
