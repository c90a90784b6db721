"""Hardware-aware (HWA) training, usable in anyone's loop."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from analognas.simulator.adc_gain import adc_gain, set_adc_gain
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers
from analognas.simulator.streams import NoiseStream, draw_root
from analognas.simulator.training import CellNoise, HwaRecipe, LayerTraining, LearnedClip
from analognas.simulator.weight_spread import weight_spread

logger = logging.getLogger(__name__)


class TrainingSession:
    """A running hardware-aware training; made by `noisy_training`."""

    def __init__(self, analog: AnalogModel, layers: Mapping[AnalogLayer, LayerTraining]) -> None:
        self._analog = analog
        self._layers = layers
        self._start = [parameter.detach().clone() for parameter in self.parameters()]
        for layer, parts in layers.items():
            layer.start_training(parts)

    def parameters(self) -> list[nn.Parameter]:
        """What is trained beside the network: output scales, weight limits, the ADCs' gain.

        They belong to `analog.parameters()` while the training lasts. An optimizer that was made
        before takes them with `add_param_group`.
        """
        found = [parameter for parts in self._layers.values() for parameter in parts.parameters()]
        return list(dict.fromkeys(found))  # the gain belongs to every layer

    @property
    def adc_gain(self) -> float | None:
        """The learned `output_bound` at present; None if it is not learned."""
        gains = [parts.log_adc_gain for parts in self._layers.values()]
        return None if gains[0] is None else math.exp(float(gains[0].detach()))

    def step(self, *, progress: float) -> None:
        """Clip the weights and move the noise ramp; call after every step of the optimizer.

        Args:
            progress: How much of the training is done, 0 to 1.
        """
        if not 0 <= progress <= 1:
            raise ValueError(
                f"`0 <= progress <= 1` must hold, but got progress={progress}. Give the share of "
                "all steps that are done."
            )
        for layer, parts in self._layers.items():
            _rewrite(layer, parts.limited_weight)
            parts.set_progress(progress)

    def _end(self) -> None:
        learned = self.parameters()
        if learned and all(map(torch.equal, learned, self._start)):
            logger.warning(
                "Learned output scales, weight limits or gain did not change. Make the optimizer "
                "inside `noisy_training`, or add `session.parameters()` to it."
            )
        for layer, parts in self._layers.items():
            _rewrite(layer, parts.final_weight)
            layer.stop_training()
            if not parts.recipe.converters and layer.has_range:
                layer.input_range.detach().fill_(math.nan)
        if self.adc_gain is not None:
            set_adc_gain(self._analog, self.adc_gain)


@contextmanager
def noisy_training(
    analog: AnalogModel, recipe: HwaRecipe, *, generator: torch.Generator | None = None
) -> Iterator[TrainingSession]:
    """Let `analog` feel `recipe` in training mode, inside a `with` block.

    ```python
    with noisy_training(analog, recipe, generator=generator) as session:
        optimizer = torch.optim.SGD(analog.parameters(), lr=0.1)
        for step in range(steps):
            optimizer.zero_grad()
            loss = criterion(analog(x), y)
            loss.backward()
            optimizer.step()
            session.step(progress=(step + 1) / steps)
    ```

    The block puts the model into training mode; in evaluation mode, the layers compute without
    noise. When it ends, also by an exception, the layers are plain again, and what was learned
    beside the weights is folded into them: weights beyond a learned limit are clipped, the
    transformation of `DorefaNoise` is applied, and an output scale multiplies its column. Apart
    from that, the weights are those of the last step, bit for bit. The trained input ranges stay,
    and a learned gain of the ADCs becomes the hardware's; after a training without converters, the
    input ranges are NaN until they are calibrated.

    Args:
        analog: From `to_analog`, not programmed. Training usually starts from trained weights.
        recipe: What to feel.
        generator: Advanced once; every layer's noise derives from that draw. By default torch's
            own, which `torch.manual_seed` sets.

    Raises:
        TypeError: `analog` is not an analog model.
        ValueError: It is programmed, is being trained already, or a gain is to be learned and there
            is not one to start from.
    """
    _check(analog, recipe)
    generator = torch.default_generator if generator is None else generator
    root = draw_root(generator)
    gain = None
    if recipe.adc_gain == "learned":
        weight = next(layer.weight for _, layer in analog_layers(analog))
        gain = nn.Parameter(weight.new_tensor([math.log(adc_gain(analog))]))
    session = TrainingSession(
        analog,
        {
            layer: _at_layer(layer, name, recipe, root, gain)
            for name, layer in analog_layers(analog)
        },
    )
    mode = analog.training
    analog.train()
    try:
        yield session
    finally:
        session._end()
        analog.train(mode)


@torch.no_grad()
def _rewrite(layer: AnalogLayer, change: Callable[[Tensor], Tensor]) -> None:
    """Replace the layer's weights by `change` of them; nothing if it returns the same."""
    changed = change(layer.weight)
    if changed is not layer.weight:
        layer.weight.copy_(changed)


def _at_layer(
    layer: AnalogLayer, name: str, recipe: HwaRecipe, root: int, gain: nn.Parameter | None
) -> LayerTraining:
    weight = layer.weight
    table = None
    if isinstance(recipe.noise, CellNoise) and recipe.weight_noise > 0:
        spread = weight_spread(
            layer.hardware.device, layer.hardware.mapping, t_s=recipe.noise_time_s
        )
        table = spread.to(device=weight.device, dtype=weight.dtype)
        if recipe.noise.relative_to is None:
            noise = replace(recipe.noise, relative_to=layer.hardware.mapping.scaling)
            recipe = replace(recipe, noise=noise)
    stream = NoiseStream(root, name, "training", device=weight.device)
    return LayerTraining(
        weight, recipe, layout=layer.product, stream=stream, table=table, log_adc_gain=gain
    )


def _check(analog: AnalogModel, recipe: HwaRecipe) -> None:
    if not isinstance(analog, AnalogModel):
        raise TypeError(
            "`analog` must be an analog model, but got "
            f"{type(analog).__name__}. Call `to_analog(model, hardware)` first."
        )
    if analog.chips:
        raise ValueError(
            f"A model must not be programmed while it is trained, but it is on {len(analog.chips)} "
            "chips. Make a new one with `to_analog(to_digital(analog), hardware)`."
        )
    if any(isinstance(module, LayerTraining) for module in analog.modules()):
        raise ValueError(
            "A model must not be trained in two sessions at once, but one is running. Leave its "
            "`with` block first."
        )
    learned = recipe.learn_output_scales or isinstance(recipe.weight_clip, LearnedClip)
    layers = [layer for _, layer in analog_layers(analog)]
    if learned and len({id(layer.weight) for layer in layers}) < len(layers):
        raise ValueError(
            "Layers must not share a weight where output scales or weight limits are learned, but "
            "two do. Turn `learn_output_scales` off and clip by another rule."
        )
