"""What the command line prints: results on stdout, progress and messages on stderr."""

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

console = Console(highlight=False)  # results
messages = Console(stderr=True, highlight=False)  # progress, notes, errors

SECONDS_BETWEEN_LOG_LINES = 10.0


class Bar(Protocol):
    """A running piece of work."""

    def advance(self, n: int = 1) -> None:
        """Count `n` more pieces as done."""

    def update(self, done: int, total: int | None = None, message: str = "") -> None:
        """Set how far the work is. This is the progress callback of the application."""


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    as_json: bool = False,
    note: str = "",
    formats: Mapping[str, str] | None = None,
) -> None:
    """Print a table on stdout, or with `as_json` a list of objects with the columns as keys.

    Args:
        title: What the numbers are, and where they come from.
        columns: Names with units.
        rows: One sequence of values per row, as long as `columns`; `None` is shown as a dash.
        as_json: Print JSON: numbers stay numbers, NaN and infinity become null.
        note: A line below the table (not in JSON).
        formats: Format specifications of some columns, such as `{"accuracy": ".3f"}`; other floats
            are shown with four significant digits.
    """
    if as_json:
        show_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = any(_is_number(row[index]) for row in rows)
        table.add_column(Text(column), justify="right" if numeric else "left")
    for row in rows:
        cells = zip(columns, row, strict=True)
        table.add_row(*(Text(_cell(value, (formats or {}).get(name))) for name, value in cells))
    out = _wide_enough(table)
    out.print(table)
    if note:
        out.print(Text(note, style="dim"), soft_wrap=not out.is_terminal)


def show_json(content: object) -> None:
    """Print JSON on stdout; records of numpy or paths are turned into plain values."""
    sys.stdout.write(json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print a message for people on stderr, where it does not disturb the results."""
    messages.print(Text(text), soft_wrap=not messages.is_terminal)


@contextmanager
def progress(description: str, total: int | None = None, *, percent: bool = False) -> Iterator[Bar]:
    """Show how far a piece of work is and how long it still takes.

    On a terminal this is a bar, elsewhere one line about every ten seconds. With `percent` pieces
    are shares of the work, which nobody wants to see counted.
    """
    if messages.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn() if percent else MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[message]}", markup=False),
        )
        with Progress(*columns, console=messages) as display:
            yield _TerminalBar(display, description, total)
    else:
        lines = _LogLines(description, total, percent=percent)
        yield lines
        lines.finish()


class _TerminalBar:
    def __init__(self, display: Progress, description: str, total: int | None) -> None:
        self._display = display
        self._task = display.add_task(description, total=total, message="")

    def advance(self, n: int = 1) -> None:
        self._display.advance(self._task, n)

    def update(self, done: int, total: int | None = None, message: str = "") -> None:
        self._display.update(self._task, completed=done, total=total, message=message)


class _LogLines:
    def __init__(self, description: str, total: int | None, *, percent: bool) -> None:
        self._description = description
        self._total = total
        self._percent = percent
        self._done = 0
        self._message = ""
        self._started = self._last_line = time.monotonic()
        self._first: tuple[int, float] | None = None  # a resumed run starts above zero
        self._wrote = False

    def advance(self, n: int = 1) -> None:
        self.update(self._done + n)

    def update(self, done: int, total: int | None = None, message: str = "") -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now) if done > 1 else (0, self._started)
        self._done, self._message = done, message
        self._total = total if total is not None else self._total
        if now - self._last_line >= SECONDS_BETWEEN_LOG_LINES:
            self._last_line = now
            self._write(self._left(now))

    def finish(self) -> None:
        if self._wrote:
            self._message = ""
            self._write(f"took {clock(time.monotonic() - self._started)}")

    def _left(self, now: float) -> str:
        first_done, first_time = self._first or (0, self._started)
        if not self._total or self._done <= first_done:
            return "time left unknown"
        seconds = (now - first_time) / (self._done - first_done) * (self._total - self._done)
        return f"{clock(seconds)} left"

    def _write(self, timing: str) -> None:
        self._wrote = True
        if self._percent and self._total:
            counts = f"{100 * self._done / self._total:.0f} %"
        else:
            counts = f"{self._done}/{self._total}" if self._total else str(self._done)
        say(", ".join(p for p in (f"{self._description}: {counts}", timing, self._message) if p))


def clock(seconds: float) -> str:
    """Show a duration as `m:ss` or `h:mm:ss`."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _wide_enough(table: Table) -> Console:
    """The console itself, or, if nobody looks at it, one that cuts no column."""
    if console.is_terminal:
        return console
    width = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    return Console(highlight=False, width=max(width, 80))


def _is_number(value: object) -> bool:
    plain = _plain_scalar(value)
    return isinstance(plain, int | float) and not isinstance(plain, bool)


def _cell(value: object, specification: str | None) -> str:
    plain = _plain_scalar(value)
    if plain is None:
        return "-"
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, float):
        return format(plain, specification or ".4g")
    if isinstance(plain, int) and specification:
        return format(plain, specification)
    return str(plain)


def _plain_scalar(value: object) -> object:
    """Python's own number for a numpy or torch scalar, without importing either."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "ndim", 0) == 0 else value


def _plain(value: object) -> object:
    value = _plain_scalar(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if callable(tolist := getattr(value, "tolist", None)):
        return _plain(tolist())
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(item) for item in value]
    return str(value)
