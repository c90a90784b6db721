"""Who evaluates networks: the protocol, and plain functions made to fit it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from analognas.errors import UserError
from analognas.searching.candidates import Result, Trial

ANY_FIDELITY = (0.25, 0.5, 1.0)  # what strategies ask of an evaluator that can do any
FUNCTION_ARGUMENTS = ("fidelity", "seed")


class Evaluator(Protocol):
    """Evaluates networks. What it returns for a trial depends on that trial alone.

    Two attributes are optional. `fidelities`: the fidelities that it offers, ascending, 1 the last
    (without it only 1). `replicable`: whether another seed gives another result (without it yes).
    A method `describe(archs) -> (features, known)` is optional, too: two tables of numbers with one
    row per network, for strategies that learn; `known` are metrics that cost nothing.
    """

    def evaluate(self, trials: Sequence[Trial]) -> Sequence[Result]:
        """Return one result per trial, in their order."""
        ...


@dataclass(frozen=True)
class FunctionEvaluator:
    """A function from a network to its metrics.

    It may also take `fidelity` and `seed`; a search asks for repetitions and for cheaper
    evaluations only where it does.
    """

    function: Callable[..., Mapping[str, float]]

    def __post_init__(self) -> None:
        """Make sure that it can be called with a network."""
        if not self._takes:
            raise UserError(
                f"An evaluating function must take a network, but {self.function!r} takes nothing."
            )

    @property
    def fidelities(self) -> tuple[float, ...]:
        return ANY_FIDELITY if "fidelity" in self._takes else (1.0,)

    @property
    def replicable(self) -> bool:
        return "seed" in self._takes

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        return [self._evaluate(trial) for trial in trials]

    def _evaluate(self, trial: Trial) -> Result:
        given: dict[str, Any] = {"fidelity": trial.fidelity, "seed": trial.seed}
        wanted = {name: given[name] for name in FUNCTION_ARGUMENTS if name in self._takes}
        return Result(self.function(trial.arch, **wanted))

    @property
    def _takes(self) -> tuple[str, ...]:
        try:
            return tuple(inspect.signature(self.function).parameters)
        except (TypeError, ValueError):  # a function of C without a signature
            return ("arch",)


def offered_fidelities(evaluator: Evaluator) -> tuple[float, ...]:
    """The fidelities of an evaluator, ascending.

    Raises:
        UserError: They are not numbers above 0 and at most 1, or 1 is not among them.
    """
    offered = tuple(getattr(evaluator, "fidelities", (1.0,)))
    try:
        sound = max(offered) == 1.0 and min(offered) > 0
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise UserError(
            "The fidelities of an evaluator must be numbers above 0 and at most 1, and 1 must be "
            f"one of them, but got {offered!r}."
        )
    return tuple(sorted(float(fidelity) for fidelity in offered))


def is_replicable(evaluator: Evaluator) -> bool:
    """Whether another seed of the same network gives another result."""
    return bool(getattr(evaluator, "replicable", True))
