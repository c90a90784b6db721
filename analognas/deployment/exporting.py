"""Take one network out of a run."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analognas.deployment.bundle import (
    Bundle,
    read_bundle,
    read_bundles,
    writing_folder,
)
from analognas.deployment.network import NamedNetwork, Progress, deploy_network
from analognas.deployment.winners import FOLDER
from analognas.errors import UserError, checking
from analognas.files import check_new_folder

if TYPE_CHECKING:
    from analognas.searching.candidates import Candidate


@dataclass(frozen=True)
class ScoredNetwork:
    """A network of a run that was never trained, and what it was picked for."""

    name: str
    candidate: Candidate


def export_pick(
    run_directory: Path,
    choice: str,
    out: Path,
    *,
    train: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """Copy the bundle of a network into a new folder.

    Args:
        run_directory: The run folder.
        choice: `accuracy`, `knee`, `energy`, the name of a baseline, or a key, which may be short.
        out: Folder to make; it must not exist, or be empty. It appears at once, complete.
        train: Train and measure a network that was only scored, with the settings of the run.
        progress: Told how far training is, in percent.

    Raises:
        UserError: No such run or network, the network was not trained, or `out` is in use.
    """
    out = out.resolve()
    check_new_folder(out)
    found = find_network(run_directory, choice)
    if isinstance(found, Bundle):
        with writing_folder(out) as unfinished:
            shutil.copytree(found.folder, unfinished, dirs_exist_ok=True)
    elif train:
        _train(run_directory, found, out, progress)
    else:
        raise UserError(
            f"Network {found.candidate.key} was scored but not trained, so it has no weights to "
            f"export. Train it with the settings of the run: `analognas export {run_directory} "
            f"--pick {choice} --out {out} --train`. (A network in a file of its own is trained by "
            "`analognas evaluate ARCH.json`.)"
        )
    return read_bundle(out)


def find_network(run_directory: Path, choice: str) -> Bundle | ScoredNetwork:
    """Look a network up among the trained ones, then among all that were scored.

    Raises:
        UserError: There is none, or several.
    """
    from analognas.searching.run_directory import RunDirectory

    run = RunDirectory(run_directory)
    run.config()
    bundles = read_bundles(run_directory / FOLDER)
    for bundle in bundles:
        if choice in (bundle.name, *bundle.name.split("+")):
            return bundle
    picked = _picked_keys(run.front_path)
    wanted = picked.get(choice, choice)
    known: dict[str, Bundle | ScoredNetwork] = {
        candidate.key: ScoredNetwork(choice if choice in picked else candidate.key, candidate)
        for batch in run.journal.read()
        for candidate in batch.candidates
    }
    known.update({bundle.key: bundle for bundle in bundles})
    matching = [key for key in known if wanted and key.startswith(wanted)]
    if len(matching) == 1:
        return known[matching[0]]
    if matching:
        keys = ", ".join(sorted(matching)[:5])
        raise UserError(f"{choice!r} stands for {len(matching)} networks: {keys} ... Give more.")
    names = [name for bundle in bundles for name in (*bundle.name.split("+"), bundle.key)]
    choices = ", ".join(dict.fromkeys([*names, *picked])) or "none"
    raise UserError(
        f"The run has no network {choice!r}. Choose one of: {choices}; or give the key of a scored "
        "network (see front.csv)."
    )


def _picked_keys(front: Path) -> dict[str, str]:
    """What the members of the front were picked for, and their keys."""
    if not front.exists():
        return {}
    try:
        rows = csv.DictReader(io.StringIO(front.read_text(encoding="utf-8")))
        return {name: row["key"] for row in rows for name in row["picked for"].split("+") if name}
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise UserError(
            f"{front} is damaged: {error!r}. Run `analognas resume` to mend it."
        ) from error


def _train(
    run_directory: Path, found: ScoredNetwork, folder: Path, progress: Progress | None
) -> None:
    """Make the bundle of a scored network with the settings of its run."""
    from analognas.searching.design_deployment import own_setting
    from analognas.searching.designs import Design
    from analognas.searching.run_directory import RunDirectory
    from analognas.searching.setup import prepare

    run = RunDirectory(run_directory)
    config = run.config()
    if (fitted := run.labelled_surrogate) is not None:
        config = replace(config, surrogate=str(fitted))
    setup = prepare(config, folder=run_directory)
    with checking(f"network {found.candidate.key}"):
        design = Design.from_dict(found.candidate.architecture)
    setting = own_setting(setup, design)
    predicted = {} if config.trains else setup.scorer.intervals(design)
    pick = NamedNetwork(found.name, design.arch, predicted)
    deploy_network(setting, pick, folder, progress=progress)
