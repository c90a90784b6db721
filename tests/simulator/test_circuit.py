"""Columns with wire resistance: exactness, the fast form against the one that follows time."""

from typing import Literal, TypeAlias

import pytest
import torch

from analognas.simulator.circuit import (
    CircuitIrDrop,
    effective_weight,
    pwm_product,
    pwm_read_out,
)
from analognas.simulator.ir_drop import IrDrop, apply_ir_drop_, drop_profile
from analognas.simulator.resistor_network import solve_crossbar
from analognas.simulator.streams import spawn_generator

G_MAX_US = 25.0
Idle: TypeAlias = Literal["held", "cut_off"]


def cells(
    columns: int, rows: int, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of cells, one of which carries the weight and the other next to nothing."""
    generator = spawn_generator(0, "cells", columns, rows, device=device)
    weight = torch.empty(columns, rows, dtype=torch.float64, device=device)
    weight.normal_(0, 0.3, generator=generator).clamp_(-1, 1)
    low = torch.empty_like(weight).uniform_(0, 0.02, generator=generator)
    pair = torch.stack([weight, -weight]).clamp_min(0).maximum(low) * G_MAX_US
    return pair[0], pair[1]


def drives(vectors: int, rows: int, *, device: torch.device | str = "cpu") -> torch.Tensor:
    """Codes of 8 bits, whole steps of a pulse."""
    generator = spawn_generator(1, "drives", vectors, rows, device=device)
    x = torch.empty(vectors, rows, dtype=torch.float64, device=device)
    return x.uniform_(-1, 1, generator=generator).mul_(127).round_().div_(127)


def follow_in_time(
    g_plus: torch.Tensor, g_minus: torch.Tensor, drive: torch.Tensor, config: CircuitIrDrop
) -> torch.Tensor:
    """Normalised charge of a read as the mean of its currents."""
    currents = torch.stack(list(pwm_read_out(g_plus, g_minus, drive, config)))
    return currents.mean(dim=0) / (config.swing_V * G_MAX_US)


def relative_error(y: torch.Tensor, ideal: torch.Tensor) -> float:
    return float((y - ideal).norm() / ideal.norm())


@pytest.mark.parametrize("idle", ["held", "cut_off"])
@pytest.mark.parametrize("segments", [None, 4])
@pytest.mark.parametrize("steps", [127, 40])
def test_without_wire_resistance_a_read_is_the_product_to_the_step_of_time(
    idle: Idle, segments: int | None, steps: int, device: torch.device
) -> None:
    g_plus, g_minus = cells(6, 24, device)
    drive = drives(5, 24, device=device)
    config = CircuitIrDrop(
        segment_ohm=0.0,
        segments=segments,
        idle=idle,
        time_steps=steps,
    )
    ideal = drive @ (g_plus - g_minus).T / G_MAX_US
    # A pulse of whole steps is exact; any other is wrong by half a step at most.
    slack = (g_plus - g_minus).abs().sum(dim=1) / G_MAX_US * (0 if steps == 127 else 0.5 / steps)
    assert ((follow_in_time(g_plus, g_minus, drive, config) - ideal).abs() <= slack + 1e-10).all()
    product = pwm_product(g_plus, g_minus, drive, config, unit_uS=G_MAX_US)
    assert ((product - ideal).abs() <= slack + 1e-10).all()


def exact_foot_current(
    g_plus: torch.Tensor, g_minus: torch.Tensor, level: torch.Tensor, config: CircuitIrDrop
) -> torch.Tensor:
    """Current of one column at one time, `(M, R)` levels of -1, 0 and 1, by nodal analysis."""
    rows = level.shape[1]
    wire_uS = 1e6 / config.segment_ohm
    currents = []
    for levels in level:
        matrix = torch.zeros(rows, rows, dtype=torch.float64)
        sources = torch.zeros(rows, dtype=torch.float64)
        for j in range(rows):
            held = config.idle == "held" or levels[j] != 0
            matrix[j, j] += (g_plus[j] + g_minus[j]) * held
            sources[j] += (g_plus[j] - g_minus[j]) * levels[j] * config.swing_V
            sources[j] -= (g_plus[j] + g_minus[j]) * held * config.offset_V
            if j + 1 < rows:
                matrix[j, j] += wire_uS
                matrix[j + 1, j + 1] += wire_uS
                matrix[j, j + 1] -= wire_uS
                matrix[j + 1, j] -= wire_uS
        matrix[-1, -1] += 2 * wire_uS  # half a segment to the converter
        currents.append(torch.linalg.solve(matrix, sources)[-1] * 2 * wire_uS)
    return torch.stack(currents)


@pytest.mark.parametrize("idle", ["held", "cut_off"])
@pytest.mark.parametrize("ohm", [0.15, 300.0])
def test_every_moment_of_a_read_is_the_exact_solution_of_its_ladder(idle: Idle, ohm: float) -> None:
    g_plus, g_minus = cells(2, 33)
    drive = drives(3, 33)
    config = CircuitIrDrop(segment_ohm=ohm, offset_V=0.0005, idle=idle, time_steps=5)
    for step, current in enumerate(pwm_read_out(g_plus, g_minus, drive, config)):
        level = drive.sign() * (drive.abs() > (step + 0.5) / 5)
        south = exact_foot_current(g_plus[0], g_minus[0], level, config)
        torch.testing.assert_close(current[:, 0], south, rtol=1e-9, atol=1e-9)
        north = exact_foot_current(g_plus[1].flip(0), g_minus[1].flip(0), level.flip(1), config)
        torch.testing.assert_close(current[:, 1], north, rtol=1e-9, atol=1e-9)


def test_full_pulses_give_the_current_of_the_exact_crossbar() -> None:
    # A pair of cells is one cell of their sum at the voltage that lets the same current flow.
    g_plus, g_minus = cells(1, 16)
    total_uS = g_plus + g_minus
    config = CircuitIrDrop(segment_ohm=40.0, alternate_ends=False)
    exact_uA = solve_crossbar(
        total_uS.T,
        (config.swing_V * (g_plus - g_minus) / total_uS)[0],
        row_segment_ohm=0.0,
        column_segment_ohm=40.0,
    )
    full = torch.ones(1, 16, dtype=torch.float64)
    y = pwm_product(g_plus, g_minus, full, config, unit_uS=G_MAX_US)
    # The crossbar's last wire is longer by half a segment: so much less current.
    longer = 1 + 20.0e-6 * foot_admittance_uS(total_uS[0], 40.0)
    assert (y.item() * config.swing_V * G_MAX_US) / longer == pytest.approx(exact_uA.item(), 1e-9)


def foot_admittance_uS(g_uS: torch.Tensor, ohm: float) -> float:
    """Admittance of a column seen from the converter, half a segment away."""
    admittance = 0.0
    for index, g in enumerate(g_uS.tolist()):
        lead_ohm = ohm if index + 1 < len(g_uS) else ohm / 2
        admittance = 1 / (1 / (admittance + g) + lead_ohm * 1e-6)
    return admittance


@pytest.mark.parametrize("segments", [None, 8])
@pytest.mark.parametrize("array_rows", [None, 96])
@pytest.mark.parametrize("alternate_ends", [True, False])
def test_effective_weights_are_the_read_followed_in_time(
    segments: int | None, array_rows: int | None, alternate_ends: bool, device: torch.device
) -> None:
    g_plus, g_minus = cells(5, 50, device)
    drive = drives(4, 50, device=device)
    config = CircuitIrDrop(
        segment_ohm=30.0,
        segments=segments,
        array_rows=array_rows,
        alternate_ends=alternate_ends,
        offset_V=0.0005,
    )
    product = pwm_product(g_plus, g_minus, drive, config, unit_uS=G_MAX_US)
    followed = follow_in_time(g_plus, g_minus, drive, config)
    torch.testing.assert_close(product, followed, rtol=1e-10, atol=1e-12)
    assert relative_error(product, drive @ (g_plus - g_minus).T / G_MAX_US) > 0.02


def test_chips_are_solved_together() -> None:
    high, low = cells(5, 20)
    g_plus, g_minus = torch.stack([high, low]), torch.stack([low, high / 2])
    config = CircuitIrDrop(segment_ohm=100.0, segments=4, offset_V=0.001)
    together = effective_weight(g_plus, g_minus, config, unit_uS=G_MAX_US)
    for chip in range(2):
        alone = effective_weight(g_plus[chip], g_minus[chip], config, unit_uS=G_MAX_US)
        torch.testing.assert_close(together.weight[chip], alone.weight)
        torch.testing.assert_close(together.offset[chip], alone.offset)


@pytest.mark.parametrize("idle", ["held", "cut_off"])
def test_the_error_grows_with_the_wire(idle: Idle) -> None:
    g_plus, g_minus = cells(4, 64)
    drive = drives(8, 64)
    ideal = drive @ (g_plus - g_minus).T / G_MAX_US
    errors = []
    for ohm in (0.0, 0.15, 1.5, 15.0, 150.0):
        config = CircuitIrDrop(segment_ohm=ohm, segments=16, idle=idle)
        y = pwm_product(g_plus, g_minus, drive, config, unit_uS=G_MAX_US)
        errors.append(relative_error(y, ideal))
    assert errors == sorted(errors)
    assert errors[0] < 1e-12
    assert errors[1] > 1e-5
    # Ten times the wire, ten times the error, as long as the drop is small.
    assert errors[2] / errors[1] == pytest.approx(10, rel=0.1)


def test_cells_that_are_cut_off_between_pulses_load_the_wire_less() -> None:
    g_plus, g_minus = cells(6, 64)
    drive = drives(8, 64)
    ideal = drive @ (g_plus - g_minus).T / G_MAX_US
    held, cut_off = (
        relative_error(pwm_product(g_plus, g_minus, drive, config, unit_uS=G_MAX_US), ideal)
        for config in (
            CircuitIrDrop(segment_ohm=5.0, segments=16),
            CircuitIrDrop(segment_ohm=5.0, segments=16, idle="cut_off"),
        )
    )
    assert 0.3 * held < cut_off < 0.9 * held


def test_more_segments_come_closer_to_a_node_per_row() -> None:
    g_plus, g_minus = cells(4, 128)
    weights = [
        effective_weight(
            g_plus, g_minus, CircuitIrDrop(segment_ohm=2.0, segments=n), unit_uS=G_MAX_US
        ).weight
        for n in (2, 8, 32, None)
    ]
    errors = [relative_error(weight, weights[-1]) for weight in weights[:-1]]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.002


def test_even_columns_lose_most_in_their_first_row_and_odd_ones_in_their_last() -> None:
    g_plus = torch.full((2, 32), G_MAX_US, dtype=torch.float64)
    config = CircuitIrDrop(segment_ohm=20.0)
    weight = effective_weight(g_plus, torch.zeros_like(g_plus), config, unit_uS=G_MAX_US).weight
    assert (weight[0].diff() > 0).all()
    torch.testing.assert_close(weight[1], weight[0].flip(0))


@pytest.mark.parametrize("segments", [None, 6])
def test_weights_sit_in_the_middle_of_a_longer_wire(segments: int | None) -> None:
    g_plus, g_minus = cells(3, 20)
    config = CircuitIrDrop(segment_ohm=50.0, segments=segments, array_rows=60)
    inside = effective_weight(g_plus, g_minus, config, unit_uS=G_MAX_US).weight
    plus, minus = (torch.nn.functional.pad(g, (20, 20)) for g in (g_plus, g_minus))
    whole = effective_weight(plus, minus, config, unit_uS=G_MAX_US).weight
    torch.testing.assert_close(inside, whole[:, 20:40])


def test_a_longer_wire_and_the_offset_of_the_converter_count() -> None:
    g_plus, g_minus = cells(3, 20)
    short = CircuitIrDrop(segment_ohm=50.0)
    long = CircuitIrDrop(segment_ohm=50.0, array_rows=60)
    losses = [
        1
        - effective_weight(g_plus, g_minus, config, unit_uS=G_MAX_US).weight.abs().sum()
        / (g_plus - g_minus).abs().sum()
        * G_MAX_US
        for config in (short, long)
    ]
    assert losses[1] > 2 * losses[0] > 0
    offset = CircuitIrDrop(segment_ohm=0.0, offset_V=0.0005)
    held = effective_weight(g_plus, g_minus, offset, unit_uS=G_MAX_US)
    expected = -(g_plus + g_minus).sum(dim=1) / G_MAX_US * 0.0005 / 0.2
    torch.testing.assert_close(held.offset, expected)


@pytest.mark.parametrize(("idle", "expected"), [("cut_off", 3 / 4), ("held", 1 / 2)])
@pytest.mark.parametrize("signed", [False, True])
def test_the_static_form_is_smaller_by_what_it_takes_for_constant(
    idle: Idle, expected: float, signed: bool
) -> None:
    # Lengths of pulses uniform in [0, 1]: of the cells, 1 - t are on at time t. The loss goes with
    # the connected cells times those that are on. Cut off, it is the integral of (1 - t)^2, 1/3;
    # held, that of 1 - t, 1/2. The static form has the square of the mean length, 1/4.
    rows, ohm = 256, 0.05
    generator = spawn_generator(5, "static")
    weight, drive = torch.empty(16, rows, dtype=torch.float64), torch.empty(64, rows).double()
    for x in (weight, drive):
        x.uniform_(-1 if signed else 0, 1, generator=generator)
    drive.mul_(127).round_().div_(127)
    ideal = drive @ weight.T
    static = apply_ir_drop_(
        ideal.clone(),
        drive.abs() @ weight.abs().T,
        (drive * drop_profile(rows, dtype=torch.float64)) @ weight.T,
        rows=rows,
        ir_drop=IrDrop(strength=1.0, conductance_ratio=1 / (ohm * G_MAX_US * 1e-6)),
    )
    # Its row 0 is next to the converter, the circuit's last one is.
    config = CircuitIrDrop(segment_ohm=ohm, alternate_ends=False, idle=idle, segments=32)
    pair = torch.stack([weight, -weight]).flip(-1).clamp_min(0) * G_MAX_US
    circuit = pwm_product(pair[0], pair[1], drive.flip(1), config, unit_uS=G_MAX_US)
    ratio = relative_error(static, ideal) / relative_error(circuit, ideal)
    assert ratio == pytest.approx(expected, rel=0.08)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of `segments`, but got array_rows=100"):
        CircuitIrDrop(segments=8, array_rows=100)
    g_plus, g_minus = cells(2, 20)
    with pytest.raises(ValueError, match="got 20 rows of weights and array_rows=16"):
        effective_weight(g_plus, g_minus, CircuitIrDrop(array_rows=16), unit_uS=G_MAX_US)
    with pytest.raises(ValueError, match="idle = 'held'"):
        effective_weight(g_plus, g_minus, CircuitIrDrop(idle="cut_off"), unit_uS=G_MAX_US)
