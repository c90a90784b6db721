"""What the benchmark of the simulator finds, as records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analognas.benchmarks.simulator_memory import Memory
from analognas.benchmarks.simulator_timing import Comparison, Line
from analognas.benchmarks.simulator_work import Setting

FORMAT_VERSION = 1
OURS = "analognas"


@dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """One piece of work against FP32; without a comparison, `problem` says why."""

    model: str
    work: str
    simulator: str = OURS
    target: float | None = None
    comparison: Comparison | None = None
    problem: str | None = None

    @property
    def verdict(self) -> str:
        if self.comparison is None:
            return "not supported yet" if self.simulator == OURS else "failed"
        if self.target is None:
            return "no target"
        return "met" if self.comparison.ratio <= self.target else "missed"


@dataclass(frozen=True)
class FormatRow:
    """Seconds of the FP32 network in every memory format; the reference is the shortest."""

    model: str
    work: str
    seconds: Mapping[str, float]

    @property
    def fastest(self) -> str:
        return min(self.seconds, key=self.seconds.__getitem__)


@dataclass(frozen=True)
class MemoryRow:
    """Memory of a piece of work, and of FP32 on as many images."""

    model: str
    work: str
    digital: Memory
    analog: Memory

    @property
    def ratio(self) -> float:
        return self.analog.peak_MB / self.digital.peak_MB

    @property
    def growth_ratio(self) -> float | None:
        """Ratio of what came on top of the loaded program; None where FP32 needed nothing."""
        if self.digital.growth_MB <= 0:
            return None
        return self.analog.growth_MB / self.digital.growth_MB


@dataclass(frozen=True)
class PartsRow:
    """What the steps of an evaluation cost, in FP32 forward passes of the batch.

    Args:
        model: The network.
        work: The setting.
        program: Per chip.
        age: Per chip and time, drift compensation included.
        read: Per chip, time and batch.
    """

    model: str
    work: str
    program: float
    age: float
    read: float


@dataclass(frozen=True)
class LineRow:
    """Cost of an evaluation over the number of chips, times or images."""

    model: str
    over: str
    line: Line


@dataclass(frozen=True)
class ProfileRow:
    """Where a piece of work spends its time: functions and their share, the largest first."""

    model: str
    work: str
    places: tuple[tuple[str, float], ...]


Row = SpeedRow | FormatRow | PartsRow | MemoryRow | LineRow | ProfileRow


@dataclass(frozen=True)
class SpeedReport:
    """Everything that the benchmark has found; `facts` tell where and how."""

    command: str
    facts: Mapping[str, str]
    settings: Mapping[str, Setting]
    models: Mapping[str, str]  # name and title
    speed: tuple[SpeedRow, ...]
    formats: tuple[FormatRow, ...]
    parts: tuple[PartsRow, ...]
    memory: tuple[MemoryRow, ...]
    lines: tuple[LineRow, ...]
    profiles: tuple[ProfileRow, ...]
