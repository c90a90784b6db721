"""Choose the implementation by device and precision; both mean the same.

Between the two, noise has the same law but not the same bits.
"""

import functools
import importlib
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from analognas.simulator.kernels import reference
from analognas.simulator.kernels.columns import Columns, IrDropTerms
from analognas.simulator.streams import NoiseStream

SHORT_ROW = 256


def is_fused(x: Tensor) -> bool:
    """Whether `x` takes the numba kernels."""
    return x.device.type == "cpu" and x.dtype == torch.float32


def load_kernels(module: str) -> ModuleType:
    """Load numba's kernels only when they are needed, and let them use torch's threads."""
    kernels, limit = _loaded(module)
    import numba

    threads = min(torch.get_num_threads(), limit)
    if numba.get_num_threads() != threads:
        numba.set_num_threads(threads)
    return kernels


def _fused() -> ModuleType:
    return load_kernels("fused")


@functools.cache
def _loaded(module: str) -> tuple[ModuleType, int]:
    """The kernels, and the largest number of threads."""
    threads = torch.get_num_threads()
    import numba

    kernels = importlib.import_module(f"analognas.simulator.kernels.{module}")
    numba.get_num_threads()  # starts numba's threads, which share OpenMP's settings with torch ...
    torch.set_num_threads(threads)  # ... and had set torch to all cores
    limit: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    return kernels, limit


def quantize(
    x: Tensor, *, full_scale: Tensor | float, half_steps: float, keep_units: bool = False
) -> Tensor:
    """Convert inputs: `clip(round(x half_steps / full_scale), +-half_steps) / half_steps`.

    Args:
        x: Any shape and dense memory layout, which the result shares.
        full_scale: The input that gives the largest code; several, of several chips, broadcast.
        half_steps: The largest code, 127 for 8 bits.
        keep_units: Multiply the result by `full_scale`, instead of drives in [-1, 1].
    """
    if not is_fused(x) or (isinstance(full_scale, Tensor) and full_scale.numel() > 1):
        unit = full_scale if keep_units else 1.0
        return reference.quantize(x, full_scale=full_scale, half_steps=half_steps, unit=unit)
    x = x.detach()
    if not _is_dense(x):
        x = x.contiguous()
    out = torch.empty_like(x)
    bound = float(full_scale)
    _fused().quantize(
        flat_array(x),
        flat_array(out),
        np.float32(half_steps / bound),
        np.float32(half_steps),
        np.float32((bound if keep_units else 1.0) / half_steps),
    )
    return out


def range_gradient(x: Tensor, gradient: Tensor, bound: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of a clipping bound, and the number of inputs that reach it (two scalars).

    The sum over `x >= bound` of `min(gradient, 0)` minus the sum over `x <= -bound` of
    `max(gradient, 0)`: Rasch et al., Nat. Commun. 14, 5282 (2023).
    """
    if not is_fused(x):
        return reference.range_gradient(x, gradient, bound)
    x = x.detach()
    if x.stride() != gradient.stride() or not _is_dense(x):
        x, gradient = x.contiguous(), gradient.contiguous()
    sums, reached = _fused().range_gradient(
        flat_array(x), flat_array(gradient), np.float32(float(bound))
    )
    return x.new_tensor(float(sums.sum(dtype=np.float64))), torch.tensor(int(reached.sum()))


def training_columns(
    matrix: Tensor, *, input_range: Tensor, noise: float, per_unit: float, offset: Tensor | None
) -> Columns:
    """Read-out of weights and drives that are not normalised, each column by its largest weight.

    Args:
        matrix: `(C, R)` weights of a tile.
        input_range: Scalar; the input that drives a row fully.
        noise: Output noise, normalised.
        per_unit: ADC steps per normalised output.
        offset: `(C,)` bias.
    """
    if not is_fused(matrix):
        return reference.training_columns(
            matrix, input_range=input_range, noise=noise, per_unit=per_unit, offset=offset
        )
    numbers = torch.zeros(5, matrix.shape[0])
    if offset is not None:
        numbers[4] = offset.detach()
    _fused().training_columns(
        matrix.detach().numpy(),
        numbers.numpy(),
        np.float32(float(input_range.detach())),
        np.float32(noise),
        np.float32(per_unit),
    )
    return Columns(numbers)


def add_table_noise(
    weight: Tensor, widths: Tensor, strength: float, *, stream: NoiseStream
) -> Tensor:
    """Noisy weights, `w + strength max|w| width(|w| / max|w|) xi`, the maximum taken per row.

    Args:
        weight: `(O, N)`; untouched.
        widths: Standard deviation over 0 ... 1 in even steps; the nearest entry counts.
        strength: Multiplies it.
        stream: Noise.
    """
    if not is_fused(weight) or not weight.is_contiguous():
        return reference.add_table_noise(weight, widths, strength, generator=stream.generator)
    out = torch.empty_like(weight)
    fused = _fused()
    fused.add_table_noise(
        weight.numpy(),
        out.numpy(),
        widths.numpy(),
        np.float32(strength),
        np.uint64(stream.key),
        np.uint64(stream.take(weight.shape[0] * -(-weight.shape[1] // 4))),
        fused.NORMAL_TABLE,
    )
    return out


def read_out(  # noqa: PLR0913
    y: Tensor,
    columns: Columns,
    *,
    stream: NoiseStream,
    half_steps: float | None,
    squared: Tensor | None = None,
    ir_drop: IrDropTerms | None = None,
    into: Tensor | None = None,
) -> Tensor:
    """From the raw product of a tile to its digital output, in place.

    IR drop, per-read weight noise and output noise, ADC, digital scale and offset.

    Args:
        y: `(M, C)` product of drive and weights, contiguous; overwritten. Of K chips at once all
            products are `(K, M, C)`.
        columns: Numbers per column.
        stream: Noise.
        half_steps: The largest ADC code; `None` without ADC.
        squared: `(M, C)` sum of |w| x^2 for the per-read noise; overwritten.
        ir_drop: Products of the IR drop.
        into: `(M, C)` digital sum of earlier row parts, to which the output is added.

    Returns:
        `into` if given, else `y`.
    """
    if not is_fused(y) or y.dim() > 2:
        return reference.read_out(
            y,
            columns,
            squared=squared,
            ir_drop=ir_drop,
            half_steps=half_steps,
            into=into,
            generator=stream.generator,
        )
    fused = _fused()
    out = y if into is None else into
    # Several short rows are treated as one long row: the inner loops want some length.
    joined = _rows_to_join(*y.shape)
    shape = (y.shape[0] // joined, y.shape[1] * joined)

    def array(matrix: Tensor | None) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        nothing: np.ndarray[tuple[int, int], np.dtype[np.float32]] = fused.NOTHING
        return nothing if matrix is None else matrix.view(shape).numpy()

    fused.read_out(
        array(y),
        array(out),
        array(squared),
        array(None if ir_drop is None else ir_drop.current),
        array(None if ir_drop is None else ir_drop.profiled),
        columns.repeated(joined),
        np.float32(-1.0 if half_steps is None else half_steps),
        np.float32(0.0 if ir_drop is None else ir_drop.current_to_fraction),
        np.float32(0.0 if ir_drop is None else ir_drop.strength),
        into is not None,
        np.uint64(stream.key),
        np.uint64(stream.take(shape[0] * -(-shape[1] // 4))),
        fused.NORMAL_TABLE,
    )
    return out


def _rows_to_join(rows: int, width: int) -> int:
    joined = 1
    while width * joined < SHORT_ROW and rows % (2 * joined) == 0:
        joined *= 2
    return joined


def _is_dense(x: Tensor) -> bool:
    """Whether the memory holds every element once, without gaps, in one of the usual orders."""
    return (
        x.is_contiguous()
        or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))
        or (x.dim() == 5 and x.is_contiguous(memory_format=torch.channels_last_3d))
    )


def flat_array(x: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Memory of a dense float32 tensor on the CPU."""
    flat: np.ndarray[tuple[int], np.dtype[np.float32]] = x.as_strided((x.numel(),), (1,)).numpy()
    return flat
