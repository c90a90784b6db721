"""Every search strategy by its name."""

from __future__ import annotations

from collections.abc import Mapping

from analognas.errors import lookup
from analognas.plugins import STRATEGY_PLUGINS, load_plugin
from analognas.searching.strategies.analognas_evolution import AnalogNasEvolution
from analognas.searching.strategies.base import StrategyMaker
from analognas.searching.strategies.local_search import LocalSearch
from analognas.searching.strategies.multi_fidelity import MultiFidelity
from analognas.searching.strategies.nsga2 import NSGA2
from analognas.searching.strategies.optuna_samplers import gp, optuna_nsga2, tpe
from analognas.searching.strategies.random_search import RandomSearch
from analognas.searching.strategies.regularised_evolution import RegularisedEvolution
from analognas.searching.strategies.surrogate_assisted import SurrogateAssisted

STRATEGIES: Mapping[str, StrategyMaker] = {
    "nsga2": NSGA2,
    "optuna-nsga2": optuna_nsga2,
    "tpe": tpe,
    "gp": gp,
    "random": RandomSearch,
    "analognas": AnalogNasEvolution,
    "regularised-evolution": RegularisedEvolution,
    "local-search": LocalSearch,
    "multi-fidelity": MultiFidelity,
    "surrogate-assisted": SurrogateAssisted,
}

# Evaluations at most, where the time of a draw grows too fast with the number of trials.
LARGEST_BUDGETS: Mapping[str, int] = {"tpe": 300, "gp": 100, "surrogate-assisted": 300}


def find_strategy(name: str) -> StrategyMaker:
    """The strategy of this name, of ours or of an installed distribution.

    Raises:
        UserError: There is none, or the one of a distribution cannot be loaded.
    """
    if name in STRATEGIES:
        return STRATEGIES[name]
    return load_plugin(STRATEGY_PLUGINS, name) or lookup(STRATEGIES, name, "strategy")
