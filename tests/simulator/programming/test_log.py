"""Work of programming and what it costs."""

import pytest

from analognas.simulator.programming import ProgrammingCosts, ProgrammingLog, total
from analognas.simulator.programming.log import energy_uJ, time_ms

COSTS = ProgrammingCosts()


def log(cells: int, converged: float) -> ProgrammingLog:
    return ProgrammingLog(
        cells=cells,
        set_pulses=10,
        reset_pulses=5,
        cell_reads=7,
        row_reads=3,
        mvms=2,
        iterations=cells,
        converged_fraction=converged,
        energy_uJ=0.5,
        time_ms=0.25,
    )


def test_defaults_are_those_of_their_sources() -> None:
    assert COSTS.set_energy_pJ == pytest.approx(9.0)  # 90 uA, 2 V, 50 ns
    assert COSTS.reset_energy_pJ == pytest.approx(45.0)  # 450 uA, 2 V, 50 ns
    assert COSTS.mvm_energy_nJ == pytest.approx(52.8, rel=0.001)
    assert COSTS.mvm_time_ns == pytest.approx(521, rel=0.001)


def test_energy_and_time_add_up() -> None:
    work = {"set_pulses": 1_000_000, "reset_pulses": 100_000, "products": 1000}
    assert energy_uJ(COSTS, **work) == pytest.approx(9.0 + 4.5 + 52.8125)
    expected_ms = 1.1e6 * 50 / 16 * 1e-6 + 1000 * COSTS.mvm_time_ns * 1e-6
    assert time_ms(COSTS, **work) == pytest.approx(expected_ms)


def test_logs_are_added_and_shares_averaged_over_cells() -> None:
    both = total([log(100, 1.0), log(300, 0.6)])
    assert both.cells == 400
    assert both.pulses == 30
    assert (both.cell_reads, both.row_reads, both.mvms, both.iterations) == (14, 6, 4, 300)
    assert both.converged_fraction == pytest.approx(0.7)
    assert (both.energy_uJ, both.time_ms) == (1.0, 0.5)


def test_nothing_cannot_be_added() -> None:
    with pytest.raises(ValueError, match="`logs` must have at least one log"):
        total([])
