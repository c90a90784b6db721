"""What programming took: pulses, reads, products, and what these cost."""

from collections.abc import Sequence
from dataclasses import dataclass as plain_dataclass
from typing import Annotated

from annotated_types import Ge, Gt
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ProgrammingCosts:
    """Energy and time of a pulse, a product and a read.

    Pulses: current x voltage x duration. The RESET (450 uA, 50 ns) is reported second-hand from
    Joshi et al., Nat. Commun. 11, 2473 (2020); the SET (90 uA, 50 ns) is recalled, not read in a
    paper; 2 V across the cell and the number of cells written at a time are assumptions. Products:
    derived from the 4-phase figures of Le Gallo et al., Nat. Electron. 6, 680 (2023): 3.38 uJ for
    one product in each of 64 cores (second-hand), 16.1 TOPS (published). A row of cells is read
    like a product with one input, and is taken to cost as much: converters dominate.

    Args:
        set_energy_pJ: Of one SET pulse.
        reset_energy_pJ: Of one RESET pulse.
        set_time_ns: Of one SET pulse.
        reset_time_ns: Of one RESET pulse.
        parallel_pulses: Devices of a core that are written at a time.
        mvm_energy_nJ: Of a product of the whole core.
        mvm_time_ns: Of a product.
    """

    set_energy_pJ: Annotated[float, Ge(0)] = 90e-6 * 2.0 * 50e-9 * 1e12
    reset_energy_pJ: Annotated[float, Ge(0)] = 450e-6 * 2.0 * 50e-9 * 1e12
    set_time_ns: Annotated[float, Ge(0)] = 50.0
    reset_time_ns: Annotated[float, Ge(0)] = 50.0
    parallel_pulses: Annotated[int, Gt(0)] = 16
    mvm_energy_nJ: Annotated[float, Ge(0)] = 3.38e3 / 64
    mvm_time_ns: Annotated[float, Ge(0)] = 2 * 64 * 256 * 256 / 16.1e12 * 1e9


@plain_dataclass(frozen=True)
class ProgrammingLog:
    """Work of one programming.

    Args:
        cells: Cells that were written.
        set_pulses: SET pulses of all devices.
        reset_pulses: RESET pulses, those before the first SET included.
        cell_reads: Readings of single cells, each repetition for itself.
        row_reads: Products with a single row driven that these readings took; a row's columns are
            read together.
        mvms: Products with random inputs.
        iterations: Rounds of reading and correcting.
        converged_fraction: Share of the cells (verify) or weights (gdp) that ended within what was
            asked for, as the programmer has measured it.
        energy_uJ: Of pulses, reads and products.
        time_ms: The same, one after another.
    """

    cells: int
    set_pulses: int
    reset_pulses: int
    cell_reads: int
    row_reads: int
    mvms: int
    iterations: int
    converged_fraction: float
    energy_uJ: float
    time_ms: float

    @property
    def pulses(self) -> int:
        return self.set_pulses + self.reset_pulses


def energy_uJ(
    costs: ProgrammingCosts, *, set_pulses: int, reset_pulses: int, products: int
) -> float:
    """Energy of pulses and of products (random inputs or single rows)."""
    pulses_pJ = set_pulses * costs.set_energy_pJ + reset_pulses * costs.reset_energy_pJ
    return pulses_pJ * 1e-6 + products * costs.mvm_energy_nJ * 1e-3


def time_ms(costs: ProgrammingCosts, *, set_pulses: int, reset_pulses: int, products: int) -> float:
    """Time of pulses and of products, nothing overlapping but the pulses written together."""
    pulses_ns = set_pulses * costs.set_time_ns + reset_pulses * costs.reset_time_ns
    return (pulses_ns / costs.parallel_pulses + products * costs.mvm_time_ns) * 1e-6


def total(logs: Sequence[ProgrammingLog]) -> ProgrammingLog:
    """Work of several tiles or chips together; shares are averaged over cells.

    Raises:
        ValueError: There is no log.
    """
    if not logs:
        raise ValueError("`logs` must have at least one log, but got none. Program a tile first.")
    cells = sum(log.cells for log in logs)
    return ProgrammingLog(
        cells=cells,
        set_pulses=sum(log.set_pulses for log in logs),
        reset_pulses=sum(log.reset_pulses for log in logs),
        cell_reads=sum(log.cell_reads for log in logs),
        row_reads=sum(log.row_reads for log in logs),
        mvms=sum(log.mvms for log in logs),
        iterations=max(log.iterations for log in logs),
        converged_fraction=sum(log.converged_fraction * log.cells for log in logs) / cells,
        energy_uJ=sum(log.energy_uJ for log in logs),
        time_ms=sum(log.time_ms for log in logs),
    )
