"""What every strategy promises.

A strategy keeps no random state between batches: what batch `b` draws follows from the seed, `b`
and the verdicts told so far. So a search that is told its own journal goes on exactly as if it had
never stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.objectives import Objective
from analognas.searching.spaces import Genes, Realised

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Description:
    """What can be said of genotypes without evaluating them.

    Args:
        keys: One per genotype; None where no network fits the limits.
        features: One row per different network, indexed by its key; numeric columns.
        known: Metrics that cost nothing, same index; a column for each, perhaps none.
    """

    keys: tuple[str | None, ...]
    features: pd.DataFrame
    known: pd.DataFrame


@dataclass(frozen=True)
class Problem:
    """What a strategy must know about a search.

    Args:
        genes: Ordered genes and their allowed values.
        objectives: What is to be optimised.
        constrained: Whether verdicts can be infeasible.
        population: Size of a generation; None takes the strategy's own.
        realise: The network of a genotype and its canonical genotype; None where nothing fits.
            Without it, different genotypes are taken for different networks.
        fidelities: Those that the evaluator offers, ascending; 1 is the last.
        replicable: Whether another seed of the same network gives another result.
        describe: Features of genotypes; None if neither space nor evaluator has any.
    """

    genes: Genes
    objectives: tuple[Objective, ...]
    constrained: bool = False
    population: int | None = None
    realise: Callable[[Codes], Realised | None] | None = None
    fidelities: tuple[float, ...] = (1.0,)
    replicable: bool = False
    describe: Callable[[Sequence[Codes]], Description] | None = None

    def identify(self, codes: Codes) -> Realised | None:
        """The network of a genotype, as well as it is known."""
        if self.realise is not None:
            return self.realise(codes)
        return Realised(repr([codes[gene] for gene in self.genes]), codes, None)

    def losses(self, verdict: Verdict) -> FloatArray:
        """Objectives of a verdict `(D,)`, turned so that smaller is better."""
        return np.array([-o.sign * verdict.scores[o.name] for o in self.objectives])


class Strategy(Protocol):
    """Proposes batches and learns from verdicts.

    Calls come in pairs: `ask` or `replay`, then `tell` with one verdict per proposal of that batch
    (None for a proposal without a feasible network).
    """

    @property
    def batch_size(self) -> int:
        """How many proposals the next batch should have."""
        ...

    def ask(self, batch: int, count: int) -> Sequence[Proposal]:
        """Propose at most `count` evaluations."""
        ...

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        """Take the proposals of an earlier process as the own ones of this batch.

        Raises:
            ValueError: They are genotypes of another space.
        """
        ...

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        """Learn what became of the first proposals of the last batch; the rest is dropped."""
        ...


StrategyMaker = Callable[[Problem, int], Strategy]


def check_proposals(genes: Genes, proposals: Sequence[Proposal]) -> None:
    """Raise a ValueError unless every proposal is a genotype of this space."""
    for proposal in proposals:
        codes = proposal.codes
        if codes.keys() != genes.keys():
            raise ValueError(
                f"A genotype must have the genes {', '.join(genes)}, but got {', '.join(codes)}."
            )
        for gene, value in codes.items():
            if value not in genes[gene]:
                raise ValueError(f"Gene {gene!r} must be one of {genes[gene]}, but got {value!r}.")
        if not 0 < proposal.fidelity <= 1 or proposal.seed < 0:
            raise ValueError(
                "A fidelity must be above 0 and at most 1 and a seed not negative, but got "
                f"{proposal.fidelity} and {proposal.seed}."
            )


def batch_seed(seed: int, *path: str | int) -> int:
    """Derive an independent 32-bit seed for one named purpose."""
    digest = hashlib.blake2b(repr((seed, *path)).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")


def batch_generator(seed: int, *path: str | int) -> np.random.Generator:
    """Random numbers for one named purpose, the same for the same seed and name."""
    return np.random.default_rng(batch_seed(seed, *path))
