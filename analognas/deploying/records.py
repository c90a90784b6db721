"""What a deployment is made of and what it has found, as typed records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analognas.deploying.kept_chips import FinishedChip
from analognas.deploying.measuring import ChipResult
from analognas.records import AccuracyOverTime
from analognas.simulator import Hardware
from analognas.simulator.chip import ChipSpec, Cost, Placement
from analognas.simulator.programming import ProgrammingLog, total

FORMAT_VERSION = 1
MEASURED = "measured"  # in the place of a programming method


@dataclass(frozen=True)
class LayerSettings:
    """The digital numbers of a layer on its chip."""

    layer: str
    kind: str
    rows: int
    columns: int
    input_range: float | None  # activation that a full drive stands for; None: not static
    blocks: int
    first_core: int


@dataclass(frozen=True, eq=False)
class ChipDeployment:
    """A network on the chips of one kind, programmed, aged and measured.

    Args:
        title: Of the network.
        data: What was measured on.
        key: Of its weights.
        hardware: What was simulated.
        chip: Where it was placed.
        placement: Which core holds what.
        cost: Modelled, in the read mode.
        layers: Input ranges and blocks.
        programming: Method, or "measured".
        compensation: Of drift.
        times_s: Seconds after programming.
        chips: By number.
        digital_accuracy: Of the network without analog effects; None without labels.
        examples: Inputs that were measured on.
        parameters: Of the network.
        seed: Of the chips.
        notes: What a reader must know.
        seconds: It took.
    """

    title: str
    data: str
    key: str
    hardware: Hardware
    chip: ChipSpec
    placement: Placement
    cost: Cost
    layers: tuple[LayerSettings, ...]
    programming: str
    compensation: str
    times_s: tuple[float, ...]
    chips: tuple[FinishedChip, ...]
    digital_accuracy: float | None
    examples: int
    parameters: int
    seed: int
    notes: tuple[str, ...]
    seconds: float

    @property
    def results(self) -> list[ChipResult]:
        return [chip.result for chip in self.chips]

    @property
    def score_name(self) -> str:
        """What the answers are compared with: "accuracy" if there are labels, or "agreement"."""
        return "agreement" if self.digital_accuracy is None else "accuracy"

    def score(self) -> AccuracyOverTime:
        """Accuracy, or without labels agreement with the digital network, of every chip."""
        if self.digital_accuracy is None:
            return self.agreement()
        return _over_time(self.times_s, [one.accuracy or () for one in self.results])

    def agreement(self) -> AccuracyOverTime:
        """Share of answers that are the digital network's."""
        return _over_time(self.times_s, [one.agreement for one in self.results])

    def output_error(self) -> AccuracyOverTime:
        """Relative error of the outputs."""
        return _over_time(self.times_s, [one.output_error for one in self.results])

    def work(self) -> ProgrammingLog | None:
        """Pulses, reads, energy and time of programming all chips; None without pulses."""
        logs = [one.log for chip in self.chips for one in chip.logs]
        return total(logs) if logs else None

    def to_dict(self) -> dict[str, Any]:
        """Everything but conductances, ready for JSON."""
        score = self.score()
        work = self.work()
        return {
            "format_version": FORMAT_VERSION,
            "label": "simulated",
            "title": self.title,
            "data": self.data,
            "key": self.key,
            "chip": self.chip.name,
            "chip_hash": self.chip.hash,
            "hardware": self.hardware.name,
            "hardware_hash": self.hardware.hash,
            "programming": self.programming,
            "compensation": self.compensation,
            "seed": self.seed,
            "parameters": self.parameters,
            "examples": self.examples,
            "score": self.score_name,
            "digital_accuracy": self.digital_accuracy,
            "times_s": list(self.times_s),
            "mean": list(score.mean()),
            "sd": list(score.spread()),
            "low": list(score.low()),
            "low_name": score.low_name,
            "output_error": list(self.output_error().mean()),
            "results": [asdict(one) for one in self.results],
            "layers": [asdict(one) for one in self.layers],
            "programming_work": None if work is None else asdict(work),
            "cost": self.cost.to_dict(),
            "placement": self.placement.summary(),
            "notes": list(self.notes),
            "seconds": self.seconds,
        }


def _over_time(times_s: tuple[float, ...], by_chip: Sequence[Sequence[float]]) -> AccuracyOverTime:
    rows = zip(*by_chip, strict=True)
    return AccuracyOverTime(times_s, tuple(tuple(map(float, row)) for row in rows))
