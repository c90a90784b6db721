"""Parts of hardware-aware (HWA) training: recipe, weight noise, learned input ranges."""

from analognas.simulator.training.input_range import clip_to_range
from analognas.simulator.training.recipe import HwaRecipe
from analognas.simulator.training.weight_noise import add_weight_noise, noise_table

__all__ = ["HwaRecipe", "add_weight_noise", "clip_to_range", "noise_table"]
