"""The error of a synthetic matrix: published anchors, closed forms, reproducibility."""

import math
from dataclasses import replace

import pytest
import torch

from analognas.simulator import (
    HARDWARE,
    IDEAL,
    Hardware,
    TileConfig,
    hardware_with,
    spawn_generator,
)
from analognas.simulator.analysis import (
    MvmError,
    MvmWorkload,
    mvm_error,
    only_effects,
    summarise,
)
from analognas.simulator.analysis.mvm_error import relative_error
from analognas.simulator.presets import STANDARD_AIMC

YEAR_S = 31_536_000.0
TIMES_S = (1.0, 3600.0, 86_400.0, YEAR_S)
AS_CONDUCTANCES = MvmWorkload(scaling="none")
SCALED = MvmWorkload(scaling="mapping")
SMALL = MvmWorkload(rows=48, columns=32, vectors=50)


def generator(name: str = "test") -> torch.Generator:
    return spawn_generator(0, name)


def mean_error(
    hardware: Hardware, workload: MvmWorkload, times_s: tuple[float, ...] = (1.0,)
) -> list[float]:
    errors = mvm_error(
        hardware, times_s=times_s, chips=5, workload=workload, generator=generator("chips")
    )
    return [summary.mean for summary in summarise(errors)]


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        (AS_CONDUCTANCES, (0.139, 0.155, 0.175, 0.220)),
        (SCALED, (0.120, 0.136, 0.153, 0.194)),
    ],
    ids=["weights as conductances", "columns scaled"],
)
def test_the_standard_model_has_its_published_error(
    workload: MvmWorkload, expected: tuple[float, ...]
) -> None:
    # Rasch et al. (2023): 13 % after 1 s for this example; about 15 % in general. The later times
    # are those of an independent implementation of the same equations.
    measured = mean_error(STANDARD_AIMC, workload, TIMES_S)
    assert measured == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        (("DAC", "ADC", "output noise"), 0.021),
        (("IR drop",), 0.008),
        (("read noise",), 0.032),
        (("DAC", "ADC", "output noise", "IR drop", "read noise"), 0.039),
        (("programming", "ageing", "1/f noise"), 0.133),
    ],
    ids=["converters", "IR drop", "read noise", "all of a read", "cells"],
)
def test_the_effects_of_the_standard_model_have_their_known_errors(
    effects: tuple[str, ...], expected: float
) -> None:
    (measured,) = mean_error(only_effects(STANDARD_AIMC, effects), AS_CONDUCTANCES)
    # The reference was rounded to 0.1 points, and drew other weights and inputs.
    assert measured == pytest.approx(expected, abs=max(0.002, 0.03 * expected))


def test_output_noise_alone_has_its_closed_form() -> None:
    # Independent noise of sigma on C outputs: |y - y_0| is nearly sigma sqrt(C). With uniform
    # weights and inputs |y_0|^2 is nearly C R / 9, spread by 1 / sqrt(R C) at the most.
    sigma = 0.5
    hardware = hardware_with(IDEAL, {"converters.output_noise": str(sigma)})
    work = MvmWorkload(
        rows=256, columns=256, weights="uniform", zero_fraction=0.0, scaling="none", vectors=400
    )
    (measured,) = mean_error(hardware, work)
    assert measured == pytest.approx(sigma / math.sqrt(256 / 9), rel=0.01)


def test_inputs_of_zeros_have_no_error() -> None:
    """With one row, half of the inputs are nothing but zero."""
    workload = MvmWorkload(rows=1, columns=1, vectors=200)
    errors = mvm_error(STANDARD_AIMC, chips=2, workload=workload, generator=spawn_generator(0))
    assert all(0 < one.error < math.inf for one in errors)


def test_errors_grow_with_time_and_more_bits_never_hurt() -> None:
    errors = mean_error(STANDARD_AIMC, SMALL, TIMES_S)
    assert errors == sorted(errors)
    coarse, fine = (
        mean_error(hardware_with(STANDARD_AIMC, {"converters.adc_bits": bits}), SMALL)[0]
        for bits in ("4", "8")
    )
    assert fine < coarse


@pytest.mark.parametrize("name", HARDWARE)
def test_every_preset_can_be_measured(name: str) -> None:
    errors = mvm_error(
        HARDWARE[name], times_s=(1.0, 86_400.0), chips=2, workload=SMALL, generator=generator()
    )
    assert [(error.t_s, error.chip) for error in errors] == [
        (1.0, 0),
        (1.0, 1),
        (86_400.0, 0),
        (86_400.0, 1),
    ]
    assert all(0 <= error.error < 1 for error in errors)


def test_ideal_hardware_has_no_error() -> None:
    errors = mvm_error(IDEAL, chips=1, workload=SMALL, generator=generator())
    assert max(error.error for error in errors) < 1e-5


def test_the_same_seed_gives_the_same_numbers_and_a_chip_is_the_same_beside_others() -> None:
    few, many = (
        mvm_error(STANDARD_AIMC, chips=chips, workload=SMALL, generator=generator())
        for chips in (2, 4)
    )
    assert many[:2] == few
    other = mvm_error(STANDARD_AIMC, chips=2, workload=SMALL, generator=generator("other"))
    assert other != few


@pytest.mark.parametrize(
    "workload",
    [
        MvmWorkload(inputs="uniform", weights="uniform"),
        MvmWorkload(inputs="normal"),
        MvmWorkload(inputs="half_normal", scaling="none"),
    ],
    ids=lambda workload: workload.inputs,
)
def test_every_workload_runs_on_layers_larger_than_a_tile(workload: MvmWorkload) -> None:
    hardware = replace(STANDARD_AIMC, tile=TileConfig(rows=20, columns=12))
    (measured,) = mean_error(hardware, replace(workload, rows=45, columns=30, vectors=40))
    assert 0 < measured < 1


def test_the_default_matrix_fills_a_tile() -> None:
    hardware = replace(IDEAL, tile=TileConfig(rows=30, columns=10))
    full = mvm_error(hardware, chips=1, generator=generator())
    same = mvm_error(
        hardware, chips=1, workload=MvmWorkload(rows=30, columns=10), generator=generator()
    )
    assert full == same


def test_a_summary_is_the_mean_and_spread_over_chips() -> None:
    errors = [MvmError(1.0, 0, 0.1), MvmError(1.0, 1, 0.3), MvmError(60.0, 0, 0.5)]
    first, second = summarise(errors)
    assert (first.t_s, first.chips, second.chips) == (1.0, 2, 1)
    assert first.mean == pytest.approx(0.2)
    assert first.spread == pytest.approx(math.sqrt(0.02))
    assert second.spread == 0.0


def test_the_error_of_a_zero_output_is_not_a_number() -> None:
    error = relative_error(torch.ones(2, 3), torch.tensor([[0.0, 0, 0], [1, 1, 2]]))
    assert math.isnan(error[0])
    assert error[1] == pytest.approx(1 / math.sqrt(6))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 chip"):
        mvm_error(IDEAL, chips=0, workload=SMALL, generator=generator())
    with pytest.raises(ValueError, match="at least 0 seconds"):
        mvm_error(IDEAL, times_s=(-1.0,), workload=SMALL, generator=generator())
    with pytest.raises(ValueError, match="reram_wan"):
        mvm_error(HARDWARE["reram_wan"], times_s=(YEAR_S,), workload=SMALL, generator=generator())
