"""The candidates of a search as typed records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Codes: TypeAlias = Mapping[str, int | str]


@dataclass(frozen=True)
class Candidate:
    """One network of a search and everything that is known of it before it is trained.

    `scores` has one value for every entry of OBJECTIVES, `architecture` is what
    `Architecture.to_dict()` gives.
    """

    key: str
    batch: int
    codes: Codes
    architecture: Mapping[str, Any]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """What a strategy learns of a proposal.

    Args:
        key: Key of the network that the proposal stands for.
        scores: One value for every entry of OBJECTIVES, each in its own direction and unit.
        violation: By how much the predictions miss what is demanded; 0 or less is feasible.
    """

    key: str
    scores: Mapping[str, float]
    violation: float = 0.0
