"""Peak memory of a piece of work, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from analognas.benchmarks.simulator_models import MODELS
from analognas.benchmarks.simulator_timing import Work
from analognas.benchmarks.simulator_work import (
    SETTINGS,
    TRAINING,
    Subject,
    analog_evaluation,
    analog_training,
    digital_evaluation,
    digital_training,
)
from analognas.errors import RunFailed

STATUS = Path("/proc/self/status")
CLEAR_REFERENCES = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


@dataclass(frozen=True, kw_only=True)
class MemoryJob:
    """What the child process runs.

    `work` is a training step or names the setting of an evaluation. `analog` false runs the FP32
    counterpart: a plain step, or a forward pass over as many images.
    """

    model: str
    work: str
    analog: bool
    memory_format: str
    chips: int
    threads: int
    device: str
    seed: int


@dataclass(frozen=True)
class Memory:
    """Megabytes (10^6 bytes) before the work, and at most while it runs."""

    start_MB: float
    peak_MB: float

    @property
    def growth_MB(self) -> float:
        return self.peak_MB - self.start_MB


def peak_memory(job: MemoryJob) -> Memory:
    """Run `job` in a child process and return its memory."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(asdict(job))],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise RunFailed(
            f"The memory of {job.model} ({job.work}) could not be measured: {reason[0]}"
        )
    return Memory(**json.loads(done.stdout))


def measure(job: MemoryJob) -> Memory:
    """Run `job` here: once in small, so that everything is loaded, then in full."""
    torch.set_num_threads(job.threads)
    device = torch.device(job.device)
    subject = Subject.of(
        MODELS[job.model], memory_format=job.memory_format, seed=job.seed, device=device
    )
    _run(job, subject.first(2), chips=1)
    start = _memory_now(device)
    _run(job, subject, chips=job.chips)
    return Memory(start, _peak(device))


def _run(job: MemoryJob, subject: Subject, *, chips: int) -> None:
    if job.work != TRAINING:
        _evaluation(job, subject, chips)()
    elif job.analog:
        with analog_training(subject) as step:
            step()
    else:
        digital_training(subject)()


def _evaluation(job: MemoryJob, subject: Subject, chips: int) -> Work:
    if not job.analog:
        return digital_evaluation(subject, passes=1, copies=chips)
    hardware = MODELS[job.model].hardware(SETTINGS[job.work].hardware)
    return analog_evaluation(subject, hardware, chips=chips, times_s=(1.0,))


def _memory_now(device: torch.device) -> float:
    """Megabytes in use; the peak is counted from here on where the system can forget the old."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 1e6
    with suppress(OSError):
        CLEAR_REFERENCES.write_text(RESET_PEAK)
    return _from_status("VmRSS") if STATUS.exists() else _largest_resident_MB()


def _peak(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return _from_status("VmHWM") if STATUS.exists() else _largest_resident_MB()


def _from_status(field: str) -> float:
    # Not `getrusage` where there is this file: on Linux a new program inherits the peak of the
    # process that started it.
    for line in STATUS.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0]) * 1024 / 1e6
    return _largest_resident_MB()


def _largest_resident_MB() -> float:
    import resource  # Unix only

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size * 1024 / 1e6


if __name__ == "__main__":
    result = measure(MemoryJob(**json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps(asdict(result)) + "\n")
