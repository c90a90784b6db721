"""What happens to a column's current between the crossbar and its converter, per column.

In the order of the physics: voltage offset and series resistance at the column's foot, the S-shaped
compression of the amplifier, the unequal gain of its two polarities, then (with the noise between)
the converter's own gain and offset. Everything is in units of the normalised product (|w| <= 1,
|x| <= 1); the functions work in place and carry no gradients. Source: Rasch et al., Nat. Commun.
14, 5282 (2023), Methods; gain and offset spreads of the converters are the usual static errors of a
column-parallel converter.
"""

import math
from dataclasses import dataclass as plain_dataclass
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated

import torch
from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass
from torch import Tensor

if TYPE_CHECKING:
    from analognas.simulator.hardware import ConverterConfig


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class OutputStage:
    """Errors of the read-out of a column; all are off by default.

    Args:
        voltage_offset_spread: Spread of the columns' voltage offset, relative to the read voltage;
            a column's offset is `V = max(spread xi, 0)`.
        reference_weight: Weight of the reference cell in every row, whose column is subtracted; 0
            where the two cells of a pair share the column. Acts through offset and series
            resistance.
        series_resistance: Relative loss of current per unit of output at the column's foot, r_s.
        series_resistance_cap: Largest `r_s |y|`.
        s_shape: Compression of the output at the bound of the converter: `y / (1 + n |y|)` with a
            mean `n` of `s_shape / output_bound`.
        s_shape_spread: Relative spread of `n` over columns.
        slope_calibration: Output, relative to the bound of the converter, at which the mean slope
            of series resistance and S-shape is scaled back to 1; at 0 it is 1 by itself.
        asymmetry: Negative outputs are scaled by `1 - asymmetry`.
        noise_spread: Relative spread of the output noise over columns.
        adc_gain_spread: Relative spread of the converters' gain.
        adc_offset_spread: Spread of the converters' offset, in units of the output.
        adc_stochastic_rounding: Whether the converter dithers before it rounds.
    """

    voltage_offset_spread: Annotated[float, Ge(0)] = 0.0
    reference_weight: Annotated[float, Ge(0)] = 1.0
    series_resistance: Annotated[float, Ge(0)] = 0.0
    series_resistance_cap: Annotated[float, Gt(0)] = math.inf
    s_shape: Annotated[float, Ge(0)] = 0.0
    s_shape_spread: Annotated[float, Ge(0)] = 0.0
    slope_calibration: Annotated[float, Ge(0), Le(1)] = 0.0
    asymmetry: Annotated[float, Ge(-1), Le(1)] = 0.0
    noise_spread: Annotated[float, Ge(0)] = 0.0
    adc_gain_spread: Annotated[float, Ge(0)] = 0.0
    adc_offset_spread: Annotated[float, Ge(0)] = 0.0
    adc_stochastic_rounding: bool = False


@plain_dataclass(frozen=True)
class ColumnVariation:
    """What one chip's columns have drawn for good, all `(C,)`."""

    voltage_offset: Tensor  # V, not negative
    s_shape: Tensor  # n, per unit of output
    slope_gain: Tensor  # the same for all columns: they are calibrated together
    output_noise: Tensor  # standard deviation, in units of the output
    adc_gain: Tensor  # 1 where there is no spread
    adc_offset: Tensor  # in units of the output

    def stacked(self) -> Tensor:
        """All of them, `(6, C)`."""
        return torch.stack([getattr(self, each.name) for each in fields(self)])


def draw_column_variation(
    columns: int,
    stage: OutputStage,
    converters: "ConverterConfig",
    *,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> ColumnVariation:
    """Draw the errors of `columns` columns on the generator's device.

    Every quantity takes its numbers from the generator whether its spread is zero or not: switching
    one error on does not change the draws of another.

    - offset `max(spread xi, 0)`: mean `spread / sqrt(2 pi)`
    - compression, noise and gain: `|m (1 + spread xi)|`, folded normal about the nominal value m
    - slope gain `(1 + (mean(n) + r_s) slope_calibration output_bound)^2`, the inverse slope of
      `y / (1 + (n + r_s) |y|)` at the calibrated output
    """
    offset, n, noise, gain, adc_offset = torch.empty(
        5, columns, dtype=dtype, device=generator.device
    ).normal_(generator=generator)
    n = n.mul_(stage.s_shape_spread).add_(1).mul_(stage.s_shape / converters.output_bound).abs_()
    calibrated = stage.slope_calibration * converters.output_bound
    slope_gain = ((n.mean() + stage.series_resistance) * calibrated + 1).square()
    return ColumnVariation(
        voltage_offset=offset.mul_(stage.voltage_offset_spread).clamp_min_(0),
        s_shape=n,
        slope_gain=slope_gain.expand(columns).clone(),
        output_noise=noise.mul_(stage.noise_spread).add_(1).mul_(converters.output_noise).abs_(),
        adc_gain=gain.mul_(stage.adc_gain_spread).add_(1).abs_(),
        adc_offset=adc_offset.mul_(stage.adc_offset_spread),
    )


def series_resistance_(y: Tensor, stage: OutputStage) -> Tensor:
    """Divide a current by `1 + min(r_s |y|, cap)` in place, elementwise."""
    if stage.series_resistance == 0:
        return y
    load = y.abs().mul_(stage.series_resistance).clamp_max_(stage.series_resistance_cap)
    return y.div_(load.add_(1))


def voltage_offset_(
    y: Tensor, drive_sum: Tensor, stage: OutputStage, variation: ColumnVariation
) -> Tensor:
    """Offset and series resistance of a column and of its reference, in place.

    With `d(z) = z / (1 + min(r_s |z|, cap))` and the reference current `u = reference_weight S`:
    `y <- (1 - V) d(y + u) - (1 + V) d(u)`. Without series resistance this is
    `(1 - V) y - 2 V u`.

    Args:
        y: `(M, C)` products.
        drive_sum: `(M, 1)` or `(M, C)`, the sum S of the inputs of each product.
        stage: Spreads and resistances.
        variation: The chip's draws.
    """
    if stage.voltage_offset_spread == 0 and stage.series_resistance == 0:
        return y
    offset = variation.voltage_offset
    if stage.reference_weight == 0:
        return series_resistance_(y, stage).mul_(1 - offset)
    reference = drive_sum * stage.reference_weight
    series_resistance_(y.add_(reference), stage).mul_(1 - offset)
    return y.addcmul_(series_resistance_(reference, stage), 1 + offset, value=-1)


def s_shape_(y: Tensor, stage: OutputStage, variation: ColumnVariation) -> Tensor:
    """Compress `(M, C)` outputs in place, `y <- F y / (1 + n |y|)`, F being the slope gain."""
    if stage.s_shape > 0:
        y.div_(y.abs().mul_(variation.s_shape).add_(1))
    if stage.slope_calibration > 0:
        y.mul_(variation.slope_gain)
    return y


def asymmetry_(y: Tensor, stage: OutputStage) -> Tensor:
    """Scale negative outputs by `1 - asymmetry` in place, elementwise."""
    if stage.asymmetry == 0:
        return y
    return y.add_(y.clamp_max(0), alpha=-stage.asymmetry)


def adc_errors_(y: Tensor, stage: OutputStage, variation: ColumnVariation) -> Tensor:
    """Gain and offset of the columns' converters in place, before they quantise `(M, C)` values."""
    if stage.adc_gain_spread > 0:
        y.mul_(variation.adc_gain)
    if stage.adc_offset_spread > 0:
        y.add_(variation.adc_offset)
    return y
