"""The list of tasks, and the one function that loads them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analognas.errors import lookup
from analognas.tasks.base import Task, TaskRequest, parse_words
from analognas.tasks.digits import load_digits
from analognas.tasks.keywords import load_keywords

TASKS: Mapping[str, Callable[[TaskRequest], Task]] = {
    "kws": load_keywords,
    "digits": load_digits,
}


def load_task(
    name: str,
    split: str | None = None,
    data: str | Path | None = None,
    words: str | Sequence[str] | None = None,
    cache: str | Path | None = None,
) -> Task:
    """Load a task's data, split and standardised.

    Args:
        name: One of `TASKS`.
        split: How to cut the data into parts. `kws` on its embedded data: "recording" (default) or
            "speaker:NAME"; on a folder: "lists" or "hash". `digits`: "image".
        data: A folder of keyword recordings for `kws`, in place of the embedded spoken digits.
        words: The keywords to tell apart in that folder, as a sequence or separated by commas.
        cache: Folder for computed features. Default: `$ANALOGNAS_CACHE` or `~/.cache/analognas`.

    Raises:
        UserError: The name, the split, the words or the folder cannot be used.
    """
    loader = lookup(TASKS, name, "task")
    return loader(
        TaskRequest(
            split=split,
            data=None if data is None else Path(data),
            words=parse_words(words),
            cache=None if cache is None else Path(cache),
        )
    )
