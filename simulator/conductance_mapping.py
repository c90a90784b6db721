"""How the weights of a tile become conductances, and how the crossbar adds them up again.

Weights are normalised: the largest of a column (or of the tile) is one. A crossbar sums currents,
so reading back is linear whatever the mapping; a mapping is right if the sum gives the weight.
"""

from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le, MinLen
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.devices.base import Device, relative_conductance

STRICT = ConfigDict(extra="forbid")
LARGEST_MISFIT = 1e-9  # of a table, in units of the largest weight


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ConductanceTable:
    """Any piecewise-linear way to share a weight among its cells.

    Args:
        weights: Normalised weights, increasing from -1 to 1.
        relative: For every cell of a weight, its `r = (g - g_min) / (g_max - g_min)` at each of
            `weights`; cells in the order of `to_conductances`.
    """

    weights: Annotated[tuple[float, ...], MinLen(2)]
    relative: Annotated[tuple[tuple[Annotated[float, Ge(0), Le(1)], ...], ...], MinLen(1)]

    @model_validator(mode="after")
    def _is_a_function(self) -> "ConductanceTable":
        weights = self.weights
        rises = all(low < high for low, high in pairwise(weights))
        if not rises or (weights[0], weights[-1]) != (-1.0, 1.0):
            raise ValueError(
                f"`weights` must increase from -1 to 1, but got {weights}. "
                "Give the whole range of normalised weights."
            )
        lengths = [len(row) for row in self.relative]
        if set(lengths) != {len(weights)}:
            raise ValueError(
                f"Every row of `relative` must have the {len(weights)} values of `weights`, "
                f"but got rows of {lengths}. Give one conductance per weight."
            )
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ConductanceMapping:
    """What a weight is made of.

    Args:
        scaling: What the weights are divided by: the largest of their "column", or of the "layer"
            part on their tile.
        significances: One pair of cells per number, which says how much the pair counts in the sum.
            The pair that counts least is filled first, the next takes what is left.
        layout: "pair" subtracts two cells; "single" is one cell from g_min (w = -1) to g_max
            (w = 1), the middle of the range being subtracted without noise.
        split: Cut layers too large for a tile into "balanced" parts, or into full tiles and a rest,
            "aligned" with the tiles.
        table: Another way to fill the cells; the sum must still be the weight.
        groups: How the groups of a convolution that share a tile are read. "together": all rows at
            once; the empty cells between the blocks are noisy like every cell. "apart": one group's
            rows at a time, the others rest, which takes a read per group and keeps the empty cells
            silent.
    """

    scaling: Literal["column", "layer"] = "column"
    significances: Annotated[tuple[Annotated[float, Gt(0)], ...], MinLen(1)] = (1.0,)
    layout: Literal["pair", "single"] = "pair"
    split: Literal["balanced", "aligned"] = "balanced"
    table: ConductanceTable | None = None
    groups: Literal["together", "apart"] = "together"

    @model_validator(mode="after")
    def _is_possible(self) -> "ConductanceMapping":
        if self.layout == "single" and self.significances != (1.0,):
            raise ValueError(
                'A `layout` of "single" cells must have `significances` (1.0,), but got '
                f'{self.significances}. Several cells per weight need `layout="pair"`.'
            )
        if self.table is not None:
            self._check_table(self.table)
        return self

    def _check_table(self, table: ConductanceTable) -> None:
        if len(table.relative) != self.cells_per_weight:
            raise ValueError(
                f"`table.relative` must have a row for each of the {self.cells_per_weight} cells "
                f"of a weight, but got {len(table.relative)}. Add rows, or change `layout` or "
                "`significances`."
            )
        totals = [self._total(column) for column in zip(*table.relative, strict=True)]
        slope, offset = self.read_out
        if slope <= 0:
            raise ValueError(
                "The sum over the cells in `table` must grow with the weight, but got "
                f"{totals[0]:g} at -1 and {totals[-1]:g} at 1. Exchange the rows of each pair."
            )
        for weight, total in zip(table.weights, totals, strict=True):
            if abs((total - offset) / slope - weight) > LARGEST_MISFIT:
                raise ValueError(
                    "The sum over the cells in `table` must be proportional to the weight, but "
                    f"the weight {weight:g} reads as {(total - offset) / slope:g}. Change the "
                    "rows there: a crossbar adds currents and cannot undo a bend."
                )

    @property
    def cells_per_weight(self) -> int:
        """Number D of cells that a weight takes."""
        return 1 if self.layout == "single" else 2 * len(self.significances)

    @property
    def read_out(self) -> tuple[float, float]:
        """Slope and offset of the sum over the cells (in `r`) as a function of the weight."""
        if self.table is None:
            return (0.5, 0.5) if self.layout == "single" else (sum(self.significances), 0.0)
        first, last = (
            self._total(tuple(row[end] for row in self.table.relative)) for end in (0, -1)
        )
        return (last - first) / 2, ((last + first) / 2 if self.layout == "single" else 0.0)

    def _total(self, relative: tuple[float, ...]) -> float:
        if self.layout == "single":
            return relative[0]
        pairs = zip(self.significances, relative[0::2], relative[1::2], strict=True)
        return sum(factor * (plus - minus) for factor, plus, minus in pairs)


def to_conductances(weight: Tensor, device: Device, mapping: ConductanceMapping) -> Tensor:
    """Target conductances of every cell, in uS.

    Args:
        weight: `(C, R)`, normalised to [-1, 1].
        device: Gives the range of its cells.
        mapping: How a weight is shared among D cells.

    Returns:
        `(D, C, R)`. Pairs follow each other in the order of `significances`, g+ before g-.
    """
    if mapping.table is not None:
        relative = _look_up(weight, mapping.table)
    elif mapping.layout == "single":
        relative = ((weight + 1.0) / 2.0)[None]
    elif len(mapping.significances) == 1:
        relative = torch.stack([weight, -weight]).clamp_min_(0.0)
    else:
        relative = _fill_pairs(weight, mapping.significances)
    return relative.mul_(device.g_max_uS - device.g_min_uS).add_(device.g_min_uS)


def from_conductances(g_uS: Tensor, device: Device, mapping: ConductanceMapping) -> Tensor:
    """Weights as the crossbar's sum shows them; undoes `to_conductances` exactly.

    Args:
        g_uS: `(..., D, C, R)`.
        device: The device of `to_conductances`.
        mapping: The mapping of `to_conductances`.

    Returns:
        `(..., C, R)`, normalised; noise may take it out of [-1, 1].
    """
    slope, offset = mapping.read_out
    if mapping.layout == "single":
        relative = relative_conductance(device, g_uS.select(-3, 0))
        return relative.sub_(offset).div_(slope)
    whole_uS = slope * (device.g_max_uS - device.g_min_uS)
    pairs = [
        (g_uS.select(-3, 2 * pair) - g_uS.select(-3, 2 * pair + 1)).div_(whole_uS / factor)
        for pair, factor in enumerate(mapping.significances)
    ]
    total, *others = pairs
    for other in others:
        total.add_(other)
    return total


def pair_unit_uS(device: Device, mapping: ConductanceMapping) -> float:
    """Difference of the two cells that is the weight 1, where a weight is one pair."""
    slope, _ = mapping.read_out
    return slope / mapping.significances[0] * (device.g_max_uS - device.g_min_uS)


def _fill_pairs(weight: Tensor, significances: tuple[float, ...]) -> Tensor:
    """Relative conductances `(D, C, R)` of several pairs, the least significant filled first."""
    relative = weight.new_empty((2 * len(significances), *weight.shape))
    left = weight.abs() * sum(significances)
    for pair in sorted(range(len(significances)), key=significances.__getitem__):
        factor = significances[pair]
        part = left.clamp_max(factor)
        left = left - part
        part.div_(factor)
        relative[2 * pair] = torch.where(weight > 0, part, 0.0)
        relative[2 * pair + 1] = torch.where(weight < 0, part, 0.0)
    return relative


def _look_up(weight: Tensor, table: ConductanceTable) -> Tensor:
    """Relative conductances `(D, C, R)` between the points of a table."""
    nodes = torch.tensor(table.weights, dtype=weight.dtype, device=weight.device)
    values = torch.tensor(table.relative, dtype=weight.dtype, device=weight.device)
    low = torch.bucketize(weight, nodes[1:-1], right=True)
    fraction = (weight - nodes[low]) / (nodes[low + 1] - nodes[low])
    return torch.lerp(values[:, low], values[:, low + 1], fraction)
