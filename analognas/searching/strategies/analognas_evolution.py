"""The evolution of AnalogNAS, after the published description.

Benmeziane et al., "AnalogNAS: A Neural Network Design Framework for Accurate Inference with Analog
In-Memory Computing", IEEE EDGE 2023 (arXiv:2305.10459): a population of 200 starts as a Latin
hypercube; the better half is kept and mutated in depth, in width and in everything else; the next
population is the best of the union of parents and children. One objective, in the paper the
accuracy after one day, here the first of the search; the number of parameters is bounded when a
network is made, the accuracy lost between 1 s and 1 month (the paper's AVM) is checked for every
network of every generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.spaces import Genes
from analognas.searching.strategies.base import Problem, batch_generator, check_proposals
from analognas.searching.strategies.drawing import latin_hypercube, other_values

POPULATION = 200

DEPTH_WORDS = ("depth", "blocks", "stages", "repeats")
WIDTH_WORDS = ("width", "branches", "widening", "channels", "filters")


@dataclass(frozen=True)
class Member:
    """A genotype with its verdict; `fitness` is its first objective, larger is better."""

    codes: Codes
    verdict: Verdict
    fitness: float

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: feasible members by fitness, infeasible ones below by violation."""
        return (-max(self.verdict.violation, 0.0), self.fitness)


class AnalogNasEvolution:
    """Parents and children of a single-objective evolution with truncation selection."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._genes = problem.genes
        self._objective = problem.objectives[0]
        self._groups = gene_groups(problem.genes)
        self._size = problem.population or POPULATION
        self._seed = seed
        self._population: list[Member] = []
        self._asked: list[Codes] = []

    @property
    def batch_size(self) -> int:
        return self._size

    @property
    def population(self) -> tuple[Member, ...]:
        """The current generation, best first."""
        return tuple(self._population)

    @property
    def best(self) -> Member | None:
        """The best member of all generations; None while no member is feasible."""
        best = self._population[0] if self._population else None
        return best if best is not None and best.verdict.violation <= 0 else None

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = batch_generator(self._seed, "evolution", batch)
        if self._population and self._groups:
            parents = self._population[: max(1, len(self._population) // 2)]
            kinds = list(self._groups)
            # Every parent in turn, every kind of mutation in turn: no parent is left out.
            self._asked = [
                self.mutate(
                    parents[child % len(parents)].codes,
                    kinds[(child // len(parents) + child) % len(kinds)],
                    rng,
                )
                for child in range(count)
            ]
        else:
            self._asked = latin_hypercube(self._genes, count, rng)
        return [Proposal(dict(codes)) for codes in self._asked]

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._genes, proposals)
        self._asked = [dict(proposal.codes) for proposal in proposals]

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        children = [
            Member(
                codes,
                verdict,
                self._objective.sign * verdict.scores[self._objective.name],
            )
            for codes, verdict in zip(self._asked, verdicts, strict=False)
            if verdict is not None and not verdict.failed
        ]
        union = {member.verdict.key: member for member in (*children, *self._population)}
        self._population = sorted(
            union.values(), key=lambda member: (member.rank, member.verdict.key), reverse=True
        )[: self._size]
        self._asked = []

    def mutate(self, codes: Codes, kind: str, rng: np.random.Generator) -> Codes:
        """Change one gene of one group and leave all others as they are.

        A number moves one step up or down among its allowed values, a name becomes another one.
        """
        genes = self._groups[kind]
        gene = genes[int(rng.integers(len(genes)))]
        near = other_values(self._genes[gene], codes[gene])
        return {**codes, gene: near[int(rng.integers(len(near)))]}


def gene_groups(genes: Genes) -> dict[str, tuple[str, ...]]:
    """Sort genes that have a choice into depth, width and the rest, by their names."""
    groups: dict[str, list[str]] = {"depth": [], "width": [], "other": []}
    for gene, values in genes.items():
        if len(values) < 2:
            continue
        if any(word in gene for word in DEPTH_WORDS):
            groups["depth"].append(gene)
        elif any(word in gene for word in WIDTH_WORDS):
            groups["width"].append(gene)
        else:
            groups["other"].append(gene)
    return {kind: tuple(names) for kind, names in groups.items() if names}
