"""Why a search ends without a front, and what to ask for instead."""

from __future__ import annotations

from collections.abc import Sequence

from analognas.searching.by_training import at_reached_fidelity
from analognas.searching.candidates import Candidate
from analognas.searching.config import SearchConfig
from analognas.searching.front import ACCURACY


def nothing_feasible(
    evaluations: Sequence[Candidate], config: SearchConfig, max_drop: float | None
) -> str:
    """Say which demand is the tightest, and what the networks come to."""
    candidates = at_reached_fidelity(evaluations)
    if not candidates:
        last = f", the last one with: {evaluations[-1].failure}" if evaluations else ""
        return f"All {len(evaluations)} evaluations failed{last}."
    how = "simulated" if config.trains else "predicted"
    message = (
        f"None of the {len({one.key for one in candidates})} networks meets the demands as {how}."
    )
    best = max(candidate.scores[ACCURACY] for candidate in candidates)
    if config.min_accuracy is not None and best < config.min_accuracy:
        message += (
            f" The tightest is `min_accuracy = {config.min_accuracy:g}`: the best {how} "
            f"accuracy after one day is {best:.4f}, so ask for {int(best * 1e4) / 1e4:g} at most."
        )
    least = min(candidate.scores["drop"] for candidate in candidates)
    if max_drop is not None and least > max_drop:
        message += f" The smallest {how} drop is {least:.4f}, but `max_drop` is {max_drop:g}."
    return message + " Relax the demands, the limits, or search longer."
