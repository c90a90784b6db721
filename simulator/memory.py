"""How many simulated chips fit into memory at once."""

from analognas.simulator.free_memory import USABLE_FRACTION
from analognas.simulator.free_memory import free_bytes as free_bytes_of
from analognas.simulator.layers import AnalogModel, analog_layers

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
    rounds with the same generator seeds. Activations are not counted: where chips run at once,
    `AnalogModel` takes no more of the programmed ones together than its inputs leave room for.

    Args:
        analog: In any state.
        free_bytes: Of the device the model is on; found out by default.
    """
    if free_bytes is None:
        free_bytes = free_bytes_of(next(analog.parameters()).device)
    return max(1, int(USABLE_FRACTION * free_bytes) // max(1, bytes_per_chip(analog)))
