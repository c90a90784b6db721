"""Converters of the training pass: real rounding and noise forward, identity backward.

The gradient of HWA training is that of the noisy weights in an otherwise ideal layer (Rasch et al.,
Nat. Commun. 14, 5282 (2023)); only the input range, and a gain of the ADCs that is learned, have
gradients of their own.
"""

from typing import Any

import torch
from torch import Tensor

from analognas.simulator.kernels import Columns, quantize, read_out
from analognas.simulator.layers.products import Product
from analognas.simulator.streams import NoiseStream, gaussian_like
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


class _ReadOutLearned(torch.autograd.Function):
    @staticmethod
    def forward(  # noqa: PLR0913
        ctx: Any,
        y: Tensor,
        log_gain: Tensor,
        columns: Columns,
        product: Product,
        half_steps: float,
        stream: NoiseStream,
    ) -> Tensor:
        analog = y.clone(memory_format=torch.preserve_format)
        currents = product.columns_last(analog)
        if bool((columns.noise > 0).any()):
            width = columns.noise * columns.scale
            currents.addcmul_(gaussian_like(currents, generator=stream.generator), width)
        converted = analog.clone(memory_format=torch.preserve_format)
        rest = columns.changed(noise=torch.zeros_like(columns.noise))
        read_out(product.columns_last(converted), rest, stream=stream, half_steps=half_steps)
        # d converted / d log S: the whole output where it is clipped, else the rounding's error.
        inside = (currents * columns.gain).abs() < half_steps
        currents.mul_(inside)
        ctx.save_for_backward(converted - analog)
        return converted

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (slope,) = ctx.saved_tensors
        return gradient, (gradient * slope).sum().view(1), None, None, None, None


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


def read_out_learned(
    y: Tensor,
    log_gain: Tensor,
    columns: Columns,
    product: Product,
    half_steps: float,
    stream: NoiseStream,
) -> Tensor:
    """Like `read_out_noisy`, differentiable in the logarithm of the ADC's bound, without a bias.

    The derivative is that of a learned step size (Esser et al., ICLR 2020), here of one for all
    layers: an output that is clipped is proportional to the bound; of the others, only the error of
    the rounding grows with it.

    Args:
        y: The layer's product.
        log_gain: `(1,)`; `columns` were made with its exponential.
        columns: Numbers per column.
        product: Of the layer.
        half_steps: The largest ADC code.
        stream: Noise.
    """
    result: Tensor = _ReadOutLearned.apply(  # type: ignore[no-untyped-call]
        y, log_gain, columns, product, half_steps, stream
    )
    return result
