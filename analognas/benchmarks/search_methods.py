"""The contestants of the search benchmark, each set for budgets of a few dozen evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from analognas.errors import lookup
from analognas.searching.setup import PUBLISHED_LARGEST_DROP
from analognas.searching.strategies.base import Problem, Strategy, StrategyMaker
from analognas.searching.strategies.optuna_samplers import GaussianProcess, OptunaStrategy, make_tpe
from analognas.searching.strategies.registry import STRATEGIES
from analognas.searching.strategies.surrogate_assisted import SurrogateAssisted

OURS = "surrogate-assisted"
START = 8  # random networks before a strategy learns, and members of a population
THRIFTY = (
    "expected gains divided by the square root of the expected seconds; the power was chosen "
    "from 0, 1/2 and 1 on eight seeds of the Arabic table"
)
LARGER = 20  # members, where fewer converge before a table's budget is spent
AS_IT_COMES = "as it comes"


@dataclass(frozen=True)
class Method:
    """A strategy as the benchmark uses it.

    Attributes:
        name: Its name.
        make: Makes it for a problem and a seed.
        setting: What was set for small budgets.
        demands: What it asks of networks beyond the objectives.
    """

    name: str
    make: StrategyMaker
    setting: str = AS_IT_COMES
    demands: tuple[str, ...] = ()


@dataclass(frozen=True)
class WithPopulation:
    """A strategy whose generations have so many members."""

    make: StrategyMaker
    population: int

    def __call__(self, problem: Problem, seed: int) -> Strategy:
        return self.make(replace(problem, population=self.population), seed)


def _tpe(problem: Problem, seed: int) -> Strategy:
    sampler = partial(make_tpe, START)
    return OptunaStrategy(problem, seed, make_sampler=sampler, batch_size=1, learns_copies=True)


def method_of(name: str, make: StrategyMaker, population: int = START) -> Method:
    """A strategy, set for small budgets where it can be."""
    sized = WithPopulation(make, population)
    if name in ("nsga2", "optuna-nsga2", "regularised-evolution"):
        return Method(name, sized, f"population {population}")
    if name == "analognas":
        return Method(
            name,
            sized,
            f"population {population}; one objective, the accuracy, and at most "
            f"{PUBLISHED_LARGEST_DROP:g} of it lost from 1 s to 1 month, as published",
            (f"drop<={PUBLISHED_LARGEST_DROP:g}",),
        )
    if name == "tpe":
        return Method(name, _tpe, f"{START} random networks, then one by one")
    if name == "gp":
        setting = f"{START} random networks, then one by one; a random one after what is known"
        return Method(name, partial(GaussianProcess, startup_trials=START), setting)
    if name == OURS:
        return Method(name, make, THRIFTY)
    return Method(name, make)


METHODS: Mapping[str, Method] = {
    name: method_of(name, make, LARGER if name == "analognas" else START)
    for name, make in ({OURS: SurrogateAssisted} | {**STRATEGIES}).items()
}


def select(names: Sequence[str] | None, known: Mapping[str, Method]) -> tuple[str, ...]:
    """The methods of these names in the order of all, or all of them.

    Raises:
        UserError: There is no such method.
    """
    wanted = list(known) if names is None else [lookup(known, n, "method").name for n in names]
    return tuple(name for name in known if name in wanted)
