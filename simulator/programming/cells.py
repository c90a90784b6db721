"""An array of pulsed cells: state, pulses, counters."""

from dataclasses import dataclass

import torch
from torch import Tensor

from analognas.simulator.devices import AnyDevice, Pcm2019, PcmDriftTable, PcmHermes
from analognas.simulator.programming.pulse_law import (
    SMALLEST_STEP_FACTOR,
    PulsedPcm,
    reset_pulse,
    set_pulse,
)
from analognas.simulator.streams import draw_root, gaussian_like, spawn_generator


@dataclass(frozen=True)
class Geometry:
    """Devices behind the cells of a hardware.

    Args:
        devices: Devices N in parallel that make up one cell (one polarity of a weight).
        g_cell_max_uS: Largest target of a cell.
        stretch: From conductances of the pulse law to those of this device.
    """

    devices: int
    g_cell_max_uS: float
    stretch: float

    @property
    def g_device_max_uS(self) -> float:
        return self.g_cell_max_uS / self.devices


def geometry_of(device: AnyDevice, cell: PulsedPcm) -> Geometry:
    """How many devices of the pulse law stand for a cell of `device`.

    Raises:
        ValueError: `device` is no phase-change memory.
    """
    if not isinstance(device, PcmHermes | Pcm2019 | PcmDriftTable):
        raise ValueError(
            "Programming by pulses must have phase-change cells, for which there is a law of "
            f"pulses, but got device.kind={device.kind!r}. Use method 'statistical'."
        )
    devices = device.cells_per_polarity if isinstance(device, PcmHermes) else 1
    return Geometry(
        devices=devices,
        g_cell_max_uS=device.g_max_uS,
        stretch=device.g_max_uS / devices / cell.full_uS,
    )


class CellArray:
    """Devices of one tile on one chip, RESET when made (which counts as a pulse each).

    `(N, D, C, R)`: N devices in parallel in each of the D cells of a weight.

    Args:
        shape: `(D, C, R)`.
        geometry: Devices per cell and their range.
        cell: The law.
        generator: Advanced once; everything random derives from that draw, on its device.
        dtype: Of the conductances.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        geometry: Geometry,
        cell: PulsedPcm,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.geometry = geometry
        self.cell = cell
        root, place = draw_root(generator), generator.device
        self._pulse_noise = spawn_generator(root, "pulses", device=place)
        self._law_uS = torch.zeros((geometry.devices, *shape), dtype=dtype, device=place)
        self.pulses_since_reset = torch.zeros_like(self._law_uS)
        self._step_factor: Tensor | None = None
        if cell.device_spread > 0:
            spread = gaussian_like(
                self._law_uS, generator=spawn_generator(root, "devices", device=place)
            )
            spread.mul_(cell.device_spread).add_(1).clamp_min_(SMALLEST_STEP_FACTOR)
            self._step_factor = spread
        self.set_pulses = 0
        self.reset_pulses = 0
        self.reset_(torch.ones_like(self._law_uS, dtype=torch.bool))

    @property
    def pulses(self) -> int:
        """SET and RESET pulses so far, those of the first RESET included."""
        return self.set_pulses + self.reset_pulses

    def device_uS(self) -> Tensor:
        """Conductance of every device, `(N, D, C, R)`."""
        return self._law_uS * self.geometry.stretch

    def cell_uS(self) -> Tensor:
        """Conductance of every cell, the sum of its devices, `(D, C, R)`."""
        return self._law_uS.sum(dim=0).mul_(self.geometry.stretch)

    def set_(self, chosen: Tensor) -> int:
        """Give one SET pulse to the chosen devices, `(N, D, C, R)` bool; how many they are."""
        places = chosen.flatten().nonzero().squeeze(1)
        if not len(places):
            return 0
        g, pulses = self._law_uS.view(-1), self.pulses_since_reset.view(-1)
        count = pulses[places].add_(1)
        factor = None if self._step_factor is None else self._step_factor.view(-1)[places]
        after = set_pulse(
            g[places], count, self.cell, step_factor=factor, generator=self._pulse_noise
        )
        g[places] = after
        pulses[places] = count
        self.set_pulses += len(places)
        return len(places)

    def reset_(self, chosen: Tensor) -> int:
        """RESET the chosen devices, `(N, D, C, R)` bool; how many they are."""
        places = chosen.flatten().nonzero().squeeze(1)
        if not len(places):
            return 0
        g = self._law_uS.view(-1)
        g[places] = reset_pulse(g[places], generator=self._pulse_noise)
        self.pulses_since_reset.view(-1)[places] = 0
        self.reset_pulses += len(places)
        return len(places)
