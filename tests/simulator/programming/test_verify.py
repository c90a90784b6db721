"""Write-and-verify: convergence, margin, order of the methods, counts."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HERMES_DEFAULT, Hardware
from analognas.simulator.conductance_mapping import to_conductances
from analognas.simulator.presets import HERMES_ONE_CELL
from analognas.simulator.programming import CellArray, Core, WriteAndVerify, geometry_of
from analognas.simulator.programming.verify import VerifyOutcome, write_and_verify_
from analognas.simulator.streams import spawn_generator


def quiet(hardware: Hardware, adc_bits: int = 14) -> Hardware:
    converters = replace(hardware.converters, output_noise=0.0, adc_bits=adc_bits)
    return replace(hardware, converters=converters, weight_read_noise=0.0)


def normal_weight(size: int = 128) -> torch.Tensor:
    weight = torch.empty(size, size).normal_(generator=spawn_generator(0, "w"))
    return weight / weight.abs().amax(dim=1, keepdim=True)


def write(
    hardware: Hardware, method: WriteAndVerify, target: torch.Tensor | None = None, seed: int = 0
) -> tuple[CellArray, torch.Tensor, VerifyOutcome]:
    if target is None:
        target = to_conductances(normal_weight(), hardware.device, hardware.mapping)
    cells = CellArray(
        (target.shape[0], target.shape[1], target.shape[2]),
        geometry_of(hardware.device, method.cell),
        method.cell,
        generator=spawn_generator(seed, "cells"),
    )
    reads = spawn_generator(seed, "reads")
    return cells, target, write_and_verify_(cells, target, Core(hardware), method, generator=reads)


@pytest.mark.parametrize("hardware", [HERMES_ONE_CELL, HERMES_DEFAULT])
@pytest.mark.parametrize("margin", [3.0, 5.0])
def test_without_noise_every_accepted_cell_is_within_the_margin(
    hardware: Hardware, margin: float
) -> None:
    cells, target, outcome = write(quiet(hardware), WriteAndVerify(margin_counts=margin))
    error = (cells.cell_uS() - target).abs()[outcome.accepted]
    step_uS = hardware.device.g_max_uS * 10 / (2**13 - 1)
    assert error.max().item() <= margin / 80 * 10.35 + step_uS / 2 + 1e-5
    assert error.max().item() > 0.8 * margin / 80 * 10.35
    assert outcome.accepted.double().mean().item() > 0.97


def test_the_residual_error_of_one_cell_is_that_of_an_even_spread_over_the_margin() -> None:
    hardware = quiet(HERMES_ONE_CELL)
    target = torch.full((2, 64, 64), 5.0)
    cells, _, outcome = write(hardware, WriteAndVerify(iterations=100), target)
    error = (cells.cell_uS() - target)[outcome.accepted]
    margin_uS = 5 / 80 * 10.35
    assert outcome.accepted.double().mean().item() > 0.999
    assert error.square().mean().sqrt().item() == pytest.approx(margin_uS / 3**0.5, rel=0.1)


@pytest.mark.parametrize("hardware", [HERMES_ONE_CELL, HERMES_DEFAULT])
def test_nearly_all_cells_converge_in_thirty_rounds(hardware: Hardware) -> None:
    _, _, outcome = write(hardware, WriteAndVerify(reads="fine"))
    assert outcome.accepted.double().mean().item() > 0.98
    assert outcome.iterations <= 30


def relative_error(hardware: Hardware, method: WriteAndVerify) -> float:
    cells, target, _ = write(hardware, method)
    error = (cells.cell_uS() - target) / hardware.device.g_max_uS
    return error.square().mean().sqrt().item()


def test_averaged_readings_and_a_narrow_margin_lower_the_error() -> None:
    usual = relative_error(HERMES_ONE_CELL, WriteAndVerify(reads="fine"))
    averaged = relative_error(HERMES_ONE_CELL, WriteAndVerify(reads="fine", repeats=8))
    narrow = WriteAndVerify(reads="fine", repeats=8, margin_counts=3.0)
    assert relative_error(HERMES_ONE_CELL, narrow) < averaged < usual


def test_two_devices_per_polarity_are_more_exact_than_one() -> None:
    careful = WriteAndVerify(reads="fine", repeats=8)
    assert relative_error(HERMES_DEFAULT, careful) < relative_error(HERMES_ONE_CELL, careful)


def test_a_coarse_adc_does_not_see_a_cell() -> None:
    def at(bits: int) -> float:
        converters = replace(HERMES_ONE_CELL.converters, adc_bits=bits)
        return relative_error(replace(HERMES_ONE_CELL, converters=converters), WriteAndVerify())

    errors = [at(bits) for bits in (4, 6, 8)]
    assert errors[0] > 2 * errors[1] > 2 * errors[2]


def test_fine_readings_do_not_depend_on_the_products_adc() -> None:
    method = WriteAndVerify(reads="fine")
    coarse = replace(HERMES_ONE_CELL, converters=replace(HERMES_ONE_CELL.converters, adc_bits=4))
    one, _, _ = write(coarse, method)
    other, _, _ = write(HERMES_ONE_CELL, method)
    assert torch.equal(one.cell_uS(), other.cell_uS())


def test_targets_of_zero_cost_one_reset_and_one_reading() -> None:
    target = torch.zeros(2, 16, 16)
    cells, _, outcome = write(quiet(HERMES_ONE_CELL), WriteAndVerify(), target)
    assert (cells.set_pulses, cells.reset_pulses) == (0, 512)
    assert (outcome.cell_reads, outcome.row_reads, outcome.iterations) == (512, 32, 1)
    assert outcome.accepted.all()


def test_repeated_readings_are_counted() -> None:
    target = torch.zeros(2, 16, 16)
    _, _, outcome = write(quiet(HERMES_ONE_CELL), WriteAndVerify(repeats=4), target)
    assert (outcome.cell_reads, outcome.row_reads) == (4 * 512, 4 * 32)


def test_the_first_device_is_filled_and_the_second_takes_the_rest() -> None:
    target = torch.zeros(2, 32, 32)
    target[0] = 16.0
    cells, _, _ = write(quiet(HERMES_DEFAULT), WriteAndVerify(), target)
    first, second = cells.pulses_since_reset[:, 0]
    assert (first >= 15).double().mean().item() > 0.95  # filled, and seldom too full for 16 uS
    total = cells.cell_uS()[0]
    assert total.mean().item() == pytest.approx(16.0, abs=0.7)
    assert second.mean().item() < first.mean().item()


def test_small_targets_need_no_second_device() -> None:
    target = torch.zeros(2, 32, 32)
    target[0] = 4.0
    cells, _, _ = write(quiet(HERMES_DEFAULT), WriteAndVerify(), target)
    assert cells.pulses_since_reset[0].sum() == 0
    assert cells.cell_uS()[0].mean().item() == pytest.approx(4.0, abs=0.4)


def test_more_rounds_converge_more_cells() -> None:
    fractions = [
        write(HERMES_ONE_CELL, WriteAndVerify(iterations=rounds))[2].accepted.double().mean().item()
        for rounds in (3, 10, 30)
    ]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.95 < fractions[2]
