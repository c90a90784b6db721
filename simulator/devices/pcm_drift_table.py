"""Phase-change memory whose drift was measured, not fitted: a table of exponents."""

from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, MinLen
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.devices.pcm_2019 import Pcm2019
from analognas.simulator.devices.pcm_laws import (
    draw_drift_exponents,
    drift_conductance,
    read_noise_sigma_uS,
)

Column = Annotated[tuple[Annotated[float, Ge(0)], ...], MinLen(1)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PcmDriftTable:
    """The 2019 cell with other drift: exponents linear between points, constant beyond them.

    Args:
        cell: Range, noise and times; its `drift_scale` multiplies the table.
        g_uS: Target conductances, increasing.
        nu_mean: Location of the drift exponent at each of them; the default samples the 2019 fit.
        nu_sigma: Spread over cells at each of them.
    """

    kind: Literal["pcm_drift_table"] = "pcm_drift_table"
    cell: Pcm2019 = Pcm2019()
    g_uS: Column = (0.125, 0.5, 1.25, 2.5, 5.0, 10.0, 25.0)
    nu_mean: Column = (0.1, 0.085, 0.071, 0.06, 0.049, 0.049, 0.049)
    nu_sigma: Column = (0.045, 0.043, 0.032, 0.023, 0.014, 0.008, 0.008)

    @model_validator(mode="after")
    def _columns_match(self) -> "PcmDriftTable":
        lengths = (len(self.g_uS), len(self.nu_mean), len(self.nu_sigma))
        if len(set(lengths)) > 1:
            raise ValueError(
                "`g_uS`, `nu_mean` and `nu_sigma` must have the same length, but got "
                f"{lengths}. Give one exponent and one spread per conductance."
            )
        if any(low >= high for low, high in pairwise(self.g_uS)):
            raise ValueError(
                f"`g_uS` must increase, but got {self.g_uS}. Sort the three lists by conductance."
            )
        return self

    @property
    def g_max_uS(self) -> float:
        return self.cell.g_max_uS

    @property
    def g_min_uS(self) -> float:
        return self.cell.g_min_uS

    @property
    def t_ref_s(self) -> float:
        return self.cell.t_ref_s

    @property
    def t_read_s(self) -> float:
        return self.cell.t_read_s

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        return self.cell.programming_sigma_uS(r)

    def drift_mean(self, r: Tensor) -> Tensor:
        return self._look_up(r, self.nu_mean)

    def drift_sigma(self, r: Tensor) -> Tensor:
        return self._look_up(r, self.nu_sigma)

    def read_noise_fraction(self, r: Tensor) -> Tensor:
        return self.cell.read_noise_fraction(r)

    def _look_up(self, r: Tensor, column: tuple[float, ...]) -> Tensor:
        scale = self.cell.drift_scale
        return interpolate_linearly(r * self.g_max_uS, self.g_uS, column).mul_(scale)

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        return draw_drift_exponents(self, g_target_uS, generator=generator)

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        return drift_conductance(g_prog_uS, ageing, t_s=t_s, t_ref_s=self.t_ref_s)

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        return read_noise_sigma_uS(self, g_aged_uS, g_prog_uS, t_s=t_s)


def interpolate_linearly(x: Tensor, nodes: tuple[float, ...], values: tuple[float, ...]) -> Tensor:
    """Piecewise-linear function through `(nodes, values)`, constant outside; elementwise."""
    value = torch.tensor(values, dtype=x.dtype, device=x.device)
    if len(nodes) == 1:
        return value.expand_as(x).clone()
    node = torch.tensor(nodes, dtype=x.dtype, device=x.device)
    low = torch.bucketize(x, node[1:-1], right=True)
    fraction = ((x - node[low]) / (node[low + 1] - node[low])).clamp_(0.0, 1.0)
    return torch.lerp(value[low], value[low + 1], fraction)
