"""Find neural networks that stay accurate on analog in-memory-computing chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from analognas.searching import (
        OBJECTIVES,
        STRATEGIES,
        Budget,
        Evaluator,
        Objective,
        Problem,
        Proposal,
        Result,
        SearchOutcome,
        SearchResult,
        Space,
        Strategy,
        TableEvaluator,
        TableSpace,
        Trial,
        Verdict,
        hypervolume,
        run_search,
    )

__version__ = "0.1.0"

__all__ = [
    "OBJECTIVES",
    "STRATEGIES",
    "Budget",
    "Evaluator",
    "Objective",
    "Problem",
    "Proposal",
    "Result",
    "SearchOutcome",
    "SearchResult",
    "Space",
    "Strategy",
    "TableEvaluator",
    "TableSpace",
    "Trial",
    "Verdict",
    "__version__",
    "hypervolume",
    "run_search",
    "search",
]


def __getattr__(name: str) -> Any:
    """Import what belongs to the search when it is first used: it needs the heavy libraries."""
    if name in __all__:
        import analognas.searching

        return getattr(analognas.searching, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def search(task: str, *, out: str | Path | None = None, **settings: Any) -> SearchResult:
    """Search networks, train the best of them and measure them on simulated chips.

    The same as `analognas search`. Worker processes are spawned: call it below
    `if __name__ == "__main__":` in a script, or pass `workers=1`.

    Args:
        task: What the networks are for: "kws" or "digits".
        out: New run folder; None makes `runs/TASK-DATE-seedSEED`.
        **settings: Fields of `analognas.searching.SearchConfig`, such as `budget=500`,
            `winners=1`, `seed=3`, `max_energy_nJ=2000.0`.

    Returns:
        Front, winners and where everything lies.

    Raises:
        UserError: A setting is unknown or cannot be used; the message says how to mend it.
    """
    from analognas.searching import default_directory, make_config, search_task

    config = make_config({"task": task, **settings})
    return search_task(config, out if out is not None else default_directory(config))
