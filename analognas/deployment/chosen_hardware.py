"""What a search chose about the hardware of one network, as its bundle keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ChosenHardware:
    """The hardware of one network of a search that decided about it.

    Args:
        key: Of network and hardware together; the network's own if the hardware is that which the
            search was started with.
        keep_digital: Names of layers that are on no crossbar.
        choices: What was chosen, by its title.
    """

    key: str
    keep_digital: tuple[str, ...]
    choices: Mapping[str, int | str]

    @property
    def text(self) -> str:
        """The choices in one line."""
        return ", ".join(f"{title} {value}" for title, value in self.choices.items())

    def to_dict(self) -> dict[str, Any]:
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ChosenHardware:
        """Read back `to_dict()`; another format is a ValueError."""
        if data.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"`format_version` must be {FORMAT_VERSION}, not {data.get('format_version')!r}."
            )
        names = tuple(str(name) for name in data["keep_digital"])
        return cls(str(data["key"]), names, dict(data["choices"]))
