"""Hardware-aware (HWA) training: the calls that a training loop needs around its own."""

import torch

from analognas.simulator.layers.analog_layer import AnalogModel, analog_layers
from analognas.simulator.streams import draw_root, spawn_generator
from analognas.simulator.training import HwaRecipe, noise_table


def start_hwa_training(
    analog: AnalogModel, recipe: HwaRecipe, *, generator: torch.Generator
) -> None:
    """Make the training mode of `analog` noisy.

    Call `analog.set_progress(fraction)` as the training advances: it drives the ramp.
    """
    root = draw_root(generator)
    device = next(analog.parameters()).device
    table = noise_table(analog.hardware.device, t_s=recipe.noise_time_s).to(device)
    for name, layer in analog_layers(analog):
        stream = spawn_generator(root, name, "training", device=device)
        layer.start_training(recipe, table, generator=stream)


@torch.no_grad()
def clip_weights_(analog: AnalogModel, recipe: HwaRecipe) -> None:
    """Clip weights to `clip_sigma` standard deviations of their layer; call after each step."""
    if recipe.clip_sigma is None:
        return
    for _, layer in analog_layers(analog):
        weight = layer.digital.weight
        if weight.numel() > 1:
            bound = recipe.clip_sigma * weight.std()
            weight.clamp_(-bound, bound)
