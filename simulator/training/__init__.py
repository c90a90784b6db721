"""Parts of hardware-aware (HWA) training: recipe, weight noise, clips, learned input ranges."""

from analognas.simulator.training.clip import (
    AnyClip,
    FixedClip,
    LearnedClip,
    MeanMaximumClip,
    SigmaClip,
)
from analognas.simulator.training.distillation import Distillation, distillation_loss
from analognas.simulator.training.input_range import input_range_gradient
from analognas.simulator.training.noise import (
    AdditiveNoise,
    AnyWeightNoise,
    CellNoise,
    DiscretizeNoise,
    DorefaNoise,
    MultiplicativeNoise,
    PcmNoise,
    PolynomialNoise,
)
from analognas.simulator.training.per_sample import product_per_sample
from analognas.simulator.training.recipe import HwaRecipe
from analognas.simulator.training.session import LayerTraining
from analognas.simulator.training.weight_noise import drop_connect, noisy_weight

__all__ = [
    "AdditiveNoise",
    "AnyClip",
    "AnyWeightNoise",
    "CellNoise",
    "DiscretizeNoise",
    "Distillation",
    "DorefaNoise",
    "FixedClip",
    "HwaRecipe",
    "LayerTraining",
    "LearnedClip",
    "MeanMaximumClip",
    "MultiplicativeNoise",
    "PcmNoise",
    "PolynomialNoise",
    "SigmaClip",
    "distillation_loss",
    "drop_connect",
    "input_range_gradient",
    "noisy_weight",
    "product_per_sample",
]
