"""Everything a report is made from, read from the files of a run and from nothing else."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from analognas.deployment.bundle import Bundle, read_bundles
from analognas.deployment.winners import FOLDER
from analognas.errors import UserError, checking
from analognas.searching.by_training import at_reached_fidelity, notes_on_trainings
from analognas.searching.config import SearchConfig
from analognas.searching.fresh_look import read_reevaluation
from analognas.searching.outcome import mean_over_seeds
from analognas.searching.run_directory import RunDirectory
from analognas.simulator.chip import cost_scope, load_chip

# Settings whose flag is not simply the name of the setting.
FLAGS = {
    "max_parameters": "--max-params",
    "max_energy_nJ": "--max-energy-nj",
    "overrides": "--set",
}


@dataclass(frozen=True)
class RunContents:
    """A run folder as records.

    `candidates` has the columns `key`, `energy_nJ` (modelled), `accuracy` (after one day, fraction,
    predicted or simulated as the search judges) and `front` (bool), one row per scored network; of
    trained ones those that were trained furthest. `notes` are what the trainings want said, and
    `reevaluation` is what fresh trainings of the front gave.
    """

    path: Path
    config: SearchConfig
    environment: Mapping[str, Any]
    provenance: Mapping[str, Any]
    candidates: pd.DataFrame
    search_seconds: float
    bundles: tuple[Bundle, ...]
    scope: str  # what the modelled costs cover
    notes: tuple[str, ...] = ()
    reevaluation: Mapping[str, Any] | None = None

    @property
    def title(self) -> str:
        return str(self.provenance.get("task_title") or self.config.task)

    @property
    def split(self) -> str:
        if self.bundles:
            return self.bundles[0].evaluation.split
        return str(self.provenance.get("split") or self.config.split or "the task's default")

    @property
    def basis(self) -> str:
        """One sentence on what the predictions, or the accuracies of candidates, rest on."""
        judge = self.provenance.get("training", self.provenance.get("surrogate"))
        return str(judge.get("basis", "")) if isinstance(judge, Mapping) else ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the run itself wants its readers to know."""
        warnings = self.provenance.get("warnings", [])
        stored = tuple(str(text) for text in warnings) if isinstance(warnings, list) else ()
        return (*stored, *self.notes)

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self.config)


def read_run(path: Path) -> RunContents:
    """Read a run folder; what the search has not written yet is empty.

    Raises:
        UserError: The folder holds no run, or a damaged one.
    """
    run = RunDirectory(path)
    config = run.config()
    batches = run.journal.read()
    evaluations = [candidate for batch in batches for candidate in batch.candidates]
    means, _ = mean_over_seeds(at_reached_fidelity(evaluations))
    front = _front_keys(run.front_path)
    bundles = read_bundles(path / FOLDER)
    candidates = pd.DataFrame(
        [
            (
                candidate.key,
                candidate.scores["energy"],
                candidate.scores["accuracy@1day"],
                candidate.key in front,
            )
            for candidate in means
        ],
        columns=["key", "energy_nJ", "accuracy", "front"],
    ).astype({"energy_nJ": float, "accuracy": float, "front": bool})
    return RunContents(
        path=path,
        config=config,
        environment=run.environment(),
        provenance=run.provenance() if run.provenance_path.exists() else {},
        candidates=candidates,
        search_seconds=sum(one.seconds or 0.0 for one in evaluations)
        if config.trains
        else sum(batch.seconds for batch in batches),
        bundles=bundles,
        scope=_scope(run, config, bundles),
        notes=notes_on_trainings(config, evaluations),
        reevaluation=read_reevaluation(run),
    )


def command_line(config: SearchConfig) -> str:
    """Write the command that repeats a search; settings at their defaults are left out."""
    words = ["analognas", "search", "--task", config.task]
    defaults = SearchConfig(task=config.task)
    for field in fields(SearchConfig):
        value = getattr(config, field.name)
        if field.name == "task" or value == getattr(defaults, field.name):
            continue
        flag = FLAGS.get(field.name, "--" + field.name.replace("_", "-"))
        if isinstance(value, bool):
            words.append(flag)
        elif isinstance(value, dict):
            for key, setting in value.items():
                words += [flag, f"{key}={setting}"]
        elif isinstance(value, tuple):
            words += [flag, ",".join(value)]
        else:
            words += [flag, str(value)]
    return shlex.join(words)


def _scope(run: RunDirectory, config: SearchConfig, bundles: Sequence[Bundle]) -> str:
    """As the bundles say; before there are any, as the chip of the run has it.

    Where the hardware was searched, every bundle has a chip of its own, and the run says it for
    all.
    """
    if config.search_hardware:
        return str(run.provenance().get("costs", ""))
    if bundles:
        return bundles[0].scope
    if not run.chip_path.exists():
        return ""
    with checking("chip"):
        return cost_scope(load_chip(run.chip_path))


def _front_keys(path: Path) -> frozenset[str]:
    if not path.exists():
        return frozenset()
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        return frozenset(row["key"] for row in rows)
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged: {error!r}. Make it again with `analognas resume`."
        ) from error
