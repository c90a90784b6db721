"""The search: strategies, the loop and its journal, the front, the run folder."""

from analognas.searching.config import SearchConfig, make_config
from analognas.searching.front import FrontRecord, pareto_front, pick, pick_winners
from analognas.searching.objectives import OBJECTIVES, Objective, select_objectives
from analognas.searching.run_directory import RunDirectory, default_directory
from analognas.searching.running import SearchResult, read_front, resume_search, run_search
from analognas.searching.samplers import SAMPLERS

__all__ = [
    "OBJECTIVES",
    "SAMPLERS",
    "FrontRecord",
    "Objective",
    "RunDirectory",
    "SearchConfig",
    "SearchResult",
    "default_directory",
    "make_config",
    "pareto_front",
    "pick",
    "pick_winners",
    "read_front",
    "resume_search",
    "run_search",
    "select_objectives",
]
