"""Digital corrections of drift."""

from analognas.simulator.compensation.global_drift import mean_absolute_read_out

__all__ = ["mean_absolute_read_out"]
