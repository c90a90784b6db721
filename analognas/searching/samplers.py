"""Every search strategy by its name on the command line."""

from collections.abc import Mapping

from analognas.searching.analognas_evolution import AnalogNasEvolution
from analognas.searching.optuna_strategy import nsga2, random_search, tpe
from analognas.searching.strategies import StrategyMaker

SAMPLERS: Mapping[str, StrategyMaker] = {
    "nsga2": nsga2,
    "tpe": tpe,
    "random": random_search,
    "analognas": AnalogNasEvolution,
}
