"""Which conductances the cells of a network have."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from analognas.simulator.faults import apply_faults
from analognas.simulator.layers import AnalogLayer, AnalogModel, analog_layers

State = Literal["programmed", "aged"]


@dataclass(frozen=True)
class ConductanceHistogram:
    """Cells of a layer on all chips by conductance; bins are equally wide.

    `edges_uS` has one value more than `counts`; all cells lie between the first and the last edge.
    """

    layer: str
    state: State
    t_s: float
    edges_uS: tuple[float, ...]
    counts: tuple[int, ...]
    mean_uS: float
    spread_uS: float  # standard deviation over cells


@torch.no_grad()
def conductance_histogram(
    analog: AnalogModel, *, bins: int = 50
) -> tuple[ConductanceHistogram, ...]:
    """Count the cells of every layer by conductance, as programmed and as aged until now.

    Aged conductances are without read noise; stuck cells are where they are stuck.

    Args:
        analog: A programmed model; its age is that of `set_time`.
        bins: From the lowest conductance of the cell to its highest, or to the highest that occurs.

    Returns:
        Two records per layer, programmed and aged, with the same bins.

    Raises:
        ValueError: The model is not programmed, or there is no bin.
    """
    if bins < 1:
        raise ValueError(f"`bins >= 1` must hold, but got {bins}.")
    if not analog.chips:
        raise ValueError(
            "A model must be programmed before it has conductances. Call `program(analog, "
            "chips=..., generator=...)` first."
        )
    t_s = float(analog.t_s)
    found = []
    for name, layer in analog_layers(analog):
        device = layer.hardware.device
        states = {state: torch.cat(list(_cells_uS(layer, state, t_s))) for state in _STATES}
        highest = max(device.g_max_uS, *(float(g_uS.max()) for g_uS in states.values()))
        width = (highest - device.g_min_uS) / bins
        edges = tuple(device.g_min_uS + width * edge for edge in range(bins + 1))
        for state, g_uS in states.items():
            place = ((g_uS - device.g_min_uS) / width).long().clamp_(0, bins - 1)
            counts = torch.bincount(place, minlength=bins)
            found.append(
                ConductanceHistogram(
                    layer=name,
                    state=state,
                    t_s=0.0 if state == "programmed" else t_s,
                    edges_uS=edges,
                    counts=tuple(counts.tolist()),
                    mean_uS=float(g_uS.mean()),
                    spread_uS=float(g_uS.std(correction=0)),
                )
            )
    return tuple(found)


_STATES: tuple[State, ...] = ("programmed", "aged")


def _cells_uS(layer: AnalogLayer, state: State, t_s: float) -> Iterator[Tensor]:
    """Conductances of all cells of a layer, one flat tensor per tile, in double precision."""
    device, faults = layer.hardware.device, layer.hardware.faults
    for tile in layer.crossbar_tiles():
        g_uS = tile.g_programmed_uS
        if state == "aged":
            g_uS = device.aged_uS(g_uS, tile.ageing, t_s=t_s)
        if faults.stuck > 0:
            g_uS = apply_faults(g_uS, tile.fault_map, tile.stuck_level, device)
        yield g_uS.double().flatten()
