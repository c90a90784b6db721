"""Optuna's samplers behind the strategy protocol."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from analognas.searching.candidates import Codes, Proposal, Verdict
from analognas.searching.spaces import Genes
from analognas.searching.strategies.base import (
    Problem,
    batch_generator,
    batch_seed,
    check_proposals,
)
from analognas.searching.strategies.drawing import random_codes

NSGA2_POPULATION = 50
# Half of the genes of a network play no part in it; with the usual one mutation a child most
# proposals of a converged population would be networks that are known already.
MUTATED_GENES = 8.0
LARGEST_MUTATED_SHARE = 0.2
TPE_STARTUP_TRIALS = 50
TPE_BATCH_SIZE = 10
GP_STARTUP_TRIALS = 20
CONSTRAINT = "violation"

MakeSampler = Callable[[int], BaseSampler]  # seed -> sampler


class OptunaStrategy:
    """Ask and tell an in-memory study, with a fresh sampler for every batch.

    Optuna stores no sampler state, so there is none: each batch gets a new sampler, seeded by
    (seed, batch). What else a sampler keeps (generations, parents) lies in the study, and `replay`
    rebuilds the study through the same calls that built it.

    Args:
        make_sampler: Makes a sampler of a seed.
        batch_size: How many proposals come between two lessons.
        ordered: Tell genes of numbers as positions in their values, for samplers that can use that
            some are nearer than others.
        learns_copies: Tell the result of a network again when another genotype stands for it. A
            population would be filled with copies; a model learns which genes do not matter.
    """

    def __init__(
        self,
        problem: Problem,
        seed: int,
        *,
        make_sampler: MakeSampler,
        batch_size: int,
        ordered: bool = False,
        learns_copies: bool = False,
    ) -> None:
        self._constrained = problem.constrained
        self._objectives = [objective.name for objective in problem.objectives]
        self._seed = seed
        self._make_sampler = make_sampler
        self._batch_size = batch_size
        self._learns_copies = learns_copies
        self._genes = problem.genes
        numbers = [gene for gene, values in problem.genes.items() if isinstance(values[0], int)]
        self._positions = frozenset(numbers if ordered else ())
        self._distributions = distributions(problem.genes) | {
            gene: IntDistribution(0, len(problem.genes[gene]) - 1) for gene in self._positions
        }
        self._asked: list[Trial] = []
        self._told: set[str] = set()
        with quiet():
            self._study = optuna.create_study(
                directions=[objective.direction for objective in problem.objectives],
                sampler=make_sampler(seed),
            )

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def ask(self, batch: int, count: int) -> list[Proposal]:
        self._study.sampler = self._make_sampler(batch_seed(self._seed, "batch", batch))
        with quiet():
            self._asked = [self._study.ask(self._distributions) for _ in range(count)]
        return [Proposal(self._codes(trial.params)) for trial in self._asked]

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        check_proposals(self._genes, proposals)
        for proposal in proposals:
            self._enqueue(proposal.codes)
        self.ask(batch, len(proposals))
        for trial in self._asked:
            # Optuna draws lazily and a given trial draws nothing; only a draw makes NSGA-II note
            # the trial's generation and its parents.
            _ = trial.relative_params

    def _enqueue(self, codes: Codes) -> None:
        self._study.enqueue_trial(self._params(codes))

    def _codes(self, params: Mapping[str, Any]) -> dict[str, int | str]:
        return {
            gene: values[params[gene]] if gene in self._positions else params[gene]
            for gene, values in self._genes.items()
        }

    def _params(self, codes: Codes) -> dict[str, int | str]:
        return {
            gene: values.index(codes[gene]) if gene in self._positions else codes[gene]
            for gene, values in self._genes.items()
        }

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        for trial, verdict in zip(self._asked, verdicts, strict=False):
            if verdict is None or verdict.failed or self._is_unwanted_copy(verdict):
                self._study.tell(trial, state=TrialState.FAIL)
                continue
            self._told.add(verdict.key)
            if self._constrained:
                trial.set_constraint(CONSTRAINT, verdict.violation)
            self._study.tell(trial, [verdict.scores[name] for name in self._objectives])
        self._asked = []

    def _is_unwanted_copy(self, verdict: Verdict) -> bool:
        return verdict.key in self._told and not self._learns_copies


class GaussianProcess(OptunaStrategy):
    """Optuna's Gaussian process, one proposal at a time.

    It proposes what looks best to it, which may be a network that it knows, under another genotype
    or the very same one, again and again. So whatever brought nothing new is followed by a
    genotype drawn at random.
    """

    def __init__(self, problem: Problem, seed: int, *, startup_trials: int) -> None:
        super().__init__(
            problem,
            seed,
            make_sampler=partial(make_gp, startup_trials),
            batch_size=1,
            ordered=True,
            learns_copies=True,
        )
        self._is_stuck = False

    def ask(self, batch: int, count: int) -> list[Proposal]:
        if self._is_stuck:
            self._enqueue(random_codes(self._genes, batch_generator(self._seed, "random", batch)))
        return super().ask(batch, count)

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        self._is_stuck = False  # what was drawn is among the proposals
        super().replay(batch, proposals)

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        sound = [one for one in verdicts if one is not None and not one.failed]
        self._is_stuck = all(one.key in self._told for one in sound)
        super().tell(verdicts)


class FixedSpaceNSGAII(NSGAIISampler):
    """NSGA-II that is told its search space instead of finding it out from all trials."""

    def __init__(self, space: dict[str, BaseDistribution], **settings: Any) -> None:
        super().__init__(**settings)
        self._fixed_space = {
            name: distribution for name, distribution in space.items() if not distribution.single()
        }

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._fixed_space


def optuna_nsga2(problem: Problem, seed: int) -> OptunaStrategy:
    """NSGA-II as Optuna has it, one generation a batch; slow beyond a few thousand networks."""
    population = problem.population or NSGA2_POPULATION
    return OptunaStrategy(
        problem,
        seed,
        make_sampler=lambda seed: FixedSpaceNSGAII(
            distributions(problem.genes),
            population_size=population,
            mutation_prob=min(MUTATED_GENES / len(problem.genes), LARGEST_MUTATED_SHARE),
            seed=seed,
        ),
        batch_size=population,
    )


def tpe(problem: Problem, seed: int) -> OptunaStrategy:
    """Tree-structured Parzen estimators, multi-objective; few candidates, each well thought of."""
    return OptunaStrategy(
        problem,
        seed,
        make_sampler=partial(make_tpe, TPE_STARTUP_TRIALS),
        batch_size=TPE_BATCH_SIZE,
    )


def make_tpe(startup_trials: int, seed: int) -> TPESampler:
    """All genes are drawn together: drawn one by one, most proposals are known networks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(n_startup_trials=startup_trials, multivariate=True, seed=seed)


def gp(problem: Problem, seed: int) -> OptunaStrategy:
    """A Gaussian process and expected improvement (of the hypervolume), one proposal at a time."""
    return GaussianProcess(problem, seed, startup_trials=GP_STARTUP_TRIALS)


def make_gp(startup_trials: int, seed: int) -> GPSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return GPSampler(n_startup_trials=startup_trials, seed=seed, deterministic_objective=True)


def distributions(genes: Genes) -> dict[str, BaseDistribution]:
    """Describe every gene to Optuna as a categorical parameter."""
    return {gene: CategoricalDistribution(values) for gene, values in genes.items()}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's own messages away from the terminal for a while."""
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
