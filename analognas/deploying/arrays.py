"""Inputs and labels as a user gives them: `.npz` or `.safetensors` with `inputs` and `labels`."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from analognas.errors import UserError

INPUTS, LABELS = "inputs", "labels"
FORM = f"Save it by `numpy.savez(path, {INPUTS}=x)`, with `{LABELS}=y` where there are any"


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs `(N, ...)`, and the right answers where they are known."""

    inputs: Tensor
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def first(self, count: int) -> Examples:
        """At most `count` examples from all over, which may be sorted by class."""
        chosen = torch.linspace(0, len(self) - 1, min(count, len(self))).round().long()
        labels = None if self.labels is None else self.labels[chosen]
        return Examples(self.inputs[chosen], labels)


def read_examples(path: Path, input_shape: tuple[int, ...]) -> Examples:
    """Read examples for a network that takes `input_shape`.

    Raises:
        UserError: The file cannot be read, or does not suit the network.
    """
    arrays = _read(path)
    if INPUTS not in arrays:
        raise UserError(
            f"{path} must hold an array {INPUTS!r}, but it holds {', '.join(arrays) or 'none'}. "
            f"{FORM}."
        )
    inputs = arrays[INPUTS]
    if tuple(inputs.shape[1:]) != input_shape or len(inputs) == 0:
        wanted = ", ".join(map(str, ("N", *input_shape)))
        raise UserError(
            f"{INPUTS!r} in {path} must have the shape ({wanted}) of the network's inputs, but got "
            f"{tuple(inputs.shape)}. {FORM}."
        )
    if inputs.is_floating_point():
        inputs = inputs.float()
        if not bool(inputs.isfinite().all()):
            raise UserError(f"{INPUTS!r} in {path} must be finite, but some are not. Clean them.")
    labels = arrays.get(LABELS)
    if labels is not None and (labels.is_floating_point() or len(labels) != len(inputs)):
        raise UserError(
            f"{LABELS!r} in {path} must be one whole number per input, {len(inputs)} of them, but "
            f"got {labels.dtype} of shape {tuple(labels.shape)}. Give the number of the class."
        )
    return Examples(inputs, None if labels is None else labels.long())


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"There is no file {str(path)!r}. Give a .npz or .safetensors file.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as stored:
                return {name: torch.from_numpy(stored[name]) for name in stored.files}
    except (OSError, ValueError, TypeError, SafetensorError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read: {error}. {FORM}.") from error
    raise UserError(f"{path} must end in .npz or .safetensors. {FORM}.")
