"""The evolution of AnalogNAS, after the published description.

Benmeziane et al., "AnalogNAS: A Neural Network Design Framework for Accurate Inference with Analog
In-Memory Computing", IEEE EDGE 2023 (arXiv:2305.10459): a population of 200 starts as a Latin
hypercube; the better half is kept and mutated in depth, in width and in everything else; the next
population is the best of the union of parents and children. One objective, the accuracy after one
day; the number of parameters is bounded when a network is made, the accuracy lost between 1 s and
1 month (the paper's AVM) is checked for every network of every generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analognas.searching.candidates import Codes, Verdict
from analognas.searching.strategies import Genes, Problem, batch_generator, check_codes

POPULATION = 200
FITNESS = "accuracy@1day"
LARGEST_DROP = 0.10  # T_AVM of the published code, used unless the search sets its own

DEPTH_WORDS = ("depth", "blocks", "stages", "repeats")
WIDTH_WORDS = ("width", "branches", "widening", "channels", "filters")


@dataclass(frozen=True)
class Member:
    """A genotype with its verdict."""

    codes: Codes
    verdict: Verdict

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: feasible members by fitness, infeasible ones below by violation."""
        violation = max(self.verdict.violation, 0.0)
        return (-violation, self.verdict.scores[FITNESS])


class AnalogNasEvolution:
    """Parents and children of a single-objective evolution with truncation selection."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._genes = problem.genes
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

    def ask(self, batch: int, count: int) -> list[Codes]:
        rng = batch_generator(self._seed, "evolution", batch)
        if self._population:
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
        return [dict(codes) for codes in self._asked]

    def replay(self, batch: int, codes: Sequence[Codes]) -> None:
        check_codes(self._genes, codes)
        self._asked = [dict(proposal) for proposal in codes]

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        children = [
            Member(codes, verdict)
            for codes, verdict in zip(self._asked, verdicts, strict=False)
            if verdict is not None
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
        values = self._genes[gene]
        position = values.index(codes[gene])
        if all(isinstance(value, int) for value in values):
            steps = [near for near in (position - 1, position + 1) if 0 <= near < len(values)]
        else:
            steps = [other for other in range(len(values)) if other != position]
        return {**codes, gene: values[steps[int(rng.integers(len(steps)))]]}


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


def latin_hypercube(genes: Genes, count: int, rng: np.random.Generator) -> list[Codes]:
    """Draw `count` genotypes so that every allowed value of every gene is used equally often.

    Each gene's axis is cut into `count` strata, every stratum is used once, and the strata of
    different genes are combined at random. Both ends of every range are reached.
    """
    columns: dict[str, list[int | str]] = {}
    for gene, values in genes.items():
        strata = rng.permutation(count)
        positions = (strata + rng.random(count)) / count * len(values)
        columns[gene] = [values[min(int(position), len(values) - 1)] for position in positions]
    return [{gene: column[row] for gene, column in columns.items()} for row in range(count)]
