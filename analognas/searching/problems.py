"""What a strategy is told of a search: its problem, made from space, evaluator and objectives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analognas.searching.demands import Demand
from analognas.searching.evaluators import Evaluator, is_replicable, offered_fidelities
from analognas.searching.objectives import Objective
from analognas.searching.spaces import Decoder, Realised, Space
from analognas.searching.strategies import Description, Problem


def make_problem(
    space: Space,
    decoder: Decoder,
    evaluator: Evaluator,
    objectives: Sequence[Objective],
    demands: Sequence[Demand],
    population: int | None = None,
) -> Problem:
    """Everything that a strategy must know about a search.

    Args:
        space: Where networks come from; may have features of its own (`encode`).
        decoder: Of this space.
        evaluator: Says which fidelities it offers, and whether seeds make a difference; may have
            features of its own (`describe`).
        objectives: What is optimised.
        demands: What must be met.
        population: Size of a generation; None takes the strategy's own.
    """
    describing = _Describing(space, decoder, evaluator)
    return Problem(
        genes=decoder.genes,
        objectives=tuple(objectives),
        constrained=bool(demands),
        population=population,
        realise=decoder.realise,
        fidelities=offered_fidelities(evaluator),
        replicable=is_replicable(evaluator),
        describe=describing if describing.possible else None,
    )


@dataclass(frozen=True)
class _Describing:
    """Features of genotypes: the evaluator's own, or those of the space."""

    space: Space
    decoder: Decoder
    evaluator: Evaluator

    @property
    def possible(self) -> bool:
        return hasattr(self.evaluator, "describe") or hasattr(self.space, "encode")

    def __call__(self, codes: Sequence[Mapping[str, int | str]]) -> Description:
        found = [self.decoder.realise(one) for one in codes]
        networks: dict[str, Realised] = {one.key: one for one in found if one is not None}
        archs = [one.arch for one in networks.values()]
        index = pd.Index(list(networks), name="key")
        own = getattr(self.evaluator, "describe", None)
        if own is not None:
            features, known = own(archs)
            features, known = features.set_axis(index), known.set_axis(index)
        else:
            encode: Any = getattr(self.space, "encode", None)
            names, matrix = encode(archs)
            features = pd.DataFrame(matrix, columns=list(names), index=index)
            known = pd.DataFrame(index=index)
        return Description(
            tuple(None if one is None else one.key for one in found), features, known
        )
