"""Regions of hardware and of size that are left out to see what a surrogate says beyond its labels.

A region is everything beyond a threshold of one column. They are used twice: to judge a surrogate
on hardware that it never met, and inside its training part, to find out how wide its intervals have
to be there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from analognas.surrogates.feature_table import HARDWARE_PREFIX

BoolArray = NDArray[np.bool_]

SIZE_COLUMN = "log10_multiplications"
LARGEST_SHARE = 0.2  # of the networks, by multiplications
MINIMUM_NETWORKS = 5  # on either side of a region that is left out
TOLERANCE = 0.05  # of a column's range: beyond its ends by less is not outside


@dataclass(frozen=True)
class Region:
    """Rows with `low <= column <= high`."""

    name: str
    column: str
    low: float = -np.inf
    high: float = np.inf

    def mask(self, features: pd.DataFrame) -> BoolArray:
        """Which rows lie in the region; none if there is no such column."""
        if self.column not in features.columns:
            return np.zeros(len(features), dtype=np.bool_)
        values = features[self.column].to_numpy(dtype=np.float64)
        return (self.low <= values) & (values <= self.high)


# The nominal hardware of the 64-core chip lies in none of them. Its programming error is 0.04 of
# the largest conductance, its drift exponent 0.063, its read noise 0.0175.
REGIONS: tuple[Region, ...] = (
    Region("ADC of at most 5 bits", "hardware_adc_bits", high=5.0),
    Region("DAC of at most 5 bits", "hardware_dac_bits", high=5.0),
    Region("tiles of 512 rows or more", "hardware_log2_tile_rows", low=9.0),
    Region("programming error over 7 %", "hardware_programming_error", low=0.07),
    Region("drift exponent over 0.088", "hardware_drift", low=0.088),
    Region("read noise over 0.0245", "hardware_read_noise", low=0.0245),
    Region("no compensation of drift", "hardware_uncompensated", low=1.0),
    Region("batch norms recalibrated", "hardware_recalibrated", low=1.0),
    Region("resistance of wires", "hardware_wire_drop", low=1e-6),
)


def usable_regions(
    features: pd.DataFrame, keys: Sequence[str], regions: Sequence[Region] = REGIONS
) -> tuple[Region, ...]:
    """Those regions that have some networks inside and some outside."""
    names = np.asarray(keys)

    def enough(rows: BoolArray) -> bool:
        return len(np.unique(names[rows])) >= MINIMUM_NETWORKS

    masks = ((region, region.mask(features)) for region in regions)
    return tuple(region for region, inside in masks if enough(inside) and enough(~inside))


def largest(features: pd.DataFrame, keys: Sequence[str]) -> BoolArray:
    """Rows of the largest networks, a fifth of all; none if their size is not known."""
    if SIZE_COLUMN not in features.columns:
        return np.zeros(len(features), dtype=np.bool_)
    sizes = pd.Series(features[SIZE_COLUMN].to_numpy(dtype=np.float64))
    threshold = sizes.groupby(np.asarray(keys)).first().quantile(1.0 - LARGEST_SHARE)
    return sizes.to_numpy() > threshold


@dataclass(frozen=True)
class Beyond:
    """Which rows lie beyond the hardware, and beyond the sizes, that were learned from."""

    hardware: BoolArray
    size: BoolArray


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Ranges:
    """From where to where the columns of hardware and of size reach in what was learned from."""

    hardware: dict[str, tuple[float, float]]
    size: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, features: pd.DataFrame) -> "Ranges":
        names = [name for name in features.columns if name.startswith(HARDWARE_PREFIX)]
        sizes = [name for name in (SIZE_COLUMN,) if name in features.columns]
        return cls(hardware=_ranges(features, names), size=_ranges(features, sizes))

    def beyond(self, features: pd.DataFrame) -> Beyond:
        """Rows that lie outside in some column of the hardware, or of the size."""
        return Beyond(_beyond(features, self.hardware), _beyond(features, self.size))

    def describe(self, features: pd.DataFrame) -> tuple[str, ...]:
        """For every column of hardware with rows outside: its name, values and range, in words."""
        found = []
        for name, (low, high) in self.hardware.items():
            values = features[name].to_numpy(dtype=np.float64)
            outside = values[_outside(values, low, high)]
            if len(outside):
                reached = sorted({float(outside.min()), float(outside.max())})
                words = " to ".join(f"{value:.4g}" for value in reached)
                learned = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
                found.append(
                    f"{name.removeprefix(HARDWARE_PREFIX)} is {words} (learned: {learned})"
                )
        return tuple(found)


def _ranges(features: pd.DataFrame, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    return {name: (float(features[name].min()), float(features[name].max())) for name in names}


def _beyond(features: pd.DataFrame, ranges: dict[str, tuple[float, float]]) -> BoolArray:
    beyond = np.zeros(len(features), dtype=np.bool_)
    for name, (low, high) in ranges.items():
        beyond |= _outside(features[name].to_numpy(dtype=np.float64), low, high)
    return beyond


def _outside(values: NDArray[np.float64], low: float, high: float) -> BoolArray:
    margin = TOLERANCE * (high - low) + 1e-6
    return (values < low - margin) | (values > high + margin)
