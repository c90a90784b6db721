"""The folder of a search with one's own space: made once, gone on with, never overwritten."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analognas.errors import UserError
from analognas.files import write_text
from analognas.searching.journal import Journal
from analognas.searching.run_directory import LOCK_NAME, RunDirectory, locked

FORMAT = "analognas-open-search"
FORMAT_VERSION = 1
SETTINGS_NAME = "search.json"


@dataclass(frozen=True)
class SearchFolder:
    """Where everything of a search lies."""

    path: Path
    metrics: tuple[str, ...]

    @property
    def journal(self) -> Journal:
        return Journal(self.path / "journal.jsonl", self.metrics)

    @property
    def fresh_journal(self) -> Journal:
        """Of the fresh evaluations of the final front, started if need be."""
        journal = Journal(self.path / "fresh.jsonl", self.metrics)
        _start(journal)
        return journal

    @property
    def front_path(self) -> Path:
        return self.path / "front.csv"


@contextlib.contextmanager
def open_folder(
    path: Path, settings: Mapping[str, Any], metrics: tuple[str, ...]
) -> Iterator[SearchFolder]:
    """Make the folder of a search, or take one of the same search, and hold its lock.

    Raises:
        UserError: The folder holds something else, or a search with other settings.
    """
    folder = SearchFolder(path, metrics)
    stored = path / SETTINGS_NAME
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file. Choose another folder.")
    if RunDirectory(path).config_path.exists():
        raise UserError(
            f"{path} holds a run of `analognas search`, which `analognas resume {path}` goes on "
            "with. Choose another folder."
        )
    if path.exists() and not stored.exists():
        others = sorted(entry.name for entry in path.iterdir() if entry.name != LOCK_NAME)
        if [name for name in others if name != folder.journal.path.name]:
            raise UserError(f"{path} is not empty ({others[0]}). Choose another folder.")
    path.mkdir(parents=True, exist_ok=True)
    with locked(path):
        if stored.exists():
            _check_same(stored, settings)
        else:
            folder.journal.path.unlink(missing_ok=True)  # of a start that was cut short
            folder.journal.create()
            content = {"format": FORMAT, "format_version": FORMAT_VERSION, **settings}
            write_text(stored, json.dumps(content, indent=2) + "\n")
        _start(folder.journal)
        yield folder


def _start(journal: Journal) -> None:
    if journal.path.exists():
        journal.ensure_started()
    else:
        journal.create()


def _check_same(stored: Path, settings: Mapping[str, Any]) -> None:
    try:
        content = json.loads(stored.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{stored} is damaged: {error}.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{stored} was not written by a search.")
    if content.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{stored}: `format_version` must be {FORMAT_VERSION}, but got "
            f"{content.get('format_version')!r}. Use the analognas that made the folder."
        )
    now = json.loads(json.dumps(dict(settings)))
    changed = [name for name, value in now.items() if content.get(name) != value]
    if changed:
        raise UserError(
            f"{stored.parent} holds a search with other {' and '.join(changed)}. Choose another "
            "folder, or give what it was started with."
        )
