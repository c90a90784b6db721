"""Stand-ins for training and measuring, importable by name in worker processes."""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analognas.labelling import Candidate, Job
from analognas.labelling.workers import JobResult
from analognas.records import (
    EVALUATION_TIMES_S,
    AccuracyOverTime,
    CostSummary,
    Evaluation,
    FurtherAccuracy,
)

if TYPE_CHECKING:
    import torch

State = Mapping[str, "torch.Tensor"]


def make_candidates(count: int) -> list[Candidate]:
    """Networks of growing size with keys that look like hashes."""
    return [
        Candidate(
            key=hashlib.sha256(str(index).encode()).hexdigest()[:12],
            architecture={"index": index},
            parameters=1_000 * (index + 1),
            multiplications=50_000 * (index + 1),
        )
        for index in range(count)
    ]


def make_evaluation(job: Job, *, chips: int = 3) -> Evaluation:
    """Accuracies that depend on key and seed alone."""

    def number(*path: object) -> float:
        digest = hashlib.sha256(repr((job.key, job.seed, *path)).encode()).digest()
        return int.from_bytes(digest[:6]) / 2**48

    times = tuple(EVALUATION_TIMES_S.values())
    return Evaluation(
        key=job.key,
        architecture=job.architecture,
        task="digits",
        split="image",
        part="validation",
        data_key="d" * 16,
        hardware="hermes",
        hardware_hash="h" * 12,
        simulator_version="1",
        training={"epochs": 3},
        seed=job.seed,
        digital_accuracy=number("digital"),
        analog=AccuracyOverTime(
            times, tuple(tuple(number(t_s, chip) for chip in range(chips)) for t_s in times)
        ),
        cost=CostSummary("hermes", "4-phase", 12.5, 3.0, 1.0, 2, 0.5),
        parameters=job.parameters,
        multiplications=job.multiplications,
        training_seconds=2.0,
        evaluation_seconds=1.0,
    )


def make_further(job: Job) -> tuple[FurtherAccuracy, ...]:
    """One state on the way, and one accuracy for every variant of the job."""
    accuracy = (job.seed + 1) / 10
    times = tuple(EVALUATION_TIMES_S.values())
    analog = AccuracyOverTime(times, tuple((accuracy, accuracy / 2) for _ in times))
    on_the_way = FurtherAccuracy(
        analog, clips=50, seconds=0.5, variant="h" * 12, epoch=1, training_seconds=0.7
    )
    return (
        on_the_way,
        *(
            FurtherAccuracy(analog, clips=50, seconds=0.5, variant=f"variant{place}")
            for place in job.variants
        ),
    )


@dataclass(frozen=True)
class FakeWorkshop:
    """Answer at once, or after a while; fail or die on chosen jobs."""

    seconds: float = 0.0
    failing: frozenset[str] = frozenset()
    dying: frozenset[str] = frozenset()
    with_weights: bool = False
    unusable: bool = False
    log: Path | None = None  # one line per started job

    def __call__(self) -> "FakeWorkshop.Runner":
        if self.unusable:
            raise RuntimeError("the data cannot be loaded")
        return FakeWorkshop.Runner(self)

    @dataclass(frozen=True)
    class Runner:
        """The function of one worker."""

        shop: "FakeWorkshop"

        def __call__(self, job: Job) -> JobResult:
            if self.shop.log is not None:
                with self.shop.log.open("a") as log:
                    log.write(f"{job.id} {os.getpid()}\n")
            if job.id in self.shop.failing:
                raise RuntimeError(f"no luck with {job.id}")
            if job.id in self.shop.dying:
                os.kill(os.getpid(), 9)
            time.sleep(self.shop.seconds)
            return JobResult(
                make_evaluation(job),
                _weights(job) if self.shop.with_weights else {},
                make_further(job),
            )


def _weights(job: Job) -> State:
    import torch

    generator = torch.Generator().manual_seed(int(job.key, 16) % 2**31 + job.seed)
    return {
        "weight": torch.rand(3, 4, generator=generator),
        "batches": torch.tensor(job.parameters),
    }
