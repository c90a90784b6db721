"""Programming cell by cell or by products, pulse by pulse."""

from analognas.simulator.programming.cells import CellArray, Geometry, geometry_of
from analognas.simulator.programming.core import CellReader, Core
from analognas.simulator.programming.gdp import GradientDescent
from analognas.simulator.programming.log import ProgrammingCosts, ProgrammingLog, total
from analognas.simulator.programming.matching import LevelError, Match, match_statistical
from analognas.simulator.programming.methods import (
    METHODS,
    Programmed,
    ProgrammingMethod,
    Statistical,
    programming_method,
    write_tile,
)
from analognas.simulator.programming.pulse_law import PulsedPcm
from analognas.simulator.programming.verify import WriteAndVerify

__all__ = [
    "METHODS",
    "CellArray",
    "CellReader",
    "Core",
    "Geometry",
    "GradientDescent",
    "LevelError",
    "Match",
    "Programmed",
    "ProgrammingCosts",
    "ProgrammingLog",
    "ProgrammingMethod",
    "PulsedPcm",
    "Statistical",
    "WriteAndVerify",
    "geometry_of",
    "match_statistical",
    "programming_method",
    "total",
    "write_tile",
]
