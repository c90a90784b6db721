"""How many simulated chips fit into memory at once."""

import os
from pathlib import Path

import torch

from analognas.simulator.layers import AnalogModel, analog_layers

USABLE_FRACTION = 0.5  # of the free memory: the rest is for activations and others
NUMBERS_PER_CELL = 2  # programmed conductance and ageing


def bytes_per_chip(analog: AnalogModel) -> int:
    """Memory of one programmed chip, without activations."""
    total = 0
    for _, layer in analog_layers(analog):
        cells = layer.hardware.mapping.cells_per_weight
        for tile in layer.crossbar_tiles():
            numbers = tile.rows * tile.block.columns * (cells * NUMBERS_PER_CELL + 1)
            total += numbers * layer.weight.element_size()
    return total


def chips_that_fit(analog: AnalogModel, *, free_bytes: int | None = None) -> int:
    """Largest number of chips to program at once, at least 1.

    A chip is the same whatever is programmed beside it: many chips may be simulated in several
    rounds with the same generator seeds.

    Args:
        analog: In any state.
        free_bytes: Of the device the model is on; found out by default.
    """
    if free_bytes is None:
        free_bytes = _free_bytes(next(analog.parameters()).device)
    return max(1, int(USABLE_FRACTION * free_bytes) // max(1, bytes_per_chip(analog)))


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
