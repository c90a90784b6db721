"""What happens to memory cells, in one pass over memory: numba kernels for float32 on the CPU."""

import numpy as np
from numba import njit, prange

from analognas.simulator.kernels.fused import NORMAL_TABLE, _fill_normal

__all__ = ["NORMAL_TABLE", "add_read_noise", "draw_exponents", "program_cells"]

CELLS_PER_TASK = 4096
ONE = np.uint32(1)


@njit(inline="always")
def _normal(size, task, key, table):  # type: ignore[no-untyped-def]
    """At least `size` draws of a task."""
    groups = (size + 3) // 4
    draws = np.empty(4 * groups, np.float32)
    _fill_normal(draws, np.uint64(task * (CELLS_PER_TASK // 4)), groups, key, table)
    return draws


@njit(inline="always")
def _place(g, to_square, table):  # type: ignore[no-untyped-def]
    """Where in a table over the square root of the conductance: entry and rest."""
    place = np.sqrt(max(g, np.float32(0.0)) * to_square)
    place = min(place, np.float32(table.size - 2))
    low = np.uint32(place)  # unsigned, so that no index is taken from the end
    return low, place - np.float32(low)


@njit(parallel=True, cache=True, fastmath={"contract", "nsz"})
def program_cells(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    target, out, lowest, to_square, sigma, key, normal
):
    """`out = max(g + sigma(g) xi, lowest)`; flat arrays."""
    for task in prange((target.size + CELLS_PER_TASK - 1) // CELLS_PER_TASK):
        cells = target[task * CELLS_PER_TASK : (task + 1) * CELLS_PER_TASK]
        written = out[task * CELLS_PER_TASK : (task + 1) * CELLS_PER_TASK]
        draws = _normal(cells.size, task, key, normal)
        for i in range(cells.size):
            low, rest = _place(cells[i] - lowest, to_square, sigma)
            width = sigma[low] + rest * (sigma[low + ONE] - sigma[low])
            written[i] = max(cells[i] + width * draws[i], lowest)


@njit(parallel=True, cache=True, fastmath={"contract", "nsz"})
def draw_exponents(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    target, out, to_square, mean, sigma, key, normal
):
    """`out = |mean(g) + sigma(g) xi|`; flat arrays."""
    for task in prange((target.size + CELLS_PER_TASK - 1) // CELLS_PER_TASK):
        cells = target[task * CELLS_PER_TASK : (task + 1) * CELLS_PER_TASK]
        exponents = out[task * CELLS_PER_TASK : (task + 1) * CELLS_PER_TASK]
        draws = _normal(cells.size, task, key, normal)
        for i in range(cells.size):
            low, rest = _place(cells[i], to_square, sigma)
            centre = mean[low] + rest * (mean[low + ONE] - mean[low])
            width = sigma[low] + rest * (sigma[low + ONE] - sigma[low])
            exponents[i] = abs(centre + width * draws[i])


@njit(parallel=True, cache=True, fastmath={"contract", "nsz"})
def add_read_noise(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    programmed, aged, to_square, fraction, strength, key, normal
):
    """`aged = max(aged (1 + strength fraction(programmed) xi), 0)` in place; flat arrays."""
    zero, one = np.float32(0.0), np.float32(1.0)
    for task in prange((aged.size + CELLS_PER_TASK - 1) // CELLS_PER_TASK):
        written = programmed[task * CELLS_PER_TASK : (task + 1) * CELLS_PER_TASK]
        cells = aged[task * CELLS_PER_TASK : (task + 1) * CELLS_PER_TASK]
        draws = _normal(cells.size, task, key, normal)
        for i in range(cells.size):
            low, rest = _place(written[i], to_square, fraction)
            width = fraction[low] + rest * (fraction[low + ONE] - fraction[low])
            cells[i] = max(cells[i] * (one + strength * width * draws[i]), zero)
