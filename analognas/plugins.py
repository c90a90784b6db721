"""What other distributions bring: spaces, tasks, strategies and evaluators behind entry points.

A distribution names them in its own `pyproject.toml`:

    [project.entry-points."analognas.strategies"]
    my-strategy = "my_package.my_module:MyStrategy"

They are looked for only when a name is not one of ours, and loaded only when they are used.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from analognas.errors import UserError

SPACE_PLUGINS = "analognas.spaces"  # (input_shape, n_classes) -> space
TASK_PLUGINS = "analognas.tasks"  # TaskRequest -> Task
STRATEGY_PLUGINS = "analognas.strategies"  # (Problem, seed) -> Strategy
EVALUATOR_PLUGINS = "analognas.evaluators"  # () -> Evaluator


def plugin_names(group: str) -> tuple[str, ...]:
    """What is installed in a group, without loading any of it."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def load_plugin(group: str, name: str) -> Any | None:
    """What an entry point of this name stands for; None if there is none.

    Raises:
        UserError: It cannot be imported, or several distributions bring the same name.
    """
    found = list(entry_points(group=group, name=name))
    if not found:
        return None
    if len(found) > 1:
        owners = ", ".join(sorted(_owner(entry) for entry in found))
        raise UserError(
            f"{name!r} of {group} must come from one distribution, but these bring it: {owners}. "
            "Uninstall one of them."
        )
    try:
        return found[0].load()
    except Exception as error:
        raise UserError(
            f"The plug-in {name!r} of {_owner(found[0])} ({found[0].value}) cannot be loaded: "
            f"{type(error).__name__}: {error}."
        ) from error


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "an unknown distribution"
