"""Converters and noise in one pass over memory: numba kernels for float32 on the CPU.

An activation is millions of numbers and the arithmetic on each is small: the time goes into reading
and writing memory. Every kernel therefore touches each number once. Noise is drawn where it is
used, from a counter: the 64-bit hash of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of key and
position gives four 16-bit numbers, each of which picks a value of a table of the inverse normal
distribution. The table has exactly zero mean and unit variance; its tails end at 4.3 standard
deviations.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray
from scipy.special import ndtri

Float32Array = NDArray[np.float32]

TABLE_BITS = 16
GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
ROWS_PER_TASK = 64
INPUTS_PER_TASK = 16_384


def _normal_table() -> Float32Array:
    """Midpoint quantiles of the standard normal, rescaled to unit variance."""
    count = 1 << TABLE_BITS
    quantiles = ndtri((np.arange(count) + 0.5) / count)
    table: Float32Array = (quantiles / np.sqrt(np.mean(quantiles**2))).astype(np.float32)
    return table


NORMAL_TABLE = _normal_table()
NOTHING: Float32Array = np.empty((0, 0), np.float32)  # an effect that is off


@njit(inline="always")
def _hash(counter, key):  # type: ignore[no-untyped-def]
    z = key + counter * GOLDEN_GAMMA
    z = (z ^ (z >> np.uint64(30))) * MIX_1
    z = (z ^ (z >> np.uint64(27))) * MIX_2
    return z ^ (z >> np.uint64(31))


@njit(inline="always")
def _fill_normal(draws, first, groups, key, table):  # type: ignore[no-untyped-def]
    """Four draws for each of `groups` counters from `first` on."""
    mask = np.uint64(0xFFFF)
    for group in range(groups):
        bits = _hash(first + np.uint64(group), key)
        draws[4 * group] = table[bits & mask]
        draws[4 * group + 1] = table[(bits >> np.uint64(16)) & mask]
        draws[4 * group + 2] = table[(bits >> np.uint64(32)) & mask]
        draws[4 * group + 3] = table[bits >> np.uint64(48)]


@njit(parallel=True, cache=True)
def quantize(x, out, inverse_step, half_steps, step):  # type: ignore[no-untyped-def]
    """`out = clip(round(x inverse_step), +-half_steps) step`; flat arrays; NaN stays NaN."""
    for i in prange(x.size):
        code = np.rint(x[i] * inverse_step)
        if code > half_steps:
            code = half_steps
        elif code < -half_steps:
            code = -half_steps
        out[i] = code * step


@njit(parallel=True, cache=True, fastmath={"reassoc", "contract", "nsz"})
def range_gradient(x, gradient, bound):  # type: ignore[no-untyped-def]
    """Per task: gradient of a clipping bound, and how many inputs reach it.

    The sum over `x >= bound` of `min(gradient, 0)` minus that over `x <= -bound` of `max(gradient,
    0)`.
    """
    tasks = (x.size + INPUTS_PER_TASK - 1) // INPUTS_PER_TASK
    sums = np.zeros(tasks, np.float32)
    reached = np.zeros(tasks, np.float32)  # at most INPUTS_PER_TASK: exact
    zero, one = np.float32(0.0), np.float32(1.0)
    for task in prange(tasks):
        total, count = zero, zero
        inputs = x[task * INPUTS_PER_TASK : (task + 1) * INPUTS_PER_TASK]
        gradients = gradient[task * INPUTS_PER_TASK : (task + 1) * INPUTS_PER_TASK]
        for i in range(inputs.size):
            g = gradients[i]
            wants_more = g if g < zero else zero
            wants_less = g if g > zero else zero
            above = one if inputs[i] >= bound else zero
            below = one if inputs[i] <= -bound else zero
            total += above * wants_more - below * wants_less
            count += above + below
        sums[task] = total
        reached[task] = count
    return sums, reached


@njit(cache=True)
def training_columns(matrix, numbers, input_range, noise, per_unit):  # type: ignore[no-untyped-def]
    """Fill the first four rows of `numbers` `(5, C)` from weights `(C, R)`."""
    for column in range(matrix.shape[0]):
        weights = matrix[column]
        largest = np.float32(1e-12)
        for i in range(weights.size):
            magnitude = abs(weights[i])
            largest = magnitude if magnitude > largest else largest
        scale = largest * input_range
        numbers[0, column] = per_unit / scale
        numbers[1, column] = noise * per_unit
        numbers[3, column] = scale / per_unit


@njit(parallel=True, cache=True, fastmath={"contract", "nsz"})
def add_table_noise(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    weight, out, widths, strength, key, first, table
):
    """`out = w + strength max|w| widths(|w| / max|w|) xi` per row of `(O, N)` weights.

    `widths` is tabulated over 0 ... 1 in even steps; the nearest entry counts. A row that is not
    finite stays as it is.
    """
    rows, size = weight.shape
    groups = (size + 3) // 4
    last = np.float32(widths.size - 1)
    for row in prange(rows):
        clean, noisy = weight[row], out[row]
        largest = np.float32(0.0)
        total = np.float32(0.0)
        for i in range(size):
            magnitude = abs(clean[i])
            largest = magnitude if magnitude > largest else largest
            total += magnitude
        if not np.isfinite(total) or largest == 0:
            noisy[:] = clean
            continue
        draws = np.empty(4 * groups, np.float32)
        _fill_normal(draws, first + np.uint64(row * groups), groups, key, table)
        to_index, amplitude = last / largest, strength * largest
        for i in range(size):
            entry = np.int32(abs(clean[i]) * to_index + np.float32(0.5))
            noisy[i] = clean[i] + amplitude * widths[entry] * draws[i]


@njit(parallel=True, cache=True, fastmath={"contract", "nsz"})
def read_out(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    y,
    out,
    squared,
    current,
    profiled,
    columns,
    half_steps,
    current_to_fraction,
    ir_strength,
    accumulate,
    key,
    first,
    table,
):
    """From the raw product of a tile to its digital output; see `kernels.read_out`.

    Args:
        y: `(M, C)` product.
        out: `(M, C)`, may be `y`.
        squared: `(M, C)` sum of |w| x^2, or empty.
        current: `(M, C)` sum of |w| |x|, or empty.
        profiled: `(M, C)` product with the profile of the wire resistance, or empty.
        columns: `(5, C)`: gain, noise, squared gain, scale, offset.
        half_steps: Largest ADC code, negative without converter.
        current_to_fraction: Rows / conductance ratio.
        ir_strength: Scale of the IR drop.
        accumulate: Whether to add to `out` instead of overwriting it.
        key: Of the noise stream.
        first: Counter of the first draw.
        table: Inverse normal distribution.
    """
    rows, width = y.shape
    groups = (width + 3) // 4
    gain, noise, squared_gain, scale, offset = (
        columns[0],
        columns[1],
        columns[2],
        columns[3],
        columns[4],
    )
    noisy = squared.size > 0 or noise.max() > 0
    zero = np.float32(0.0)
    for task in prange((rows + ROWS_PER_TASK - 1) // ROWS_PER_TASK):
        draws = np.zeros(4 * groups, np.float32)
        for m in range(task * ROWS_PER_TASK, min(rows, (task + 1) * ROWS_PER_TASK)):
            if noisy:
                _fill_normal(draws, first + np.uint64(m * groups), groups, key, table)
            products, outputs = y[m], out[m]
            if squared.size > 0:
                squares = squared[m]
                for c in range(width):
                    variance = noise[c] * noise[c] + squared_gain[c] * max(squares[c], zero)
                    draws[c] *= np.sqrt(variance)
            elif noisy:
                for c in range(width):
                    draws[c] *= noise[c]
            if current.size > 0:
                currents, losses = current[m], profiled[m]
                for c in range(width):
                    a = currents[c] * current_to_fraction
                    fraction = a * (a * (np.float32(0.05) * a - np.float32(0.2)) + np.float32(0.5))
                    draws[c] -= ir_strength * fraction * losses[c] * gain[c]
            if half_steps >= 0:
                for c in range(width):
                    code = np.rint(draws[c] + products[c] * gain[c])
                    draws[c] = max(min(code, half_steps), -half_steps) * scale[c] + offset[c]
            else:
                for c in range(width):
                    draws[c] = (draws[c] + products[c] * gain[c]) * scale[c] + offset[c]
            if accumulate:
                for c in range(width):
                    outputs[c] += draws[c]
            else:
                outputs[:] = draws[:width]
            if not noisy:
                draws[:] = zero
