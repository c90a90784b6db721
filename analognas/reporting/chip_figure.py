"""The figure of a chip: every core with the blocks of the layers that it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from analognas.reporting.style import CELL, INK, MUTED, PAPER, layer_colours, new_figure
from analognas.simulator.chip import Placement

REPLICA_HATCH = "//////"
LEGEND_COLUMNS, LEGEND_WIDTH_IN = 3, 3.5  # of the names of the layers on a chip
LONGEST_NAME = 18  # of a layer in the legend
CORE_SHARE = 0.9  # of the distance between cores that a core takes
SMALLEST_SIDE_IN = 0.43  # of a core with its gap
SMALLEST_NUMBERED_IN = 0.11  # a block on a shared core with less room has no number
SIDE_WITH_WORDS_IN = 0.8  # of cores large enough for words above them


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
            note = f"{core}: {100 * round(fraction, 3):.4g} %"
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
