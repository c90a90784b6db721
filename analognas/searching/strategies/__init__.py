"""Who proposes the next candidates: one strategy a file, one protocol."""

from analognas.searching.strategies.base import (
    Description,
    Problem,
    Strategy,
    StrategyMaker,
    batch_generator,
    batch_seed,
)
from analognas.searching.strategies.registry import LARGEST_BUDGETS, STRATEGIES

__all__ = [
    "LARGEST_BUDGETS",
    "STRATEGIES",
    "Description",
    "Problem",
    "Strategy",
    "StrategyMaker",
    "batch_generator",
    "batch_seed",
]
