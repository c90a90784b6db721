"""A whole search: from its settings to a run folder with the front and the winners."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from analognas.errors import RunFailed, UserError, checking
from analognas.files import write_text
from analognas.searching.active_labelling import ActiveLabels, label_actively
from analognas.searching.candidates import Candidate
from analognas.searching.config import SearchConfig, with_absolute_paths
from analognas.searching.demands import predicted_demands
from analognas.searching.front import (
    ACCURACY,
    FrontRecord,
    pareto_front,
    pick_winners,
    write_front,
)
from analognas.searching.loop import Progress, SearchLoop, feasible
from analognas.searching.objectives import select_objectives
from analognas.searching.run_directory import RunDirectory, create_run, open_run, refuse_used
from analognas.searching.setup import SearchSetup, check_feasible, prepare
from analognas.searching.spaces import Decoder
from analognas.searching.study_storage import LiveStudy, write_study
from analognas.searching.trials import WholeBatches

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
    seconds: float  # of proposing and scoring
    basis: str  # one sentence on where the predictions come from
    scope: str  # what the modelled costs cover
    warnings: tuple[str, ...]


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
    setup.strategy(Decoder(setup.space, setup.fits))  # what it refuses leaves no folder behind
    files = {
        "hardware.toml": setup.hardware.to_toml(),
        "chip.toml": setup.chip.to_toml(),
        "provenance.json": json.dumps(setup.provenance(), indent=2) + "\n",
    }
    with create_run(path, config, files, setup.scorer.metrics) as run:
        return _search(run, setup, progress)


def resume_search(directory: Path | str, progress: Progress | None = None) -> SearchResult:
    """Go on with an interrupted run; a finished one is left as it is and read again.

    Raises:
        UserError: The folder holds no run, a damaged one or one of other data, hardware or
            surrogate; or it is in use.
    """
    path = Path(directory)
    with open_run(path) as run:
        setup = prepare(run.config(), folder=path)
        _check_unchanged(run, setup)
        return _search(run, setup, progress)


def _check_unchanged(run: RunDirectory, setup: SearchSetup) -> None:
    stored, now = run.provenance(), setup.provenance()
    changed = [title for name, title in UNCHANGED.items() if stored.get(name) != now[name]]
    if stored.get("surrogate", {}).get("hash") != now["surrogate"]["hash"]:
        changed.append("the surrogate")
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
        setup = replace(setup, chosen=labelled.chosen)
        _tell_basis(run, labelled)
    follow = None
    if setup.config.storage is not None:
        live = LiveStudy(
            setup.config.storage,
            run.path.resolve().name,
            setup.space.genes,
            setup.objectives,
            setup.demands,
        )
        follow = live.follow
    decoder = Decoder(setup.space, setup.fits)
    scorer = setup.scorer
    loop = SearchLoop(
        strategy=setup.strategy(decoder),
        decoder=decoder,
        runner=WholeBatches(scorer),
        journal=run.journal,
        demands=setup.demands,
        follow=follow,
    )
    with interruptible(run):
        with checking(f"{run.journal.path} does not belong to this run"):
            loop.replay()
        try:
            loop.run(setup.config.limit, progress)
        except KeyboardInterrupt:
            write_results(run, setup)
            raise
        front = write_results(run, setup)
        if not front:
            raise UserError(_nothing_feasible(list(loop.candidates.values()), setup))
        winners = pick_winners(front, setup.config.winners, setup.objectives)
        bundles: tuple[Path, ...] = ()
        if winners or setup.config.baselines:
            from analognas.reporting import write_report

            bundles = _deploy(run, setup, winners, progress)
            write_report(run.path)
    return SearchResult(
        directory=run.path,
        config=setup.config,
        front=front,
        winners=winners,
        bundles=bundles,
        networks=len(loop.candidates),
        seconds=loop.seconds,
        basis=setup.chosen.basis,
        scope=setup.scope,
        warnings=(*setup.warnings, *([labelled.sentence] if labelled else [])),
    )


def _tell_basis(run: RunDirectory, labelled: ActiveLabels) -> None:
    """Let the reports of a run speak of the surrogate that was fitted on its own labels."""
    stored = run.provenance()
    basis = f"{labelled.chosen.basis} {labelled.sentence}"
    stored["surrogate"] = {**stored["surrogate"], "basis": basis}
    write_text(run.provenance_path, json.dumps(stored, indent=2) + "\n")


def write_results(run: RunDirectory, setup: SearchSetup) -> tuple[FrontRecord, ...]:
    """Write the front of everything in the journal, as CSV and as a study for optuna-dashboard."""
    candidates = [one for batch in run.journal.read() for one in batch.candidates]
    front = read_front(run)
    write_front(
        run.front_path, front, setup.objectives, basis=setup.chosen.basis, scope=setup.scope
    )
    members = {member.key for member in front}
    write_study(
        run.study_path,
        [candidate for candidate in candidates if candidate.key in members],
        setup.space.genes,
        setup.objectives,
        setup.demands,
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
    candidates = [one for batch in run.journal.read() for one in batch.candidates]
    return pareto_front(feasible(candidates, demands), select_objectives(config.objectives))


def _deploy(
    run: RunDirectory,
    setup: SearchSetup,
    winners: Sequence[FrontRecord],
    progress: Progress | None,
) -> tuple[Path, ...]:
    from analognas.deployment.network import Deployment, NamedNetwork
    from analognas.deployment.winners import deploy_winners, named_baselines
    from analognas.search_spaces import Architecture
    from analognas.training import pick_device

    predict = setup.scorer.intervals
    picks = []
    for winner in winners:
        arch = Architecture.from_dict(winner.architecture)
        picks.append(NamedNetwork(winner.name, arch, predict(arch)))
    setting = Deployment(
        task=setup.task,
        space=setup.space,
        hardware=setup.hardware,
        chip=setup.chip,
        seed=setup.config.seed,
        device=str(pick_device(setup.config.device)),
    )
    return deploy_winners(
        run.path,
        setting,
        picks,
        baselines=named_baselines(setting, predict) if setup.config.baselines else (),
        workers=setup.config.workers or os.cpu_count() or 1,
        progress=progress,
    )


def _nothing_feasible(candidates: Sequence[Candidate], setup: SearchSetup) -> str:
    min_accuracy, max_drop = setup.config.min_accuracy, setup.max_drop
    message = f"None of the {len(candidates)} networks meets the demands in prediction."
    best = max((candidate.scores[ACCURACY] for candidate in candidates), default=0.0)
    if min_accuracy is not None and best < min_accuracy:
        message += (
            f" The tightest is `min_accuracy = {min_accuracy:g}`: the best predicted "
            f"accuracy after one day is {best:.4f}, so ask for {int(best * 1e4) / 1e4:g} at most."
        )
    least = min((candidate.scores["drop"] for candidate in candidates), default=1.0)
    if max_drop is not None and least > max_drop:
        message += f" The smallest predicted drop is {least:.4f}, but `max_drop` is {max_drop:g}."
    return message + " Relax the demands, the limits, or search longer."


@contextmanager
def interruptible(run: RunDirectory) -> Iterator[None]:
    """Say how to go on when the disk is full or the user has stopped the run."""
    hint = f"nothing is lost, continue with `analognas resume {run.path}`."
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(hint) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunFailed(
            f"No space left on device while writing {error.filename or run.path}. Free some space; "
            f"{hint}"
        ) from error
