"""Find neural networks that stay accurate on analog in-memory-computing chips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from analognas.searching import SearchResult

__version__ = "0.1.0"


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
    from analognas.searching import default_directory, make_config, run_search

    config = make_config({"task": task, **settings})
    return run_search(config, out if out is not None else default_directory(config))
