"""Evaluate the final front again under fresh seeds, and say how optimistic the search was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analognas.errors import UserError
from analognas.searching.candidates import Candidate, EvaluationId, Trial
from analognas.searching.evaluators import Evaluator, is_replicable
from analognas.searching.front import FrontRecord, loss_matrix
from analognas.searching.hypervolumes import hypervolume
from analognas.searching.journal import Journal
from analognas.searching.loop import Progress
from analognas.searching.objectives import Objective
from analognas.searching.outcome import Reevaluation, losses_of, mean_over_seeds
from analognas.searching.trials import TrialRunner


def check_replicable(evaluator: Evaluator, reevaluate: int) -> None:
    """Refuse to repeat what gives the same again."""
    if reevaluate < 0:
        raise UserError(f"`reevaluate` must not be negative, but got {reevaluate}.")
    if reevaluate and not is_replicable(evaluator):
        raise UserError(
            "`reevaluate` needs an evaluator that knows several seeds of a network, but this one "
            "has one result for each. Let a function take `seed`, give a table with a `seed` "
            "column, or leave `reevaluate` out."
        )


def fresh_evaluations(  # noqa: PLR0913 - all that a trial and its record need
    front: Sequence[FrontRecord],
    archs: Mapping[str, Any],
    evaluations: Sequence[Candidate],
    runner: TrialRunner,
    *,
    seeds: int,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> list[Candidate]:
    """Evaluate every member under the next seeds that the search has not used, all at once.

    Args:
        front: Members to evaluate.
        archs: Their networks by key.
        evaluations: Those of the search.
        runner: Evaluates.
        seeds: How many per member.
        journal: Of fresh evaluations alone; what it holds is not evaluated again.
        progress: Told how many are done.
    """
    done: dict[EvaluationId, Candidate] = {}
    if journal is not None:
        done = {candidate.id: candidate for candidate in journal.read_all().unfinished}
    wanted: list[tuple[FrontRecord, int]] = []
    for member in front:
        used = [one.seed for one in evaluations if one.key == member.key and one.fidelity == 1.0]
        first = max(used) + 1
        wanted += [(member, seed) for seed in range(first, first + seeds)]
    missing = [(member, seed) for member, seed in wanted if (member.key, 1.0, seed) not in done]
    waiting = iter(missing)
    for chunk in runner.run([Trial(archs[member.key], 1.0, seed) for member, seed in missing]):
        for result in chunk:
            member, seed = next(waiting)
            candidate = Candidate(
                key=member.key,
                batch=0,
                codes=member.codes,
                architecture=member.architecture,
                scores=result.metrics or {},
                seed=seed,
                seconds=result.seconds,
                failure=result.failure,
            )
            if journal is not None:
                journal.note([candidate])
            done[candidate.id] = candidate
        if progress is not None:
            progress(len(done), len(wanted), "the front again, under fresh seeds")
    return [done[member.key, 1.0, seed] for member, seed in wanted]


def compare(
    front: Sequence[FrontRecord],
    fresh: Sequence[Candidate],
    evaluations: Sequence[Candidate],
    objectives: Sequence[Objective],
    seeds: int,
) -> Reevaluation:
    """What the search found beside what fresh seeds give."""
    means, counts = mean_over_seeds(fresh)
    by_key = {mean.key: mean for mean in means}
    again = tuple(
        replace(member, scores=by_key[member.key].scores, seeds=counts[member.key])
        for member in front
        if member.key in by_key
    )
    before = [member for member in front if member.key in by_key]
    if not before:
        raise UserError(
            "None of the fresh evaluations succeeded, the last one failed with: "
            f"{fresh[-1].failure}. The front itself is sound; leave `reevaluate` out."
        )
    found, now = losses_of(before, objectives), losses_of(again, objectives)
    all_of_them = [one for one in (*evaluations, *fresh) if not one.failure]
    corner = loss_matrix([one.scores for one in all_of_them], objectives).max(axis=0)
    gaps = np.mean(now - found, axis=0)
    return Reevaluation(
        front=again,
        seeds=seeds,
        failed=sum(one.failure is not None for one in fresh),
        gaps={o.name: float(gap) for o, gap in zip(objectives, gaps, strict=True)},
        reference={
            o.name: float(-o.sign * loss) for o, loss in zip(objectives, corner, strict=True)
        },
        found_hypervolume=hypervolume(found, corner),
        fresh_hypervolume=hypervolume(now, corner),
    )
