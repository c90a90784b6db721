"""The folder of a run: made once, never overwritten, used by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import analognas
from analognas.errors import UserError
from analognas.files import write_text
from analognas.searching.config import SearchConfig
from analognas.searching.journal import Journal

PACKAGES = ("torch", "optuna", "numpy", "pandas", "scikit-learn", "xgboost", "pydantic")

LOCK_NAME = ".lock"


@dataclass(frozen=True)
class RunDirectory:
    """Where everything of a run lies; the paths exist once their writer has been there."""

    path: Path

    @property
    def config_path(self) -> Path:
        return self.path / "config.json"

    @property
    def environment_path(self) -> Path:
        return self.path / "environment.json"

    @property
    def provenance_path(self) -> Path:
        """Where the predictions of this run come from, and the hardware it is for."""
        return self.path / "provenance.json"

    @property
    def hardware_path(self) -> Path:
        return self.path / "hardware.toml"

    @property
    def chip_path(self) -> Path:
        return self.path / "chip.toml"

    @property
    def labels_path(self) -> Path:
        """Labels that the search made for itself, and the surrogate that was fitted on them."""
        return self.path / "labels"

    @property
    def labelled_surrogate(self) -> Path | None:
        """The surrogate that was fitted on labels of its own, if the search made any."""
        path = self.labels_path / "surrogate.json"
        return path if path.is_file() else None

    @property
    def trainings_path(self) -> Path:
        """Trainings of candidates, so that a search that is resumed does not make them again."""
        return self.path / "trainings"

    @property
    def reevaluation_path(self) -> Path:
        """What fresh trainings of the front gave, beside what the search had found."""
        return self.path / "reevaluation.json"

    @property
    def fresh_journal(self) -> Journal:
        """Of the fresh trainings of the front."""
        return Journal(self.path / "fresh.jsonl")

    @property
    def front_path(self) -> Path:
        return self.path / "front.csv"

    @property
    def study_path(self) -> Path:
        return self.path / "study.db"

    @property
    def journal(self) -> Journal:
        return Journal(self.path / "journal.jsonl")

    def config(self) -> SearchConfig:
        """Read the settings of the run.

        Raises:
            UserError: The folder holds no run, or a damaged one.
        """
        text = self._read(self.config_path)
        try:
            return SearchConfig.from_json(text)
        except UserError as error:
            raise UserError(
                f"{self.config_path} is damaged: {error} Restore it, or start a new search."
            ) from error

    def provenance(self) -> dict[str, Any]:
        """Read where the predictions of the run come from."""
        return self._read_json(self.provenance_path)

    def environment(self) -> dict[str, Any]:
        """Read the versions and the machine the run was started with."""
        return self._read_json(self.environment_path)

    def _read(self, path: Path) -> str:
        if not self.path.is_dir():
            raise UserError(f"There is no run folder {self.path}.")
        try:
            return path.read_text()
        except FileNotFoundError:
            raise UserError(
                f"{self.path} is not the folder of a search: {path.name} is missing."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read: {error}.") from error

    def _read_json(self, path: Path) -> dict[str, Any]:
        try:
            content = json.loads(self._read(path))
        except json.JSONDecodeError as error:
            raise UserError(f"{path} is damaged: {error}.") from error
        if not isinstance(content, dict):
            raise UserError(f"{path} is damaged: it holds no record.")
        return content


@contextlib.contextmanager
def create_run(
    path: Path, config: SearchConfig, files: Mapping[str, str], metrics: tuple[str, ...] = ()
) -> Iterator[RunDirectory]:
    """Make a run folder and hold its lock.

    Args:
        path: A folder that does not exist, or an empty one.
        config: Written last: a folder without it is not yet a run.
        files: Further texts by file name.
        metrics: What every network of the journal will have.

    Raises:
        UserError: There is something already.
    """
    run = RunDirectory(path)
    refuse_used(path)
    path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        refuse_used(path)  # again: two processes may have looked at the same time
        for name, text in files.items():
            write_text(path / name, text)
        write_text(run.environment_path, json.dumps(environment(), indent=2) + "\n")
        replace(run.journal, metrics=metrics).create()
        write_text(run.config_path, config.to_json())
        yield run


def refuse_used(path: Path) -> None:
    """Raise a UserError unless `path` is free or an empty folder."""
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file. Choose another folder with --out.")
    if RunDirectory(path).config_path.exists():
        raise UserError(
            f"{path} holds a run already, and runs are never overwritten. Continue it with "
            f"`analognas resume {path}` or choose another folder with --out."
        )
    if path.exists() and any(entry.name != LOCK_NAME for entry in path.iterdir()):
        raise UserError(f"{path} is not empty. Choose another folder with --out.")


@contextlib.contextmanager
def open_run(path: Path) -> Iterator[RunDirectory]:
    """Hold the lock of an existing run folder.

    Raises:
        UserError: The folder holds no run, a damaged one, or is in use.
    """
    run = RunDirectory(path)
    run.config()
    if not run.journal.path.exists():
        raise UserError(f"{path} is damaged: {run.journal.path.name} is missing.")
    with locked(path):
        run.journal.ensure_started()
        yield run


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out of the folder; a process that dies lets go by itself."""
    lock_path = path / LOCK_NAME
    descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            raise UserError(
                f"{path} is in use by another process ({holder}). Wait for it, or stop it."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def default_directory(config: SearchConfig, parent: Path = Path("runs")) -> Path:
    """Name a folder that does not exist yet: task, date and seed, numbered from the second on."""
    name = f"{config.task}-{datetime.now().astimezone():%Y-%m-%d}-seed{config.seed}"
    path = parent / name
    number = 2
    while path.exists():
        path = parent / f"{name}-{number}"
        number += 1
    return path


def environment() -> dict[str, Any]:
    """What a run was made with: versions, machine, time."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    return {
        "analognas": analognas.__version__,
        "python": platform.python_version(),
        **versions,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
