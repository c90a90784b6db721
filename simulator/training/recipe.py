"""The recipe of hardware-aware training."""

from dataclasses import asdict
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class HwaRecipe:
    """What a network feels while it is trained for analog hardware.

    Args:
        weight_noise: Strength of the weight noise; 1 is the spread the cells have at
            `noise_time_s`.
        noise_time_s: Age at which that spread is taken.
        ramp_fraction: Share of the training over which the noise grows linearly from zero.
        clip_sigma: After every step, weights are clipped to so many standard deviations of their
            layer.
        output_noise: Strength of the noise at the outputs; 1 is the tile's own noise and ADC
            rounding.
        range_batches: Batches over which the input ranges follow 3 standard deviations of the
            inputs before they are learned.
    """

    weight_noise: Annotated[float, Ge(0)] = 2.0
    noise_time_s: Annotated[float, Ge(0)] = 86_400.0
    ramp_fraction: Annotated[float, Ge(0)] = 0.3
    clip_sigma: Annotated[float, Gt(0)] | None = 2.5
    output_noise: Annotated[float, Ge(0)] = 1.0
    range_batches: Annotated[int, Ge(1)] = 20

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
