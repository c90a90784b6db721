"""A cell whose noise does not depend on what is written: for studies of one effect at a time.

Not a measured technology. Laws and default numbers are those of the state-independent model of
IBM's open simulation toolkit.
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


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class StateIndependent:
    """One programming noise and one law of drift for every conductance.

    Args:
        g_max_uS: Conductance of the largest weight.
        t_ref_s: t_0 of the drift, which is `(t / t_0)^-nu`.
        t_read_s: Duration of a read, in the growth of the 1/f noise.
        programming_noise_uS: Standard deviation after programming.
        nu_mean: Location of the drift exponent, `nu = |nu_mean + nu_sigma xi|`.
        nu_sigma: Its spread over cells.
        read_noise_uS: 1/f noise at `g_max` and unit growth; proportional to the conductance.
    """

    kind: Literal["state_independent"] = "state_independent"
    g_max_uS: Annotated[float, Gt(0)] = 25.0
    t_ref_s: Annotated[float, Gt(0)] = 20.0
    t_read_s: Annotated[float, Gt(0)] = 250e-9
    programming_noise_uS: Annotated[float, Ge(0)] = 0.2
    nu_mean: Annotated[float, Ge(0)] = 0.1
    nu_sigma: Annotated[float, Ge(0)] = 0.05
    read_noise_uS: Annotated[float, Ge(0)] = 1.0

    @property
    def g_min_uS(self) -> float:
        return 0.0

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        return torch.full_like(r, self.programming_noise_uS)

    def drift_mean(self, r: Tensor) -> Tensor:
        return torch.full_like(r, self.nu_mean)

    def drift_sigma(self, r: Tensor) -> Tensor:
        return torch.full_like(r, self.nu_sigma)

    def read_noise_fraction(self, r: Tensor) -> Tensor:
        return torch.full_like(r, self.read_noise_uS / self.g_max_uS)

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        return draw_drift_exponents(self, g_target_uS, generator=generator)

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        return drift_conductance(g_prog_uS, ageing, t_s=t_s, t_ref_s=self.t_ref_s)

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        return read_noise_sigma_uS(self, g_aged_uS, g_prog_uS, t_s=t_s)
