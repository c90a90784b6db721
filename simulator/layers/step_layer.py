"""An analog layer that is used at every time step of a batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from analognas.simulator.layers.analog_layer import (
    RANGE_IN_STANDARD_DEVIATIONS,
    SMALLEST_RANGE,
    AnalogLayer,
)


class StepLayer(AnalogLayer):
    """The matrix that a recurrent layer multiplies its state by.

    All time steps of a batch meet the same cells: in training, the weight noise is drawn once per
    batch, and the input range follows the inputs of all steps together.
    """

    _moments: Tensor | None = None  # count, sum and sum of squares of this batch's inputs so far
    _range_before: Tensor

    @property
    def range_is_learned(self) -> bool:
        """Whether the input range follows its gradient, and no longer the inputs."""
        parts = self.training_parts
        return self.has_range and (
            parts is not None and self._batches_seen >= parts.recipe.range_batches
        )

    @contextmanager
    def one_batch(self, samples: int | None) -> Iterator[None]:
        """Inside, every call is a step of the same batch.

        Args:
            samples: Size of the batch; None if it changes from step to step.

        Raises:
            ValueError: The batch changes, and the recipe wants noise per sample.
        """
        parts = self.training_parts
        if parts is None or not self.training:
            yield
            return
        per_sample = parts.recipe.per_sample
        if per_sample and samples is None:
            raise ValueError(
                "`per_sample` must be off for packed sequences, but the recipe of layer "
                f"{self.name!r} has it on. Pad the sequences, or draw the noise per batch."
            )
        self._moments = torch.zeros(3, dtype=torch.float64, device=self.weight.device)
        self._range_before = self.input_range.detach().clone()
        try:
            with parts.drawn_once(self.weight, samples=samples if per_sample else None):
                yield
        finally:
            self._moments = None
            self._batches_seen += 1

    @torch.no_grad()
    def _follow_inputs(self, x: Tensor, batches: int) -> None:
        seen = self._batches_seen
        if self._moments is None or seen >= batches:
            super()._follow_inputs(x, batches)
            return
        values = x.double()
        self._moments += torch.stack(
            [values.new_tensor(x.numel()), values.sum(), values.square().sum()]
        )
        count, total, squares = self._moments
        variance = (squares - total.square() / count) / (count - 1).clamp_min(1)
        spread = RANGE_IN_STANDARD_DEVIATIONS * variance.clamp_min(0).sqrt()
        magnitude = (total / count).abs()  # of what does not vary
        range_now = torch.where(spread > 0, spread, magnitude).to(x.dtype)
        range_now = range_now.clamp_min(SMALLEST_RANGE)
        before = self._range_before
        self.input_range.copy_(range_now if seen == 0 else (before * seen + range_now) / (seen + 1))
