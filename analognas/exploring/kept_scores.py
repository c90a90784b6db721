"""Scores of a sweep as they come, so that a stopped sweep goes on where it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from analognas.files import append_line
from analognas.simulator import SIMULATOR_VERSION, Hardware

if TYPE_CHECKING:
    from analognas.exploring.sweep_settings import SweepSettings

FILE = "scores.jsonl"


class KeptScores:
    """Scores by a hash of all that they depend on, in a file of one line each.

    Args:
        folder: Of the sweep; None keeps them in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE
        self._known: dict[str, tuple[float, ...]] = {}
        if self._path is not None and self._path.is_file():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    self._known[entry["key"]] = tuple(map(float, entry["score"]))
                except (ValueError, KeyError, TypeError):
                    continue  # the line that was being written when the sweep was stopped

    def key(
        self, network: str, hardware: Hardware, compensation: str, settings: SweepSettings
    ) -> str:
        """Name all that a score depends on."""
        parts = (network, hardware.hash, compensation, settings.t_s, settings.chips)
        content = repr((*parts, settings.inputs, settings.seed, SIMULATOR_VERSION))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def find(self, key: str) -> tuple[float, ...] | None:
        """The score of every chip, if it is known."""
        return self._known.get(key)

    def keep(self, key: str, score: tuple[float, ...]) -> None:
        """Add a score."""
        self._known[key] = score
        if self._path is not None:
            append_line(self._path, json.dumps({"key": key, "score": score}))
