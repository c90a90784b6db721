"""What one layer feels while it is trained for analog hardware."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn

from analognas.simulator.kernels import add_table_noise
from analognas.simulator.streams import NoiseStream
from analognas.simulator.training.clip import (
    LearnedClip,
    clip_to_learned,
    clip_weight,
    column_deviation,
)
from analognas.simulator.training.noise import CellNoise, DorefaNoise
from analognas.simulator.training.recipe import HwaRecipe
from analognas.simulator.training.weight_noise import (
    acts_without_strength,
    drop_connect,
    noisy_weight,
    straight_through,
    transformed_weight,
)

SMALLEST_BOUND = 1e-6


class WeightLayout(Protocol):
    """How a kind of layer lays its weights out as a matrix `(C, R)`, a row per tile column."""

    def matrix(self, weight: Tensor) -> Tensor: ...

    def weight(self, matrix: Tensor) -> Tensor: ...


class LayerTraining(nn.Module):
    """The recipe at one layer: its stream of noise, its place on the ramp, its extra parameters.

    A module, so that its parameters belong to the model while the layer is trained. Weights come
    and go in the shape of the layer's own.

    Args:
        weight: The layer's weights, for shapes and starting values.
        recipe: What to feel.
        layout: Which weights make a column of the tile.
        stream: Noise of weights and outputs, on the weights' device.
        table: Width of `CellNoise`; see `noisy_weight`.
        log_adc_gain: Logarithm of the ADC's bound, `(1,)`, which all layers share; None if it is
            not learned.

    Attributes:
        ramp: Share of the noise's full strength at present, 0 to 1.
        output_scale: `(C,)` factors behind the ADC, or None.
        clip_bound: `(C,)` learned limits of the weights, or None.
    """

    table: Tensor | None
    output_scale: nn.Parameter | None
    clip_bound: nn.Parameter | None
    log_adc_gain: nn.Parameter | None

    def __init__(
        self,
        weight: Tensor,
        recipe: HwaRecipe,
        *,
        layout: WeightLayout,
        stream: NoiseStream,
        table: Tensor | None = None,
        log_adc_gain: nn.Parameter | None = None,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.layout = layout
        self.stream = stream
        self.ramp = 0.0
        self.set_progress(0.0)
        self.register_buffer("table", table, persistent=False)
        matrix = layout.matrix(weight.detach())
        scale = bound = None
        if recipe.learn_output_scales:
            scale = nn.Parameter(matrix.new_ones(matrix.shape[0]))
        if isinstance(recipe.weight_clip, LearnedClip):
            start = recipe.weight_clip.start_sigma * column_deviation(matrix)
            bound = nn.Parameter(start.clamp_min_(SMALLEST_BOUND))
        self.register_parameter("output_scale", scale)
        self.register_parameter("clip_bound", bound)
        self.register_parameter("log_adc_gain", log_adc_gain)
        self._drawn: Tensor | None = None

    @property
    def generator(self) -> torch.Generator:
        return self.stream.generator

    @property
    def output_noise(self) -> float:
        """Strength of the output noise at present."""
        return self.recipe.output_noise * self.ramp

    def set_progress(self, fraction: float) -> None:
        """Tell how much of the training is done, 0 to 1."""
        ramp = self.recipe.ramp_fraction
        self.ramp = min(1.0, fraction / ramp) if ramp > 0 else 1.0

    def noisy_weight(self, weight: Tensor, *, samples: int | None = None) -> Tensor:
        """Draw the weights of one pass; the very same tensor if nothing is on.

        Args:
            weight: The layer's weights.
            samples: Size of the batch if `recipe.per_sample`; the result is then `(B, ...)`.
        """
        if self._drawn is not None:
            return self._drawn
        recipe = self.recipe

        def draw(matrix: Tensor) -> Tensor:
            matrix = self._clipped(matrix)
            per_column = isinstance(recipe.noise, CellNoise) and recipe.noise.relative_to != "layer"
            if per_column and samples is None and self.table is not None:
                strength = recipe.weight_noise * self.ramp
                noisy = add_table_noise(matrix.detach(), self.table, strength, stream=self.stream)
                matrix = straight_through(matrix, noisy)
            elif recipe.weight_noise > 0 or acts_without_strength(recipe.noise):
                matrix = noisy_weight(
                    matrix,
                    recipe.noise,
                    strength=recipe.weight_noise * self.ramp,
                    generator=self.generator,
                    table=self.table,
                    samples=samples,
                )
            elif samples is not None:
                matrix = matrix.expand(samples, *matrix.shape)
            if recipe.drop_connect > 0:
                matrix = drop_connect(matrix, recipe.drop_connect, generator=self.generator)
            return matrix

        return self._change(weight, draw)

    @contextmanager
    def drawn_once(self, weight: Tensor, *, samples: int | None = None) -> Iterator[None]:
        """Inside, every pass has the weights of one draw: a sequence meets the same cells."""
        self._drawn = self.noisy_weight(weight, samples=samples)
        try:
            yield
        finally:
            self._drawn = None

    def clean_weight(self, weight: Tensor) -> Tensor:
        """What the noise of a pass is added to; the same tensor if that is the weights as they are.

        Weights within their learned limits, by the transformation of a law that has one: what the
        cells of a chip hold.
        """
        return self._change(weight, self._clean)

    def final_weight(self, weight: Tensor) -> Tensor:
        """What the weights become when the training ends; the same tensor if nothing is left.

        Learned limits, the weights' own transformation and the output scales belong to the network
        that was trained. A layer in evaluation mode computes with these weights.
        """

        def finish(matrix: Tensor) -> Tensor:
            matrix = self._clean(matrix)
            return matrix if self.output_scale is None else matrix * self.output_scale[:, None]

        return self._change(weight, finish)

    @torch.no_grad()
    def limited_weight(self, weight: Tensor) -> Tensor:
        """What the recipe leaves of the weights after a step; learned limits are kept positive."""
        clip = self.recipe.weight_clip
        if self.clip_bound is not None:
            self.clip_bound.clamp_min_(SMALLEST_BOUND)
        if clip is None or isinstance(clip, LearnedClip):
            return weight
        return self._change(weight, lambda matrix: clip_weight(matrix, clip))

    def _clean(self, matrix: Tensor) -> Tensor:
        matrix = self._clipped(matrix)
        if isinstance(self.recipe.noise, DorefaNoise):
            matrix = transformed_weight(matrix, self.recipe.noise)
        return matrix

    def _clipped(self, matrix: Tensor) -> Tensor:
        return matrix if self.clip_bound is None else clip_to_learned(matrix, self.clip_bound)

    def _change(self, weight: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply `change` to the weights as a matrix `(C, R)`, or to a batch of them."""
        matrix = self.layout.matrix(weight)
        changed = change(matrix)
        if changed is matrix:
            return weight
        if changed.dim() > matrix.dim():
            batch: Tensor = torch.vmap(self.layout.weight)(changed)
            return batch
        return self.layout.weight(changed)
