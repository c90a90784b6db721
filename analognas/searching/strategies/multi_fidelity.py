"""Successive halving with several objectives, in brackets of rising fidelity.

A bracket starts with new networks at the lowest fidelity; the better half goes on to the next one,
until the best are evaluated in full (Jamieson and Talwalkar, AISTATS 2016, with eta = 2). Better
means: feasible, then of lower non-dominated rank, then of larger contribution to the hypervolume.
Half of the new networks are changed members of the best front so far, the others random. The first
bracket is small and the next ones grow, so that a search that must end early has seen something in
full.

Evaluations are noisy. Where the spread between seeds could exchange who is promoted and who is not,
the networks at the boundary are evaluated under one more seed, and means are compared; in rungs of
fewer than 8 networks another network is worth more than another seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from analognas.errors import UserError
from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.hypervolumes import contributions
from analognas.searching.strategies.base import (
    FloatArray,
    Problem,
    batch_generator,
    check_proposals,
)
from analognas.searching.strategies.drawing import new_at_random, new_by_mutation
from analognas.searching.strategies.sorting import IntArray, non_dominated_ranks

FIRST_NETWORKS, START_NETWORKS = 4, 16  # of the first bracket, and of the largest ones
LEAST_REPLICATED = 8  # networks of a rung in which seeds are repeated
FIDELITIES = (0.25, 0.5, 1.0)  # of an evaluator that can do any
ETA = 2
MOST_SEEDS = 3  # of one network at one fidelity
REPLICATED_SHARE = 0.25  # of the networks of a rung at most, in one round


class MultiFidelity:
    """The rungs of the present bracket, and every result by network and fidelity."""

    def __init__(self, problem: Problem, seed: int) -> None:
        if len(problem.fidelities) < 2:
            raise UserError(
                "The strategy multi-fidelity needs an evaluator with more than one fidelity, but "
                f"this one offers {', '.join(f'{f:g}' for f in problem.fidelities)}. Let it take "
                "`fidelity`, or choose another strategy."
            )
        self._problem = problem
        self._seed = seed
        self._fidelities = tuple(sorted(problem.fidelities))
        self._results: dict[tuple[str, float], list[FloatArray]] = {}
        self._violations: dict[tuple[str, float], list[float]] = {}
        self._tried: dict[tuple[str, float], int] = {}  # seeds, failed ones included
        self._codes: dict[str, Codes] = {}
        self._asked: list[Proposal] = []
        self._rung: list[str] = []  # networks of the present rung, as they came
        self._level = 0
        self._brackets = 0  # begun
        self._plan: list[Proposal] = []  # the next batch; empty: a new bracket

    @property
    def batch_size(self) -> int:
        grown = min(START_NETWORKS, FIRST_NETWORKS * ETA**self._brackets)
        return len(self._plan) or self._problem.population or grown

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = batch_generator(self._seed, "multi-fidelity", batch)
        self._asked = self._plan[:count] or self._new_networks(count, rng) or self._left(count)
        return list(self._asked)

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._problem.genes, proposals)
        self._asked = list(proposals)

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        if not self._plan:
            self._level, self._rung = 0, []
            self._brackets += 1
        for verdict in verdicts:
            if verdict is None:
                continue
            spot = (verdict.key, verdict.fidelity)
            self._codes[verdict.key] = verdict.codes
            is_new = verdict.seed >= self._tried.get(spot, 0)  # or it was told before
            self._tried[spot] = max(self._tried.get(spot, 0), verdict.seed + 1)
            if is_new and not verdict.failed:
                self._results.setdefault(spot, []).append(self._problem.losses(verdict))
                self._violations.setdefault(spot, []).append(max(verdict.violation, 0.0))
            if verdict.key not in self._rung:
                self._rung.append(verdict.key)
        self._asked = []
        self._plan = self._replicates() or self._promotions()

    def _new_networks(self, count: int, rng: np.random.Generator) -> list[Proposal]:
        best = self._best_in_full()
        known = set(self._codes)
        drawn: list[Proposal] = []
        for index in range(count):
            found = None
            if best and index % 2:
                parent = self._codes[best[int(rng.integers(len(best)))]]
                found = new_by_mutation(self._problem, parent, known, rng)
            found = found or new_at_random(self._problem, known, rng)
            if found is not None:
                known.add(found.key)
                drawn.append(Proposal(dict(found.codes), self._fidelities[0]))
        return drawn

    def _left(self, count: int) -> list[Proposal]:
        """When nothing new is found any more: networks that were never evaluated in full."""
        full = self._fidelities[-1]
        left = [key for key in self._codes if (key, full) not in self._tried]
        return [Proposal(dict(self._codes[key]), full) for key in left[:count]]

    def _best_in_full(self) -> list[str]:
        """The front of everything that was evaluated in full."""
        keys = [key for key, fidelity in self._results if fidelity == self._fidelities[-1]]
        if not keys:
            return []
        ranks = non_dominated_ranks(*self._judged(keys, self._fidelities[-1]))
        return [key for key, rank in zip(keys, ranks, strict=True) if rank == 0]

    def _judged(self, keys: Sequence[str], fidelity: float) -> tuple[FloatArray, FloatArray]:
        """Means over the seeds: losses `(N, D)` and violations `(N,)`."""
        losses = np.stack([np.mean(self._results[key, fidelity], axis=0) for key in keys])
        violations = np.array([np.mean(self._violations[key, fidelity]) for key in keys])
        return losses, violations

    def _candidates(self) -> list[str]:
        """Networks of the rung that gave a result; failed ones are never promoted."""
        fidelity = self._fidelities[self._level]
        return [key for key in self._rung if (key, fidelity) in self._results]

    def _promotions(self) -> list[Proposal]:
        """Send the better half of the rung to the next fidelity; nothing after the last one."""
        keys = self._candidates()
        if self._level + 1 >= len(self._fidelities) or not keys:
            return []
        order = promotion_order(*self._judged(keys, self._fidelities[self._level]))
        chosen = [keys[row] for row in order[: math.ceil(len(self._rung) / ETA)]]
        self._level += 1
        self._rung = chosen
        fidelity = self._fidelities[self._level]
        return [Proposal(dict(self._codes[key]), fidelity) for key in chosen]

    def _replicates(self) -> list[Proposal]:
        """Another seed for the networks whose promotion hangs on the spread between seeds."""
        fidelity = self._fidelities[self._level]
        keys = self._candidates()
        kept = math.ceil(len(self._rung) / ETA)
        last = self._level + 1 >= len(self._fidelities)
        few = len(self._rung) < LEAST_REPLICATED or len(keys) <= kept
        if last or few or not self._problem.replicable:
            return []
        losses, violations = self._judged(keys, fidelity)
        order = promotion_order(losses, violations)
        spread = self._spread(fidelity)
        if spread is None:
            undecided = [int(order[kept - 1]), int(order[kept])]  # the first look at the spread
        else:
            tests = [len(self._results[key, fidelity]) for key in keys]
            undecided = boundary(losses, violations, kept, spread / np.sqrt(tests)[:, None])
        open_ones = [row for row in undecided if self._tried[keys[row], fidelity] < MOST_SEEDS]
        limit = max(2, int(REPLICATED_SHARE * len(keys)))
        return [
            Proposal(dict(self._codes[keys[row]]), fidelity, self._tried[keys[row], fidelity])
            for row in open_ones[:limit]
        ]

    def _spread(self, fidelity: float) -> FloatArray | None:
        """Standard deviation `(D,)` between seeds, pooled; None while nothing was repeated."""
        repeated = [
            np.stack(results)
            for (_, level), results in self._results.items()
            if level == fidelity and len(results) > 1
        ]
        if not repeated:
            return None
        squares = sum(((r - r.mean(axis=0)) ** 2).sum(axis=0) for r in repeated)
        freedom = sum(len(results) - 1 for results in repeated)
        return np.asarray(np.sqrt(squares / freedom), dtype=np.float64)


def promotion_order(losses: FloatArray, violations: FloatArray) -> IntArray:
    """Rows from best to worst: by rank, within a rank by contribution to the hypervolume.

    Contributions are those to the row's own front, every objective scaled to the range of all rows,
    with a reference point a tenth beyond the worst.
    """
    ranks = non_dominated_ranks(losses, violations)
    low, high = losses.min(axis=0), losses.max(axis=0)
    scaled = (losses - low) / np.where(high > low, high - low, 1.0)
    gains = np.zeros(len(losses))
    for rank in np.unique(ranks):
        rows = np.flatnonzero(ranks == rank)
        gains[rows] = contributions(scaled[rows], np.full(losses.shape[1], 1.1))
    return np.lexsort((-gains, ranks)).astype(np.int64)


def boundary(
    losses: FloatArray, violations: FloatArray, kept: int, errors: FloatArray
) -> list[int]:
    """Rows that would change sides if their losses were one standard error better or worse.

    Args:
        losses: `(N, D)`.
        violations: `(N,)`.
        kept: How many are promoted.
        errors: Standard errors `(N, D)`.
    """
    promoted = set(promotion_order(losses, violations)[:kept].tolist())
    undecided = []
    for row in range(len(losses)):
        moved = losses.copy()
        moved[row] += errors[row] if row in promoted else -errors[row]
        now = promotion_order(moved, violations)[:kept]
        if (row in now) != (row in promoted):
            undecided.append(row)
    return undecided
