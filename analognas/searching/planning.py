"""What a search would do, before it does it."""

from __future__ import annotations

import time
from typing import Any

from analognas.searching.config import SearchConfig
from analognas.searching.setup import SearchSetup, check_feasible, prepare
from analognas.searching.spaces import Decoder
from analognas.searching.strategies import batch_generator

TIMED_NETWORKS = 50
# Seconds that a strategy takes per network, measured on one core of a small server; others take
# less than a millisecond.
STRATEGY_SECONDS = {"optuna-nsga2": 0.006, "tpe": 0.02, "gp": 1.0}


def plan_search(config: SearchConfig) -> dict[str, Any]:
    """Describe a search without writing anything; bad settings raise as the search would.

    Returns:
        Names and values for people: settings, size of the space, limits, surrogate, time.
    """
    setup = prepare(config)
    check_feasible(setup)
    setup.strategy(Decoder(setup.space, setup.fits))  # raises what the search would
    provenance = setup.provenance()
    limits = {name: value for name, value in provenance["limits"].items() if value is not None}
    budget = config.limit
    if budget.evaluations is None:
        duration = f"{budget.seconds:.0f} s of searching"
    else:
        each = seconds_per_network(setup) + STRATEGY_SECONDS.get(config.sampler, 0.001)
        seconds = budget.evaluations * each
        duration = f"about {max(seconds, 1):.0f} s of searching"
    if config.winners:
        duration += f", then the training of {config.winners} winners"
    if config.baselines:
        duration += " and of the well-known networks"
    return {
        "task": setup.task.title,
        "space": f"{config.space}, {setup.space.count():,} networks",
        "chip": f"{setup.chip.name}, {setup.chip.cores} core{'s' * (setup.chip.cores > 1)} of "
        f"{setup.chip.rows} x {setup.chip.columns}",
        "hardware": f"{setup.hardware.name} ({setup.hardware.hash})",
        "objectives": ", ".join(f"{o.direction} {o.heading}" for o in setup.objectives),
        "limits": ", ".join(f"{name} = {value:,}" for name, value in limits.items()),
        "sampler": config.sampler,
        "budget": config.budget,
        "seed": config.seed,
        "surrogate": setup.chosen.basis,
        "warnings": " ".join(setup.warnings) or "none",
        "time": duration,
    }


def seconds_per_network(setup: SearchSetup) -> float:
    """Measure decoding and scoring on random networks of the space."""
    rng = batch_generator(setup.config.seed, "timing")
    fits, scorer = setup.fits, setup.scorer
    scorer.score([setup.space.sample(rng, fits)])  # what is slow only once is not counted
    started = time.perf_counter()
    scorer.score([setup.space.sample(rng, fits) for _ in range(TIMED_NETWORKS)])
    return (time.perf_counter() - started) / TIMED_NETWORKS
