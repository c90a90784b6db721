"""The list of tasks, and the one function that loads them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analognas.errors import lookup
from analognas.plugins import TASK_PLUGINS, load_plugin
from analognas.tasks import cifar10, vww
from analognas.tasks.base import Task, TaskRequest, parse_words
from analognas.tasks.digits import load_digits
from analognas.tasks.imu import load_imu
from analognas.tasks.keywords import load_keywords

TASKS: Mapping[str, Callable[[TaskRequest], Task]] = {
    "kws": load_keywords,
    "digits": load_digits,
    "imu": load_imu,
    "cifar10": cifar10.load_cifar10,
    "vww": vww.load_vww,
}

# Tasks without data of their own, and what to bring.
NEEDS_DATA: Mapping[str, str] = {
    "cifar10": cifar10.WHAT_TO_BRING,
    "vww": vww.WHAT_TO_BRING,
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
        name: One of `TASKS`, or of an installed distribution.
        split: How to cut the data into parts. `kws` on its embedded data: "recording" (default) or
            "speaker:NAME"; on a folder: "lists" or "hash". `digits`: "image". `imu`: "subject"
            (default) or "subject:N". `cifar10` and `vww`: "images" (default) or "images:N", which
            trains on N images.
        data: A folder of keyword recordings for `kws`, in place of the embedded spoken digits.
            For `cifar10` and `vww`, which have no data of their own, what `NEEDS_DATA` says.
        words: The keywords to tell apart in that folder, as a sequence or separated by commas.
        cache: Folder for computed features and decoded images. Default: `$ANALOGNAS_CACHE` or
            `~/.cache/analognas`.

    Raises:
        UserError: The name, the split, the words or the folder cannot be used.
    """
    loader = TASKS[name] if name in TASKS else load_plugin(TASK_PLUGINS, name)
    loader = loader or lookup(TASKS, name, "task")
    task: Task = loader(
        TaskRequest(
            split=split,
            data=None if data is None else Path(data),
            words=parse_words(words),
            cache=None if cache is None else Path(cache),
        )
    )
    return task
