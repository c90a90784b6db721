"""Evaluate trials in processes of their own, which are killed when a trial takes too long."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from typing import Any

from analognas.errors import RunFailed, UserError
from analognas.searching.candidates import Result, Trial
from analognas.searching.evaluators import Evaluator

START_S = 300.0  # for a process to import what it needs
READY = "ready"
# Processes share the cores, and sums must not depend on how many there are.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class ProcessPool:
    """A few worker processes with the same evaluator; use it as a context."""

    def __init__(
        self, evaluator: Evaluator, *, workers: int, time_limit_s: float | None = None
    ) -> None:
        """Check that the evaluator can travel; processes are started when they are needed.

        Raises:
            UserError: It cannot, or the settings make no sense.
        """
        if workers < 1 or (time_limit_s is not None and not time_limit_s > 0):
            raise UserError(
                "`workers` must be at least 1 and `time_limit_s` positive, but got "
                f"{workers} and {time_limit_s}."
            )
        try:
            ForkingPickler.dumps(evaluator)
        except Exception as error:
            raise UserError(
                "With a time limit or several workers, networks are evaluated in processes of "
                "their own, which must be able to import the evaluator, but it cannot be sent "
                f"there ({error}). Define it at the top level of a module, not within a function "
                "or as a lambda."
            ) from error
        self._evaluator = evaluator
        self._workers = workers
        self._time_limit_s = time_limit_s
        self._team: list[_Worker] = []

    def __enter__(self) -> ProcessPool:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._team:
            worker.end()
        self._team.clear()

    def run(self, trials: Sequence[Trial]) -> Iterator[Result]:
        """Yield one result per trial, in their order.

        Raises:
            UserError: A trial cannot be sent to another process.
            RunFailed: A process ended before its first trial.
        OSError: The disk is full.
        """
        results: dict[int, Result] = {}
        waiting = list(range(len(trials)))[::-1]
        try:
            for position in range(len(trials)):
                while position not in results:
                    self._hand_out(trials, waiting)
                    results |= self._collect()
                yield results.pop(position)
        finally:
            for worker in [worker for worker in self._team if worker.task is not None]:
                self._team.remove(worker)  # nobody waits for its answer any more
                worker.end()

    def _hand_out(self, trials: Sequence[Trial], waiting: list[int]) -> None:
        while waiting:
            idle = next((worker for worker in self._team if worker.task is None), None)
            if idle is None:
                if len(self._team) == self._workers:
                    return
                idle = _Worker(self._evaluator)
                self._team.append(idle)
            index = waiting.pop()
            idle.send(index, trials[index])

    def _collect(self) -> dict[int, Result]:
        """Wait until some worker has something to say, or has had its time."""
        busy = {worker.connection: worker for worker in self._team if worker.task is not None}
        limit = self._time_limit_s
        patience = None
        if limit is not None:
            oldest = min(worker.started for worker in busy.values())
            patience = max(0.0, oldest + limit - time.monotonic())
        ready = wait(list(busy), patience)
        results: dict[int, Result] = {}
        for connection, worker in busy.items():
            assert worker.task is not None
            if connection in ready:
                index, result = worker.receive()
                results[index] = result
            elif limit is not None and time.monotonic() - worker.started >= limit:
                results[worker.task] = Result(None, limit, f"took longer than {limit:g} s")
                worker.lost = True
            if worker.lost:
                self._team.remove(worker)
                worker.end()
        return results


class _Worker:
    """The parent's side of one process."""

    def __init__(self, evaluator: Evaluator) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.task: int | None = None
        self.started = 0.0
        self.lost = False
        self._process = context.Process(target=_work, args=(theirs, evaluator), daemon=True)
        with _one_thread_each():
            self._process.start()
        theirs.close()
        self._await_start()

    def _await_start(self) -> None:
        with suppress(EOFError, OSError):
            if self.connection.poll(START_S) and self.connection.recv() == READY:
                return
        self.end()
        raise RunFailed(
            "A process for evaluations ended before its first one (exit code "
            f"{self._process.exitcode}). Its own message, if any, is above. A script must start "
            'the search under `if __name__ == "__main__":`.'
        )

    def send(self, index: int, trial: Trial) -> None:
        try:
            self.connection.send(trial)
        except OSError:  # it died meanwhile: `receive` will find the pipe closed
            pass
        except Exception as error:
            raise UserError(f"A network cannot be sent to another process: {error}.") from error
        self.task, self.started = index, time.monotonic()

    def receive(self) -> tuple[int, Result]:
        assert self.task is not None
        index, self.task = self.task, None
        try:
            answer: Any = self.connection.recv()
        except (EOFError, OSError):
            self.lost = True
            self._process.join(timeout=5)
            code = self._process.exitcode
            return index, Result(None, failure=f"the process ended with exit code {code}")
        if isinstance(answer, OSError):
            raise answer
        return index, answer

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.connection.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def _work(connection: Connection, evaluator: Evaluator) -> None:
    """Evaluate one trial after the other. The body of a process."""
    import signal

    from analognas.searching.trials import evaluate_apart

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent alone
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    connection.send(READY)
    while True:
        try:
            trial = connection.recv()
        except EOFError:
            return
        try:
            (result,) = evaluate_apart(evaluator, [trial])
        except OSError as error:
            connection.send(error)
            return
        connection.send(result)


def _leave_with_parent() -> None:
    """End this process as soon as its parent is gone, however long the trial would still take."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile compute on one thread."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
