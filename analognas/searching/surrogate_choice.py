"""Which fitted surrogate predicts for a search, and how far it can be trusted there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.errors import UserError, checking
from analognas.hardware_features import hardware_features
from analognas.simulator import SIMULATOR_VERSION, Hardware
from analognas.surrogates.registry import read_surrogate
from analognas.surrogates.shipped import FITTED, load_fitted

if TYPE_CHECKING:
    from analognas.surrogates.base import Surrogate
    from analognas.tasks import Task


@dataclass(frozen=True, eq=False)
class ChosenSurrogate:
    """A surrogate with everything that must be said beside its predictions.

    `warnings` says in whole sentences why the predictions are a guess; empty if they are not.
    """

    name: str
    surrogate: Surrogate
    warnings: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """Content hash: a run is only continued with the very same predictions."""
        return hashlib.sha256(self.surrogate.to_json().encode()).hexdigest()[:16]

    @property
    def basis(self) -> str:
        """One sentence on where the predictions come from."""
        description = self.surrogate.description
        fitted_on = "unknown labels" if description is None else description.summary()
        trust = " ".join(self.warnings)
        return f"Accuracies are predicted by the surrogate {self.name}, fitted on {fitted_on}." + (
            f" {trust}" if trust else ""
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "hash": self.hash,
            "basis": self.basis,
            "warnings": list(self.warnings),
        }


def choose_surrogate(task: Task, hardware: Hardware, wanted: str | None = None) -> ChosenSurrogate:
    """Choose the surrogate that was fitted nearest to a task and a hardware.

    Args:
        task: What the networks are for.
        hardware: What they are to run on.
        wanted: Name of a fitted surrogate or path of a JSON file; None takes the nearest.

    Raises:
        UserError: There is none for this task, or the wanted one cannot be read.
    """
    if wanted is not None:
        surrogate = read_named_surrogate(wanted)
        return ChosenSurrogate(wanted, surrogate, _warnings(surrogate, task, hardware))
    fitted = {name: load_fitted(name) for name in FITTED}
    near = {
        name: _nearness(surrogate, task, hardware)
        for name, surrogate in fitted.items()
        if surrogate.description is not None and surrogate.description.task == task.name
    }
    if not near:
        known = ", ".join(fitted) or "none"
        raise UserError(
            f"No surrogate is fitted for the task {task.name!r} (fitted: {known}). Search with "
            "`--evaluator training`, which trains candidates instead of predicting them; or make "
            f"labels with `analognas label --task {task.name}`, fit a surrogate with `analognas "
            "surrogate fit`, and give its file with --surrogate."
        )
    name = max(near, key=lambda name: near[name])
    return ChosenSurrogate(name, fitted[name], _warnings(fitted[name], task, hardware))


def read_named_surrogate(wanted: str) -> Surrogate:
    """Read a surrogate that comes with the package by its name, or one from a JSON file."""
    if wanted in FITTED:
        return load_fitted(wanted)
    path = Path(wanted)
    if not path.is_file():
        raise UserError(
            f"There is no surrogate {wanted!r}. Give a JSON file or one of: {', '.join(FITTED)}."
        )
    with checking(f"{path}"):
        return read_surrogate(path.read_text())


def _nearness(surrogate: Surrogate, task: Task, hardware: Hardware) -> tuple[bool, ...]:
    """What agrees, the most important first."""
    description = surrogate.description
    if description is None:
        return ()
    return (
        description.data_name == task.data_name,
        description.data_key == task.data_key,
        description.split == task.split,
        hardware_warning(surrogate, hardware) is None,
        description.hardware_hash == hardware.hash,
        description.simulator_version == SIMULATOR_VERSION,
    )


def hardware_warning(surrogate: Surrogate, hardware: Hardware) -> str | None:
    """Why predictions for this hardware are a guess; None if they are not."""
    description, ranges = surrogate.description, surrogate.ranges
    if description is None or description.hardware_hash == hardware.hash:
        return None
    fitted_for = (
        f"Predictions come from a surrogate fitted for hardware {description.hardware} "
        f"({description.hardware_hash})"
    )
    if not description.variants or ranges is None:
        return f"{fitted_for}: for {hardware.name} ({hardware.hash}) they are a guess."
    with checking("hardware"):
        features = hardware_features(hardware, description.times_s)
    outside = ranges.describe(features)
    if not outside:
        return None
    return (
        f"{fitted_for} and {description.variants} variants of it, but {hardware.name} "
        f"({hardware.hash}) lies outside of them: {'; '.join(outside)}. There they are a guess, "
        "with wider intervals."
    )


def _warnings(surrogate: Surrogate, task: Task, hardware: Hardware) -> tuple[str, ...]:
    description = surrogate.description
    if description is None:
        return ("The surrogate does not say what it was fitted on: the predictions are a guess.",)
    found = []
    if (description.data_name, description.split) != (task.data_name, task.split):
        found.append(
            f"Predictions come from the surrogate fitted on {description.data_name}, split "
            f"{description.split}: for {task.data_name}, split {task.split}, they are a guess."
        )
    elif description.data_key != task.data_key:
        found.append(
            f"Predictions come from a surrogate fitted on other content of {task.data_name}, or "
            "with other settings: for this data set they are a guess."
        )
    about_hardware = hardware_warning(surrogate, hardware)
    if about_hardware is not None:
        found.append(about_hardware)
    if description.simulator_version != SIMULATOR_VERSION:
        found.append(
            f"The labels behind the predictions were simulated by version "
            f"{description.simulator_version} of the simulator, this one is {SIMULATOR_VERSION}."
        )
    return tuple(found)
