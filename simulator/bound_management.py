"""Repeat a product with a smaller drive where the converter of a column clips, vector by vector.

Source: Gokmen et al., Front. Neurosci. 11, 538 (2017), bound management, with the stop rules of
Rasch et al., "A flexible and fast PyTorch toolkit for simulating training and inference on analog
crossbar arrays" (2021).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from analognas.simulator.quantizer import converter_steps

MAX_REDUCTION = 1000  # no further halving once the drive is reduced by more than this ...
MAX_REDUCTION_LSB = 0.25  # ... or by more than this over the LSB of the rows' converter
AT_BOUND = 1 - 1e-6  # a clipped output misses the bound by rounding errors at most


@dataclass(frozen=True)
class BoundedProduct:
    """Outputs that did not clip, or no longer could be helped."""

    y: Tensor  # (M, C), the reduction of the drive undone
    reduction: Tensor  # (M,), 1, 2, 4 ...; a vector took 1 + log2(reduction) passes


def largest_reduction(dac_bits: int | None) -> int:
    """Largest reduction that is tried: 16 at 7 bits, 32 at 8, 1024 without a converter."""
    limit = float(MAX_REDUCTION)
    if dac_bits is not None:
        limit = min(limit, MAX_REDUCTION_LSB * converter_steps(dac_bits) / 2)
    reduction = 1
    while reduction <= limit:
        reduction *= 2
    return reduction


def multiply_within_bound(
    multiply: Callable[[Tensor], tuple[Tensor, Tensor]],
    drive: Tensor,
    *,
    output_bound: float,
    dac_bits: int | None,
) -> BoundedProduct:
    """Multiply; where a converter reaches its bound, halve the vector's drive and repeat.

    Only the vectors that clip are repeated, so that no vector depends on the others of its batch.

    Args:
        multiply: Analog product with its converters: `(N, R)` drives to `(N, C)` outputs, and the
            largest magnitude that any conversion of a vector gave, `(N,)`, clipped to the bound; of
            several passes, that is not seen in their sum. Called with all vectors first, then with
            ever fewer.
        drive: `(M, R)` normalised activations before the converter of the rows.
        output_bound: Of the columns' converters.
        dac_bits: Of the rows' converters: a drive far below their step carries nothing.
    """
    y, peaks = multiply(drive)
    reduction = torch.ones(len(drive), dtype=y.dtype, device=y.device)
    at_bound = output_bound * AT_BOUND
    clipped = (peaks >= at_bound).nonzero().squeeze(-1)
    factor = 1
    while len(clipped) > 0 and factor < largest_reduction(dac_bits):
        factor *= 2
        again, peaks = multiply(drive[clipped] / factor)
        y = y.index_copy(0, clipped, again * factor)
        reduction[clipped] = factor
        clipped = clipped[peaks >= at_bound]
    return BoundedProduct(y, reduction)
