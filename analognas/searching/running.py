"""A whole search: from its settings to a run folder with the front and the winners."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from analognas.errors import RunFailed, UserError, checking
from analognas.files import FULL_DISK, write_text
from analognas.searching.active_labelling import ActiveLabels, label_actively
from analognas.searching.by_training import (
    at_reached_fidelity,
    evaluations_of,
    front_of_run,
    notes_on_trainings,
    reached_fidelity,
    training_runner,
)
from analognas.searching.candidates import Candidate
from analognas.searching.config import DeviceName, SearchConfig, with_absolute_paths
from analognas.searching.demands import predicted_demands
from analognas.searching.fresh_look import look_again
from analognas.searching.front import FrontRecord, pick_winners, write_front
from analognas.searching.hardware_notes import guessed_designs
from analognas.searching.loop import Progress, SearchLoop
from analognas.searching.no_front import nothing_feasible
from analognas.searching.outcome import Reevaluation
from analognas.searching.run_directory import RunDirectory, create_run, open_run, refuse_used
from analognas.searching.setup import SearchSetup, check_feasible, prepare
from analognas.searching.spaces import Decoder
from analognas.searching.study_storage import LiveStudy, write_study
from analognas.searching.trials import TrialRunner, WholeBatches
from analognas.training import pick_device

# What must be as it was, if a run is to be continued, and what it is called.
UNCHANGED = {
    "hardware_hash": "the hardware",
    "simulator_version": "the simulator",
    "chip_hash": "the chip",
    "data_key": "the data",
}


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    `winners` are the members of the front that were worth training, `bundles` the folders with
    their weights and measurements (empty if none was asked for). `warnings` must be shown beside
    the numbers.
    """

    directory: Path
    config: SearchConfig
    front: tuple[FrontRecord, ...]
    winners: tuple[FrontRecord, ...]
    bundles: tuple[Path, ...]
    networks: int  # different ones that were scored
    seconds: float  # of proposing and scoring, or of training and measuring on one core
    basis: str  # one sentence on where the predictions, or the accuracies of candidates, come from
    scope: str  # what the modelled costs cover
    warnings: tuple[str, ...]
    reevaluation: Reevaluation | None = None  # of a front of trained networks


def search_task(
    config: SearchConfig, directory: Path | str, progress: Progress | None = None
) -> SearchResult:
    """Search networks, train the best, and leave everything in a new run folder.

    Args:
        config: The settings.
        directory: Folder to make; it must not exist, or be empty.
        progress: Told how far the search is, then how far the training of the winners is.

    Raises:
        UserError: Settings that cannot be used, limits that no network keeps, a folder in use.
        RunFailed: The disk is full. What was searched is kept, `resume_search` goes on.
        KeyboardInterrupt: Likewise, after the front so far was written.
    """
    path = Path(directory)
    refuse_used(path)
    config = with_absolute_paths(config)
    setup = prepare(config)
    check_feasible(setup)
    # What these refuse leaves no folder behind.
    pick_device(config.device)
    setup.strategy(Decoder(setup.searched, setup.fits))
    _live_study(path, setup)
    files = {
        "hardware.toml": setup.hardware.to_toml(),
        "chip.toml": setup.chip.to_toml(),
        "provenance.json": json.dumps(setup.provenance(), indent=2) + "\n",
    }
    with create_run(path, config, files, setup.metrics) as run:
        return _search(run, setup, progress)


def resume_search(
    directory: Path | str, progress: Progress | None = None, *, device: str | None = None
) -> SearchResult:
    """Go on with an interrupted run; a finished one is left as it is and read again.

    Args:
        directory: The run folder.
        progress: As in `search_task`.
        device: Where to train now, if not where the run was started.

    Raises:
        UserError: The folder holds no run, a damaged one or one of other data, hardware or
            surrogate; or it is in use.
    """
    path = Path(directory)
    with open_run(path) as run:
        config = run.config()
        pick_device(device or config.device)
        if device is not None:
            config = replace(config, device=cast(DeviceName, device))
        setup = prepare(config, folder=path)
        _check_unchanged(run, setup)
        return _search(run, setup, progress)


def _check_unchanged(run: RunDirectory, setup: SearchSetup) -> None:
    stored, now = run.provenance(), setup.provenance()
    changed = [title for name, title in UNCHANGED.items() if stored.get(name) != now[name]]
    if stored.get("surrogate", {}).get("hash") != now.get("surrogate", {}).get("hash"):
        changed.append("the surrogate")
    if stored.get("training") != json.loads(json.dumps(now.get("training"))):
        changed.append("the training of candidates")
    if changed:
        raise UserError(
            f"{run.path} cannot be continued: {' and '.join(changed)} changed since its start. "
            "Start a new search, or restore what it was made with (see environment.json)."
        )


def _search(run: RunDirectory, setup: SearchSetup, progress: Progress | None) -> SearchResult:
    labelled: ActiveLabels | None = None
    if setup.config.label_seconds is not None:
        with interruptible(run):
            labelled = label_actively(
                setup,
                run.labels_path,
                seconds=setup.config.label_seconds,
                workers=setup.config.workers or os.cpu_count() or 1,
                progress=progress,
            )
        setup = replace(setup, predictor=labelled.chosen)
        _tell_basis(run, labelled, setup.warnings)
    live = _live_study(run.path, setup)
    follow = None if live is None else live.follow
    decoder = Decoder(setup.searched, setup.fits)
    again: Reevaluation | None = None
    with interruptible(run), _runner(run, setup) as runner:
        loop = SearchLoop(
            strategy=setup.strategy(decoder),
            decoder=decoder,
            runner=runner,
            journal=run.journal,
            demands=setup.demands,
            follow=follow,
            tells_seconds=setup.config.limit.seconds is not None,
        )
        with checking(f"{run.journal.path} does not belong to this run"):
            loop.replay()
        try:
            loop.run(setup.config.limit, progress)
        except KeyboardInterrupt:
            write_results(run, setup)
            raise
        front = write_results(run, setup)
        evaluations = list(loop.evaluations.values())
        if not front:
            raise UserError(nothing_feasible(evaluations, setup.config, setup.max_drop))
        late = _tell_guesses(run, setup, list(loop.candidates.values()))
        if setup.config.reevaluations and reached_fidelity(evaluations) == 1.0:
            again = look_again(run, setup, front, evaluations, runner, progress)
    with interruptible(run):
        winners = pick_winners(front, setup.config.winners, setup.objectives)
        bundles: tuple[Path, ...] = ()
        if winners or setup.config.baselines:
            from analognas.reporting import write_report
            from analognas.searching.design_deployment import deploy_front

            bundles = deploy_front(run.path, setup, winners, progress)
            write_report(run.path)
    return SearchResult(
        directory=run.path,
        config=setup.config,
        front=front,
        winners=winners,
        bundles=bundles,
        networks=len(loop.candidates),
        seconds=loop.seconds,
        basis=setup.basis,
        scope=setup.scope,
        warnings=(
            *setup.warnings,
            *([labelled.sentence] if labelled else []),
            *late,
            *notes_on_trainings(setup.config, evaluations),
        ),
        reevaluation=again,
    )


def _live_study(path: Path, setup: SearchSetup) -> LiveStudy | None:
    """The study in the user's storage that is told every network, if there is to be one.

    Raises:
        UserError: The storage cannot be used.
    """
    if setup.config.storage is None:
        return None
    return LiveStudy(
        setup.config.storage,
        path.resolve().name,
        setup.searched.genes,
        setup.objectives,
        setup.demands,
        setup.config.catalogue,
    )


def _runner(run: RunDirectory, setup: SearchSetup) -> AbstractContextManager[TrialRunner]:
    """Who judges networks: predictions here and at once, trainings in processes of their own."""
    if not setup.config.trains:
        return nullcontext(WholeBatches(setup.scorer))
    workers = setup.config.workers or os.cpu_count() or 1
    return training_runner(setup.trainer(run.trainings_path), setup.metrics, workers)


def _tell_guesses(
    run: RunDirectory, setup: SearchSetup, candidates: Sequence[Candidate]
) -> list[str]:
    """Say, in the folder too, how many designs are on hardware that the surrogate never saw."""
    if setup.hardware_genes is None or setup.predictor is None:
        return []
    notes = guessed_designs(candidates, setup.hardware_genes, setup.workshop, setup.predictor)
    stored = run.provenance()
    stored["warnings"] = [*setup.warnings, *notes]
    write_text(run.provenance_path, json.dumps(stored, indent=2) + "\n")
    return notes


def _tell_basis(run: RunDirectory, labelled: ActiveLabels, warnings: Sequence[str]) -> None:
    """Let the reports of a run speak of the surrogate that was fitted on its own labels."""
    stored = run.provenance()
    basis = f"{labelled.chosen.basis} {labelled.sentence}"
    stored["surrogate"] = {**stored["surrogate"], "basis": basis}
    stored["warnings"] = list(warnings)
    write_text(run.provenance_path, json.dumps(stored, indent=2) + "\n")


def write_results(run: RunDirectory, setup: SearchSetup) -> tuple[FrontRecord, ...]:
    """Write the front of everything in the journal, as CSV and as a study for optuna-dashboard."""
    candidates = at_reached_fidelity(evaluations_of(run))
    front = read_front(run)
    write_front(
        run.front_path,
        front,
        setup.objectives,
        setup.config.catalogue,
        basis=setup.basis,
        scope=setup.scope,
    )
    scores = {member.key: member.scores for member in front}
    members = {one.key: one for one in candidates if one.key in scores}
    write_study(
        run.study_path,
        [replace(member, scores=scores[key]) for key, member in members.items()],
        setup.searched.genes,
        setup.objectives,
        setup.demands,
        setup.config.catalogue,
    )
    return front


def read_front(run: RunDirectory) -> tuple[FrontRecord, ...]:
    """Return the front of a run folder, also of one that is still searching or was interrupted.

    Raises:
        UserError: The folder holds no run, or a damaged one.
    """
    config = run.config()
    stored = run.provenance().get("limits", {})
    demands = predicted_demands(stored.get("min_accuracy"), stored.get("max_drop"))
    objectives = [config.catalogue[name] for name in config.objectives]
    return front_of_run(evaluations_of(run), objectives, demands)


@contextmanager
def interruptible(run: RunDirectory) -> Iterator[None]:
    """Say how to go on when the disk is full or the user has stopped the run."""
    hint = f"nothing is lost, continue with `analognas resume {run.path}`."
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(hint) from error
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        raise RunFailed(
            f"No space left on device while writing {error.filename or run.path}. Free some space; "
            f"{hint}"
        ) from error
