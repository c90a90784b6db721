"""What goes into an evaluation and what comes out of it, as typed records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Codes: TypeAlias = Mapping[str, int | str]
EvaluationId: TypeAlias = tuple[str, float, int]  # key of the network, fidelity, seed


@dataclass(frozen=True)
class Proposal:
    """A genotype that a strategy wants evaluated.

    `fidelity` is the share of a full evaluation (of the epochs, for example), above 0 and at most
    1. `seed` numbers repetitions of the same evaluation, from 0 on.
    """

    codes: Codes
    fidelity: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Trial:
    """One evaluation to be done: a network of the space, how thoroughly, under which seed."""

    arch: Any
    fidelity: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What an evaluator found out about a trial.

    Args:
        metrics: Finite numbers by name; None if the evaluation failed.
        seconds: What the evaluation is charged with; None leaves it to the clock.
        failure: Why there are no metrics.
    """

    metrics: Mapping[str, float] | None
    seconds: float | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Candidate:
    """One evaluation of a network.

    `codes` is the genotype of the network that was really evaluated, `architecture` what its
    `to_dict()` gives. `scores` holds the metrics by name; it is empty where the evaluation failed,
    and `failure` says why.
    """

    key: str
    batch: int
    codes: Codes
    architecture: Mapping[str, Any]
    scores: Mapping[str, float]
    fidelity: float = 1.0
    seed: int = 0
    seconds: float | None = None
    failure: str | None = None

    @property
    def id(self) -> EvaluationId:
        return (self.key, self.fidelity, self.seed)


@dataclass(frozen=True)
class Verdict:
    """What a strategy learns of a proposal.

    Args:
        key: Key of the network that the proposal stands for.
        scores: The metrics by name, each in its own direction and unit; empty if it failed.
        violation: By how much the demands are missed; 0 or less is feasible.
        codes: Genotype of the network that was really evaluated: after it was made to fit the
            limits, and with the genes that play no part in it at their first value.
        fidelity: Of the evaluation.
        seed: Of the evaluation.
        seconds: What the evaluation was charged with, if the evaluator says so.
        failed: Whether the evaluation gave nothing.
    """

    key: str
    scores: Mapping[str, float]
    violation: float = 0.0
    codes: Codes = field(default_factory=dict)
    fidelity: float = 1.0
    seed: int = 0
    seconds: float | None = None
    failed: bool = False
