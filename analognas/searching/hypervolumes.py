"""The hypervolume of a front: how much of the space below a reference point it dominates.

Exact: a sweep for two objectives, slices of lower dimension for more (While et al., IEEE Trans.
Evol. Comput. 10, 2006, "hypervolume by slicing objectives"). Made for fronts of up to a few hundred
points in two or three dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def hypervolume(losses: FloatArray, reference: Sequence[float] | FloatArray) -> float:
    """Volume between the points and the reference point, where smaller losses are better.

    Args:
        losses: `(N, D)`, in any order, dominated points allowed.
        reference: `(D,)`; points that are not better in every objective add nothing.

    Raises:
        ValueError: The shapes do not fit, or a number is not finite.
    """
    points = np.asarray(losses, dtype=np.float64)
    corner = np.asarray(reference, dtype=np.float64)
    if points.ndim != 2 or corner.ndim != 1 or (points.size and points.shape[1] != len(corner)):
        raise ValueError(
            f"The points must be (N, D) and the reference point (D,), but got {points.shape} and "
            f"{corner.shape}."
        )
    if not (np.isfinite(points).all() and np.isfinite(corner).all()):
        raise ValueError("Points and reference point must be finite.")
    return _volume(points[(points < corner).all(axis=1)], corner) if points.size else 0.0


def contributions(losses: FloatArray, reference: Sequence[float] | FloatArray) -> FloatArray:
    """What every point alone adds to the hypervolume `(N,)`; 0 for those that others cover."""
    points = np.asarray(losses, dtype=np.float64)
    whole = hypervolume(points, reference)
    without = [hypervolume(np.delete(points, row, axis=0), reference) for row in range(len(points))]
    return np.maximum(whole - np.array(without, dtype=np.float64), 0.0)


def _volume(points: FloatArray, corner: FloatArray) -> float:
    if len(points) == 0:
        return 0.0
    if len(corner) == 1:
        return float(corner[0] - points.min())
    if len(corner) == 2:
        return _area(points, corner)
    order = np.argsort(points[:, -1], kind="stable")
    points = points[order]
    ends = np.append(points[1:, -1], corner[-1])
    total = 0.0
    for index, end in enumerate(ends):
        thickness = end - points[index, -1]
        if thickness > 0:
            total += thickness * _volume(points[: index + 1, :-1], corner[:-1])
    return float(total)


def _area(points: FloatArray, corner: FloatArray) -> float:
    points = points[np.lexsort((points[:, 1], points[:, 0]))]
    lowest = np.minimum.accumulate(points[:, 1])
    ends = np.append(points[1:, 0], corner[0])
    return float(np.sum((ends - points[:, 0]) * (corner[1] - lowest)))
