"""The search: strategies, evaluators, the loop and its journal, the front, the run folder."""

from analognas.searching.budget import Budget
from analognas.searching.candidates import Candidate, Proposal, Result, Trial, Verdict
from analognas.searching.config import SearchConfig, make_config
from analognas.searching.evaluators import Evaluator
from analognas.searching.front import FrontRecord, pareto_front, pick, pick_winners
from analognas.searching.hypervolumes import hypervolume
from analognas.searching.objectives import OBJECTIVES, Objective, select_objectives
from analognas.searching.open_search import run_search
from analognas.searching.outcome import Reevaluation, SearchOutcome
from analognas.searching.run_directory import RunDirectory, default_directory
from analognas.searching.running import SearchResult, read_front, resume_search, search_task
from analognas.searching.spaces import Space
from analognas.searching.strategies import STRATEGIES, Problem, Strategy
from analognas.searching.table import TableEvaluator, TableSpace

__all__ = [
    "OBJECTIVES",
    "STRATEGIES",
    "Budget",
    "Candidate",
    "Evaluator",
    "FrontRecord",
    "Objective",
    "Problem",
    "Proposal",
    "Reevaluation",
    "Result",
    "RunDirectory",
    "SearchConfig",
    "SearchOutcome",
    "SearchResult",
    "Space",
    "Strategy",
    "TableEvaluator",
    "TableSpace",
    "Trial",
    "Verdict",
    "default_directory",
    "hypervolume",
    "make_config",
    "pareto_front",
    "pick",
    "pick_winners",
    "read_front",
    "resume_search",
    "run_search",
    "search_task",
    "select_objectives",
]
