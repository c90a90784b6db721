"""Bayesian optimisation of networks: evaluate next what is expected to widen the front most.

Meant for evaluations that cost seconds to minutes, trainings above all. Everything that was
evaluated teaches a model (see `outlook.py`); of a pool of changed and random networks those are
proposed whose expected gain of hypervolume is largest, divided by the square root of the expected
seconds of evaluation where those are told, which is where the budget is time. The members of a
batch are chosen one after the other, each as if those before had come out as predicted: they do not
crowd. Metrics that cost nothing to know (energy, cores) are not modelled.

A feature that has the name of an objective, the prediction of a fitted surrogate, is taken as a
first guess of it: the model then learns what it misses.

Evaluations are noisy: from time to time a member of the front is evaluated under another seed
before more is built on it, the one that the front owes most to first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.hypervolumes import contributions
from analognas.searching.strategies.base import (
    Description,
    FloatArray,
    Problem,
    batch_generator,
    check_proposals,
)
from analognas.searching.strategies.drawing import (
    latin_hypercube,
    mutated,
    random_codes,
)
from analognas.searching.strategies.outlook import REFERENCE, Outlook, Scales
from analognas.searching.strategies.sorting import non_dominated_ranks

START = 8  # random networks before the first model
BATCH_SIZE = 2
POOL = 200  # random networks, and as many changed members of the front
REFINEMENTS, REFINED = 2, 20  # so often the changes of so many of the pool's best join it
MOST_CHANGES = 4  # genes of a changed network
MOST_SEEDS = 3
REPEAT_EVERY = 4  # batches: one proposal of it is another seed of a member of the front


class SurrogateAssisted:
    """Every result by network, and the features of every network that was looked at."""

    def __init__(self, problem: Problem, seed: int, *, smallest_gain: float = 0.0) -> None:
        """Start with nothing known.

        Args:
            problem: What is searched.
            seed: Of every random draw.
            smallest_gain: Propose nothing more once a minute of evaluations is expected to widen
                the front by less than this share of its hypervolume.
        """
        self._problem = problem
        self._seed = seed
        self._smallest_gain = smallest_gain
        self._nothing_more = False
        self._losses: dict[str, list[FloatArray]] = {}
        self._violations: dict[str, list[float]] = {}
        self._seconds: dict[str, float] = {}
        self._tried: dict[str, int] = {}  # seeds, failed ones included
        self._codes: dict[str, Codes] = {}

    @property
    def batch_size(self) -> int:
        return START if len(self._tried) < START else self._problem.population or BATCH_SIZE

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = batch_generator(self._seed, "surrogate-assisted", batch)
        if len(self._losses) < START:
            start = latin_hypercube(self._problem.genes, count, rng)
            return [Proposal(codes) for codes in start]
        if self._nothing_more:
            return []
        proposals = self._repeat(batch, count)
        return proposals + self._promising(count - len(proposals), rng)

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._problem.genes, proposals)

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        for verdict in verdicts:
            if verdict is None:
                continue
            self._codes[verdict.key] = verdict.codes
            self._tried[verdict.key] = max(self._tried.get(verdict.key, 0), verdict.seed + 1)
            if not verdict.failed:
                self._losses.setdefault(verdict.key, []).append(self._problem.losses(verdict))
                self._violations.setdefault(verdict.key, []).append(max(verdict.violation, 0.0))
                if verdict.seconds is not None:
                    self._seconds[verdict.key] = verdict.seconds

    def _evaluated(self) -> tuple[list[str], FloatArray, FloatArray]:
        """Keys, mean losses `(N, D)` and mean violations `(N,)` of the evaluated networks."""
        keys = list(self._losses)
        losses = np.stack([np.mean(self._losses[key], axis=0) for key in keys])
        return keys, losses, np.array([np.mean(self._violations[key]) for key in keys])

    def _repeat(self, batch: int, count: int) -> list[Proposal]:
        """Another seed for the member of the front that has fewest, and that adds most to it."""
        if not self._problem.replicable or batch % REPEAT_EVERY or count < 2:
            return []
        keys, losses, violations = self._evaluated()
        front = np.flatnonzero(non_dominated_ranks(losses, violations) == 0)
        front = np.array([row for row in front if self._tried[keys[row]] < MOST_SEEDS], dtype=int)
        if len(front) == 0:
            return []
        scaled = Scales(losses).apply(losses[front])
        added = contributions(scaled, np.full(losses.shape[1], REFERENCE))
        seeds = np.array([self._tried[keys[row]] for row in front])
        key = keys[front[np.lexsort((-added, seeds))[0]]]
        return [Proposal(dict(self._codes[key]), seed=self._tried[key])]

    def _promising(self, count: int, rng: np.random.Generator) -> list[Proposal]:
        """Draw a pool, let the best of it multiply, take the best one after the other."""
        keys, losses, violations = self._evaluated()
        front = [keys[row] for row in np.flatnonzero(non_dominated_ranks(losses, violations) == 0)]
        pool = _Pool(self._problem, set(self._tried))
        pool.add([random_codes(self._problem.genes, rng) for _ in range(POOL)])
        pool.add(self._changed([self._codes[key] for key in front], POOL, rng))
        if not pool.codes or count < 1:
            return []
        outlook = Outlook(
            self._problem.objectives,
            pool.describe([self._codes[key] for key in keys]),
            losses,
            violations,
            np.array([self._seconds.get(key, np.nan) for key in keys]),
            rng,
        )
        for _ in range(REFINEMENTS):
            gains, _means = outlook.gains(pool.described())
            codes = list(pool.codes.values())
            best = [codes[row] for row in np.argsort(-gains, kind="stable")[:REFINED]]
            pool.add(self._changed(best, POOL // 2, rng))
        if outlook.share_per_minute(pool.described()) < self._smallest_gain:
            self._nothing_more = True
            return []
        return _choose(count, pool, outlook)

    def _changed(
        self, parents: Sequence[Codes], count: int, rng: np.random.Generator
    ) -> list[Codes]:
        children: list[Codes] = []
        for index in range(count):
            child = dict(parents[index % len(parents)])
            for _ in range(int(rng.integers(1, MOST_CHANGES + 1))):
                child = mutated(self._problem.genes, child, rng)
            children.append(child)
        return children


def _choose(count: int, pool: _Pool, outlook: Outlook) -> list[Proposal]:
    """Take the best, believe in it, take the next."""
    codes, described = list(pool.codes.values()), pool.described()
    chosen: list[int] = []
    believed: FloatArray | None = None
    while len(chosen) < min(count, len(codes)):
        gains, means = outlook.gains(described, believed)
        gains[chosen] = -np.inf
        row = int(np.argmax(gains))
        chosen.append(row)
        believed = means[chosen]
    return [Proposal(dict(codes[row])) for row in chosen]


class _Pool:
    """Different networks that were not evaluated yet, with their features."""

    def __init__(self, problem: Problem, excluded: set[str]) -> None:
        self._problem = problem
        self._excluded = excluded
        self.codes: dict[str, Codes] = {}
        self._features: list[pd.DataFrame] = []
        self._known: list[pd.DataFrame] = []

    def add(self, proposals: Sequence[Codes]) -> None:
        """Take those that are new."""
        found = [(codes, self._problem.identify(codes)) for codes in proposals]
        new: dict[str, Codes] = {}
        for codes, network in found:
            if network is None or network.key in self._excluded | self.codes.keys() | new.keys():
                continue
            new[network.key] = codes
        if not new:
            return
        description = self.describe(list(new.values()))
        self.codes |= new
        self._features.append(description.features)
        self._known.append(description.known)

    def described(self) -> Description:
        return Description(tuple(self.codes), pd.concat(self._features), pd.concat(self._known))

    def describe(self, codes: Sequence[Codes]) -> Description:
        """Features in the order of the genotypes: the problem's own, or the genes themselves."""
        if self._problem.describe is not None:
            description = self._problem.describe(codes)
            keys = [key for key in description.keys if key is not None]
            return Description(
                tuple(keys), description.features.loc[keys], description.known.loc[keys]
            )
        keys = [network.key for network in map(self._problem.identify, codes) if network]
        features = pd.DataFrame([_numbers(self._problem, c) for c in codes], index=keys)
        return Description(tuple(keys), features, pd.DataFrame(index=keys))


def _numbers(problem: Problem, codes: Codes) -> dict[str, float]:
    """Genes as features: numbers as they are, names one column each."""
    features: dict[str, float] = {}
    for gene, values in problem.genes.items():
        if all(isinstance(value, int) for value in values):
            features[gene] = float(codes[gene])
        else:
            features |= {f"{gene}={value}": float(codes[gene] == value) for value in values}
    return features
