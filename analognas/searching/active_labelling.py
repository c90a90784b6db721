"""Label where it matters: train the networks that the front is about, and learn from them.

The surrogate that is there is a first guess; the strategy `surrogate-assisted` trains and
measures the networks that are expected to widen the front most per minute, repeats members of the
front under other seeds, and ends when a minute brings too little, or the time is up. The labels
join those that the first guess was fitted on, and a new surrogate is fitted on all of them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.errors import checking
from analognas.files import write_text
from analognas.labelling.folder import DoneJob
from analognas.labelling.job import PART, TaskChoice
from analognas.labelling.plan import Job
from analognas.labelling.table import label_frames
from analognas.searching.budget import Budget
from analognas.searching.candidates import Candidate, Result, Trial
from analognas.searching.objectives import Objective, simulated
from analognas.searching.open_search import run_search
from analognas.searching.outcome import SearchOutcome
from analognas.searching.strategies.surrogate_assisted import SurrogateAssisted
from analognas.searching.surrogate_choice import ChosenSurrogate
from analognas.searching.training_evaluator import TrainingEvaluator
from analognas.surrogates import LABEL_SETS, LabelTable, load_labels, read_surrogate
from analognas.surrogates.label_merging import join_label_tables

if TYPE_CHECKING:
    import pandas as pd

    from analognas.search_spaces import Architecture
    from analognas.searching.loop import Progress
    from analognas.searching.scoring import SurrogateScorer
    from analognas.searching.setup import SearchSetup

SMALLEST_GAIN = 0.001  # of the front's hypervolume, per minute
CHIPS = 20  # as many as other labels have
FIRST_SEED = 1000  # those of other labels are smaller
# Files and folders inside the folder of the labels.
SURROGATE, SUMMARY, TRAININGS, SEARCH = "surrogate.json", "summary.json", "trainings", "search"


@dataclass(frozen=True)
class ActiveLabels:
    """What labelling brought.

    Args:
        chosen: The surrogate that was fitted anew.
        labels: Trainings that were made.
        joined: Trainings that were there before and were learned from as well.
        seconds: Of training and measuring.
        ended_early: Whether a further minute promised too little, before the time was up.
    """

    chosen: ChosenSurrogate
    labels: int
    joined: int
    seconds: float
    ended_early: bool

    @property
    def sentence(self) -> str:
        """For people, beside the results."""
        why = (
            f"a further minute promised less than {SMALLEST_GAIN:.1%} of the front"
            if self.ended_early
            else "the time was up"
        )
        return (
            f"{self.labels} networks were trained and measured in {self.seconds:.0f} s to fit the "
            f"surrogate anew, together with {self.joined} labels that were there; {why}."
        )


@dataclass(frozen=True)
class GuidedEvaluator:
    """Trains networks, and describes them with the predictions of a surrogate as first guesses."""

    trainer: TrainingEvaluator
    scorer: SurrogateScorer | None  # stays in the process that searches

    @property
    def fidelities(self) -> tuple[float, ...]:
        return (1.0,)

    @property
    def replicable(self) -> bool:
        return True

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        """See `Evaluator.evaluate`."""
        return self.trainer.evaluate(trials)

    def describe(self, archs: Sequence[Architecture]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Features, first guesses among them, and known costs."""
        import pandas as pd

        features, known = self.trainer.describe(archs)
        if self.scorer is not None:
            predicted = pd.DataFrame(self.scorer.score(archs), index=features.index)
            guesses = predicted.drop(columns=[n for n in known.columns if n in predicted.columns])
            features = features.join(guesses)
        return features, known

    def __getstate__(self) -> dict[str, Any]:
        return {"trainer": self.trainer, "scorer": None}


def label_actively(
    setup: SearchSetup,
    folder: Path,
    *,
    seconds: float,
    epochs: int | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> ActiveLabels:
    """Label for so long, then fit a surrogate anew; called again, it goes on or reads the result.

    Args:
        setup: Of the search that needs the surrogate.
        folder: Of the labels, inside the run folder.
        seconds: Of training and measuring, on one thread.
        epochs: Of every training; None takes those of the other labels.
        workers: Processes that train at the same time.
        progress: Told how far the labelling is.
    """
    from analognas.training import LABEL_RECIPE, pick_device

    if (folder / SUMMARY).is_file():
        return _read(folder)
    trainer = TrainingEvaluator(
        task=TaskChoice(setup.task.name, setup.config.split, setup.config.data, setup.config.words),
        space=setup.config.space,
        hardware=setup.hardware,
        chip=setup.chip,
        epochs=epochs or LABEL_RECIPE.epochs,
        chips=CHIPS,
        min_accuracy=setup.config.min_accuracy,
        device=pick_device(setup.config.device).type,
        first_seed=FIRST_SEED,
        cache=folder / TRAININGS,
    )
    outcome = run_search(
        setup.space,
        GuidedEvaluator(trainer, setup.scorer),
        _objectives(setup),
        partial(SurrogateAssisted, smallest_gain=SMALLEST_GAIN),
        Budget(seconds=seconds),
        setup.config.seed,
        directory=folder / SEARCH,
        fits=setup.fits,
        workers=workers if trainer.device == "cpu" else 1,  # one GPU is not shared
        progress=progress,
    )
    new = _label_table(setup, trainer, outcome)
    new.write(folder)
    old = _matching_labels(new)
    found = _refit(setup, folder, new if old is None else join_label_tables([old, new]))
    labels = ActiveLabels(
        found,
        labels=len(new.networks),
        joined=0 if old is None else len(old.networks),
        seconds=outcome.seconds,
        ended_early=outcome.stopped_early,
    )
    write_text(folder / SUMMARY, json.dumps(_summary(labels), indent=2) + "\n")
    return labels


def _objectives(setup: SearchSetup) -> list[Objective]:
    """Those of the search, as trained networks have them."""
    return [simulated(objective) for objective in setup.objectives]


def _label_table(
    setup: SearchSetup, trainer: TrainingEvaluator, outcome: SearchOutcome
) -> LabelTable:
    """Every training of the search as labels."""
    done = []
    for one in outcome.evaluations:
        if one.failure is not None:
            continue
        evaluation = trainer.measure(_network(setup, one), one.fidelity, one.seed)
        job = Job(
            key=one.key,
            seed=evaluation.seed,
            architecture=dict(one.architecture),
            parameters=evaluation.parameters,
            multiplications=evaluation.multiplications,
            keep_weights=False,
        )
        done.append(DoneJob(job, evaluation, None))
    task = setup.task
    frames = label_frames(done, {"clips": len(task.parts[PART]), "data_name": task.data_name})
    return LabelTable(**frames, card=_card(setup, outcome, len(done)))


def _network(setup: SearchSetup, candidate: Candidate) -> Architecture:
    found = setup.space.decode(candidate.codes)
    assert found is not None  # it was one when it was trained
    return found


def _card(setup: SearchSetup, outcome: SearchOutcome, labels: int) -> str:
    objectives = ", ".join(objective.name for objective in outcome.objectives)
    return (
        f"# Accuracy under analog noise: {setup.task.title}\n\n"
        "Simulated, not measured on a chip: each row of `labels.parquet` is the accuracy of one "
        "trained network on one simulated chip at one time after programming.\n\n"
        f"- {labels} trainings, **chosen by a search** for {objectives} (seed {outcome.seed}), so "
        "no fair sample of the space\n"
        f"- task `{setup.task.name}`, data `{setup.task.data_name}` (key `{setup.task.data_key}`), "
        f"split `{setup.task.split}`, judged on the **{PART}** part\n"
        f"- hardware `{setup.hardware.name}` (hash `{setup.hardware.hash}`), {CHIPS} chips\n"
        f"- {outcome.seconds:,.0f} s of training and measuring on one thread\n"
    )


def _matching_labels(new: LabelTable) -> LabelTable | None:
    """Labels in the package of the same task, data, hardware and physics."""
    wanted = new.description()
    for name in LABEL_SETS:
        table = load_labels(name)
        found = table.description()
        if (
            all(
                getattr(found, column) == getattr(wanted, column)
                for column in ("task", "data_key", "split", "part", "hardware_hash")
            )
            and found.simulator_version == wanted.simulator_version
        ):
            return table
    return None


def _refit(setup: SearchSetup, folder: Path, table: LabelTable) -> ChosenSurrogate:
    from analognas.surrogate_fitting import fit_surrogate

    with checking(str(folder)):
        surrogate = fit_surrogate(table, setup.hardware)
    write_text(folder / SURROGATE, surrogate.to_json())
    return ChosenSurrogate(f"fitted anew on {table.networks.shape[0]} trainings", surrogate)


def _summary(labels: ActiveLabels) -> dict[str, Any]:
    return {
        "surrogate": labels.chosen.name,
        "labels": labels.labels,
        "joined": labels.joined,
        "seconds": labels.seconds,
        "ended_early": labels.ended_early,
    }


def _read(folder: Path) -> ActiveLabels:
    """What an earlier process left."""
    with checking(str(folder)):
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        surrogate = read_surrogate((folder / SURROGATE).read_text(encoding="utf-8"))
        return ActiveLabels(
            ChosenSurrogate(str(summary["surrogate"]), surrogate),
            labels=int(summary["labels"]),
            joined=int(summary["joined"]),
            seconds=float(summary["seconds"]),
            ended_early=bool(summary["ended_early"]),
        )
