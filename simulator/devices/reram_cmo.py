"""Analog filamentary CMO/HfOx ReRAM: finely programmable, relaxes with the logarithm of time.

Falcone et al., "All-in-one analog AI hardware: on-chip training and inference with
conductive-metal-oxide/HfOx ReRAM devices" (2025), arXiv:2502.04524. The coefficients are those that
its authors put into IBM's open simulation toolkit.
"""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.devices.pcm_laws import one_over_f_growth
from analognas.simulator.streams import gaussian_like

# Programming noise c0 + c1 g in uS, by how far from its target a cell is accepted.
PROGRAMMING_uS = {"0.2%": (0.00081107, 0.00106879), "2%": (0.0112185391, 0.01129027418)}
# Relaxation with ln t, in uS: mean slope; standard deviation at 1 s and its slope.
SHIFT_SLOPE_uS = -0.08900206
SPREAD_AT_1_S_uS, SPREAD_SLOPE_uS = 0.41183342, 0.04201137
READ_uS = 0.0277316483  # times log10(g), times the growth of 1/f noise
T_READ_S = 1e-6


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ReramCmo:
    """CMO/HfOx cell between 9 and 88.2 uS, meant for one cell per weight.

    Each cell keeps a standard normal xi and relaxes to `g_prog + m(t) + s(t) xi`, whatever its
    level; the law starts 1 s after programming, which earlier times show as well. Conductances are
    kept above `g_min_uS`; `g_max_uS` is a target, not a wall.

    Args:
        g_max_uS: Highest target.
        g_min_uS: Lowest conductance.
        acceptance: Where program-and-verify stops, in percent of the target.
        programming_noise_scale: Multiplies the spread after programming.
        relaxation_scale: Multiplies shift and spread of the relaxation.
        read_noise_scale: Multiplies the 1/f noise.
    """

    kind: Literal["reram_cmo"] = "reram_cmo"
    g_max_uS: Annotated[float, Gt(0)] = 88.2
    g_min_uS: Annotated[float, Ge(1)] = 9.0
    acceptance: Literal["0.2%", "2%"] = "0.2%"
    programming_noise_scale: Annotated[float, Ge(0)] = 1.0
    relaxation_scale: Annotated[float, Ge(0)] = 1.0
    read_noise_scale: Annotated[float, Ge(0)] = 1.0

    @model_validator(mode="after")
    def _range_is_open(self) -> "ReramCmo":
        if self.g_min_uS >= self.g_max_uS:
            raise ValueError(
                "`g_min_uS < g_max_uS` must hold, but got "
                f"g_min_uS={self.g_min_uS} and g_max_uS={self.g_max_uS}. Raise the second."
            )
        return self

    @property
    def t_ref_s(self) -> float:
        return 1.0

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        constant, slope = PROGRAMMING_uS[self.acceptance]
        g_uS = self.g_min_uS + r * (self.g_max_uS - self.g_min_uS)
        return (constant + slope * g_uS) * self.programming_noise_scale

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        return gaussian_like(g_target_uS, generator=generator)

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        log_time = math.log(max(t_s, self.t_ref_s))
        shift_uS = SHIFT_SLOPE_uS * log_time * self.relaxation_scale
        spread_uS = (SPREAD_AT_1_S_uS + SPREAD_SLOPE_uS * log_time) * self.relaxation_scale
        return (g_prog_uS + ageing * spread_uS).add_(shift_uS).clamp_min_(self.g_min_uS)

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        growth = one_over_f_growth(max(t_s, self.t_ref_s), t_read_s=T_READ_S)
        return g_aged_uS.log10().mul_(READ_uS * growth * self.read_noise_scale)
