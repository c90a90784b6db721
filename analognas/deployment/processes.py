"""Run independent pieces of work in processes of their own, a few at a time."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

from analognas.errors import RunFailed

Job = TypeVar("Job")
Progress = Callable[[int, int, str], None]
Report = Callable[[int, int, int, str], None]  # index of the job, done, total, message

SECONDS_TO_STOP = 5.0


@dataclass(frozen=True)
class _Running(Generic[Job]):
    index: int
    name: str
    process: BaseProcess


def run_in_processes(
    work: Callable[[Job, Progress], None],
    jobs: Sequence[tuple[str, Job]],
    *,
    workers: int,
    report: Report,
) -> None:
    """Do every named job in a fresh process, at most `workers` at the same time.

    Args:
        work: Top-level function that does one job and tells its progress.
        jobs: Name, for messages, and job.
        workers: Largest number of processes.
        report: Told about the progress of every job.

    Raises:
        RunFailed: A process died without an answer.
        Exception: The first error of a job, as it was raised there. All others are stopped then.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(enumerate(jobs))[::-1]
    running: dict[Connection, _Running[Job]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index, (name, job) = waiting.pop()
                receiver, sender = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(work, job, sender), daemon=True)
                process.start()
                sender.close()
                running[receiver] = _Running(index, name, process)
            for connection in wait(list(running)):
                assert isinstance(connection, Connection)
                if _listen(connection, running[connection], report):
                    running.pop(connection).process.join()
                    connection.close()
    finally:
        for connection, one in running.items():
            one.process.terminate()
            one.process.join(SECONDS_TO_STOP)
            connection.close()


def _listen(connection: Connection, one: _Running[Job], report: Report) -> bool:
    """Take one message of a process; return whether it was the last one."""
    try:
        message = connection.recv()
    except EOFError:
        one.process.join()
        raise RunFailed(
            f"The process that worked on {one.name} ended with code {one.process.exitcode}, "
            "perhaps for want of memory. What was finished is kept; go on with fewer `--workers`. "
            'A script of your own must start its work under `if __name__ == "__main__":`.'
        ) from None
    if message is None:
        return True
    if isinstance(message, BaseException):
        raise message
    report(one.index, *message)
    return False


def _work(work: Callable[[Job, Progress], None], job: Job, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which stops us

    def progress(done: int, total: int, message: str) -> None:
        sender.send((done, total, message))

    try:
        work(job, progress)
    except Exception as error:
        error.add_note("In another process:\n" + traceback.format_exc())
        try:
            sender.send(error)
        except Exception:  # an error that cannot travel is told in words
            sender.send(RuntimeError(traceback.format_exc()))
    else:
        sender.send(None)
