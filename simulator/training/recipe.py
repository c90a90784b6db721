"""The recipe of hardware-aware training."""

from dataclasses import MISSING, asdict, fields
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Lt
from pydantic import ConfigDict, model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.training.clip import AnyClip, SigmaClip
from analognas.simulator.training.distillation import Distillation
from analognas.simulator.training.noise import AnyWeightNoise, CellNoise

# Fields that stored recipes always have; the later ones are written only where they differ from
# their default, so that a recipe of before equals the same recipe of today.
ALWAYS_WRITTEN = (
    "weight_noise",
    "noise_time_s",
    "ramp_fraction",
    "clip_sigma",
    "output_noise",
    "range_batches",
)


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class HwaRecipe:
    """What a network feels while it is trained for analog hardware.

    The noise of every single read of a weight, IR drop and the errors of the output stage are not
    among it: each would cost a further product per layer. The weight noise, twice that of the cells
    by default, stands in for them.

    Args:
        weight_noise: Strength of the weight noise; 1 is the law as its record states it, for
            `CellNoise` the spread the cells have at `noise_time_s`.
        noise_time_s: Age at which `CellNoise` takes that spread.
        ramp_fraction: Share of the training over which the noise grows linearly from zero.
        clip_sigma: After every step, weights are clipped to so many standard deviations of their
            layer.
        output_noise: Strength of the noise at the outputs; 1 is the tile's own.
        range_batches: Batches over which the input ranges follow 3 standard deviations of the
            inputs before they are learned.
        noise: Law of the weight noise.
        drop_connect: Probability that a weight is zero in a pass, a cell that did not switch.
        per_sample: Draw the weight noise for every sample of a batch instead of once: slower, and
            a steadier gradient.
        clip: Another rule for the weights' limits, in place of `clip_sigma`.
        learn_output_scales: Train a digital factor per column.
        distillation: For loops that have a teacher; see `distillation_loss`.
        converters: Feel DAC and ADC: their steps, their limits and the noise at the outputs.
            Without, weights alone are disturbed, and the input ranges are to be calibrated after
            the training.
        adc_gain: "learned" trains the `output_bound` of the converters, one number for all layers
            of the network, and puts it into their hardware when the training ends. With
            `mapping.scaling = "layer"` it is the gain S of Zhou et al., "AnalogNets", IEEE Micro
            42 (2022): the ADC of layer l ends at `r_ADC = S r_DAC W_max`, its input range times its
            largest weight times S.
    """

    weight_noise: Annotated[float, Ge(0)] = 2.0
    noise_time_s: Annotated[float, Ge(0)] = 86_400.0
    ramp_fraction: Annotated[float, Ge(0)] = 0.3
    clip_sigma: Annotated[float, Gt(0)] | None = 2.5
    output_noise: Annotated[float, Ge(0)] = 1.0
    range_batches: Annotated[int, Ge(1)] = 20
    noise: AnyWeightNoise = CellNoise()
    drop_connect: Annotated[float, Ge(0), Lt(1)] = 0.0
    per_sample: bool = False
    clip: AnyClip | None = None
    learn_output_scales: bool = False
    distillation: Distillation | None = None
    converters: bool = True
    adc_gain: Literal["fixed", "learned"] = "fixed"

    @model_validator(mode="after")
    def _gain_is_felt(self) -> Self:
        if self.adc_gain == "learned" and (self.per_sample or not self.converters):
            raise ValueError(
                '`adc_gain = "learned"` must go with converters and one draw per batch, but got '
                f"converters={self.converters} and per_sample={self.per_sample}: the outputs would "
                "not pass an ADC. Change one of them."
            )
        return self

    @property
    def weight_clip(self) -> AnyClip | None:
        """The rule that holds: `clip`, else `clip_sigma`, else none."""
        if self.clip is not None or self.clip_sigma is None:
            return self.clip
        return SigmaClip(n_sigma=self.clip_sigma)

    def to_dict(self) -> dict[str, Any]:
        """Write the recipe as plain values, without later fields that are at their default."""
        written = asdict(self)
        for field in fields(self):
            assert field.default is not MISSING
            if field.name not in ALWAYS_WRITTEN and getattr(self, field.name) == field.default:
                del written[field.name]
        return written
