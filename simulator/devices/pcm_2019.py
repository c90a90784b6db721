"""Phase-change memory, one mushroom cell per polarity.

Statistics of Nandakumar et al. (ICECS 2019).

The same fits stand behind the standard AIMC model of Rasch et al., Nat. Commun. 14, 5282 (2023).
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.devices.pcm_laws import (
    draw_drift_exponents,
    drift_conductance,
    read_noise_sigma_uS,
)

R_FLOOR = 1e-7  # the logarithmic fits end here


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Pcm2019:
    """PCM cell with g_max 25 uS; the three scales switch or strengthen one effect each."""

    kind: Literal["pcm_2019"] = "pcm_2019"
    g_max_uS: Annotated[float, Gt(0)] = 25.0
    t_ref_s: Annotated[float, Gt(0)] = 20.0
    t_read_s: Annotated[float, Gt(0)] = 250e-9
    programming_noise_scale: Annotated[float, Ge(0)] = 1.0
    drift_scale: Annotated[float, Ge(0)] = 1.0
    read_noise_scale: Annotated[float, Ge(0)] = 1.0

    @property
    def g_min_uS(self) -> float:
        return 0.0

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        # Fitted in uS at g_max = 25 uS; another g_max scales it.
        sigma_uS = 0.26348 + r * (1.9650 - 1.1731 * r)
        return sigma_uS * (self.programming_noise_scale * self.g_max_uS / 25.0)

    def drift_mean(self, r: Tensor) -> Tensor:
        mean = 0.0244 - 0.0155 * torch.log(r.clamp_min(R_FLOOR))
        return mean.clamp(0.049, 0.1) * self.drift_scale

    def drift_sigma(self, r: Tensor) -> Tensor:
        sigma = -0.0059 - 0.0125 * torch.log(r.clamp_min(R_FLOOR))
        return sigma.clamp(0.008, 0.045) * self.drift_scale

    def read_noise_fraction(self, r: Tensor) -> Tensor:
        strength = 0.0088 / r.pow(0.65).clamp_min(1e-3)
        return strength.clamp_max(0.2) * self.read_noise_scale

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        return draw_drift_exponents(self, g_target_uS, generator=generator)

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        return drift_conductance(g_prog_uS, ageing, t_s=t_s, t_ref_s=self.t_ref_s)

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        return read_noise_sigma_uS(self, g_aged_uS, g_prog_uS, t_s=t_s)
