"""Phase-change memory of the 64-core chip, one or two cells per polarity.

The chip: Le Gallo et al., Nat. Electron. 6, 680 (2023).

The polynomial fits are those of IBM's open simulation toolkit for this chip.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge
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
class PcmHermes:
    """Cells of one polarity, read together; two in parallel double g_max and average out noise."""

    kind: Literal["pcm_hermes"] = "pcm_hermes"
    cells_per_polarity: Literal[1, 2] = 2
    programming_noise_scale: Annotated[float, Ge(0)] = 1.0
    drift_scale: Annotated[float, Ge(0)] = 1.0
    read_noise_scale: Annotated[float, Ge(0)] = 1.0

    @property
    def g_max_uS(self) -> float:
        return 20.7 if self.cells_per_polarity == 2 else 10.35

    @property
    def g_min_uS(self) -> float:
        return 0.0

    @property
    def t_ref_s(self) -> float:
        return 300.0 if self.cells_per_polarity == 2 else 200.0

    @property
    def t_read_s(self) -> float:
        return 512e-9

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        if self.cells_per_polarity == 2:
            c0, c1, c2, c3 = 0.16603222, 4.71806468, -8.48101252, 4.68961419
        else:
            c0, c1, c2, c3 = 0.15781817, 2.32443916, -2.16310839, 0.68841818
        return (c0 + r * (c1 + r * (c2 + r * c3))) * self.programming_noise_scale

    def drift_mean(self, r: Tensor) -> Tensor:
        low = (-0.0387 * torch.log(r.clamp_min(R_FLOOR)) - 0.0182).clamp(0.0720, 0.13)
        high = 0.0736 - r * (0.0126 + 0.0436 * r)
        return torch.where(r < 0.0945, low, high) * self.drift_scale

    def drift_sigma(self, r: Tensor) -> Tensor:
        log_r = torch.log(r.clamp_min(R_FLOOR))
        if self.cells_per_polarity == 2:
            low = (-0.0117 * log_r - 0.0057).clamp(0.0091, 0.04)
            high = 0.0073 + r * (0.0093 - 0.0118 * r)
            sigma = torch.where(r < 0.3055, low, high)
        else:
            low = (-0.0120 * log_r - 0.0023).clamp(0.0124, 0.04)
            high = 0.0104 + r * (0.0116 - 0.0165 * r)
            sigma = torch.where(r < 0.3039, low, high)
        return sigma * self.drift_scale

    def read_noise_fraction(self, r: Tensor) -> Tensor:
        log_r = torch.log(r.clamp_min(R_FLOOR))
        if self.cells_per_polarity == 2:
            low = (-0.0117 * log_r - 0.0069).clamp(0.015, 0.04)
            high = 0.0123 + r * (0.0211 + r * (-0.0280 + 0.0069 * r))
            strength = torch.where(r < 0.16, low, high)
        else:
            low = (-0.0078 * log_r + 0.0038).clamp(0.0179, 0.04)
            high = 0.0088 + r * (0.0768 + r * (-0.1352 + 0.0664 * r))
            strength = torch.where(r < 0.1591, low, high)
        return strength * self.read_noise_scale

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        return draw_drift_exponents(self, g_target_uS, generator=generator)

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        return drift_conductance(g_prog_uS, ageing, t_s=t_s, t_ref_s=self.t_ref_s)

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        return read_noise_sigma_uS(self, g_aged_uS, g_prog_uS, t_s=t_s)
