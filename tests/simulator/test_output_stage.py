"""The read-out's errors against their closed forms, and the statistics of what a chip draws."""

import math
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
from scipy import stats

from analognas.simulator.hardware import ConverterConfig
from analognas.simulator.output_stage import (
    ColumnVariation,
    OutputStage,
    adc_errors_,
    asymmetry_,
    draw_column_variation,
    s_shape_,
    series_resistance_,
    voltage_offset_,
)
from analognas.simulator.streams import spawn_generator

COLUMNS = 200_000
CONVERTERS = ConverterConfig(output_bound=10.0, output_noise=0.04)


def draw(stage: OutputStage, columns: int = COLUMNS, seed: int = 0) -> ColumnVariation:
    return draw_column_variation(
        columns,
        stage,
        CONVERTERS,
        generator=spawn_generator(seed, "columns"),
        dtype=torch.float64,
    )


def outputs(columns: int = 5) -> torch.Tensor:
    return torch.linspace(-12, 12, 9 * columns, dtype=torch.float64).view(9, columns)


def assert_moments(sample: torch.Tensor, mean: float, sigma: float) -> None:
    """Mean and spread within 5 standard errors (of the spread by its fourth moment)."""
    n = sample.numel()
    assert sample.mean().item() == pytest.approx(mean, abs=5 * sigma / math.sqrt(n) + 1e-12)
    central = sample - sample.mean()
    kurtosis = (central**4).mean().item() / max(central.pow(2).mean().item() ** 2, 1e-30)
    error = sigma * math.sqrt(max(kurtosis - 1, 0.1) / (4 * n))
    assert sample.std().item() == pytest.approx(sigma, abs=5 * error + 1e-12)


def folded(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of |N(mean, sigma)|."""
    c = mean / sigma
    first = sigma * math.sqrt(2 / math.pi) * math.exp(-(c**2) / 2)
    first += mean * (1 - 2 * float(stats.norm.cdf(-c)))
    return first, math.sqrt(mean**2 + sigma**2 - first**2)


@pytest.mark.parametrize("spread", [0.05, 0.5, 2.0])
def test_noise_over_columns_is_folded_about_the_nominal_noise(spread: float) -> None:
    sigma = draw(OutputStage(noise_spread=spread)).output_noise
    assert_moments(sigma, *folded(0.04, 0.04 * spread))
    assert (sigma >= 0).all()


@pytest.mark.parametrize("spread", [0.1, 1.0])
def test_compression_over_columns_is_folded_about_its_strength_at_the_bound(spread: float) -> None:
    n = draw(OutputStage(s_shape=0.3, s_shape_spread=spread)).s_shape
    assert_moments(n, *folded(0.03, 0.03 * spread))


def test_offset_over_columns_is_half_a_gaussian_and_half_zeros() -> None:
    offset = draw(OutputStage(voltage_offset_spread=0.02)).voltage_offset
    assert_moments(offset, 0.02 / math.sqrt(2 * math.pi), 0.02 * math.sqrt(0.5 - 0.5 / math.pi))
    zeros = (offset == 0).double().mean().item()
    assert zeros == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(COLUMNS))


def test_gains_and_offsets_of_the_converters_have_their_spreads() -> None:
    variation = draw(OutputStage(adc_gain_spread=0.02, adc_offset_spread=0.3))
    assert_moments(variation.adc_gain, *folded(1.0, 0.02))
    assert_moments(variation.adc_offset, 0.0, 0.3)


def test_a_chip_without_spreads_has_equal_columns() -> None:
    variation = draw(OutputStage(s_shape=0.3), columns=7)
    expected = {
        "voltage_offset": 0.0,
        "s_shape": 0.03,
        "slope_gain": 1.0,
        "output_noise": 0.04,
        "adc_gain": 1.0,
        "adc_offset": 0.0,
    }
    for field in fields(ColumnVariation):
        values = getattr(variation, field.name)
        torch.testing.assert_close(values, torch.full_like(values, expected[field.name]))
        assert values.shape == (7,)


def test_one_spread_does_not_move_the_draws_of_another() -> None:
    alone = draw(OutputStage(adc_offset_spread=0.3), columns=7)
    among = draw(
        OutputStage(adc_offset_spread=0.3, voltage_offset_spread=0.1, noise_spread=0.4), columns=7
    )
    assert torch.equal(alone.adc_offset, among.adc_offset)
    other = draw(OutputStage(adc_offset_spread=0.3), columns=7, seed=1)
    assert not torch.equal(alone.adc_offset, other.adc_offset)


def test_single_precision_and_the_device_of_the_generator(device: torch.device) -> None:
    generator = spawn_generator(0, "columns", device=device)
    variation = draw_column_variation(6, OutputStage(), CONVERTERS, generator=generator)
    assert variation.adc_gain.device.type == device.type
    assert variation.adc_gain.dtype == torch.float32


STAGES: list[Callable[[torch.Tensor, OutputStage, ColumnVariation], torch.Tensor]] = [
    lambda y, stage, variation: voltage_offset_(y, y.sum(dim=1, keepdim=True), stage, variation),
    lambda y, stage, variation: series_resistance_(y, stage),
    s_shape_,
    lambda y, stage, variation: asymmetry_(y, stage),
    adc_errors_,
]


@pytest.mark.parametrize("function", STAGES)
def test_a_stage_that_is_off_changes_nothing(
    function: Callable[[torch.Tensor, OutputStage, ColumnVariation], torch.Tensor],
) -> None:
    y = outputs()
    result = function(y, OutputStage(), draw(OutputStage(), columns=5))
    assert result is y
    assert torch.equal(y, outputs())


def test_series_resistance_divides_by_the_load_up_to_its_cap() -> None:
    y = torch.tensor([[-8.0, -1.0, 0.0, 2.0, 10.0]], dtype=torch.float64)
    expected = [-8 / 1.2, -1 / 1.05, 0.0, 2 / 1.1, 10 / 1.2]
    stage = OutputStage(series_resistance=0.05, series_resistance_cap=0.2)
    assert series_resistance_(y, stage)[0].tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("reference", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("resistance", [0.0, 0.02])
def test_offset_weakens_a_column_and_strengthens_its_reference(
    reference: float, resistance: float
) -> None:
    stage = OutputStage(
        voltage_offset_spread=0.1,
        reference_weight=reference,
        series_resistance=resistance,
        series_resistance_cap=0.15,
    )
    variation = draw(stage, columns=5)
    drive_sum = torch.linspace(-3, 9, 9, dtype=torch.float64)[:, None]
    y = voltage_offset_(outputs(), drive_sum, stage, variation)
    for row, column in ((0, 0), (3, 1), (4, 2), (8, 4)):
        v, clean = variation.voltage_offset[column].item(), outputs()[row, column].item()
        u = reference * drive_sum[row, 0].item()
        total = clean + u
        if resistance == 0:
            expected = clean * (1 - v) - v * 2 * u
        else:
            expected = (1 - v) * total / (1 + min(resistance * abs(total), 0.15))
            expected -= (1 + v) * u / (1 + min(resistance * abs(u), 0.15))
        assert y[row, column].item() == pytest.approx(expected, rel=1e-12)
    assert (variation.voltage_offset > 0).any()


def test_s_shape_compresses_each_column_by_its_own_strength() -> None:
    stage = OutputStage(s_shape=0.4, s_shape_spread=0.5)
    variation = draw(stage, columns=5)
    y = s_shape_(outputs(), stage, variation)
    for row, column in ((0, 0), (4, 2), (8, 4)):
        clean, n = outputs()[row, column].item(), variation.s_shape[column].item()
        assert y[row, column].item() == pytest.approx(clean / (1 + n * abs(clean)), rel=1e-12)
    torch.testing.assert_close(s_shape_(-outputs(), stage, variation), -y)


@pytest.mark.parametrize("spread", [0.0, 0.5])
@pytest.mark.parametrize("resistance", [0.0, 0.03])
@pytest.mark.parametrize("calibrated", [0.25, 1.0])
def test_the_calibrated_slope_is_one_for_the_column_of_mean_compression(
    spread: float, resistance: float, calibrated: float
) -> None:
    stage = OutputStage(
        s_shape=0.4,
        s_shape_spread=spread,
        series_resistance=resistance,
        slope_calibration=calibrated,
        reference_weight=0.0,
    )
    variation = draw(stage, columns=1000)
    mean = replace(variation, s_shape=variation.s_shape.mean(), slope_gain=variation.slope_gain[:1])
    step = 1e-4
    y = torch.tensor([[-step], [step]], dtype=torch.float64) + calibrated * CONVERTERS.output_bound
    low, high = s_shape_(series_resistance_(y, stage), stage, mean).flatten().tolist()
    assert (high - low) / (2 * step) == pytest.approx(1.0, rel=1e-7)


def test_without_compression_the_calibration_undoes_the_slope_of_the_series_resistance() -> None:
    stage = OutputStage(series_resistance=0.03, slope_calibration=0.5)
    variation = draw(stage, columns=2)
    out = s_shape_(series_resistance_(outputs(2), stage), stage, variation)
    expected = outputs(2) / (1 + 0.03 * outputs(2).abs()) * (1 + 0.03 * 5) ** 2
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("asymmetry", [0.1, -0.2, 1.0])
def test_negative_outputs_are_weaker_by_the_asymmetry(asymmetry: float) -> None:
    y = asymmetry_(outputs(), OutputStage(asymmetry=asymmetry))
    expected = torch.where(outputs() < 0, outputs() * (1 - asymmetry), outputs())
    torch.testing.assert_close(y, expected)


def test_converters_apply_their_gain_then_their_offset() -> None:
    stage = OutputStage(adc_gain_spread=0.1, adc_offset_spread=0.2)
    variation = draw(stage, columns=5)
    y = adc_errors_(outputs(), stage, variation)
    torch.testing.assert_close(y, outputs() * variation.adc_gain + variation.adc_offset)


def test_an_impossible_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="noise_spread"):
        OutputStage(noise_spread=-0.1)
    with pytest.raises(ValueError, match="slope_calibration"):
        OutputStage(slope_calibration=1.5)
