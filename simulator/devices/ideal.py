"""A cell that keeps exactly what was written."""

from typing import Annotated, Literal

import torch
from annotated_types import Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class IdealDevice:
    """No programming noise, no drift, no read noise; runs through the same code as the others."""

    kind: Literal["ideal"] = "ideal"
    g_max_uS: Annotated[float, Gt(0)] = 25.0
    t_ref_s: Annotated[float, Gt(0)] = 20.0
    t_read_s: Annotated[float, Gt(0)] = 250e-9

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        return torch.zeros_like(r)

    def drift_mean(self, r: Tensor) -> Tensor:
        return torch.zeros_like(r)

    def drift_sigma(self, r: Tensor) -> Tensor:
        return torch.zeros_like(r)

    def read_noise_fraction(self, r: Tensor) -> Tensor:
        return torch.zeros_like(r)
