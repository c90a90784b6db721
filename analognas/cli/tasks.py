"""`analognas tasks`: what the networks can be made for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analognas.tasks import Task


def tasks(
    name: Annotated[str | None, typer.Argument(help="One task, in detail; else all.")] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="How the data are cut. kws: recording, speaker:NAME; of a folder lists, hash. "
            "imu: subject, subject:N. cifar10 and vww: images, images:N (train on N of them)."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="kws: a folder of recordings, one subfolder a word. cifar10, vww: images."
        ),
    ] = None,
    words: Annotated[
        str | None,
        typer.Option(help="Keywords to choose from recordings: yes,no,zoom in"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the tasks: data, classes, parts and limits.

    For cifar10 and vww, which need --data, `analognas tasks NAME` says what to bring.
    """
    from analognas.cli.output import show_json, show_table
    from analognas.errors import UserError
    from analognas.tasks import NEEDS_DATA, TASKS, load_task

    if name is None:
        if split is not None or data is not None or words is not None:
            raise UserError("A split, a folder or words belong to one task: name it, such as kws.")
        described = [
            {"task": known, "title": "needs --data", "bring": NEEDS_DATA[known]}
            if known in NEEDS_DATA
            else describe(load_task(known))
            for known in TASKS
        ]
        shown = ("task", "title", "input", "classes", "train", "validation", "test")
        rows = [[_short(task.get(column, "")) for column in shown] for task in described]
        if json:
            show_json(described)
        else:
            show_table("Tasks", shown, rows, note="`analognas tasks NAME` says more.")
        return
    described_task = describe(load_task(name, split=split, data=data, words=words))
    if json:
        show_json(described_task)
    else:
        rows = [[key, _long(value)] for key, value in described_task.items()]
        show_table(str(described_task["title"]), ("property", "value"), rows)


def describe(task: "Task") -> dict[str, object]:
    """Everything about a task but its data."""
    from dataclasses import asdict

    from analognas.tasks import NO_SPEAKER

    speakers = {
        f"{part} speakers": len({*content.speakers} - {NO_SPEAKER})
        for part, content in task.parts.items()
        if content.speakers is not None
    }
    return {
        "task": task.name,
        "title": task.title,
        "data": task.data_name,
        "split": task.split,
        "data key": task.data_key,
        "input": list(task.input_shape),
        "classes": list(task.classes),
        **{part: len(content) for part, content in task.parts.items()},
        **speakers,
        "metric": task.metric,
        "augmentation of the training part": str(task.augment),
        **{f"limit of {key.removeprefix('max_')}": n for key, n in asdict(task.limits).items()},
        "provenance": task.provenance,
        "notes": list(task.notes),
    }


def _short(value: object) -> object:
    if isinstance(value, list):
        numbers = all(isinstance(item, int) for item in value)
        return " x ".join(map(str, value)) if numbers else len(value)
    return value


def _long(value: object) -> str:
    if isinstance(value, list):
        numbers = all(isinstance(item, int) for item in value)
        return (" x " if numbers else ", ").join(map(str, value))
    return str(value)
