"""A search whose candidates are trained and measured, instead of predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.labelling.job import PART, TaskChoice
from analognas.searching.candidates import Candidate
from analognas.searching.demands import Demand
from analognas.searching.front import FrontRecord, name_picks
from analognas.searching.objectives import TIMES_S, Objective
from analognas.searching.outcome import final_front
from analognas.searching.training_evaluator import TrainingEvaluator
from analognas.searching.trials import TrialRunner, trial_runner
from analognas.simulator import Hardware
from analognas.training import LABEL_RECIPE, TrainingRecipe, pick_device

if TYPE_CHECKING:
    from analognas.searching.config import SearchConfig
    from analognas.searching.run_directory import RunDirectory
    from analognas.simulator.chip import ChipSpec

# Candidates of the search with seed s are trained and measured under 1000 (s + 1) and the next
# numbers, winners under s: on chips, and from first weights, that have chosen nothing.
SEEDS_APART = 1000


def candidate_recipe(config: SearchConfig) -> TrainingRecipe:
    """Schedule of a full training of a candidate."""
    return replace(LABEL_RECIPE, epochs=config.epochs or LABEL_RECIPE.epochs)


def make_trainer(
    config: SearchConfig, hardware: Hardware, chip: ChipSpec, cache: Path | None = None
) -> TrainingEvaluator:
    """The evaluator of a search; a cache keeps its trainings for a search that is resumed."""
    return TrainingEvaluator(
        task=TaskChoice(config.task, config.split, config.data, config.words),
        space=config.space,
        hardware=hardware,
        chip=chip,
        epochs=candidate_recipe(config).epochs,
        min_accuracy=config.min_accuracy,
        device=str(pick_device(config.device)),
        first_seed=SEEDS_APART * (config.seed + 1),
        cache=cache,
    )


def training_runner(
    trainer: TrainingEvaluator, metrics: tuple[str, ...], workers: int
) -> AbstractContextManager[TrialRunner]:
    """Processes that train side by side; one GPU is not shared."""
    return trial_runner(trainer, metrics, workers=workers if trainer.device == "cpu" else 1)


def training_basis(config: SearchConfig) -> str:
    """One sentence on where the accuracies of candidates come from."""
    epochs = candidate_recipe(config).epochs
    return (
        f"Accuracies of candidates are simulated, not predicted: each was trained hardware-aware "
        f"for up to {epochs} epochs and measured on {TrainingEvaluator.chips} simulated chips on "
        f"the {PART} part."
    )


def training_provenance(config: SearchConfig) -> dict[str, Any]:
    """What the accuracies of candidates rest on; `resume` insists on the same."""
    return {
        "basis": training_basis(config),
        "recipe": candidate_recipe(config).to_dict(),
        "chips": TrainingEvaluator.chips,
        "part": PART,
        "first_seed": SEEDS_APART * (config.seed + 1),
    }


def evaluations_of(run: RunDirectory) -> list[Candidate]:
    """Every evaluation in the journal of a run, failed ones included."""
    return [one for batch in run.journal.read() for one in batch.candidates]


def reached_fidelity(evaluations: Sequence[Candidate]) -> float:
    """The largest share of the epochs that any training got; 0 if all failed."""
    return max((one.fidelity for one in evaluations if one.failure is None), default=0.0)


def at_reached_fidelity(evaluations: Sequence[Candidate]) -> list[Candidate]:
    """The evaluations of that share, as if it were all of it."""
    reached = reached_fidelity(evaluations)
    return [
        replace(one, fidelity=1.0)
        for one in evaluations
        if one.failure is None and one.fidelity == reached
    ]


def front_of_run(
    evaluations: Sequence[Candidate], objectives: Sequence[Objective], demands: Sequence[Demand]
) -> tuple[FrontRecord, ...]:
    """The front with its picks: means over the seeds, of the trainings that got furthest."""
    front = final_front(at_reached_fidelity(evaluations), objectives, demands)
    return name_picks(front, objectives)


def found_accuracies(scores: Mapping[str, float]) -> dict[float, float]:
    """Mean accuracy of a candidate by seconds after programming, as the search measured it."""
    return {t_s: scores[f"accuracy@{word}"] for word, t_s in TIMES_S.items()}


def notes_on_trainings(config: SearchConfig, evaluations: Sequence[Candidate]) -> tuple[str, ...]:
    """What must be said of the trainings of a search, in whole sentences."""
    if not config.trains:
        return ()
    notes = []
    failures = [one.failure for one in evaluations if one.failure is not None]
    if failures:
        notes.append(
            f"{len(failures)} of {len(evaluations)} trainings failed and were left out, the last "
            f"one with: {failures[-1]}."
        )
    reached = reached_fidelity(evaluations)
    if 0.0 < reached < 1.0:
        sound = [one for one in evaluations if one.failure is None]
        spent = sum(one.seconds or 0.0 for one in sound) / sum(one.fidelity for one in sound)
        notes.append(
            f"The budget ended before any network was trained for all "
            f"{candidate_recipe(config).epochs} epochs: the front is of networks trained for "
            f"{100 * reached:g} % of them, and was not evaluated again. A full training takes "
            f"about {spent:.0f} s here; give more time, or fewer --epochs."
        )
    return tuple(notes)
