"""Run the jobs of a label folder to their end, in any number of workers, and resume at any time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from analognas.labelling.folder import LabelFolder
from analognas.labelling.workers import Workshop, run_in_workers

# (done, total, message); done and total in thousandths of the work that is expected.
Progress = Callable[[int, int, str], None]
TOTAL = 1000


@dataclass(frozen=True)
class RunSummary:
    """How a run stands."""

    total: int
    done: int
    failed: dict[str, str]  # job id -> message

    @property
    def complete(self) -> bool:
        return self.done == self.total


def run_jobs(
    folder: LabelFolder,
    workshop: Workshop,
    *,
    workers: int = 2,
    progress: Progress = lambda done, total, message: None,
) -> RunSummary:
    """Run every job of the folder that has no result yet; jobs that failed before are tried again.

    Every outcome is in the journal before the next is waited for. A job that fails, or whose worker
    dies, is recorded as failed and the run goes on.

    Raises:
        KeyboardInterrupt: On Ctrl-C, with a message on how to go on.
        RunFailed: The workers cannot be prepared.
    """
    if folder.unfinished:
        _report(folder, progress)
        outcomes = run_in_workers(folder.unfinished, workshop, workers=workers)
        try:
            with closing(outcomes):
                for outcome in outcomes:
                    if outcome.evaluation is not None:
                        folder.record_done(
                            outcome.job, outcome.evaluation, outcome.weights, outcome.further
                        )
                    else:
                        folder.record_failed(outcome.job, outcome.failure or "unknown reason")
                    _report(folder, progress)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{len(folder.done)} of {len(folder.jobs)} labels are in {folder.path}. "
                "Run the same command again to go on."
            ) from None
    return RunSummary(len(folder.jobs), len(folder.done), dict(folder.failed))


def _report(folder: LabelFolder, progress: Progress) -> None:
    """Tell how much of the work is behind us, a large network counting more than a small one."""
    ended = [job for job in folder.jobs if job.id in folder.done or job.id in folder.failed]
    share = sum(job.weight for job in ended) / sum(job.weight for job in folder.jobs)
    message = f"{len(folder.done)} of {len(folder.jobs)} labels"
    if folder.failed:
        message += f", {len(folder.failed)} failed"
    progress(int(TOTAL * share), TOTAL, message)
