"""Evaluate trials and let nothing that goes wrong with one of them reach the others."""

from __future__ import annotations

import math
import numbers
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from analognas.files import FULL_DISK
from analognas.searching.candidates import Result, Trial
from analognas.searching.evaluators import Evaluator
from analognas.searching.process_pool import ProcessPool

SHORT_S, LONG_S = 0.5, 5.0  # how long a chunk of trials should take


class TrialRunner(Protocol):
    """Evaluates trials in their order, some at a time."""

    def run(self, trials: Sequence[Trial]) -> Iterator[list[Result]]:
        """Yield checked results as they come; all chunks together have one for every trial."""
        ...


@dataclass(frozen=True)
class WholeBatches:
    """Evaluates here, every batch at once; what goes wrong is an error of ours and stops all."""

    evaluator: Evaluator

    def run(self, trials: Sequence[Trial]) -> Iterator[list[Result]]:
        if trials:
            yield list(self.evaluator.evaluate(trials))


@dataclass
class InProcess:
    """Evaluates here, in chunks that grow as long as they are quick.

    Args:
        evaluator: Sees one chunk at a time.
        metrics: Every result must have these.
    """

    evaluator: Evaluator
    metrics: tuple[str, ...]
    _chunk: int = field(default=1, init=False)

    def run(self, trials: Sequence[Trial]) -> Iterator[list[Result]]:
        done = 0
        while done < len(trials):
            chunk = trials[done : done + self._chunk]
            started = time.perf_counter()
            results = evaluate_apart(self.evaluator, chunk, self.metrics)
            seconds = time.perf_counter() - started
            done += len(chunk)
            if seconds < SHORT_S:
                self._chunk *= 2
            elif seconds > LONG_S:
                self._chunk = max(1, self._chunk // 2)
            yield results


@dataclass(frozen=True)
class InProcesses:
    """Evaluates in processes that are ended when a trial takes too long."""

    pool: ProcessPool
    metrics: tuple[str, ...]

    def run(self, trials: Sequence[Trial]) -> Iterator[list[Result]]:
        for result in self.pool.run(trials):
            yield [checked(result, self.metrics)]


@contextmanager
def trial_runner(
    evaluator: Evaluator,
    metrics: tuple[str, ...],
    *,
    workers: int = 1,
    time_limit_s: float | None = None,
) -> Iterator[TrialRunner]:
    """Evaluate here, or in processes of their own where there are several or a time limit.

    Raises:
        UserError: The evaluator cannot be sent to another process.
    """
    if workers == 1 and time_limit_s is None:
        yield InProcess(evaluator, metrics)
        return
    with ProcessPool(evaluator, workers=workers, time_limit_s=time_limit_s) as pool:
        yield InProcesses(pool, metrics)


def evaluate_apart(
    evaluator: Evaluator, trials: Sequence[Trial], metrics: Sequence[str] = ()
) -> list[Result]:
    """Evaluate trials together, and one by one if that goes wrong; failures become results.

    Raises:
        OSError: The disk is full, which is no fault of the trials.
    """
    try:
        results = list(evaluator.evaluate(trials))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            raise
        if len(trials) == 1:
            return [Result(None, failure=describe(error))]
        return [evaluate_apart(evaluator, [trial], metrics)[0] for trial in trials]
    if len(results) != len(trials):
        if len(trials) == 1:
            return [Result(None, failure=f"{len(results)} results for one trial")]
        return [evaluate_apart(evaluator, [trial], metrics)[0] for trial in trials]
    return [checked(result, metrics) for result in results]


def checked(result: Any, metrics: Sequence[str]) -> Result:
    """The result with plain numbers, or why it cannot be used."""
    if not isinstance(result, Result):
        return Result(None, failure=f"a {type(result).__name__} instead of a Result")
    seconds, failure = result.seconds, None
    if seconds is not None and not (_is_number(seconds) and 0 <= float(seconds) < math.inf):
        seconds, failure = None, f"`seconds` is {result.seconds!r}"
    if result.failure is not None:
        return Result(None, seconds, str(result.failure))
    failure = failure or _wrong_metrics(result.metrics, metrics)
    if failure is not None or result.metrics is None:
        return Result(None, seconds, failure)
    numbers_by_name = {str(name): float(value) for name, value in result.metrics.items()}
    return Result(numbers_by_name, None if seconds is None else float(seconds))


def _wrong_metrics(found: Any, metrics: Sequence[str]) -> str | None:
    if not isinstance(found, Mapping):
        return f"metrics are {_short(found)} instead of numbers by name"
    missing = [name for name in metrics if name not in found]
    if missing:
        return f"no metric {', '.join(missing)} among {', '.join(map(str, found)) or 'none'}"
    for name, value in found.items():
        if not _is_number(value):
            return f"metric {name} is {_short(value)} and not a number"
        if not math.isfinite(value):
            return f"metric {name} is {value}"
    return None


def describe(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
