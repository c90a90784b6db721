"""How few cores, and how short a pipeline stage, no placement can go below."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = 12  # tried per side


def least_cores(sizes: Sequence[tuple[int, int]], rows: int, columns: int) -> int:
    """Cores that rectangles need at least, even if they share cores as well as can be.

    The area that they cover, where rectangles count as larger the less room they leave beside them
    (dual feasible functions, Fekete and Schepers, Math. Program. 91, 2001): a rectangle of more
    than `rows - t` rows has no other of `t` or more above or below it and counts as `rows`, while
    those of less than `t` count nothing, for every `t <= rows / 2`.

    Args:
        sizes: Rows and columns of every rectangle.
        rows: Of a core.
        columns: Of a core.
    """
    if not sizes:
        return 0
    pairs = np.asarray(sizes, dtype=np.int64)
    areas = _stretched(pairs[:, 0], rows) @ _stretched(pairs[:, 1], columns).T
    return int(-(-areas.max() // (rows * columns)))


def least_stage(blocks: Sequence[tuple[int, int, int]], *, cells: int, cores: int) -> int:
    """Reads of the busiest core that a pipeline has at least, however its layers are replicated.

    For a stage of `s` reads, a layer of `m` multiplications is needed `ceil(m / floor(s / p))`
    times, if `p` passes of the ADCs read a block. All copies must fit the cores, and all reads must
    find time on them.

    Args:
        blocks: Multiplications per inference, passes, and weight positions of every block.
        cells: Weight positions of a core.
        cores: Of the chip.
    """
    if not blocks:
        return 0
    mvms, passes, areas = np.asarray(blocks, dtype=np.int64).T
    low = max(int(-(-(mvms * passes).sum() // cores)), int(passes.max()))
    high = max(low, int((mvms * passes).max()))
    while low < high:
        stage = (low + high) // 2
        copies = -(-mvms // (stage // passes))
        if (copies * areas).sum() <= cells * cores:
            high = stage
        else:
            low = stage + 1
    return low


def _stretched(sides: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Sides under every threshold, `(thresholds, rectangles)`; the first is zero: as they are."""
    small = np.unique(sides[2 * sides <= limit])
    if len(small) > THRESHOLDS:
        small = small[np.linspace(0, len(small) - 1, THRESHOLDS).astype(int)]
    rows = [sides]
    for threshold in (*small.tolist(), limit / 2):
        stretched = np.where(sides > limit - threshold, limit, sides)
        rows.append(np.where(sides < threshold, 0, stretched))
    return np.stack(rows)
