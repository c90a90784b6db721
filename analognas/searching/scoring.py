"""What a candidate is worth before it is trained: predictions of a surrogate and modelled cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture

Scores = Mapping[str, float]  # one value for every entry of OBJECTIVES


class Scorer(Protocol):
    """Scores networks without training them."""

    def score(self, archs: Sequence[Architecture]) -> Sequence[Scores]:
        """Return one row per network; the whole batch is predicted at once."""
        ...
