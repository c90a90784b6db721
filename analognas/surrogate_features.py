"""The features that a surrogate sees: the network, its tiles, the hardware, and the time.

A row of the table that a surrogate learns from is a network on a hardware at a time:

    the network     what `space.encode` says of it
    its tiles       how its layers lie on crossbars of this hardware's size
    the hardware    settings, cells, errors of products at this time (`hardware_features`)
    both together   error of products, summed over the layers of this network
    the time        `log10_t_s`
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import log2, log10
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analognas.hardware_features import REFERENCES, hardware_features
from analognas.shapes import layer_shapes
from analognas.simulator import Hardware
from analognas.simulator.chip.core_counts import blocks_of
from analognas.surrogates.feature_table import TIME_COLUMN, with_times

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.simulator.mapping import LayerShape

__all__ = [
    "JOINT_COLUMNS",
    "TILE_COLUMNS",
    "architecture_features",
    "candidate_rows",
    "join_hardware",
    "with_times",
]

LIKENESS_COLUMNS = tuple(f"layers_like_{name}" for name in REFERENCES)
TILE_COLUMNS = (
    "tiles",
    "utilisation_fraction",
    "smallest_layer_utilisation_fraction",
    "row_split_layers",
    "mean_row_parts",
    "most_row_parts",
    "log10_tile_reads",
    *LIKENESS_COLUMNS,
)
JOINT_COLUMNS = ("joint_log10_error",)


class TileSize(Protocol):
    """Anything that has tiles: a chip, or the tile of a hardware."""

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...


def architecture_features(
    space: SearchSpace,
    archs: Sequence[Architecture],
    chip: TileSize,
    *,
    keep_digital: Sequence[Collection[str]] | None = None,
) -> pd.DataFrame:
    """Describe networks, and how they lie on tiles, as rows of named numbers.

    Args:
        space: Gives the columns of the network itself (`space.encode`) and its layers.
        archs: Any networks of the space; none is refused for its size.
        chip: Size of the tiles.
        keep_digital: For every network, the names of layers that are on no tile: the columns of the
            tiles leave them out. None: all layers are on tiles.

    Returns:
        One row per network, indexed by its key, without hardware and time (see `candidate_rows`).
        The columns are the same for every space and size of tiles.
    """
    columns, matrix = space.encode(archs)
    left_out: Sequence[Collection[str]] = [()] * len(archs)
    if keep_digital is not None:
        left_out = keep_digital
    placed = [
        [shape for shape in layer_shapes(space, arch) if shape.name not in names]
        for arch, names in zip(archs, left_out, strict=True)
    ]
    tiles = pd.DataFrame([_on_tiles(shapes, chip) for shapes in placed], columns=list(TILE_COLUMNS))
    frame = pd.DataFrame(np.asarray(matrix), columns=list(columns)).join(tiles)
    return frame.set_index(pd.Index([arch.key for arch in archs], name="key"))


def candidate_rows(
    features: pd.DataFrame,
    hardware: Hardware,
    times_s: Sequence[float],
    *,
    recalibrated: bool = False,
) -> pd.DataFrame:
    """Give networks a hardware and times.

    Args:
        features: From `architecture_features` for tiles of this hardware.
        hardware: What the networks are to run on.
        times_s: Seconds after programming.
        recalibrated: Whether batch norms are calibrated anew on the aged chip (AdaBS).

    Returns:
        `N x T` rows, the times of a network being neighbours: a prediction's arrays reshape to
        `(N, T)`. The index is repeated with the rows.
    """
    rows = with_times(features, times_s)
    described = hardware_features(hardware, times_s, recalibrated=recalibrated)
    return join_hardware(rows, described.iloc[np.tile(np.arange(len(times_s)), len(features))])


def join_hardware(rows: pd.DataFrame, hardware: pd.DataFrame) -> pd.DataFrame:
    """Put hardware beside networks, row by row, with what follows from both together.

    The joint column treats the layers of a network like the reference layers of the hardware:
    noise of different layers is independent, so that squares add up; a gain is the same for all
    outputs of a layer and multiplies those of the layers before, so that logarithms add up, and the
    sum counts like noise of that size.

    Args:
        rows: Columns of `architecture_features`, and `log10_t_s`.
        hardware: As many rows of `hardware_features`.
    """
    described = {name: hardware[name].to_numpy() for name in hardware.columns}
    likeness = {name: rows[f"layers_like_{name}"].to_numpy() for name in REFERENCES}
    joined = rows.assign(**described, **{JOINT_COLUMNS[0]: _log10_error(likeness, described)})
    return joined[[name for name in joined.columns if name != TIME_COLUMN] + [TIME_COLUMN]]


FloatArray = NDArray[np.float64]


def _log10_error(
    likeness: Mapping[str, FloatArray], hardware: Mapping[str, FloatArray]
) -> FloatArray:
    """Relative error of a network's last products, as far as small errors add up."""
    noises = [
        count * 10 ** (2 * hardware[f"hardware_log10_noise_{name}"])
        for name, count in likeness.items()
    ]
    gains = [count * hardware[f"hardware_log10_gain_{name}"] for name, count in likeness.items()]
    squares = np.sum(noises, axis=0) + (np.log(10.0) * np.sum(gains, axis=0)) ** 2
    return np.asarray(np.round(np.log10(squares) / 2, 5))


def _on_tiles(shapes: Sequence[LayerShape], size: TileSize) -> tuple[float, ...]:
    """Values in the order of `TILE_COLUMNS`."""
    blocks = [blocks_of(shape, size.rows, size.columns) for shape in shapes]
    cells = size.rows * size.columns
    parts = [_row_parts(shape, size) for shape in shapes]
    used = [sum(block.weights for block in of_layer) for of_layer in blocks]
    tiles = sum(map(len, blocks))
    reads = sum(shape.mvms * len(of_layer) for shape, of_layer in zip(shapes, blocks, strict=True))
    return (
        float(tiles),
        sum(used) / (tiles * cells),
        min(
            weights / (len(of_layer) * cells)
            for weights, of_layer in zip(used, blocks, strict=True)
        ),
        float(sum(count > 1 for count in parts)),
        sum(parts) / len(parts),
        float(max(parts)),
        log10(reads),
        *_likeness(shapes),
    )


def _row_parts(shape: LayerShape, size: TileSize) -> int:
    """Tiles whose outputs are added for one column."""
    return -(-(shape.rows // shape.groups) // size.rows)


def _likeness(shapes: Sequence[LayerShape]) -> list[float]:
    """How many layers are like each reference; one between two of them counts for both in part."""
    counts = dict.fromkeys(REFERENCES, 0.0)
    full = [name for name, reference in REFERENCES.items() if not reference.depthwise]
    places = [log2(REFERENCES[name].inputs) for name in full]
    for shape in shapes:
        if shape.groups > 1:
            counts["depthwise"] += 1.0
            continue
        place = float(np.interp(log2(shape.rows), places, range(len(places))))
        low = min(int(place), len(full) - 2)
        counts[full[low]] += low + 1 - place
        counts[full[low + 1]] += place - low
    return [round(count, 5) for count in counts.values()]
