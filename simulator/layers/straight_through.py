"""Converters of the training pass: real rounding and noise forward, identity backward.

The gradient of HWA training is that of the noisy weights in an otherwise ideal layer (Rasch et al.,
Nat. Commun. 14, 5282 (2023)); only the input range learns from the clipping.
"""

from typing import Any

import torch
from torch import Tensor

from analognas.simulator.kernels import Columns, quantize, read_out
from analognas.simulator.layers.products import Product
from analognas.simulator.streams import NoiseStream
from analognas.simulator.training import input_range_gradient


class _ConvertInputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, input_range: Tensor, half_steps: float) -> Tensor:
        ctx.save_for_backward(x, input_range)
        return quantize(x, full_scale=input_range, half_steps=half_steps, keep_units=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        (gradient,) = gradients
        x, input_range = ctx.saved_tensors
        for_range = None
        if ctx.needs_input_grad[1]:
            for_range = input_range_gradient(x, gradient, input_range)
        return gradient, for_range, None


class _ReadOutNoisy(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,
        y: Tensor,
        bias: Tensor | None,
        columns: Columns,
        product: Product,
        half_steps: float | None,
        stream: NoiseStream,
    ) -> Tensor:
        ctx.bias_dims = None
        if bias is not None:
            column_dim = product.column_dim % y.dim()
            ctx.bias_dims = [dim for dim in range(y.dim()) if dim != column_dim]
        if y._is_view():  # autograd would copy it anyway
            y = y.clone(memory_format=torch.preserve_format)
        else:
            ctx.mark_dirty(y)
        read_out(product.columns_last(y), columns, stream=stream, half_steps=half_steps)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        for_bias = None if ctx.bias_dims is None else gradient.sum(dim=ctx.bias_dims)
        return gradient, for_bias, None, None, None, None


def convert_inputs(x: Tensor, input_range: Tensor, half_steps: float) -> Tensor:
    """Quantise and clip `x` to `+-input_range`; the result is in the units of `x`."""
    result: Tensor = _ConvertInputs.apply(  # type: ignore[no-untyped-call]
        x, input_range, half_steps
    )
    return result


def read_out_noisy(
    y: Tensor,
    bias: Tensor | None,
    columns: Columns,
    product: Product,
    half_steps: float | None,
    stream: NoiseStream,
) -> Tensor:
    """Add noise to a layer's product and convert it, in place, then add the bias."""
    result: Tensor = _ReadOutNoisy.apply(  # type: ignore[no-untyped-call]
        y, bias, columns, product, half_steps, stream
    )
    return result
