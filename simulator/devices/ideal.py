"""A cell that keeps exactly what was written."""

from typing import Annotated, Literal

import torch
from annotated_types import Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class IdealDevice:
    """No programming noise, no ageing, no read noise; runs through the same code as the others."""

    kind: Literal["ideal"] = "ideal"
    g_max_uS: Annotated[float, Gt(0)] = 25.0
    t_ref_s: Annotated[float, Gt(0)] = 20.0
    t_read_s: Annotated[float, Gt(0)] = 250e-9

    @property
    def g_min_uS(self) -> float:
        return 0.0

    def programming_sigma_uS(self, r: Tensor) -> Tensor:
        return torch.zeros_like(r)

    def draw_ageing(self, g_target_uS: Tensor, *, generator: torch.Generator) -> Tensor:
        return torch.zeros_like(g_target_uS)

    def aged_uS(self, g_prog_uS: Tensor, ageing: Tensor, *, t_s: float) -> Tensor:
        return g_prog_uS.clone()

    def read_sigma_uS(self, g_aged_uS: Tensor, g_prog_uS: Tensor, *, t_s: float) -> Tensor:
        return torch.zeros_like(g_aged_uS)
