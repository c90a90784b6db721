"""Products and readings of single cells through the same converters."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HERMES_DEFAULT, Hardware
from analognas.simulator.circuit import CircuitIrDrop
from analognas.simulator.conductance_mapping import ConductanceMapping, to_conductances
from analognas.simulator.output_stage import ColumnVariation, OutputStage, draw_column_variation
from analognas.simulator.programming import CellReader, Core
from analognas.simulator.streams import NoiseStream, spawn_generator

QUIET = replace(
    HERMES_DEFAULT,
    converters=replace(HERMES_DEFAULT.converters, output_noise=0.0),
    weight_read_noise=0.0,
)


def with_bits(hardware: Hardware, bits: int | None) -> Hardware:
    return replace(hardware, converters=replace(hardware.converters, adc_bits=bits))


def some_weight(columns: int = 6, rows: int = 10) -> torch.Tensor:
    weight = torch.empty(columns, rows).uniform_(-1, 1, generator=spawn_generator(0, "w"))
    return weight / weight.abs().amax(dim=1, keepdim=True)


@pytest.mark.parametrize(
    "mapping",
    [
        ConductanceMapping(),
        ConductanceMapping(significances=(4.0, 1.0)),
        ConductanceMapping(layout="single"),
    ],
)
def test_the_effect_of_a_cell_is_that_of_the_mapping(mapping: ConductanceMapping) -> None:
    core = Core(replace(with_bits(QUIET, None), mapping=mapping))
    weight = some_weight().double()
    g_uS = to_conductances(weight, core.hardware.device, mapping)
    moved = g_uS.clone()
    moved[0] += 1.5
    stream = NoiseStream(0, "read")
    eye = torch.eye(10, dtype=torch.float64)
    step = core.multiply(eye, moved, stream) - core.multiply(eye, g_uS, stream)
    expected = 1.5 * core.weight_per_uS()[0].item()
    torch.testing.assert_close(step, torch.full_like(step, expected))


def test_a_product_goes_through_the_adc() -> None:
    core, weight = Core(with_bits(QUIET, 6)), some_weight()
    g_uS = to_conductances(weight, core.hardware.device, core.hardware.mapping)
    drive = torch.ones(3, 10)
    counts = core.multiply(drive, g_uS, NoiseStream(0, "read")) * (31 / 10)
    torch.testing.assert_close(counts, counts.round())
    torch.testing.assert_close(counts, (drive @ weight.T * 3.1).round())


def test_wires_as_circuits_are_met() -> None:
    weight = some_weight()
    drive, results = torch.full((2, 10), 0.5), []
    for circuit in (None, CircuitIrDrop(idle="held"), CircuitIrDrop(idle="cut_off")):
        core = Core(replace(with_bits(QUIET, None), circuit=circuit))
        g_uS = to_conductances(weight, core.hardware.device, core.hardware.mapping)
        results.append(core.multiply(drive, g_uS, NoiseStream(0, "read")))
    for wired in results[1:]:
        assert not torch.equal(wired, results[0])
        torch.testing.assert_close(wired, results[0], rtol=0.1, atol=0.05)


def reader(hardware: Hardware, counts: float | None, repeats: int = 1) -> CellReader:
    return CellReader(Core(hardware), counts, 10.35, repeats)


def test_a_device_has_eighty_counts_and_two_have_one_hundred_and_sixty() -> None:
    g_uS = torch.tensor([10.35, 20.7]).view(1, 1, 2).repeat(2, 1, 1)
    fine = reader(QUIET, 80.0)
    read = fine.read_uS(g_uS, torch.arange(4), generator=spawn_generator(0, "r"))
    counts = fine.counts_per_uS(g_uS)
    assert counts is not None
    torch.testing.assert_close(read[:2] * counts[0], torch.tensor([80.0, 160.0]))


@pytest.mark.parametrize("bits", [4, 8, 10])
def test_the_cores_adc_rounds_a_cell_to_its_steps(bits: int) -> None:
    g_uS = torch.linspace(0.013, 20.61, 50).view(1, 1, 50).repeat(2, 1, 1)
    core = reader(with_bits(QUIET, bits), None)
    read = core.read_uS(g_uS, torch.arange(50), generator=spawn_generator(0, "r"))
    step_uS = 20.7 * 10 / (2 ** (bits - 1) - 1)
    torch.testing.assert_close(read, (g_uS[0, 0] / step_uS).round() * step_uS)


@pytest.mark.parametrize("repeats", [1, 16])
def test_a_reading_has_the_noise_of_output_and_read_and_averages(repeats: int) -> None:
    hardware = with_bits(HERMES_DEFAULT, None)
    g_uS = torch.full((2, 100, 200), 10.35)
    read = reader(hardware, None, repeats).read_uS(
        g_uS, torch.arange(g_uS.numel()), generator=spawn_generator(0, "r")
    )
    sigma_uS = 20.7 * (0.04**2 + 0.0175**2 * 0.5) ** 0.5 / repeats**0.5
    assert read.mean().item() == pytest.approx(10.35, abs=5 * sigma_uS / g_uS.numel() ** 0.5)
    assert read.std().item() == pytest.approx(sigma_uS, rel=0.02)


def test_readings_carry_the_errors_of_the_columns_converter() -> None:
    stage = OutputStage(adc_gain_spread=0.1, adc_offset_spread=0.01)
    hardware = replace(with_bits(QUIET, None), output_stage=stage)
    variation: ColumnVariation = draw_column_variation(
        3, stage, hardware.converters, generator=spawn_generator(0, "columns")
    )
    g_uS = torch.full((2, 3, 4), 20.7)
    read = CellReader(Core(hardware, variation), None, 10.35).read_uS(
        g_uS, torch.arange(12), generator=spawn_generator(0, "r")
    )
    expected = 20.7 * (variation.adc_gain + variation.adc_offset)
    torch.testing.assert_close(read.view(3, 4), expected[:, None].expand(3, 4))
