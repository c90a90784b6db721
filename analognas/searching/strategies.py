"""Who proposes the next candidates: Optuna's samplers and the published evolution, one protocol.

A strategy keeps no random state between batches: what batch `b` draws follows from the seed, `b`
and the verdicts told so far. So a search that is told its own journal goes on exactly as if it had
never stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analognas.searching.candidates import Codes, Verdict
from analognas.searching.objectives import Objective

Genes = Mapping[str, tuple[int | str, ...]]


@dataclass(frozen=True)
class Problem:
    """What a strategy must know about a search.

    Args:
        genes: Ordered genes and their allowed values.
        objectives: What is to be optimised.
        constrained: Whether verdicts can be infeasible.
        population: Size of a generation; None takes the strategy's own.
    """

    genes: Genes
    objectives: tuple[Objective, ...]
    constrained: bool = False
    population: int | None = None


class Strategy(Protocol):
    """Proposes batches and learns from verdicts.

    Calls come in pairs: `ask` or `replay`, then `tell` with one verdict per proposal of that batch
    (None for a proposal without a feasible network).
    """

    @property
    def batch_size(self) -> int:
        """How many proposals one batch should have."""
        ...

    def ask(self, batch: int, count: int) -> list[Codes]:
        """Propose `count` genotypes."""
        ...

    def replay(self, batch: int, codes: Sequence[Codes]) -> None:
        """Take the proposals of an earlier process as the own ones of this batch.

        Raises:
            ValueError: They are genotypes of another space.
        """
        ...

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        """Learn what became of the first proposals of the last batch; the rest is dropped."""
        ...


def check_codes(genes: Genes, proposals: Sequence[Codes]) -> None:
    """Raise a ValueError unless every proposal is a genotype of this space."""
    for codes in proposals:
        if codes.keys() != genes.keys():
            raise ValueError(
                f"A genotype must have the genes {', '.join(genes)}, but got {', '.join(codes)}."
            )
        for gene, value in codes.items():
            if value not in genes[gene]:
                raise ValueError(f"Gene {gene!r} must be one of {genes[gene]}, but got {value!r}.")


def batch_seed(seed: int, *path: str | int) -> int:
    """Derive an independent 32-bit seed for one named purpose."""
    digest = hashlib.blake2b(repr((seed, *path)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")


def batch_generator(seed: int, *path: str | int) -> np.random.Generator:
    """Random numbers for one named purpose, the same for the same seed and name."""
    return np.random.default_rng(batch_seed(seed, *path))


StrategyMaker = Callable[[Problem, int], Strategy]
