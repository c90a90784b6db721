"""Who is better when there are several objectives: non-dominated ranks and crowding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def non_dominated_ranks(losses: FloatArray, violations: FloatArray | None = None) -> IntArray:
    """Rank of every row, 0 being the best front (Deb et al. 2002).

    A row dominates another if it is nowhere worse and somewhere better. Feasible rows come before
    all others; those are ordered by how much they violate.

    Args:
        losses: `(N, D)`, smaller is better.
        violations: `(N,)`, 0 or less is feasible; None: all are.
    """
    ranks = np.zeros(len(losses), dtype=np.int64)
    feasible = np.ones(len(losses), bool) if violations is None else violations <= 0
    ranks[feasible] = _fronts(losses[feasible])
    if violations is not None and not feasible.all():
        first = int(ranks[feasible].max()) + 1 if feasible.any() else 0
        _, order = np.unique(violations[~feasible], return_inverse=True)
        ranks[~feasible] = first + order
    return ranks


def _fronts(losses: FloatArray) -> IntArray:
    count, objectives = losses.shape
    if objectives == 1:
        return np.unique(losses[:, 0], return_inverse=True)[1].astype(np.int64)
    nowhere_worse = np.ones((count, count), dtype=bool)
    somewhere_better = np.zeros((count, count), dtype=bool)
    for column in losses.T:
        nowhere_worse &= column[:, None] <= column[None, :]
        somewhere_better |= column[:, None] < column[None, :]
    dominates = nowhere_worse & somewhere_better
    ahead = dominates.sum(axis=0)
    ranks = np.full(count, -1, dtype=np.int64)
    rank = 0
    while (ranks < 0).any():
        front = (ahead == 0) & (ranks < 0)
        ranks[front] = rank
        ahead = ahead - dominates[front].sum(axis=0)
        rank += 1
    return ranks


def crowding(losses: FloatArray, ranks: IntArray) -> FloatArray:
    """Distance between the neighbours of every row within its front, summed over the objectives.

    The ends of a front are infinitely far; larger means lonelier.
    """
    distances = np.zeros(len(losses))
    for rank in np.unique(ranks):
        rows = np.flatnonzero(ranks == rank)
        for column in losses[rows].T:
            order = np.argsort(column, kind="stable")
            spread = column[order[-1]] - column[order[0]]
            distances[rows[order[[0, -1]]]] = np.inf
            if spread > 0:
                gaps = (column[order[2:]] - column[order[:-2]]) / spread
                distances[rows[order[1:-1]]] += gaps
    return distances


def best_first(losses: FloatArray, violations: FloatArray | None = None) -> IntArray:
    """Rows ordered by rank, then by crowding, then as they came."""
    ranks = non_dominated_ranks(losses, violations)
    return np.lexsort((-crowding(losses, ranks), ranks)).astype(np.int64)
