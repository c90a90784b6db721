"""How much a point would add to a hypervolume, for many points and any number of objectives.

The hypervolume is an average over directions: along each of them a point dominates a stretch that
ends at its own staircase (Deng and Zhang, IEEE Trans. Evol. Comput. 23, 2019; Zhang and Golovin,
ICML 2020). What a point adds is the average by which it is ahead of the front.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def directions(objectives: int, count: int, rng: np.random.Generator) -> FloatArray:
    """Draw directions `(count, D)` uniformly from the positive part of the unit sphere."""
    drawn = np.abs(rng.standard_normal((count, objectives)))
    drawn = np.maximum(drawn, 1e-6)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def reach(losses: FloatArray, reference: FloatArray, along: FloatArray) -> FloatArray:
    """How much of each direction points dominate.

    Args:
        losses: `(..., D)`, smaller is better.
        reference: `(D,)`.
        along: Directions `(L, D)`.

    Returns:
        `(..., L)`; its mean over directions is the hypervolume of the point, up to a factor that
        depends on D alone.
    """
    objectives = losses.shape[-1]
    ahead = np.full((*losses.shape[:-1], len(along)), np.inf)
    for index in range(objectives):
        distance = np.maximum(reference[index] - losses[..., index], 0.0)
        np.minimum(ahead, distance[..., None] / along[:, index], out=ahead)
    result: FloatArray = ahead**objectives
    return result


def improvements(points: FloatArray, front: FloatArray) -> FloatArray:
    """What points add to a front, `(...,)`, from how far they reach `(..., L)` and it `(L,)`."""
    gained: FloatArray = np.maximum(points - front, 0.0).mean(axis=-1)
    return gained
