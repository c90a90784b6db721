"""What one pulse does to one phase-change cell: partial SET and RESET.

Nandakumar et al., J. Appl. Phys. 124, 152135 (2018): mushroom cells of 90 nm. A SET pulse
crystallises a part of the cell; how much depends on the conductance and on how many SET pulses came
since the last RESET, and scatters from pulse to pulse. A RESET melts the cell. The coefficients are
those of a public implementation that redraws the paper's figures; they were not read in the paper.
"""

import math
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor

from analognas.simulator.streams import gaussian_like

HISTORY_PULSES = 2.6  # a: SET pulses after which the history has decayed by a factor e
MEAN_SLOPE, MEAN_OFFSET_uS, MEAN_HISTORY_uS = -0.084, 0.880, 1.40  # m1, c1, A1
SIGMA_SLOPE, SIGMA_OFFSET_uS, SIGMA_HISTORY_uS = 0.091, 0.260, 2.15  # m2, c2, A2
RESET_MEAN_uS, RESET_SIGMA_uS, RESET_FLOOR_uS = 0.1, 0.01, 0.01
SET_FLOOR_uS = 0.1
SMALLEST_STEP_FACTOR = 0.1  # of the slowest device


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class PulsedPcm:
    """One phase-change device that is written pulse by pulse.

    The largest conductance of an inference device (`full_uS` of the law) and the law's own limit
    differ: a device that is to hold 10.35 uS can be driven a little beyond.

    Args:
        limit_uS: No pulse gets above it; 12 uS in use, 20 uS in the figures of the paper.
        full_uS: Conductance of the law that stands for the largest target of a device; the law is
            stretched for devices with another largest conductance (an assumption; the devices of
            the 64-core chip have 10.35 uS and need none).
        device_spread: Relative spread over devices of how far a SET pulse takes them. The law
            itself is of the average device and has none.
    """

    kind: Literal["pcm_2018"] = "pcm_2018"
    limit_uS: Annotated[float, Gt(0)] = 12.0
    full_uS: Annotated[float, Gt(0)] = 10.35
    device_spread: Annotated[float, Ge(0)] = 0.0

    @model_validator(mode="after")
    def _target_is_reached(self) -> "PulsedPcm":
        if self.full_uS > self.limit_uS:
            raise ValueError(
                f"`full_uS <= limit_uS` must hold, but got full_uS={self.full_uS} and "
                f"limit_uS={self.limit_uS}. No device gets above its limit: lower `full_uS`."
            )
        return self


def set_pulse(
    g_uS: Tensor,
    pulses: Tensor,
    cell: PulsedPcm,
    *,
    step_factor: Tensor | None = None,
    generator: torch.Generator,
) -> Tensor:
    """Conductance after one more SET pulse, `clip(g + mu + sigma xi, 0.1, limit)`, elementwise.

    With the history `P = exp(-n / a)`, n counting this pulse:
    `mu = m1 g + s (c1 + A1 P)`, `sigma = m2 g + c2 + A2 P`.

    Args:
        g_uS: Conductances of the law, any shape.
        pulses: SET pulses since the last RESET, this one included.
        cell: For its limit.
        step_factor: The device's own s, 1 by default.
        generator: For xi.
    """
    history = (pulses * (-1 / HISTORY_PULSES)).exp_()
    step = history * MEAN_HISTORY_uS
    step.add_(MEAN_OFFSET_uS)
    if step_factor is not None:
        step.mul_(step_factor)
    sigma = history.mul_(SIGMA_HISTORY_uS).add_(SIGMA_OFFSET_uS).add_(g_uS, alpha=SIGMA_SLOPE)
    noise = gaussian_like(g_uS, generator=generator)
    after = step.add_(g_uS, alpha=1 + MEAN_SLOPE).addcmul_(sigma, noise)
    return after.clamp_(SET_FLOOR_uS, cell.limit_uS)


def reset_pulse(g_uS: Tensor, *, generator: torch.Generator) -> Tensor:
    """Conductance after a RESET, whatever it was: `max(N(0.1, 0.01), 0.01)` uS, elementwise."""
    noise = gaussian_like(g_uS, generator=generator)
    return noise.mul_(RESET_SIGMA_uS).add_(RESET_MEAN_uS).clamp_min_(RESET_FLOOR_uS)


def mean_staircase_uS(pulses: int) -> Tensor:
    """Conductance of the noiseless law after 0, 1, ... `pulses` SET pulses, `(pulses + 1,)`.

    The average of noisy devices lies a little above it after the first pulses, because none gets
    below 0.1 uS.
    """
    stairs = [RESET_MEAN_uS]
    for n in range(1, pulses + 1):
        history = math.exp(-n / HISTORY_PULSES)
        step = MEAN_SLOPE * stairs[-1] + MEAN_OFFSET_uS + MEAN_HISTORY_uS * history
        stairs.append(stairs[-1] + step)
    return torch.tensor(stairs, dtype=torch.float64)


def open_loop_pulses(target_uS: Tensor, *, most: int) -> Tensor:
    """SET pulses after a RESET whose mean is nearest to a target, elementwise, at most `most`."""
    stairs = mean_staircase_uS(most)
    borders = ((stairs[1:] + stairs[:-1]) / 2).to(target_uS.device, target_uS.dtype)
    return torch.bucketize(target_uS, borders)
