"""Crossbars with resistive wires against other solutions of the same circuits."""

import importlib
import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analognas.simulator.resistor_network import solve_crossbar, wire_transfer
from analognas.simulator.streams import spawn_generator

CELLS_US = torch.tensor(
    [[20.0, 3.0, 11.0], [7.0, 16.0, 2.0], [5.0, 9.0, 25.0], [13.0, 1.0, 18.0]], dtype=torch.float64
)
VOLTAGES_V = torch.tensor([[0.2, -0.1, 0.15, 0.08], [0.05, 0.2, 0.0, -0.2]], dtype=torch.float64)
# Output currents in uA of this crossbar by badcrossbar 1.1.0 (Joksas and Mehonic, SoftwareX 12,
# 100617, 2020), by the resistance in Ohm of a segment of a word line and of a bit line.
PUBLISHED_TOOL_UA = {
    (350.0, 120.0): [
        [4.96662937234, 0.408902850663, 6.913988631289],
        [-0.212966578478, 3.074566393917, -2.571430211556],
    ],
    (0.35, 0.35): [
        [5.089751939273, 0.429976307639, 7.189559375368],
        [-0.200048437051, 3.149865657411, -2.649897855952],
    ],
    (0.0, 500.0): [
        [4.839492480711, 0.427521849881, 6.869396539955],
        [-0.27203797352, 3.029666161438, -2.604744653465],
    ],
    (500.0, 0.0): [
        [5.001785225767, 0.400466733209, 6.907077548067],
        [-0.193291858941, 3.083994909724, -2.554162191428],
    ],
}


def solve_by_nodes(
    g_uS: torch.Tensor, v_V: torch.Tensor, *, row_ohm: float, column_ohm: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output currents and source currents in uA by Kirchhoff's current law at every node."""
    rows, columns = g_uS.shape
    cells = rows * columns
    matrix = torch.zeros(2 * cells, 2 * cells, dtype=torch.float64)
    sources = torch.zeros(2 * cells, dtype=torch.float64)
    row_uS, column_uS = 1e6 / row_ohm, 1e6 / column_ohm

    def connect(a: int, b: int, conductance: float) -> None:
        for i, j in ((a, b), (b, a)):
            matrix[i, i] += conductance
            matrix[i, j] -= conductance

    for r in range(rows):
        for c in range(columns):
            top = r * columns + c
            bottom = cells + top
            connect(top, bottom, float(g_uS[r, c]))
            if c + 1 < columns:
                connect(top, top + 1, row_uS)
            if r + 1 < rows:
                connect(bottom, bottom + columns, column_uS)
        matrix[r * columns, r * columns] += row_uS
        sources[r * columns] += row_uS * v_V[r]
    feet = torch.arange(2 * cells - columns, 2 * cells)
    matrix[feet, feet] += column_uS
    node_V = torch.linalg.solve(matrix, sources)
    into_rows = (v_V - node_V[torch.arange(rows) * columns]) * row_uS
    return node_V[feet] * column_uS, into_rows


def random_crossbar(rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = spawn_generator(0, "crossbar", rows, columns)
    g_uS = torch.empty(rows, columns, dtype=torch.float64).uniform_(0, 25, generator=generator)
    g_uS[g_uS < 3] = 0.0
    return g_uS, torch.empty(rows, dtype=torch.float64).uniform_(-0.2, 0.2, generator=generator)


@pytest.mark.parametrize(("row_ohm", "column_ohm"), PUBLISHED_TOOL_UA)
def test_currents_are_those_of_a_published_tool(row_ohm: float, column_ohm: float) -> None:
    current_uA = solve_crossbar(
        CELLS_US, VOLTAGES_V, row_segment_ohm=row_ohm, column_segment_ohm=column_ohm
    )
    expected = torch.tensor(PUBLISHED_TOOL_UA[row_ohm, column_ohm], dtype=torch.float64)
    torch.testing.assert_close(current_uA, expected, rtol=1e-10, atol=1e-11)


def load_published_tool() -> Any:
    with warnings.catch_warnings(record=True):  # its drawing asks for a library of its own
        pytest.importorskip("badcrossbar.compute")
        return importlib.import_module("badcrossbar")


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 7), (9, 4)])
def test_currents_are_those_of_the_published_tool_where_it_is_installed(
    rows: int, columns: int
) -> None:
    badcrossbar = load_published_tool()
    g_uS, v_V = random_crossbar(rows, columns)
    g_uS = g_uS.clamp_min(0.5)
    solution = badcrossbar.compute(
        v_V.numpy()[:, None], 1e6 / g_uS.numpy(), r_i_word_line=40.0, r_i_bit_line=90.0
    )
    current_uA = solve_crossbar(g_uS, v_V, row_segment_ohm=40.0, column_segment_ohm=90.0)
    np.testing.assert_allclose(
        current_uA.numpy(), solution.currents.output[0] * 1e6, rtol=1e-9, atol=1e-10
    )


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 6), (6, 1), (8, 5), (12, 12)])
@pytest.mark.parametrize("ohm", [0.35, 2000.0])
def test_currents_are_those_of_nodal_analysis(rows: int, columns: int, ohm: float) -> None:
    g_uS, v_V = random_crossbar(rows, columns)
    expected, into_rows = solve_by_nodes(g_uS, v_V, row_ohm=ohm, column_ohm=3 * ohm)
    current_uA = solve_crossbar(g_uS, v_V, row_segment_ohm=ohm, column_segment_ohm=3 * ohm)
    torch.testing.assert_close(current_uA, expected, rtol=1e-7, atol=1e-8)
    # What goes into the rows comes out of the columns.
    assert current_uA.sum().item() == pytest.approx(into_rows.sum().item(), rel=1e-6, abs=1e-7)


def test_one_cell_is_three_resistors_in_series(device: torch.device) -> None:
    g_uS = torch.full((1, 1), 25.0, device=device)  # 40,000 Ohm
    v_V = torch.tensor([0.2], device=device)
    current_uA = solve_crossbar(g_uS, v_V, row_segment_ohm=1000.0, column_segment_ohm=5000.0)
    assert current_uA.item() == pytest.approx(0.2 / 46_000.0 * 1e6, rel=1e-7)


def test_two_cells_of_a_column_are_a_ladder_solved_by_hand() -> None:
    # 100 kOhm cells at 1 V, wires of 50 kOhm. Far cell and wire: 1 V behind 150 kOhm. Beside the
    # near cell: 1 V behind 60 kOhm. Through the last wire: 1 V / 110 kOhm.
    g_uS = torch.full((2, 1), 10.0)
    current_uA = solve_crossbar(
        g_uS, torch.ones(2), row_segment_ohm=0.0, column_segment_ohm=50_000.0
    )
    assert current_uA.item() == pytest.approx(1e6 / 110_000.0, rel=1e-12)


def test_a_long_equal_column_is_a_lossy_line() -> None:
    rows, ohm = 400, 2.0
    k = rows * math.sqrt(25.0 * ohm * 1e-6)
    current_uA = solve_crossbar(
        torch.full((rows, 1), 25.0), torch.ones(rows), row_segment_ohm=0.0, column_segment_ohm=ohm
    )
    assert current_uA.item() == pytest.approx(rows * 25.0 * math.tanh(k) / k, rel=0.01)
    assert math.tanh(k) / k < 0.4


def test_ideal_wires_give_the_product() -> None:
    current_uA = solve_crossbar(CELLS_US, VOLTAGES_V, row_segment_ohm=0, column_segment_ohm=0)
    torch.testing.assert_close(current_uA, VOLTAGES_V @ CELLS_US)


@given(
    row_ohm=st.floats(0, 1e4),
    column_ohm=st.floats(0, 1e4),
    more=st.floats(1.1, 10),
)
def test_more_wire_never_carries_more_current(
    row_ohm: float, column_ohm: float, more: float
) -> None:
    v_V = VOLTAGES_V.abs()
    lower = solve_crossbar(CELLS_US, v_V, row_segment_ohm=row_ohm, column_segment_ohm=column_ohm)
    upper = solve_crossbar(
        CELLS_US, v_V, row_segment_ohm=more * row_ohm, column_segment_ohm=more * column_ohm
    )
    assert (upper.sum(dim=1) <= lower.sum(dim=1) * (1 + 1e-12)).all()


def test_a_negative_conductance_or_wire_and_a_missing_voltage_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative, but the lowest is -25"):
        solve_crossbar(-CELLS_US, VOLTAGES_V, row_segment_ohm=1.0, column_segment_ohm=1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        solve_crossbar(CELLS_US, VOLTAGES_V, row_segment_ohm=-1.0, column_segment_ohm=1.0)
    with pytest.raises(ValueError, match="one voltage per row, but got 3 for 4"):
        solve_crossbar(CELLS_US, VOLTAGES_V[:, :3], row_segment_ohm=1.0, column_segment_ohm=1.0)


@pytest.mark.parametrize("ohm", [0.0, 1.0, 5000.0])
def test_transfer_of_a_wire_gives_the_current_of_the_exact_ladder(
    ohm: float, device: torch.device
) -> None:
    g_uS, v_V = random_crossbar(64, 1)
    transfer = wire_transfer(g_uS[:, 0].to(device), segment_ohm=ohm, lead_ohm=ohm).cpu()
    exact = solve_crossbar(g_uS, v_V, row_segment_ohm=0.0, column_segment_ohm=ohm)
    assert (transfer * g_uS[:, 0] * v_V).sum().item() == pytest.approx(exact.item(), rel=1e-9)
    assert (transfer.diff() >= 0).all()
