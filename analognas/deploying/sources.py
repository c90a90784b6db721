"""A network to deploy, with its data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from analognas.deploying.arrays import Examples
from analognas.errors import checking
from analognas.simulator import (
    Hardware,
    analog_layers,
    calibrate_input_ranges,
    to_analog,
)

if TYPE_CHECKING:
    from analognas.simulator import AnalogModel

CALIBRATION_INPUTS = 2_000  # of the training data, for input ranges and batch norms
CALIBRATION_BATCH = 250


@dataclass(frozen=True, eq=False)
class Source:
    """A network to deploy.

    Args:
        title: For people.
        network: Without analog effects.
        input_shape: Of one input.
        test: What is measured on.
        calibration: Inputs for ranges and batch norms; of the training data, if there are any.
        ranges: Input ranges of the layers that training has found; others are calibrated.
        batch: Inputs of a call; None if any number will do.
        hardware: Preset or file that the network was trained for.
        chip: Name of the chip that it was trained for.
        reference: What the chips are compared with; `network` by default.
        data: What is measured on, for people.
        notes: What a reader must know.
    """

    title: str
    network: nn.Module
    input_shape: tuple[int, ...]
    test: Examples
    calibration: Tensor
    ranges: Mapping[str, float] = field(default_factory=dict)
    batch: int | None = None
    hardware: str | None = None
    chip: str | None = None
    reference: nn.Module | None = None
    data: str = "inputs of the user"
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Twelve hex digits that change with the weights; they name the random streams."""
        state = sorted(self.network.state_dict().items())
        return _hash(name.encode() + _bytes(tensor) for name, tensor in state)

    @property
    def data_key(self) -> str:
        """Twelve hex digits that change with data and input ranges."""
        tensors = (self.test.inputs, self.test.labels, self.calibration)
        ranges = repr(sorted(self.ranges.items())).encode()
        return _hash([ranges, *(_bytes(one) for one in tensors if one is not None)])

    def batches(self) -> list[Tensor]:
        """The calibration inputs in batches that the network takes."""
        return list(in_batches(self.calibration, self.batch, CALIBRATION_BATCH))

    def on(self, hardware: Hardware, *, keep_digital: Sequence[str] = ()) -> AnalogModel:
        """Put the network on tiles with its input ranges, not yet programmed."""
        with checking(self.title):
            analog = to_analog(self.network, hardware, keep_digital=keep_digital).eval()
            layers = dict(analog_layers(analog))
            if not set(layers) <= set(self.ranges):
                calibrate_input_ranges(analog, self.batches())
        with torch.no_grad():
            for name, layer in layers.items():
                if name in self.ranges:
                    layer.input_range.fill_(self.ranges[name])
        return analog


def _bytes(tensor: Tensor) -> bytes:
    data: bytes = tensor.detach().cpu().numpy().tobytes()
    return data


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]


def in_batches(inputs: Tensor, batch: int | None, step: int) -> list[Tensor]:
    """Cut inputs into batches; where their size is fixed, the last is filled up with the first."""
    if batch is None:
        return list(torch.split(inputs, step))
    lacking = -len(inputs) % batch
    if lacking:
        repeats = -(-lacking // len(inputs))
        inputs = torch.cat([inputs, *[inputs] * repeats])[: len(inputs) + lacking]
    return list(torch.split(inputs, batch))
