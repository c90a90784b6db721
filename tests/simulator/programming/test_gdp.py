"""Gradient descent: better where products see more than single readings, within its pulses."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HERMES_DEFAULT, Hardware
from analognas.simulator.analysis.mvm_error import relative_error
from analognas.simulator.conductance_mapping import ConductanceMapping, from_conductances
from analognas.simulator.output_stage import OutputStage, draw_column_variation
from analognas.simulator.presets import HERMES_ONE_CELL
from analognas.simulator.programming import (
    Core,
    GradientDescent,
    Programmed,
    ProgrammingMethod,
    WriteAndVerify,
    write_tile,
)
from analognas.simulator.streams import NoiseStream, spawn_generator

SIZE = 96


def weight(columns: int = SIZE, rows: int = SIZE) -> torch.Tensor:
    matrix = torch.empty(columns, rows).normal_(generator=spawn_generator(0, "w"))
    return matrix / matrix.abs().amax(dim=1, keepdim=True)


def written(hardware: Hardware, method: ProgrammingMethod, seed: int = 0) -> Programmed:
    return write_tile(weight(), hardware, method, generator=spawn_generator(seed, "write"))


def held_out(hardware: Hardware, programmed: Programmed) -> float:
    x = torch.empty(400, SIZE).normal_(0, 1 / 3, generator=spawn_generator(9, "x")).clamp_(-1, 1)
    y = Core(hardware).multiply(x, programmed.g_uS, NoiseStream(9, "read"))
    return float(relative_error(y, x @ weight().T).mean())


def with_bits(hardware: Hardware, bits: int) -> Hardware:
    return replace(hardware, converters=replace(hardware.converters, adc_bits=bits))


@pytest.mark.parametrize("base", [HERMES_ONE_CELL, HERMES_DEFAULT])
@pytest.mark.parametrize("bits", [6, 8])
def test_the_error_of_products_is_lower_than_verify_at_the_same_pulses(
    base: Hardware, bits: int
) -> None:
    hardware = with_bits(base, bits)
    fine = written(hardware, WriteAndVerify(reads="fine"))
    assert fine.log is not None
    allowed = fine.log.pulses / fine.log.cells
    descended = written(hardware, GradientDescent(pulses_per_cell=allowed))
    assert descended.log is not None
    assert descended.log.pulses <= fine.log.pulses
    same_adc = held_out(hardware, written(hardware, WriteAndVerify()))
    assert held_out(hardware, descended) < 0.9 * held_out(hardware, fine)
    assert held_out(hardware, descended) < 0.8 * same_adc


@pytest.mark.parametrize("base", [HERMES_ONE_CELL, HERMES_DEFAULT])
@pytest.mark.parametrize("allowed", [1.5, 2.2, 3.0])
def test_the_pulses_are_never_more_than_allowed(base: Hardware, allowed: float) -> None:
    if base is HERMES_DEFAULT:
        allowed *= 2
    log = written(base, GradientDescent(pulses_per_cell=allowed)).log
    assert log is not None
    assert log.pulses <= allowed * log.cells
    assert log.pulses > 0.95 * allowed * log.cells


def test_too_few_pulses_for_the_reset_are_refused() -> None:
    with pytest.raises(ValueError, match="`pulses_per_cell` must cover the RESET of every device"):
        written(HERMES_DEFAULT, GradientDescent(pulses_per_cell=1.9))


def test_least_squares_beats_the_plain_gradient_where_pulses_are_scarce() -> None:
    """An error that is seen too large costs a pulse."""
    plain, whitened = (
        written(HERMES_ONE_CELL, GradientDescent(whiten=whiten, pulses_per_cell=3.0))
        for whiten in (False, True)
    )
    assert held_out(HERMES_ONE_CELL, whitened) < 0.9 * held_out(HERMES_ONE_CELL, plain)


def test_a_narrow_dead_zone_takes_more_pulses_and_is_more_exact() -> None:
    wide = written(HERMES_DEFAULT, GradientDescent(dead_zone_start=0.12, dead_zone_end=0.12))
    narrow = written(HERMES_DEFAULT, GradientDescent(dead_zone_start=0.05, dead_zone_end=0.05))
    assert wide.log is not None
    assert narrow.log is not None
    assert narrow.log.pulses > wide.log.pulses
    assert held_out(HERMES_DEFAULT, narrow) < held_out(HERMES_DEFAULT, wide)


def test_residual_errors_lie_within_the_dead_zone() -> None:
    hardware = replace(
        HERMES_ONE_CELL,
        converters=replace(HERMES_ONE_CELL.converters, adc_bits=None, output_noise=0.0),
        weight_read_noise=0.0,
    )
    programmed = written(hardware, GradientDescent(iterations=60))
    log = programmed.log
    assert log is not None
    reached = from_conductances(programmed.g_uS, hardware.device, hardware.mapping)
    within = ((reached - weight()).abs() <= 0.07 + 1e-4).double().mean().item()
    assert within > 0.97
    # Without noise the programmer knows exactly what it has reached.
    assert log.converged_fraction == pytest.approx(within, abs=1e-3)


def test_work_is_counted() -> None:
    log = written(HERMES_ONE_CELL, GradientDescent(iterations=4, vectors=500)).log
    assert log is not None
    assert (log.iterations, log.mvms) == (4, 4 * 500)
    assert (log.cell_reads, log.row_reads) == (0, 0)
    assert log.reset_pulses >= log.cells == 2 * SIZE * SIZE
    many_rows = write_tile(
        weight(4, 200),
        HERMES_ONE_CELL,
        GradientDescent(iterations=2, vectors=10),
        generator=spawn_generator(0, "write"),
    )
    assert many_rows.log is not None
    assert many_rows.log.mvms == 2 * 800  # four per row at least


@pytest.mark.parametrize(
    "mapping",
    [
        ConductanceMapping(significances=(4.0, 1.0)),
        ConductanceMapping(layout="single"),
        ConductanceMapping(scaling="layer"),
    ],
)
def test_other_mappings_converge(mapping: ConductanceMapping) -> None:
    hardware = replace(HERMES_ONE_CELL, mapping=mapping)
    start = written(hardware, GradientDescent(iterations=1))
    end = written(hardware, GradientDescent())
    assert held_out(hardware, end) < 0.7 * held_out(hardware, start)


def test_a_fitted_column_factor_undoes_what_the_weights_cannot() -> None:
    """Weak converters need weights above the largest; a digital gain does not."""
    stage = OutputStage(adc_gain_spread=0.3)
    hardware = replace(HERMES_DEFAULT, output_stage=stage)
    variation = draw_column_variation(
        SIZE, stage, hardware.converters, generator=spawn_generator(0, "columns")
    )
    x = torch.empty(400, SIZE).uniform_(-1, 1, generator=spawn_generator(9, "x"))

    def error(method: GradientDescent) -> float:
        programmed = write_tile(
            weight(),
            hardware,
            method,
            variation=variation,
            generator=spawn_generator(0, "write"),
        )
        y = Core(hardware, variation).multiply(x, programmed.g_uS, NoiseStream(9, "read"))
        y = y * programmed.gain + programmed.offset
        return float(relative_error(y, x @ weight().T).mean())

    assert error(GradientDescent(affine=True)) < error(GradientDescent())


def test_columns_of_zeros_and_coarse_converters_do_not_break_it() -> None:
    matrix = weight()
    matrix[3] = 0.0
    converters = replace(HERMES_ONE_CELL.converters, dac_bits=2, adc_bits=3)
    hardware = replace(HERMES_ONE_CELL, converters=converters)
    programmed = write_tile(
        matrix,
        hardware,
        GradientDescent(iterations=4, affine=True),
        generator=spawn_generator(0, "write"),
    )
    for values in (programmed.g_uS, programmed.gain, programmed.offset):
        assert torch.isfinite(values).all()


def test_the_dead_zone_may_not_grow() -> None:
    with pytest.raises(ValueError, match="`dead_zone_end <= dead_zone_start` must hold"):
        GradientDescent(dead_zone_start=0.05, dead_zone_end=0.1)
