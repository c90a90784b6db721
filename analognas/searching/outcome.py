"""What a search returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analognas.searching.candidates import Candidate
from analognas.searching.demands import Demand
from analognas.searching.front import FrontRecord, loss_matrix, non_dominated
from analognas.searching.hypervolumes import hypervolume
from analognas.searching.loop import feasible
from analognas.searching.objectives import Objective


@dataclass(frozen=True)
class Reevaluation:
    """The final front, evaluated again under seeds that the search has not seen.

    Args:
        front: The same networks with the means of their fresh results.
        seeds: Fresh evaluations asked for per network.
        failed: How many of those gave nothing; a network without any is left out of all means.
        gaps: By how much the search was too optimistic, by objective: the mean over the front of
            what it found, less what fresh seeds give, turned so that positive is too good.
        reference: Reference point of the hypervolumes, in the units of the objectives: the worst
            value of all evaluations, of any fidelity and fresh ones.
        found_hypervolume: Of the front as the search saw it.
        fresh_hypervolume: Of the same networks under fresh seeds.
    """

    front: tuple[FrontRecord, ...]
    seeds: int
    failed: int
    gaps: Mapping[str, float]
    reference: Mapping[str, float]
    found_hypervolume: float
    fresh_hypervolume: float

    def summary(self) -> str:
        """In one sentence each: gaps and hypervolumes, with the reference point."""
        gaps = ", ".join(f"{name} {gap:+.4g}" for name, gap in self.gaps.items())
        point = ", ".join(f"{name} {value:.4g}" for name, value in self.reference.items())
        return (
            f"Optimism gap over {len(self.front)} network{'s' * (len(self.front) > 1)} and "
            f"{self.seeds} fresh seed{'s' * (self.seeds > 1)} each (positive: the search saw it "
            f"too good): {gaps}. Hypervolume {self.found_hypervolume:.6g} as "
            f"found, {self.fresh_hypervolume:.6g} fresh, reference point {point}."
            + (f" {self.failed} fresh evaluations failed." if self.failed else "")
        )


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found.

    Args:
        objectives: What was optimised.
        demands: What was demanded.
        front: Networks that no other one dominates, best in the first objective first; only those
            that were evaluated in full and meet the demands, by their means over the seeds.
        evaluations: All of them in order, failed ones included.
        seconds: Charged by the evaluator, or passed.
        strategy: Its name.
        seed: Of the search.
        notes: What must be said beside the results, in whole sentences.
        stopped_early: Whether nothing more was proposed, though the budget was not spent.
        reevaluation: Of the final front, if it was asked for.
        directory: Where the journal lies, if anywhere.
    """

    objectives: tuple[Objective, ...]
    demands: tuple[Demand, ...]
    front: tuple[FrontRecord, ...]
    evaluations: tuple[Candidate, ...]
    seconds: float
    strategy: str
    seed: int
    notes: tuple[str, ...] = ()
    stopped_early: bool = False
    reevaluation: Reevaluation | None = None
    directory: Path | None = None

    @property
    def failed(self) -> int:
        """Evaluations that gave nothing."""
        return sum(candidate.failure is not None for candidate in self.evaluations)

    @property
    def best(self) -> FrontRecord:
        """The best network in the first objective."""
        return self.front[0]

    def hypervolume(self, reference: Mapping[str, float]) -> float:
        """How much the front dominates, from a reference point in the units of the objectives."""
        corner = loss_matrix([reference], self.objectives)[0]
        return hypervolume(losses_of(self.front, self.objectives), corner)

    def to_frame(self) -> pd.DataFrame:
        """Every evaluation as a row: key, fidelity, seed, seconds, failure, then the metrics."""
        return pd.DataFrame(
            [
                {
                    "key": one.key,
                    "fidelity": one.fidelity,
                    "seed": one.seed,
                    "seconds": one.seconds,
                    "failure": one.failure,
                    **one.scores,
                }
                for one in self.evaluations
            ]
        )

    def summary(self) -> str:
        """A few sentences for people."""
        parts = [
            f"{len(self.front)} networks on the front of {len(self.evaluations)} evaluations in "
            f"{self.seconds:.4g} s with {self.strategy}, seed {self.seed}; {self.failed} failed.",
            *self.notes,
        ]
        if self.reevaluation is not None:
            parts.append(self.reevaluation.summary())
        return " ".join(parts)


def losses_of(
    front: Sequence[FrontRecord], objectives: Sequence[Objective]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """`(N, D)` objectives of the members, smaller is better."""
    return loss_matrix([member.scores for member in front], objectives)


def front_table(front: Sequence[FrontRecord], objectives: Sequence[Objective]) -> pd.DataFrame:
    """A row per member: key, number of seeds, the objectives under their headings, the rest."""
    headings = {objective.name: objective.heading for objective in objectives}
    rows = []
    for member in front:
        names = [*headings, *(name for name in member.scores if name not in headings)]
        scores = {headings.get(name, name): member.scores[name] for name in names}
        rows.append({"key": member.key, "seeds": member.seeds, **scores})
    return pd.DataFrame(rows)


def final_front(
    evaluations: Sequence[Candidate], objectives: Sequence[Objective], demands: Sequence[Demand]
) -> tuple[FrontRecord, ...]:
    """The front of all full evaluations, means over the seeds of a network."""
    means, seeds = mean_over_seeds(evaluations)
    front = non_dominated(feasible(means, demands), objectives)
    return tuple(
        FrontRecord(m.key, m.architecture, m.scores, (), m.codes, seeds[m.key]) for m in front
    )


def mean_over_seeds(
    evaluations: Sequence[Candidate],
) -> tuple[list[Candidate], dict[str, int]]:
    """One candidate per network with the means of its full evaluations, and how many they are."""
    groups: dict[str, list[Candidate]] = {}
    for one in evaluations:
        if one.failure is None and one.fidelity == 1.0:
            groups.setdefault(one.key, []).append(one)
    means = []
    for key, group in groups.items():
        first = group[0]
        if len(group) == 1:
            means.append(first)
            continue
        shared = [name for name in first.scores if all(name in one.scores for one in group)]
        scores = {name: float(np.mean([one.scores[name] for one in group])) for name in shared}
        means.append(Candidate(key, first.batch, first.codes, first.architecture, scores))
    return means, {key: len(group) for key, group in groups.items()}
