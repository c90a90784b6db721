"""What is measured of a network, as typed records with a format version."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = 1

# Seconds after programming at which every network is measured; a month is 30 days, a year 365.
EVALUATION_TIMES_S: dict[str, float] = {
    "1 s": 1.0,
    "1 hour": 3_600.0,
    "1 day": 86_400.0,
    "1 month": 2_592_000.0,
    "1 year": 31_536_000.0,
}
ONE_DAY_S = 86_400.0
MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE = 40


@dataclass(frozen=True)
class AccuracyOverTime:
    """Simulated accuracy (fractions) of every chip at every time."""

    times_s: tuple[float, ...]
    accuracy: tuple[tuple[float, ...], ...]  # (times, chips)

    @classmethod
    def from_answers(
        cls, times_s: tuple[float, ...], correct: NDArray[np.bool_]
    ) -> "AccuracyOverTime":
        """Share of right answers over the last axis of `(times, chips, N)`."""
        return cls(times_s, tuple(tuple(map(float, row)) for row in correct.mean(axis=2)))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "AccuracyOverTime":
        """Read back what `dataclasses.asdict` gives."""
        return cls(tuple(data["times_s"]), tuple(tuple(row) for row in data["accuracy"]))

    @property
    def chips(self) -> int:
        return len(self.accuracy[0])

    def mean(self) -> tuple[float, ...]:
        return tuple(float(np.mean(row)) for row in self.accuracy)

    def spread(self) -> tuple[float, ...]:
        """Sample standard deviation over chips (0 for a single chip)."""
        return tuple(float(np.std(row, ddof=1)) if len(row) > 1 else 0.0 for row in self.accuracy)

    def low(self) -> tuple[float, ...]:
        """5 % quantile over chips; below 40 chips `mean - 1.645 sd` (see `low_name`)."""
        if self.chips >= MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE:
            return tuple(float(np.quantile(row, 0.05)) for row in self.accuracy)
        return tuple(m - 1.645 * s for m, s in zip(self.mean(), self.spread(), strict=True))

    @property
    def low_name(self) -> str:
        empirical = self.chips >= MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE
        return "5 % quantile" if empirical else "mean - 1.645 sd"

    def at(self, t_s: float) -> float:
        """Mean accuracy at one of the measured times."""
        return self.mean()[self.times_s.index(t_s)]


@dataclass(frozen=True)
class FurtherAccuracy:
    """Accuracy of a labelled network on other hardware, or of an earlier state of its training.

    Args:
        analog: Simulated accuracy over time.
        clips: Inputs that it was measured on, a fixed part of those that judge.
        seconds: Of the measurement.
        variant: Hardware that it was measured on (`HardwareVariant.id`).
        epoch: Epochs of training behind it; None after all of them.
        training_seconds: Spent until then.
    """

    analog: AccuracyOverTime
    clips: int
    seconds: float
    variant: str
    epoch: int | None = None
    training_seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "FurtherAccuracy":
        """Read back `to_dict()`; a foreign record is a ValueError."""
        try:
            return cls(**{**data, "analog": AccuracyOverTime.from_dict(data["analog"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"Not a complete record of a measurement: {error}.") from error


@dataclass(frozen=True)
class CostSummary:
    """Modelled (not measured) cost of one inference on a chip."""

    chip: str
    read_mode: str
    energy_nJ: float
    latency_us: float
    area_mm2: float
    cores: int
    utilisation_fraction: float


@dataclass(frozen=True)
class Evaluation:
    """One trained network, measured on simulated chips."""

    key: str
    architecture: dict[str, Any]  # Architecture.to_dict()
    task: str
    split: str
    part: str  # "validation" or "test"
    data_key: str  # content hash of the data set and its settings
    hardware: str
    hardware_hash: str
    simulator_version: str
    training: dict[str, Any]  # recipe, epochs, ...
    seed: int
    digital_accuracy: float  # the same trained weights without any analog effect
    analog: AccuracyOverTime
    cost: CostSummary
    parameters: int
    multiplications: int
    training_seconds: float
    evaluation_seconds: float
    label: str = "simulated"
    format_version: int = field(default=FORMAT_VERSION)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Evaluation":
        """Read back `to_dict()`; a foreign or newer format is refused."""
        if data.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"`format_version` must be {FORMAT_VERSION}, but got "
                f"{data.get('format_version')!r}. The file is not an evaluation "
                "of this version of analognas."
            )
        content = dict(data)
        try:
            content["analog"] = AccuracyOverTime.from_dict(content["analog"])
            content["cost"] = CostSummary(**content["cost"])
            return cls(**content)
        except (KeyError, TypeError) as error:
            raise ValueError(f"Not a complete evaluation record: {error}.") from error
