"""Independent uniform draws of every gene: the baseline every search must beat."""

from __future__ import annotations

from collections.abc import Sequence

from analognas.searching.candidates import Proposal, Verdict
from analognas.searching.strategies.base import Problem, batch_generator, check_proposals
from analognas.searching.strategies.drawing import random_codes

BATCH_SIZE = 50


class RandomSearch:
    """Draws; what it is told changes nothing."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._genes = problem.genes
        self._seed = seed

    @property
    def batch_size(self) -> int:
        return BATCH_SIZE

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = batch_generator(self._seed, "random", batch)
        return [Proposal(random_codes(self._genes, rng)) for _ in range(count)]

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._genes, proposals)

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        pass
