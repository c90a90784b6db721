"""IBM's Analog Hardware Acceleration Kit (AIHWKIT), compared with where it is installed.

Its tiles compute in compiled code or, with fewer effects, in torch. Run with versions 1.1 and 1.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

PACKAGE = "aihwkit"
INSTALL = "pip install aihwkit"
COMPILED, IN_TORCH = "compiled", "torch"
CONFIGS: Mapping[str, str] = {
    COMPILED: "InferenceRPUConfig",
    IN_TORCH: "TorchInferenceRPUConfig",
}


def is_usable() -> bool:
    """Whether it is installed and can be imported."""
    return why_missing() is None


@cache
def why_missing() -> str | None:
    """What keeps it from being imported; None if nothing does."""
    if find_spec(PACKAGE) is None:
        return f"not installed and not compared ({INSTALL})"
    try:
        names()
    except ImportError as error:
        return f"installed, but not compared: {error}"
    return None


def names() -> Any:
    """The module that holds its configurations and their choices."""
    return import_module("aihwkit.simulator.configs")


def new_config(tiles: str) -> Any:
    """A configuration for inference, with tiles of this kind."""
    return getattr(names(), CONFIGS[tiles])()


@cache
def why_not_compiled() -> str | None:
    """What keeps its compiled tiles from being used with this torch; None if nothing does."""
    layers: Any = import_module("aihwkit.nn")
    try:
        layers.AnalogLinear(1, 1, bias=False, rpu_config=new_config(COMPILED))
    except RuntimeError as error:
        return str(error)
    return None


def described() -> str:
    """Its version, or how to get one."""
    missing = why_missing()
    if missing is not None:
        return missing
    problem = why_not_compiled()
    if problem is None:
        return f"{version(PACKAGE)}, compiled tiles"
    return f"{version(PACKAGE)}, tiles in torch, for the compiled ones fail ({problem})"
