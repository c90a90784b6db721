"""The kernels' meaning in plain torch: any device, any precision, and the oracle of the tests."""

import torch
from torch import Tensor

from analognas.simulator.kernels.columns import Columns, IrDropTerms
from analognas.simulator.streams import gaussian_like

SMALLEST_SCALE = 1e-12  # of a column of zeros


def quantize(
    x: Tensor, *, full_scale: Tensor | float, half_steps: float, unit: Tensor | float
) -> Tensor:
    codes = (x * (half_steps / full_scale)).round_().clamp_(-half_steps, half_steps)
    return codes.mul_(unit / half_steps)


def range_gradient(x: Tensor, gradient: Tensor, bound: Tensor) -> tuple[Tensor, Tensor]:
    above, below = x >= bound, x <= -bound
    total = (gradient.clamp_max(0.0) * above).sum() - (gradient.clamp_min(0.0) * below).sum()
    return total, (above | below).sum()


def training_columns(
    matrix: Tensor, *, input_range: Tensor, noise: float, per_unit: float, offset: Tensor | None
) -> Columns:
    largest = matrix.detach().abs().amax(dim=1).clamp_min_(SMALLEST_SCALE)
    scale = largest * input_range.detach()
    zero = torch.zeros_like(scale)
    return Columns.of(
        gain=per_unit / scale,
        noise=zero + noise * per_unit,
        squared_gain=zero,
        scale=scale / per_unit,
        offset=zero if offset is None else offset.detach(),
    )


def add_table_noise(
    weight: Tensor, widths: Tensor, strength: float, *, generator: torch.Generator
) -> Tensor:
    magnitude = weight.abs()
    largest = magnitude.amax(dim=1, keepdim=True)
    last = widths.numel() - 1
    place = torch.nan_to_num(magnitude / largest).mul_(last).add_(0.5).long().clamp_(0, last)
    sigma = widths.index_select(0, place.flatten()).view_as(weight) * largest
    return torch.addcmul(weight, sigma, gaussian_like(weight, generator=generator), value=strength)


def read_out(  # noqa: PLR0913
    y: Tensor,
    columns: Columns,
    *,
    squared: Tensor | None,
    ir_drop: IrDropTerms | None,
    half_steps: float | None,
    into: Tensor | None,
    generator: torch.Generator,
) -> Tensor:
    if ir_drop is not None:
        a = ir_drop.current * ir_drop.current_to_fraction
        fraction = a * (a * (0.05 * a - 0.2) + 0.5)
        y.sub_(fraction.mul_(ir_drop.profiled), alpha=ir_drop.strength)
    y.mul_(columns.gain)
    if squared is not None:
        variance = squared.clamp_min_(0.0).mul_(columns.squared_gain).add_(columns.noise.square())
        y.addcmul_(variance.sqrt_(), gaussian_like(y, generator=generator))
    elif columns.is_noisy:
        y.addcmul_(gaussian_like(y, generator=generator), columns.noise.expand_as(y))
    if half_steps is not None:
        y.round_().clamp_(-half_steps, half_steps)
    y.mul_(columns.scale).add_(columns.offset)
    return y if into is None else into.add_(y)
