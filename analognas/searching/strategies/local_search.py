"""Local search (White et al., UAI 2021, arXiv:2005.02960), for several objectives.

Random networks first; then the neighbours of every member of their front, until no neighbour of the
front is new; then again from random networks. A neighbour differs in one gene: a number by one
step, a name by being another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.strategies.base import (
    FloatArray,
    Problem,
    batch_generator,
    check_proposals,
)
from analognas.searching.strategies.drawing import neighbours, random_codes
from analognas.searching.strategies.sorting import non_dominated_ranks

START_NETWORKS = 20
BATCH_SIZE = 20


@dataclass(frozen=True, eq=False)
class _Member:
    codes: Codes
    losses: FloatArray
    violation: float
    key: str


class LocalSearch:
    """The front of the present round, and which of its members have no new neighbours left."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._seed = seed
        self._known: set[str] = set()
        self._front: list[_Member] = []
        self._finished: set[str] = set()
        self._started = 0  # networks of the present round

    @property
    def batch_size(self) -> int:
        return START_NETWORKS if self._starting else BATCH_SIZE

    @property
    def _starting(self) -> bool:
        return self._started < START_NETWORKS or not self._front

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = batch_generator(self._seed, "local search", batch)
        if not self._starting:
            for member in self._front:
                if member.key not in self._finished:
                    found = self._around(member, count, rng)
                    if found:
                        return found
                    self._finished.add(member.key)
            self._restart()
        return [Proposal(random_codes(self._problem.genes, rng)) for _ in range(count)]

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._problem.genes, proposals)
        self.ask(batch, self.batch_size)  # finds again which members have no new neighbours

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        members = list(self._front)
        for verdict in verdicts:
            if verdict is None:
                self._started += 1
                continue
            self._started += 1
            if not verdict.failed and all(member.key != verdict.key for member in members):
                losses = self._problem.losses(verdict)
                violation = max(verdict.violation, 0.0)
                members.append(_Member(verdict.codes, losses, violation, verdict.key))
            self._known.add(verdict.key)
        if members:
            ranks = non_dominated_ranks(
                np.stack([member.losses for member in members]),
                np.array([member.violation for member in members]),
            )
            self._front = [m for m, rank in zip(members, ranks, strict=True) if rank == 0]

    def _restart(self) -> None:
        self._front, self._finished, self._started = [], set(), 0

    def _around(self, member: _Member, count: int, rng: np.random.Generator) -> list[Proposal]:
        around = list(neighbours(self._problem.genes, member.codes))
        found: dict[str, Codes] = {}
        for index in rng.permutation(len(around)):
            network = self._problem.identify(around[int(index)])
            if network is not None and network.key not in self._known:
                found.setdefault(network.key, network.codes)
                if len(found) == count:
                    break
        return [Proposal(dict(codes)) for codes in found.values()]
