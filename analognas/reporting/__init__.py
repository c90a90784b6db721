"""Figures and the report of a run, made from records and tables."""

from analognas.reporting.chip_figure import plot_chip
from analognas.reporting.figures import plot_drift, plot_front, plot_gap
from analognas.reporting.report import write_figures, write_report

__all__ = ["plot_chip", "plot_drift", "plot_front", "plot_gap", "write_figures", "write_report"]
