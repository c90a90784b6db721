"""Filamentary ReRAM of the NeuRRAM chip: conductances relax after programming.

Wan et al., Nature 608, 504 (2022). Deviation from the target after 1 s, 1 day and 2 days; the
polynomials were fitted to the published figures by IBM's open simulation toolkit.
"""

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

DAY_S = 86_400.0
FITTED_G_MAX_uS = 40.0
# Standard deviation from the target in uS, ascending powers of r, by seconds after programming.
DEVIATION_uS = {
    1.0: (0.348, 16.030, -43.853, 45.393, -16.815),
    DAY_S: (0.701, 22.086, -50.773, 47.095, -16.458),
    2 * DAY_S: (0.782, 20.274, -43.507, 37.062, -11.934),
}


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ReramWan2022:
    """ReRAM cell with g_max 40 uS, known from 1 s to 2 days after programming.

    The paper gives the spread at three times, not how one cell moves between them. Here every cell
    keeps its own standard normal: `g(t) = max(g_target + sigma(r, t) xi, 0)`, so that the published
    spread is met at each published time; sigma is linear in the logarithm of time between them.
    What is called programmed is the conductance after 1 s, which earlier times show as well. Reads
    add no noise of their own: give `Hardware.weight_read_noise` for it.
    """

    kind: Literal["reram_wan"] = "reram_wan"
    g_max_uS: Annotated[float, Gt(0)] = FITTED_G_MAX_uS
    noise_scale: Annotated[float, Ge(0)] = 1.0

    @property
    def g_min_uS(self) -> float:
        return 0.0

    @property
    def t_ref_s(self) -> float:
        return 1.0

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        return deviation_uS(r, t_s=self.t_ref_s) * self._scale

    @property
    def _scale(self) -> float:
        return self.noise_scale * self.g_max_uS / FITTED_G_MAX_uS

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        """Return the targets: with them, a programmed conductance tells its cell's normal."""
        return g_target_uS.clone()

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        # A cell cut off at zero would lie below zero with the larger deviation, too: the law stays
        # a normal clamped at zero, because no deviation is smaller than that after 1 s.
        r = ageing / self.g_max_uS
        growth = deviation_uS(r, t_s=t_s) / deviation_uS(r, t_s=self.t_ref_s)
        return (ageing + (g_prog_uS - ageing) * growth).clamp_min_(0.0)

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        return torch.zeros_like(g_aged_uS)


def deviation_uS(r: Tensor, *, t_s: float) -> Tensor:
    """Standard deviation from target `r` after `t_s` at g_max = 40 uS.

    Raises:
        ValueError: `t_s` is beyond the two days that were measured.
    """
    times = list(DEVIATION_uS)
    if t_s > times[-1]:
        raise ValueError(
            f"`t_s <= {times[-1]:.0f}` must hold for the device 'reram_wan', but got t_s={t_s:g}. "
            "Nothing was published beyond two days: take an earlier time or another device."
        )
    t_s = max(t_s, times[0])
    start, stop = next((low, high) for low, high in pairwise(times) if t_s <= high)
    late = math.log(t_s / start) / math.log(stop / start)
    coefficients = [
        (1 - late) * early_c + late * late_c
        for early_c, late_c in zip(DEVIATION_uS[start], DEVIATION_uS[stop], strict=True)
    ]
    total = torch.zeros_like(r)
    for coefficient in reversed(coefficients):
        total.mul_(r).add_(coefficient)
    return total
