"""A chip: its figures, which core holds what, and what an inference costs on it."""

from analognas.simulator.chip.cost import COST_SCOPE, Cost, LayerCost, estimate_cost
from analognas.simulator.chip.datasheet import Entry, datasheet
from analognas.simulator.chip.placement import (
    CorePlacement,
    Placement,
    PlacementError,
    count_cores,
    place,
    place_layers,
)
from analognas.simulator.chip.spec import CHIPS, ChipSpec, ReadMode, load_chip
from analognas.simulator.chip.trace import trace_layers

__all__ = [
    "CHIPS",
    "COST_SCOPE",
    "ChipSpec",
    "CorePlacement",
    "Cost",
    "Entry",
    "LayerCost",
    "Placement",
    "PlacementError",
    "ReadMode",
    "count_cores",
    "datasheet",
    "estimate_cost",
    "load_chip",
    "place",
    "place_layers",
    "trace_layers",
]
