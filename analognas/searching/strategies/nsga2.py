"""NSGA-II (Deb et al., IEEE Trans. Evol. Comput. 6, 2002) for tens of thousands of networks.

A generation is a batch. Parents win tournaments by rank and crowding, children mix their genes one
by one and change some of them, and the best of parents and children live on. Differences to the
paper: no network is proposed twice, changes without effect are drawn again, the population grows
with the number of networks seen, and infeasible networks are ordered by their violation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.spaces import Realised
from analognas.searching.strategies.base import (
    FloatArray,
    Problem,
    batch_generator,
    check_proposals,
)
from analognas.searching.strategies.drawing import latin_hypercube, new_at_random, new_by_mutation
from analognas.searching.strategies.sorting import IntArray, best_first, crowding
from analognas.searching.strategies.sorting import non_dominated_ranks as rank_of

SMALLEST_POPULATION = 50
LARGEST_POPULATION = 400
GROWTH = 0.05  # members for every network seen
CROSSOVER_SHARE = 0.9  # children with two parents
# Half of the genes of a network may play no part in it; with one changed gene a child, most
# proposals of a converged population would be networks that are known already.
MUTATED_GENES = 8.0
LARGEST_MUTATED_SHARE = 0.2


class NSGA2:
    """A population of genotypes as positions in the value lists of their genes."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem = problem
        self._seed = seed
        self._names = tuple(problem.genes)
        self._choices = np.array([len(values) for values in problem.genes.values()])
        self._mutation = min(MUTATED_GENES / len(self._names), LARGEST_MUTATED_SHARE)
        self._known: set[str] = set()
        self._asked: list[Codes] = []
        self._members: IntArray = np.zeros((0, len(self._names)), dtype=np.int64)
        self._losses: FloatArray = np.zeros((0, len(problem.objectives)))
        self._violations: FloatArray = np.zeros(0)

    @property
    def batch_size(self) -> int:
        if self._problem.population is not None:
            return self._problem.population
        grown = int(GROWTH * len(self._known))
        return min(max(grown, SMALLEST_POPULATION), LARGEST_POPULATION)

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = batch_generator(self._seed, "nsga2", batch)
        if len(self._members):
            self._asked = self._offspring(count, rng)
        else:
            self._asked = latin_hypercube(self._problem.genes, count, rng)
        return [Proposal(dict(codes)) for codes in self._asked]

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._problem.genes, proposals)
        self._asked = [dict(proposal.codes) for proposal in proposals]

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        rows, losses, violations = [], [], []
        for codes, verdict in zip(self._asked, verdicts, strict=False):
            if verdict is None or verdict.key in self._known:
                continue
            self._known.add(verdict.key)
            if not verdict.failed:
                rows.append(self._positions(codes, verdict.codes))
                losses.append(self._problem.losses(verdict))
                violations.append(max(verdict.violation, 0.0))
        self._asked = []
        if not rows:
            return
        self._members = np.concatenate([self._members, np.array(rows, dtype=np.int64)])
        self._losses = np.concatenate([self._losses, np.array(losses)])
        self._violations = np.concatenate([self._violations, np.array(violations)])
        kept = best_first(self._losses, self._violations)[: self.batch_size]
        self._members = self._members[kept]
        self._losses, self._violations = self._losses[kept], self._violations[kept]

    def _positions(self, codes: Codes, canonical: Codes) -> list[int]:
        """What was proposed, with what the network became where it was made to fit.

        Genes without part in it keep their proposed values: they may matter to a child.
        """
        positions = []
        for gene, values in self._problem.genes.items():
            real = values.index(canonical[gene]) if gene in canonical else 0
            positions.append(real or values.index(codes[gene]))
        return positions

    def _offspring(self, count: int, rng: np.random.Generator) -> list[Codes]:
        ranks = rank_of(self._losses, self._violations)
        lonely = crowding(self._losses, ranks)
        quality = np.empty(len(ranks), dtype=np.int64)  # place in the order of best to worst
        quality[np.lexsort((-lonely, ranks))] = np.arange(len(ranks))
        duels = rng.integers(len(ranks), size=(2, 2, count))  # (parents, rivals, children)
        winners = np.where(quality[duels[:, 0]] <= quality[duels[:, 1]], duels[:, 0], duels[:, 1])
        first, second = self._members[winners[0]], self._members[winners[1]]
        crossed = rng.random(count) < CROSSOVER_SHARE
        swapped = (rng.random(first.shape) < 0.5) & crossed[:, None]
        children = np.where(swapped, second, first)
        changed = rng.random(children.shape) < self._mutation
        drawn = np.floor(rng.random(children.shape) * self._choices).astype(np.int64)
        children = np.where(changed, drawn, children)
        proposed: set[str] = set()
        offspring: list[Codes] = []
        for row in children:
            codes: Codes = self._codes(row)
            found = self._problem.identify(codes)
            if found is None or found.key in self._known or found.key in proposed:
                found = self._another(codes, proposed, rng)
                if found is None:
                    continue
                codes = found.codes
            proposed.add(found.key)
            offspring.append(codes)
        return offspring

    def _another(
        self, codes: Codes, proposed: set[str], rng: np.random.Generator
    ) -> Realised | None:
        known = self._known | proposed
        return new_by_mutation(self._problem, codes, known, rng) or new_at_random(
            self._problem, known, rng
        )

    def _codes(self, positions: IntArray) -> dict[str, int | str]:
        genes = self._problem.genes.items()
        return {gene: values[at] for (gene, values), at in zip(genes, positions, strict=True)}
