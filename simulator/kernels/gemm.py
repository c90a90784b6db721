"""The product of a linear layer, by oneDNN where torch offers it.

In float32 on the CPU torch multiplies matrices with the BLAS library it was built with, which on
some processors takes more than twice the time of oneDNN.
"""

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from analognas.simulator.kernels.dispatch import is_fused

SMALL = 4096  # weights; below, the call costs more than the product


def linear(x: Tensor, weight: Tensor) -> Tensor:
    """`x weight^T`, differentiable; `x` `(..., R)`, `weight` `(C, R)`."""
    if not is_fused(x) or x.numel() == 0 or weight.numel() < SMALL or not _has_onednn():
        return F.linear(x, weight)
    flat = x.reshape(-1, x.shape[-1])
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        y: Tensor = _Linear.apply(flat, weight)  # type: ignore[no-untyped-call]
    else:
        y = _multiply(flat.detach(), weight.detach())
    return y.view(*x.shape[:-1], weight.shape[0])


@functools.cache
def _has_onednn() -> bool:
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _multiply(x: Tensor, weight: Tensor) -> Tensor:
    y: Tensor = torch.ops.mkldnn._linear_pointwise(_dense(x), _dense(weight), None, "none", [], "")
    return y


def _dense(matrix: Tensor) -> Tensor:
    """The matrix without gaps between its rows, for which oneDNN has only slow code."""
    dense = matrix.is_contiguous() or matrix.t().is_contiguous()
    return matrix if dense else matrix.contiguous()


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _multiply(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        for_x = _multiply(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        for_weight = _multiply(gradient.t(), x.t()) if ctx.needs_input_grad[1] else None
        return for_x, for_weight
