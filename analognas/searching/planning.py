"""What a search would do, before it does it."""

from __future__ import annotations

import time
from typing import Any

from analognas.searching.config import SearchConfig
from analognas.searching.hardware_genes import words_of
from analognas.searching.scoring import Network
from analognas.searching.setup import SearchSetup, check_feasible, prepare
from analognas.searching.spaces import Decoder
from analognas.searching.strategies import batch_generator
from analognas.searching.strategies.drawing import random_codes
from analognas.training import pick_device

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
    pick_device(config.device)
    setup.strategy(Decoder(setup.searched, setup.fits))  # raises what the search would
    provenance = setup.provenance()
    limits = {name: value for name, value in provenance["limits"].items() if value is not None}
    budget = config.limit
    if config.trains:
        duration = _training_time(config)
    elif budget.evaluations is None:
        duration = f"{budget.seconds:.0f} s of searching"
    else:
        each = seconds_per_network(setup) + STRATEGY_SECONDS.get(config.strategy, 0.001)
        seconds = budget.evaluations * each
        duration = f"about {max(seconds, 1):.0f} s of searching"
    if config.winners:
        duration += f", then the training of {config.winners} winners"
    if config.baselines:
        duration += " and of the well-known networks"
    return {
        "task": setup.task.title,
        "space": f"{config.space}, {setup.searched.count():,} "
        f"{'networks' if setup.hardware_genes is None else 'designs'}",
        "chip": f"{setup.chip.name}, {setup.chip.cores} core{'s' * (setup.chip.cores > 1)} of "
        f"{setup.chip.rows} x {setup.chip.columns}",
        "hardware": f"{setup.hardware.name} ({setup.hardware.hash})",
        **(
            {}
            if setup.hardware_genes is None
            else {
                "searched hardware": "; ".join(
                    f"{title}: {values}" for title, values in words_of(setup.hardware_genes).items()
                )
            }
        ),
        "objectives": ", ".join(f"{o.direction} {o.heading}" for o in setup.objectives),
        "limits": ", ".join(f"{name} = {value:,}" for name, value in limits.items()),
        "evaluator": config.evaluator,
        "sampler": config.strategy,
        "budget": config.asked_budget,
        "seed": config.seed,
        ("candidates" if config.trains else "surrogate"): setup.basis,
        "warnings": " ".join(setup.warnings) or "none",
        "time": duration,
    }


def _training_time(config: SearchConfig) -> str:
    """Trainings are not timed in advance: one alone takes longer than a plan may."""
    budget = config.limit
    if budget.seconds is not None:
        duration = f"{budget.seconds:.0f} s of training and measuring, counted on one core"
    else:
        duration = f"as long as {budget.evaluations:g} full trainings of candidates"
    if config.reevaluations:
        times = "once" if config.reevaluations == 1 else f"{config.reevaluations} times"
        duration += f", then every network of the front {times} more"
    return duration


def seconds_per_network(setup: SearchSetup) -> float:
    """Measure decoding and scoring on random networks of the space."""
    rng = batch_generator(setup.config.seed, "timing")
    fits, scorer, searched = setup.fits, setup.scorer, setup.searched

    def draw() -> list[Network]:
        drawn = [
            searched.decode(random_codes(searched.genes, rng), fits) for _ in range(TIMED_NETWORKS)
        ]
        return [network for network in drawn if network is not None]

    scorer.score(draw())  # what is slow only once is not counted
    started = time.perf_counter()
    scorer.score(draw())
    return (time.perf_counter() - started) / TIMED_NETWORKS
