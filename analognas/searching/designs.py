"""A network together with what a search decides about its hardware."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from analognas.search_spaces import Architecture

FORMAT = "analognas-design"
FORMAT_VERSION = 1

DigitalLayers = Literal["first", "last", "both"]


@dataclass(frozen=True)
class HardwareChoice:
    """What differs from the hardware and the chip that a search was started with.

    None is what the search was started with, so that equal designs are equal records.

    Args:
        digital_layers: Which layers are on no crossbar: the first, the last, or both.
        devices: Cells per polarity of a weight.
        adc_bits: Of every ADC.
        read_mode: Of the chip.
        noise: Weight noise in the training, relative to that of the recipe.
    """

    digital_layers: DigitalLayers | None = None
    devices: int | None = None
    adc_bits: int | None = None
    read_mode: str | None = None
    noise: float | None = None

    def kept_digital(self, layers: Sequence[str]) -> tuple[str, ...]:
        """Which of the layers, named in the order of execution, are on no crossbar."""
        ends = {"first": layers[:1], "last": layers[-1:], "both": (layers[0], layers[-1])}
        return tuple(ends[self.digital_layers]) if self.digital_layers else ()

    def to_dict(self) -> dict[str, Any]:
        """Only what differs."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HardwareChoice:
        """Read back `to_dict()`; a foreign record is a ValueError."""
        known = {field.name for field in fields(cls)}
        foreign = sorted(set(data) - known)
        digital = data.get("digital_layers")
        if foreign or digital not in (None, *get_args(DigitalLayers)):
            wrong = foreign[0] if foreign else f"digital_layers {digital!r}"
            raise ValueError(f"A choice of hardware has no {wrong}. The record is damaged.")
        return cls(**data)


PLAIN = HardwareChoice()


@dataclass(frozen=True)
class Design:
    """A network on hardware of its own: what a joint search proposes and evaluates."""

    arch: Architecture
    choice: HardwareChoice = PLAIN

    @property
    def key(self) -> str:
        """Twelve hex digits: the network's own where nothing about the hardware differs."""
        if self.choice == PLAIN:
            return self.arch.key
        content = json.dumps([self.arch.key, self.choice.to_dict()], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The network's own record where nothing about the hardware differs."""
        if self.choice == PLAIN:
            return dict(self.arch.to_dict())
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "architecture": self.arch.to_dict(),
            "hardware": self.choice.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Design:
        """Read back `to_dict()`, or the record of a network.

        Raises:
            ValueError: Foreign or corrupt content.
        """
        if data.get("format") != FORMAT:
            return cls(Architecture.from_dict(data))
        if data.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"`format_version` of a design must be {FORMAT_VERSION}, but got "
                f"{data.get('format_version')!r}. Use the analognas that made the run."
            )
        try:
            content, choice = data["architecture"], data["hardware"]
        except KeyError as error:
            raise ValueError(f"A design must have {error}. The record is damaged.") from None
        return cls(Architecture.from_dict(content), HardwareChoice.from_dict(choice))


def as_design(network: Architecture | Design) -> Design:
    """A plain network is one on the hardware that the search was started with."""
    return network if isinstance(network, Design) else Design(network)
