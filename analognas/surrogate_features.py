"""The features that a surrogate sees: the network, and how it lies on the chip."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analognas.shapes import place_architecture
from analognas.simulator.chip import ChipSpec, Cost, estimate_cost
from analognas.surrogates.feature_table import with_times

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace

__all__ = ["CHIP_COLUMNS", "architecture_features", "with_times"]


CHIP_COLUMNS = (
    "cores",
    "utilisation_fraction",
    "smallest_layer_utilisation_fraction",
    "row_split_layers",
    "mean_row_parts",
    "most_row_parts",
    "log10_energy_nJ",
    "log10_latency_us",
)


def architecture_features(
    space: SearchSpace, archs: Sequence[Architecture], chip: ChipSpec
) -> pd.DataFrame:
    """Describe networks as rows of named numbers.

    Args:
        space: Gives the columns of the network itself (`space.encode`) and its layers.
        archs: Networks that fit onto the chip.
        chip: Where they are placed; a tile is one of its cores.

    Returns:
        One row per network, indexed by its key, without any time (see `with_times`). The columns
        are the same for every space and chip.
    """
    names, matrix = space.encode(archs)
    costs = (estimate_cost(place_architecture(space, arch, chip), chip) for arch in archs)
    on_chip = pd.DataFrame([_on_chip(cost) for cost in costs], columns=list(CHIP_COLUMNS))
    frame = pd.DataFrame(np.asarray(matrix), columns=list(names)).join(on_chip)
    return frame.set_index(pd.Index([arch.key for arch in archs], name="key"))


def _on_chip(cost: Cost) -> tuple[float, ...]:
    """Values in the order of `CHIP_COLUMNS`."""
    parts = [layer.row_parts for layer in cost.layers]
    return (
        float(cost.cores),
        cost.utilisation_fraction,
        min(layer.utilisation_fraction for layer in cost.layers),
        float(sum(count > 1 for count in parts)),
        sum(parts) / len(parts),
        float(max(parts)),
        log10(cost.energy_nJ),
        log10(cost.latency_us),
    )
