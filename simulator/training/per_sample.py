"""The product of a layer whose weights differ from sample to sample."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
TransposedConvolution = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONVOLVE_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def product_per_sample(
    x: Tensor, weights: Tensor, layer: nn.Linear | Convolution | TransposedConvolution
) -> Tensor:
    """Multiply every sample by weights of its own, without the bias.

    A batched matrix product for a linear layer; for a convolution, one with a group per sample.

    Args:
        x: `(B, ..., I)` for a linear layer, `(B, I, ...)` for a convolution.
        weights: `(B, ...)`, each in the shape of the layer's weight.
        layer: Gives stride, padding, dilation and groups.

    Raises:
        ValueError: The batch of `x` is not that of `weights`.
    """
    samples = weights.shape[0]
    if x.dim() != weights.dim() - 1 and (x.dim() < 2 or not isinstance(layer, nn.Linear)):
        raise ValueError(f"`x` must be a batch, but got shape {tuple(x.shape)}. Add a dimension.")
    if x.shape[0] != samples:
        raise ValueError(
            f"`x` must hold one sample per set of weights, but got {x.shape[0]} samples for "
            f"{samples} sets. Draw the weights for the batch at hand."
        )
    if isinstance(layer, nn.Linear):
        rows = x.reshape(samples, -1, x.shape[-1])
        return torch.bmm(rows, weights.transpose(1, 2)).view(*x.shape[:-1], weights.shape[1])
    dimensions = weights.dim() - 3
    options: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": samples * layer.groups,
    }
    convolve: Callable[..., Tensor]
    if isinstance(layer, TransposedConvolution):
        convolve = CONVOLVE_TRANSPOSED[dimensions]
        options["output_padding"] = layer.output_padding
    else:
        convolve = CONVOLVE[dimensions]
        if layer.padding_mode != "zeros":
            x = F.pad(x, layer._reversed_padding_repeated_twice, mode=layer.padding_mode)
            options["padding"] = 0
    y = convolve(x.reshape(1, -1, *x.shape[2:]), weights.flatten(0, 1), **options)
    return y.view(samples, -1, *y.shape[2:])
