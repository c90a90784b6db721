"""Regularised evolution (Real et al., AAAI 2019, arXiv:1802.01548), for several objectives.

A queue of networks: the best of a random sample is changed in one gene, its child enters at the
end, and the oldest leaves, however good it was. With several objectives the best is the one of
lowest non-dominated rank, and among those the loneliest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.strategies.base import (
    FloatArray,
    Problem,
    batch_generator,
    check_proposals,
)
from analognas.searching.strategies.drawing import (
    new_at_random,
    new_by_mutation,
    random_codes,
)
from analognas.searching.strategies.sorting import best_first

POPULATION = 100  # P of the paper
SAMPLE_SHARE = 0.25  # S / P of the paper
BATCH_SIZE = 10  # children of one population; the paper's workers run as far apart


class RegularisedEvolution:
    """The queue, oldest first."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._seed = seed
        self._size = problem.population or POPULATION
        self._queue: deque[tuple[Codes, FloatArray, float]] = deque(maxlen=self._size)
        self._known: set[str] = set()

    @property
    def batch_size(self) -> int:
        return min(BATCH_SIZE, self._size)

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = batch_generator(self._seed, "regularised evolution", batch)
        known = set(self._known)
        proposals = []
        for _ in range(count):
            if len(self._queue) < self._size:
                found = new_at_random(self._problem, known, rng)
            else:
                found = new_by_mutation(self._problem, self._parent(rng), known, rng)
            if found is None:  # around here everything is known
                proposals.append(Proposal(random_codes(self._problem.genes, rng)))
            else:
                known.add(found.key)
                proposals.append(Proposal(dict(found.codes)))
        return proposals

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._problem.genes, proposals)

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        for verdict in verdicts:
            if verdict is None:
                continue
            if not verdict.failed and verdict.key not in self._known:
                member = (verdict.codes, self._problem.losses(verdict), verdict.violation)
                self._queue.append(member)
            self._known.add(verdict.key)

    def _parent(self, rng: np.random.Generator) -> Codes:
        size = max(2, round(SAMPLE_SHARE * len(self._queue)))
        drawn = rng.choice(len(self._queue), size=min(size, len(self._queue)), replace=False)
        sample = [self._queue[int(index)] for index in drawn]
        losses = np.stack([member[1] for member in sample])
        violations = np.array([max(member[2], 0.0) for member in sample])
        return sample[int(best_first(losses, violations)[0])][0]
