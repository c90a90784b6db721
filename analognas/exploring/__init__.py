"""Which chip would suit a network: sweeps over core size, cells, converters and compensation."""

from analognas.exploring.chip_variants import ChipChoice, variant
from analognas.exploring.records import ChipPoint, Exploration
from analognas.exploring.sweep import explore
from analognas.exploring.sweep_settings import SweepSettings, choices

__all__ = [
    "ChipChoice",
    "ChipPoint",
    "Exploration",
    "SweepSettings",
    "choices",
    "explore",
    "variant",
]
