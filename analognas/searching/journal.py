"""The append-only journal of a run: one flushed line a batch, the only truth about a search.

Where evaluations are slow, those of the batch in progress are noted as they end, so that a process
that is killed loses at most the ones it was working on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from analognas.errors import UserError
from analognas.files import append_line
from analognas.searching.budget import Budget
from analognas.searching.candidates import Candidate, Codes

FORMAT = "analognas-journal"
FORMAT_VERSION = 3
READABLE_VERSIONS = (1, 2, 3)


@dataclass(frozen=True)
class Batch:
    """What one round of the loop did.

    `keys` has one entry per proposal, None where even the smallest network breaks the limits.
    `candidates` holds the evaluations that were new in this batch, in the order of their proposals.
    `trials` has fidelity and seed of every proposal; empty if all are 1 and 0. `ended` is the
    budget that ended with this batch, because the next evaluation was too much for it; the batch
    may then be empty.
    """

    index: int
    seconds: float
    codes: tuple[Codes, ...]
    keys: tuple[str | None, ...]
    candidates: tuple[Candidate, ...]
    trials: tuple[tuple[float, int], ...] = ()
    ended: Budget | None = None

    def trial(self, proposal: int) -> tuple[float, int]:
        """Fidelity and seed of one proposal."""
        return self.trials[proposal] if self.trials else (1.0, 0)

    def to_json(self) -> str:
        """One line without a line break; floats survive the round trip bit by bit."""
        genes = list(self.codes[0]) if self.codes else []
        proposals = {
            (key, *self.trial(index)): index
            for index, key in reversed([*enumerate(self.keys)])
            if key is not None
        }
        new = []
        for candidate in self.candidates:
            proposal = proposals[candidate.id]
            entry: dict[str, Any] = {
                "key": candidate.key,
                "proposal": proposal,
                "architecture": candidate.architecture,
                "scores": dict(candidate.scores),
            }
            if candidate.codes != self.codes[proposal]:
                entry["codes"] = [candidate.codes[gene] for gene in genes]
            new.append(entry | _optional(candidate))
        content = {
            "batch": self.index,
            "seconds": round(self.seconds, 3),
            "genes": genes,
            "codes": [[codes[gene] for gene in genes] for codes in self.codes],
            "keys": self.keys,
            **({"trials": self.trials} if self.trials else {}),
            "candidates": new,
        }
        if self.ended is not None:
            limits = (self.ended.evaluations, self.ended.seconds)
            content["ended"] = [None if limit == math.inf else limit for limit in limits]
        return json.dumps(content, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_dict(cls, content: dict[str, Any], metrics: Sequence[str] = ()) -> Batch:
        """Read back one line; every evaluation that did not fail must have these metrics.

        Raises:
            ValueError, KeyError, TypeError, IndexError: The line is not a batch.
        """
        genes = [str(gene) for gene in content["genes"]]
        codes = tuple(dict(zip(genes, values, strict=True)) for values in content["codes"])
        keys = tuple(content["keys"])
        trials = tuple((float(f), int(seed)) for f, seed in content.get("trials", ()))
        if len(keys) != len(codes) or (trials and len(trials) != len(codes)):
            raise ValueError(f"{len(codes)} proposals have {len(keys)} keys")
        ended = None if "ended" not in content else Budget(*content["ended"])
        batch = cls(int(content["batch"]), float(content["seconds"]), codes, keys, (), trials)
        candidates = []
        for entry in content["candidates"]:
            proposal = int(entry["proposal"])
            if keys[proposal] != entry["key"]:
                raise ValueError(f"proposal {proposal} is not network {entry['key']!r}")
            known = entry.get("codes")
            own = codes[proposal] if known is None else dict(zip(genes, known, strict=True))
            fidelity, seed = batch.trial(proposal)
            candidates.append(_candidate(entry, batch.index, own, (fidelity, seed), metrics))
        return replace(batch, candidates=tuple(candidates), ended=ended)


@dataclass(frozen=True)
class Content:
    """What a journal holds: whole batches, and evaluations of the one that was in progress."""

    batches: tuple[Batch, ...] = ()
    unfinished: tuple[Candidate, ...] = ()


@dataclass(frozen=True)
class Journal:
    """A file of batches that only grows. Its first line names the format.

    Args:
        path: The file.
        metrics: What every evaluation that did not fail has; written into the first line.
    """

    path: Path
    metrics: tuple[str, ...] = field(default=())

    def create(self) -> None:
        """Start the file."""
        header = {"format": FORMAT, "format_version": FORMAT_VERSION, "metrics": self.metrics}
        append_line(self.path, json.dumps(header))

    def append(self, batch: Batch) -> None:
        """Add one batch; on return it is on the disk."""
        append_line(self.path, batch.to_json())

    def note(self, candidates: Sequence[Candidate]) -> None:
        """Add evaluations of the batch in progress; on return they are on the disk."""
        for one in candidates:
            entry = {
                "in_progress": one.batch,
                "key": one.key,
                "trial": [one.fidelity, one.seed],
                "codes": dict(one.codes),
                "architecture": one.architecture,
                "scores": dict(one.scores),
                **_optional(one),
            }
            append_line(self.path, json.dumps(entry, separators=(",", ":"), allow_nan=False))

    def ensure_started(self) -> None:
        """Write the first line again if the writing process died before it was complete."""
        if b"\n" not in self.path.read_bytes():
            self.create()

    def read(self) -> tuple[Batch, ...]:
        """Return every complete batch; a torn last line is left out.

        Raises:
            UserError: The file is missing, foreign or damaged.
        """
        return self.read_all().batches

    def read_all(self) -> Content:
        """Return batches, and the evaluations of the batch that was in progress at the end.

        Raises:
            UserError: The file is missing, foreign or damaged.
        """
        try:
            text = self.path.read_bytes().decode()
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise UserError(f"{self.path} is damaged: it is not text ({error.reason}).") from error
        lines = text.split("\n")[:-1]
        if not lines:
            return Content()
        metrics = self._check_header(lines[0])
        batches: list[Batch] = []
        unfinished: list[Candidate] = []
        for number, line in enumerate(lines[1:], start=2):
            try:
                content = json.loads(line)
                index = int(
                    content["in_progress"] if "in_progress" in content else content["batch"]
                )
                if index != len(batches):
                    raise ValueError(f"batch {index} stands where {len(batches)} must be")
                if "in_progress" in content:
                    trial = (float(content["trial"][0]), int(content["trial"][1]))
                    codes = dict(content["codes"])
                    unfinished.append(_candidate(content, index, codes, trial, metrics))
                else:
                    batches.append(Batch.from_dict(content, metrics))
                    unfinished.clear()
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
                raise UserError(
                    f"{self.path} is damaged in line {number}: {type(error).__name__}: {error}. "
                    f"Delete this line and everything after it to continue from there."
                ) from error
        return Content(tuple(batches), tuple(unfinished))

    def _check_header(self, line: str) -> tuple[str, ...]:
        """The metrics that every evaluation has."""
        try:
            header = json.loads(line)
        except json.JSONDecodeError:
            header = None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise UserError(f"{self.path} is not the journal of a search.")
        if header.get("format_version") not in READABLE_VERSIONS:
            raise UserError(
                f"{self.path}: `format_version` must be {FORMAT_VERSION}, but got "
                f"{header.get('format_version')!r}. Use the version of analognas that made the run."
            )
        return tuple(str(name) for name in header.get("metrics", ()))


def _optional(candidate: Candidate) -> dict[str, Any]:
    """What most evaluations have not."""
    entry: dict[str, Any] = {}
    if candidate.seconds is not None:
        entry["seconds"] = candidate.seconds
    if candidate.failure is not None:
        entry["failure"] = candidate.failure
    return entry


def _candidate(
    entry: dict[str, Any],
    batch: int,
    codes: Codes,
    trial: tuple[float, int],
    metrics: Sequence[str],
) -> Candidate:
    scores = {str(name): float(value) for name, value in entry["scores"].items()}
    if not all(math.isfinite(score) for score in scores.values()):
        raise ValueError(f"network {entry['key']!r} has a score that is not finite")
    missing = [name for name in metrics if name not in scores]
    if missing and "failure" not in entry:
        raise ValueError(f"network {entry['key']!r} has no {', '.join(missing)}")
    return Candidate(
        key=str(entry["key"]),
        batch=batch,
        codes=codes,
        architecture=dict(entry["architecture"]),
        scores=scores,
        fidelity=trial[0],
        seed=trial[1],
        seconds=None if entry.get("seconds") is None else float(entry["seconds"]),
        failure=None if entry.get("failure") is None else str(entry["failure"]),
    )
