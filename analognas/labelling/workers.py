"""Jobs in parallel processes that may fail or die without taking the run with them.

A worker gets a job as JSON through a pipe and answers with JSON and, if weights are kept, the bytes
of a safetensors file. The parent alone touches the folder.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Protocol

from analognas.errors import RunFailed
from analognas.labelling.plan import Job
from analognas.records import Evaluation, FurtherAccuracy

if TYPE_CHECKING:
    import torch

# Every worker computes on one thread, whatever their number: the sums inside a convolution depend
# on the number of threads in their last bits, and results must not depend on the workers.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_STOP = b""


@dataclass(frozen=True, eq=False)
class JobResult:
    """What a job found: the label, the weights it belongs to, and what else was measured."""

    evaluation: Evaluation
    state: Mapping[str, torch.Tensor]
    further: tuple[FurtherAccuracy, ...] = ()


RunJob = Callable[[Job], JobResult]


class Workshop(Protocol):
    """Prepares, once in every worker process, what all its jobs share. Must be picklable."""

    def __call__(self) -> RunJob: ...


@dataclass(frozen=True)
class Outcome:
    """What became of a job: an evaluation with the weights to keep, or a message of failure."""

    job: Job
    evaluation: Evaluation | None = None
    further: tuple[FurtherAccuracy, ...] = ()
    weights: bytes | None = None
    failure: str | None = None


def run_in_workers(
    jobs: Sequence[Job], workshop: Workshop, *, workers: int
) -> Generator[Outcome, None, None]:
    """Run jobs in parallel and yield their outcomes as they end.

    Closing the iterator, or an exception while it is used, ends the workers at once.

    Raises:
        RunFailed: A worker could not be prepared (its message is quoted).
    """
    waiting = deque(jobs)
    team: list[_Worker] = []
    try:
        team.extend(_Worker(workshop) for _ in range(min(workers, len(jobs))))
        while team:
            ready = wait([worker.connection for worker in team])
            for worker in [worker for worker in team if worker.connection in ready]:
                outcome = worker.receive()
                if worker.lost:
                    team.remove(worker)
                    worker.end()
                    if waiting:
                        team.append(_Worker(workshop))
                elif waiting:
                    worker.send(waiting.popleft())
                else:
                    worker.dismiss()
                    team.remove(worker)
                if outcome is not None:
                    yield outcome
    finally:
        for worker in team:
            worker.end()


class _Worker:
    """The parent's side of one worker process."""

    def __init__(self, workshop: Workshop) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.job: Job | None = None
        self.lost = False
        self._ready = False
        self._process: SpawnProcess = context.Process(
            target=_work, args=(theirs, workshop), daemon=True
        )
        with _interrupt_ignored():  # inherited: Ctrl-C is for the parent alone
            self._process.start()
        theirs.close()

    def send(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # it died meanwhile: `receive` will find the pipe closed
            self.connection.send_bytes(json.dumps(job.to_dict()).encode())

    def receive(self) -> Outcome | None:
        """Take the worker's next message; None when it only says that it is ready."""
        job, self.job = self.job, None
        try:
            answer = json.loads(self.connection.recv_bytes())
            weights = self.connection.recv_bytes() if answer.get("weights") else None
        except (EOFError, OSError):
            self.lost = True
            self._process.join(timeout=5)
            if not self._ready or job is None:
                raise RunFailed(
                    "A worker process ended before its first job "
                    f"(exit code {self._process.exitcode}). Its own message, if any, is above; "
                    "use fewer --workers if memory is short."
                ) from None
            return Outcome(job, failure=_describe_death(self._process.exitcode))
        if job is None:
            if "failure" in answer:
                raise RunFailed(f"A worker process could not be prepared.\n{answer['failure']}")
            self._ready = True
            return None
        if "failure" in answer:
            return Outcome(job, failure=answer["failure"])
        return Outcome(
            job,
            Evaluation.from_dict(answer["evaluation"]),
            tuple(FurtherAccuracy.from_dict(entry) for entry in answer["further"]),
            weights,
        )

    def dismiss(self) -> None:
        """Let an idle worker leave by itself."""
        with suppress(OSError):
            self.connection.send_bytes(_STOP)
        self.connection.close()
        self._process.join(timeout=10)
        self.end()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.connection.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def _describe_death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = " (perhaps the machine was short of memory)" if name == "SIGKILL" else ""
        return f"The worker process was ended by {name}{hint}."
    return f"The worker process ended with exit code {exitcode}."


def _work(connection: Connection, workshop: Workshop) -> None:
    """Serve jobs until told to stop. The body of a worker process."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        run_job = workshop()
    except Exception as error:
        connection.send_bytes(json.dumps({"failure": _describe(error)}).encode())
        return
    connection.send_bytes(json.dumps({"ready": True}).encode())
    while (message := connection.recv_bytes()) != _STOP:
        job = Job.from_dict(json.loads(message))
        weights = b""
        answer: dict[str, Any]
        try:
            result = run_job(job)
            _check_answer(job, result.evaluation)
            if job.keep_weights and result.state:
                from analognas.labelling.weights import pack_weights

                weights = pack_weights(result.state)
            answer = {
                "evaluation": result.evaluation.to_dict(),
                "further": [measured.to_dict() for measured in result.further],
                "weights": bool(weights),
            }
            line = json.dumps(answer)
        except Exception as error:
            weights = b""
            line = json.dumps({"failure": _describe(error)})
        connection.send_bytes(line.encode())
        if weights:
            connection.send_bytes(weights)


def _check_answer(job: Job, evaluation: Evaluation) -> None:
    if (evaluation.key, evaluation.seed) != (job.key, job.seed):
        raise ValueError(
            f"the evaluation must be of network {job.key} under seed {job.seed}, but is of "
            f"{evaluation.key} under seed {evaluation.seed}"
        )


def _describe(error: Exception) -> str:
    return "".join(traceback.format_exception(error)).strip()


def _leave_with_parent() -> None:
    """End this process as soon as its parent is gone, however long the job would still take."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _interrupt_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
