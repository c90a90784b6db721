"""The training of AnalogNets in two stages: Zhou et al., arXiv:2111.06503; IEEE Micro 42 (2022).

First in full precision, with weights clipped to two standard deviations of their layer. Then with
Gaussian noise of `eta W_max` on the weights, drawn anew in every step, and with DAC and ADC whose
ranges obey the chip: one gain S for all ADCs (see `simulator.adc_gain`). The noise is a heuristic,
larger than the hardware's, and knows nothing of the cells. What the paper says of both stages
beyond its abstract is recalled, not verified.
"""

from typing import Literal

from analognas.simulator.training.noise import AdditiveNoise
from analognas.simulator.training.recipe import HwaRecipe

CLIP_SIGMA = 2.0

FIRST_STAGE = HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=CLIP_SIGMA, converters=False)


def second_stage(
    eta: float,
    *,
    converters: bool = True,
    adc_gain: Literal["fixed", "learned"] = "learned",
) -> HwaRecipe:
    """The recipe of the second stage.

    Args:
        eta: Width of the weight noise, relative to the largest weight of the layer.
        converters: Without, the ablation that feels the noise only.
        adc_gain: Whether S is learned.
    """
    return HwaRecipe(
        weight_noise=1.0,
        noise=AdditiveNoise(sigma=eta, relative_to="layer"),
        ramp_fraction=0.0,
        clip_sigma=CLIP_SIGMA,
        output_noise=0.0,
        converters=converters,
        adc_gain=adc_gain if converters else "fixed",
    )
