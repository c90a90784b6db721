"""A label run as a folder: settings, list of jobs, append-only journal, weights, lock.

    settings.json    what decides the results, and the command
    jobs.json        the fixed list of trainings
    journal.jsonl    one line per finished job, done or failed
    weights/         <key>-<seed>.safetensors, float16
    lock             held (flock) by the process that writes

A kill at any moment leaves a valid folder: the small files are renamed into place, weights lie on
the disk before their journal line, and a torn last line is cut off when the folder is next opened.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analognas.errors import UserError
from analognas.files import append_line, write_bytes, write_text
from analognas.labelling.plan import Job
from analognas.records import Evaluation, FurtherAccuracy

FORMAT_VERSION = 1
JOURNAL, SETTINGS, JOBS, LOCK, WEIGHTS = (
    "journal.jsonl",
    "settings.json",
    "jobs.json",
    "lock",
    "weights",
)
# Told to the reader, but free to differ when a run is continued.
INFORMATIVE = frozenset({"command", "data"})

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class DoneJob:
    """A finished training with its measurement."""

    job: Job
    evaluation: Evaluation
    weights: str | None  # path inside the folder, None if the weights were not kept
    further: tuple[FurtherAccuracy, ...] = ()


@dataclass
class LabelFolder:
    """The content of a label run. Made by `open_folder` (to write) or `read_folder`."""

    path: Path
    settings: dict[str, Any]
    jobs: tuple[Job, ...]
    done: dict[str, DoneJob] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # job id -> message
    notices: list[str] = field(default_factory=list)

    @property
    def unfinished(self) -> tuple[Job, ...]:
        """Jobs without a result, failed ones among them: they are tried again."""
        return tuple(job for job in self.jobs if job.id not in self.done)

    def done_in_order(self) -> tuple[DoneJob, ...]:
        """Finished jobs in the order of the job list, whatever order they ended in."""
        return tuple(self.done[job.id] for job in self.jobs if job.id in self.done)

    def record_done(
        self,
        job: Job,
        evaluation: Evaluation,
        weights: bytes | None,
        further: tuple[FurtherAccuracy, ...] = (),
    ) -> None:
        """Store a result; when this returns, it survives a kill."""
        where = None
        if weights is not None:
            where = f"{WEIGHTS}/{job.id}.safetensors"
            write_bytes(self.path / where, weights)
        self._append(
            {
                "job": job.id,
                "status": "done",
                "weights": where,
                "evaluation": evaluation.to_dict(),
                "further": [measured.to_dict() for measured in further],
            }
        )
        self.done[job.id] = DoneJob(job, evaluation, where, further)
        self.failed.pop(job.id, None)

    def record_failed(self, job: Job, message: str) -> None:
        """Store that a job failed, and why."""
        self._append({"job": job.id, "status": "failed", "message": message})
        self.failed[job.id] = message

    def _append(self, entry: Mapping[str, Any]) -> None:
        append_line(self.path / JOURNAL, json.dumps(entry))


@contextmanager
def open_folder(
    path: Path, settings: Settings, make_jobs: Callable[[], Sequence[Job]]
) -> Iterator[LabelFolder]:
    """Start a label run in `path`, or continue the one that is there, and hold its lock meanwhile.

    Args:
        path: The folder; made if it does not exist.
        settings: What decides the results. Must equal the stored ones if the run exists.
        make_jobs: Called once, when the run is new; a continued run takes its stored list.

    Raises:
        UserError: The folder is in use, holds something else, or a run with other settings.
    """
    settings = {"format_version": FORMAT_VERSION, **json.loads(json.dumps(settings))}
    if path.exists() and not path.is_dir():
        raise UserError(f"The output must be a folder, but {path} is a file. Choose another --out.")
    if path.is_dir() and not (path / SETTINGS).exists():
        ours = (LOCK, JOBS)  # and the writer's hidden temporary files: a start that was killed
        foreign = sorted(
            p.name for p in path.iterdir() if p.name not in ours and not p.name.startswith(".")
        )
        if foreign:
            raise UserError(
                f"{path} holds other files ({', '.join(foreign[:3])} ...) and no label run. "
                "Choose an empty or new folder with --out."
            )
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        if (path / SETTINGS).exists():
            _check_same(path, _read_json(path / SETTINGS), settings)
        else:
            jobs = [job.to_dict() for job in make_jobs()]
            write_text(path / JOBS, json.dumps(jobs, indent=1) + "\n")
            write_text(path / SETTINGS, json.dumps(settings, indent=2) + "\n")
        yield _load(path, repair=True)


@contextmanager
def reopen_folder(path: Path) -> Iterator[LabelFolder]:
    """Hold an existing run's folder, whatever its settings are."""
    _require_run(path)
    with _locked(path):
        yield _load(path, repair=True)


def read_folder(path: Path) -> LabelFolder:
    """Read an existing run without a lock and without changing anything."""
    _require_run(path)
    return _load(path, repair=False)


def _require_run(path: Path) -> None:
    if not (path / SETTINGS).is_file():
        raise UserError(
            f"{path} holds no label run ({SETTINGS} is missing). "
            "Name a folder that `analognas label --out` made."
        )


def _load(path: Path, *, repair: bool) -> LabelFolder:
    settings = _read_json(path / SETTINGS)
    version = settings.get("format_version") if isinstance(settings, dict) else None
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path / SETTINGS}: `format_version` must be {FORMAT_VERSION}, but got {version!r}. "
            "The folder was made by another version of analognas, or by another program."
        )
    try:
        jobs = tuple(Job.from_dict(entry) for entry in _read_json(path / JOBS))
    except (TypeError, ValueError) as error:
        raise _damaged(path / JOBS, str(error)) from error
    folder = LabelFolder(path, settings, jobs)
    _replay(folder, repair=repair)
    return folder


def _replay(folder: LabelFolder, *, repair: bool) -> None:
    """Read the journal into `folder`; cut off what a kill left unfinished."""
    path = folder.path / JOURNAL
    if not path.exists():
        return
    content = path.read_bytes()
    complete, newline, torn = content.rpartition(b"\n")
    if torn:
        folder.notices.append(
            f"{path}: the last line was cut short by a stop of the machine or the process; "
            "it is dropped, its job runs again."
        )
        if repair:
            os.truncate(path, len(complete) + len(newline))
    jobs = {job.id: job for job in folder.jobs}
    for number, line in enumerate(complete.splitlines(), start=1):
        try:
            entry = json.loads(line)
            job = jobs[entry["job"]]
            if entry["status"] == "failed":
                folder.failed[job.id] = str(entry["message"])
                continue
            evaluation = Evaluation.from_dict(entry["evaluation"])
            weights = entry["weights"]
            further = tuple(FurtherAccuracy.from_dict(item) for item in entry.get("further", ()))
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, f"line {number}: {error!r}") from error
        folder.done[job.id] = DoneJob(job, evaluation, weights, further)
        folder.failed.pop(job.id, None)


def _check_same(path: Path, stored: dict[str, Any], asked: Settings) -> None:
    differing = [
        f"{name} is {_short(stored.get(name))} there, {_short(asked.get(name))} here"
        for name in sorted({*stored, *asked} - INFORMATIVE)
        if stored.get(name) != asked.get(name)
    ]
    if differing:
        raise UserError(
            f"{path} holds a label run with other settings: {'; '.join(differing)}. "
            "Give the same settings to continue it, or another --out."
        )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + " ..."


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _damaged(path, "it is missing") from None
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is damaged or was not written by `analognas label` ({why}). "
        "Restore it from a copy, or start again with another --out."
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder's lock; the system frees it when the process ends, however it ends."""
    with (path / LOCK).open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"{path} is in use by another process. Wait for it to end, or choose another --out."
            ) from None
        yield
