"""What the AnalogNets benchmark compares: hardware, networks, trainings, ways to choose ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from analognas.search_spaces import Architecture, ConvSpace
from analognas.simulator import Hardware, HwaRecipe, RangeRule
from analognas.simulator.presets import AON_CIM_4BIT, AON_CIM_6BIT, AON_CIM_8BIT
from analognas.simulator.training.analognets import second_stage
from analognas.training import TrainingRecipe

BITS: Final = (8, 6, 4)
# Drift is read in the same way at all bits, one row at a time.
HARDWARE_OF_BITS: Mapping[int, Hardware] = {
    8: AON_CIM_8BIT,
    6: AON_CIM_6BIT,
    4: replace(AON_CIM_4BIT, compensation="gdc"),
}
TIMES_S: Mapping[str, float] = {
    "25 s": 25.0,
    "1 hour": 3_600.0,
    "1 day": 86_400.0,
    "1 month": 2_592_000.0,
}

# Chosen on the validation part, seed 0.
ETA = 0.05
LEARNING_RATE = 2e-3  # of the second stage; the first has that of `TrainingRecipe`

NONE, NOISE = "none", "noise only"
FIXED, LEARNED = "noise + ADC, S fixed", "noise + ADC, S learned"
METHODS: Mapping[str, HwaRecipe] = {
    NONE: second_stage(0.0, converters=False),
    NOISE: second_stage(ETA, converters=False),
    FIXED: second_stage(ETA, adc_gain="fixed"),
    LEARNED: second_stage(ETA, adc_gain="learned"),
}

ONE_GAIN, OWN_RANGES = "one S", "a range per layer"

# Conversions that measure the drift: the chip's slow ones of 8 bits, or those of the network.
FINE, OWN = "8 bit", "own bits"
FINE_BITS = 8

# What may become of a training that felt no converters: the best of these on the validation part.
RANGE_RULES: tuple[RangeRule, ...] = (
    RangeRule(quantile=0.9995),
    RangeRule(kind="moving_std", n_sigma=3.0),
)
OUTPUT_QUANTILES = (0.9999, 0.998)  # of a layer's outputs, for a range per layer
GAINS = tuple(2.0 ** (half / 2) for half in range(3, 11))
TRAINING_RULE = RANGE_RULES[-1]  # ranges that a training with converters begins with

MAIN, DEPTHWISE, REGULAR = "analognet-like", "ds-cnn", "regular"


def recipe_of(method: str, epochs: int) -> TrainingRecipe:
    """Schedule of the second stage."""
    return TrainingRecipe(epochs=epochs, learning_rate=LEARNING_RATE, hwa=METHODS[method])


def describe(rule: RangeRule) -> str:
    """A range rule in few words."""
    if rule.kind == "moving_std":
        return f"{rule.n_sigma:g} sd"
    return f"{100 * rule.quantile:g} %"


def networks(space: ConvSpace) -> dict[str, Architecture]:
    """The named networks, and one of regular convolutions as large as the depthwise one.

    `regular` has the same first kernel and the same maps as `ds-cnn`, one stage less, and widths
    for which the number of parameters is nearest to that of `ds-cnn`.
    """
    named = space.named
    return {
        MAIN: named[MAIN],
        DEPTHWISE: named[DEPTHWISE],
        REGULAR: _regular(space, space.parameters(named[DEPTHWISE])),
    }


def _regular(space: ConvSpace, parameters: int) -> Architecture:
    """The network of four regular stages, none narrower than the one before, nearest in size."""
    codes = dict(space.codes(space.named[DEPTHWISE])) | {"stages": 4}
    for stage in (2, 3, 4):
        codes |= {f"kind_{stage}": "regular", f"stride_{stage}": 1, f"skip_{stage}": 0}
    widths = [width for width in space.options.widths if width <= 64]
    best: Architecture | None = None
    for first in widths:
        for second in (width for width in widths if width >= first):
            for last in (width for width in widths if width >= second):
                choice = dict(zip(range(1, 5), (first, second, last, last), strict=True))
                codes |= {f"width_{stage}": width for stage, width in choice.items()}
                arch = space.decode(codes)
                if arch is None:
                    continue
                gap = abs(space.parameters(arch) - parameters)
                if best is None or gap < abs(space.parameters(best) - parameters):
                    best = arch
    if best is None:
        raise ValueError("The input must allow four regular stages, but it is too small for them.")
    return best
