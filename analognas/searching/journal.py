"""The append-only journal of a run: one flushed line a batch, the only truth about a search."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analognas.errors import UserError
from analognas.files import append_line
from analognas.searching.candidates import Candidate, Codes
from analognas.searching.objectives import OBJECTIVES

FORMAT = "analognas-journal"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Batch:
    """What one round of the loop did.

    `keys` has one entry per proposal, None where even the smallest network breaks the limits.
    `candidates` holds the networks that were new in this batch, in the order of their proposals.
    """

    index: int
    seconds: float
    codes: tuple[Codes, ...]
    keys: tuple[str | None, ...]
    candidates: tuple[Candidate, ...]

    def to_json(self) -> str:
        """One line without a line break; floats survive the round trip bit by bit."""
        genes = list(self.codes[0]) if self.codes else []
        new = []
        for candidate in self.candidates:
            new.append(
                {
                    "key": candidate.key,
                    "proposal": self.keys.index(candidate.key),
                    "architecture": candidate.architecture,
                    "scores": dict(candidate.scores),
                }
            )
        content = {
            "batch": self.index,
            "seconds": round(self.seconds, 3),
            "genes": genes,
            "codes": [[codes[gene] for gene in genes] for codes in self.codes],
            "keys": self.keys,
            "candidates": new,
        }
        return json.dumps(content, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Batch:
        """Read back one line.

        Raises:
            ValueError, KeyError, TypeError, IndexError: The line is not a batch.
        """
        genes = [str(gene) for gene in content["genes"]]
        codes = tuple(dict(zip(genes, values, strict=True)) for values in content["codes"])
        keys = tuple(content["keys"])
        if len(keys) != len(codes):
            raise ValueError(f"{len(codes)} proposals have {len(keys)} keys")
        candidates = []
        for entry in content["candidates"]:
            proposal = int(entry["proposal"])
            if keys[proposal] != entry["key"]:
                raise ValueError(f"proposal {proposal} is not network {entry['key']!r}")
            scores = {name: float(entry["scores"][name]) for name in OBJECTIVES}
            if not all(math.isfinite(score) for score in scores.values()):
                raise ValueError(f"network {entry['key']!r} has a score that is not finite")
            candidates.append(
                Candidate(
                    key=str(entry["key"]),
                    batch=int(content["batch"]),
                    codes=codes[proposal],
                    architecture=dict(entry["architecture"]),
                    scores=scores,
                )
            )
        return cls(
            index=int(content["batch"]),
            seconds=float(content["seconds"]),
            codes=codes,
            keys=keys,
            candidates=tuple(candidates),
        )


class Journal:
    """A file of batches that only grows. Its first line names the format."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Start the file."""
        append_line(self.path, json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION}))

    def append(self, batch: Batch) -> None:
        """Add one batch; on return it is on the disk."""
        append_line(self.path, batch.to_json())

    def ensure_started(self) -> None:
        """Write the first line again if the writing process died before it was complete."""
        if b"\n" not in self.path.read_bytes():
            self.create()

    def read(self) -> Sequence[Batch]:
        """Return every complete batch; a torn last line is left out.

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
            return []
        self._check_header(lines[0])
        batches: list[Batch] = []
        for number, line in enumerate(lines[1:], start=2):
            try:
                batch = Batch.from_dict(json.loads(line))
                if batch.index != len(batches):
                    raise ValueError(f"batch {batch.index} stands where {len(batches)} must be")
            except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
                raise UserError(
                    f"{self.path} is damaged in line {number}: {type(error).__name__}: {error}. "
                    f"Delete this line and everything after it to continue from there."
                ) from error
            batches.append(batch)
        return batches

    def _check_header(self, line: str) -> None:
        try:
            header = json.loads(line)
        except json.JSONDecodeError:
            header = None
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise UserError(f"{self.path} is not the journal of a search.")
        if header.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"{self.path}: `format_version` must be {FORMAT_VERSION}, but got "
                f"{header.get('format_version')!r}. Use the version of analognas that made the run."
            )
