"""A chip: its figures, which core holds what, and what an inference costs on it."""

from analognas.simulator.chip.core_counts import PlacementError, count_cores
from analognas.simulator.chip.cost import Cost, LayerCost, cost_scope, estimate_cost
from analognas.simulator.chip.datasheet import Entry, datasheet
from analognas.simulator.chip.digital_work import DIGITAL_KINDS, DigitalWork
from analognas.simulator.chip.placement import CorePlacement, Placement
from analognas.simulator.chip.placing import place, place_layers
from analognas.simulator.chip.read_mode import ReadMode
from analognas.simulator.chip.spec import CHIPS, ChipSpec, load_chip
from analognas.simulator.chip.trace import NetworkTrace, trace_layers, trace_network

__all__ = [
    "CHIPS",
    "DIGITAL_KINDS",
    "ChipSpec",
    "CorePlacement",
    "Cost",
    "DigitalWork",
    "Entry",
    "LayerCost",
    "NetworkTrace",
    "Placement",
    "PlacementError",
    "ReadMode",
    "cost_scope",
    "count_cores",
    "datasheet",
    "estimate_cost",
    "load_chip",
    "place",
    "place_layers",
    "trace_layers",
    "trace_network",
]
