"""How a network is put on chips."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from analognas.deploying.chip_hardware import compensated, hardware_of_chip, on_cores
from analognas.records import EVALUATION_TIMES_S
from analognas.simulator import Hardware
from analognas.simulator.chip import ChipSpec


@dataclass(frozen=True, kw_only=True)
class DeploymentSettings:
    """How a network is put on chips.

    Args:
        chip: Where to.
        hardware: What is simulated on its cores; None: that of the chip.
        read_mode: Of the chip, for its cost; None: its default.
        programming: One of `METHODS`.
        chips: How many are simulated.
        times_s: Seconds after programming.
        compensation: One of `COMPENSATIONS`.
        keep_digital: Layers that are not placed.
        seed: Of all chips.
        device: Where the simulation computes.
        conductances: File of measured conductances instead of programming.
    """

    chip: ChipSpec
    hardware: Hardware | None = None
    read_mode: str | None = None
    programming: str = "statistical"
    chips: int = 25
    times_s: tuple[float, ...] = tuple(EVALUATION_TIMES_S.values())
    compensation: str = "gdc"
    keep_digital: tuple[str, ...] = ()
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    conductances: Path | None = None

    def resolved(self) -> Hardware:
        """The hardware on the chip's cores, with the compensation."""
        hardware = self.hardware or hardware_of_chip(self.chip, self.read_mode)
        return compensated(on_cores(hardware, self.chip), self.compensation)
