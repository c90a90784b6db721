"""HWA training of an LSTM over a whole sequence in one step of autograd.

The products with the state come one after the other, each through DAC, noisy weights and ADC, but
all of them meet the same cells. So their columns are made once, no graph is built over the steps,
and the gradients of weights, bias and input range are taken of all steps together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analognas.simulator.kernels import Columns, linear, quantize, read_out
from analognas.simulator.layers.noisy_forward import bias_at_adc, parts_on_tiles, tile_columns
from analognas.simulator.layers.step_layer import StepLayer
from analognas.simulator.mapping import TileBlock
from analognas.simulator.mvm import half_steps
from analognas.simulator.streams import NoiseStream
from analognas.simulator.training import input_range_gradient


@dataclass(frozen=True)
class StateReadings:
    """How the state is multiplied with the matrix at every step of a batch."""

    tiles: Sequence[tuple[TileBlock, Tensor, Columns]]  # with their noisy weights
    dac: float  # largest codes
    adc: float | None  # None: no converter
    stream: NoiseStream

    def add(self, drive: Tensor, gates: Tensor, out: Tensor) -> None:
        """Set `out` to `gates` `(B, 4H)` plus the product as the ADCs read it."""
        for block, weight, columns in self.tiles:
            y = linear(drive[:, block.row_start : block.row_stop], weight)
            read_out(y, columns, stream=self.stream, half_steps=self.adc)
            here = slice(block.column_start, block.column_stop)
            before = gates if block.row_start == 0 else out
            torch.add(before[:, here], y, out=out[:, here])


def takes_sequences(matrix: StepLayer) -> bool:
    """Whether a recurrent matrix can be trained with `lstm_sequence` at present.

    Not while its input range still follows the inputs of every step, nor with parts that are
    learned behind the ADC, nor where somebody listens to every step.
    """
    parts = matrix.training_parts
    return (
        parts is not None
        and matrix.training
        and not (matrix.chips and matrix.active is not None)
        and parts.recipe.converters
        and not parts.recipe.per_sample
        and bias_at_adc(parts)
        and matrix.range_is_learned
        and not matrix._forward_hooks
        and not matrix._forward_pre_hooks
    )


def lstm_sequence(
    matrix: StepLayer, gates: Tensor, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """All steps of an LSTM, inside `matrix.one_batch`.

    Args:
        matrix: Multiplies the state, `(4H, H)`; `takes_sequences` holds.
        gates: `(T, B, 4H)`, contiguous: products with the inputs and bias, in torch's order.
        h: `(B, H)` output before the first step.
        c: `(B, H)` cells before it.

    Returns:
        All outputs `(T, B, H)`, the last one, and the last cells.
    """
    parts = matrix.training_parts
    assert parts is not None
    matrix.keep_range_positive()
    noisy = parts.noisy_weight(matrix.weight)
    clean = parts.clean_weight(matrix.weight).detach()
    full_scale = matrix.input_range.clone()
    converters = matrix.hardware.converters
    dac = half_steps(converters.dac_bits)
    assert dac is not None  # or there would be no range
    weights = parts_on_tiles(matrix, noisy.detach())
    tiles = tile_columns(matrix, clean, full_scale, parts)
    readings = StateReadings(
        tiles=[
            (block, weight, columns)
            for weight, (block, columns, _) in zip(weights, tiles, strict=True)
        ],
        dac=dac,
        adc=half_steps(converters.adc_bits),
        stream=parts.stream,
    )
    outputs, h, c = _LstmSequence.apply(  # type: ignore[no-untyped-call]
        gates, h, c, noisy, matrix.bias, full_scale, readings
    )
    return outputs, h, c


class _LstmSequence(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,
        gates: Tensor,
        h: Tensor,
        c: Tensor,
        noisy: Tensor,
        bias: Tensor | None,
        full_scale: Tensor,
        readings: StateReadings,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, batch, width = len(gates), *h.shape
        outputs = h.new_empty(steps + 1, batch, width)
        cells = torch.empty_like(outputs)
        outputs[0], cells[0] = h, c
        drives = h.new_empty(steps, batch, width)
        shown = torch.empty_like(drives)  # sigmoid(2 c): by way of it torch has a faster tanh
        opened = torch.empty_like(gates)  # sigmoids of the gates, of twice the value
        for t, now in enumerate(opened):
            drives[t] = quantize(
                outputs[t], full_scale=full_scale, half_steps=readings.dac, keep_units=True
            )
            readings.add(drives[t], gates[t], now)
            now[:, 2 * width : 3 * width].mul_(2)
            take, keep, value, show = now.sigmoid_().chunk(4, dim=-1)
            new = torch.mul(keep, cells[t], out=cells[t + 1])
            new.addcmul_(take, value, value=2).sub_(take)  # the value is 2 sigmoid - 1
            torch.mul(new, 2, out=shown[t]).sigmoid_()
            torch.mul(show, shown[t], out=outputs[t + 1]).mul_(2).sub_(show)
        ctx.first_is_free = not ctx.needs_input_grad[1]
        ctx.has_bias = bias is not None
        ctx.save_for_backward(outputs, cells, drives, shown, opened, noisy, full_scale)
        return outputs[1:].clone(), outputs[-1].clone(), cells[-1].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        for_outputs, for_h, for_c = gradients
        outputs, cells, drives, shown, opened, noisy, full_scale = ctx.saved_tensors
        steps, batch, width = drives.shape
        per_gate = opened.view(steps, batch, 4, width)
        take, keep, value, show = per_gate.unbind(2)
        # What the gates' inputs do to the cell (first three) and to the output, all steps at once.
        slopes = per_gate * (1 - per_gate)
        value = 2 * value - 1
        slopes[:, :, 0] *= value
        slopes[:, :, 1] *= cells[:-1]
        slopes[:, :, 2] *= 4 * take
        tanh = 2 * shown - 1
        slopes[:, :, 3] *= tanh
        to_output = show * (1 - tanh.square())  # of the cell
        for_gates = torch.empty_like(opened)
        by_gate = for_gates.view(steps, batch, 4, width)
        for_states = torch.empty_like(drives)
        h, c = for_h, for_c.clone()
        transposed = noisy.t()
        for t in reversed(range(steps)):
            h = h + for_outputs[t]
            c.addcmul_(h, to_output[t])
            torch.mul(c[:, None], slopes[t, :, :3], out=by_gate[t, :, :3])
            torch.mul(h, slopes[t, :, 3], out=by_gate[t, :, 3])
            c.mul_(keep[t])
            h = for_states[t] = linear(for_gates[t], transposed)
        flat = for_gates.flatten(0, 1)
        for_noisy = linear(flat.t(), drives.flatten(0, 1).t())
        for_bias = flat.sum(dim=0) if ctx.has_bias else None
        first = int(ctx.first_is_free)  # a state that nobody learns moves no range either
        for_range = None
        if steps > first:
            for_range = input_range_gradient(
                outputs[first:-1], for_states[first:], full_scale, passes=steps - first
            )
        return for_gates, h, c, for_noisy, for_bias, for_range, None
