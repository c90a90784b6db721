"""A search over anybody's space with anybody's evaluator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from analognas.errors import UserError, checking
from analognas.files import write_text
from analognas.plugins import EVALUATOR_PLUGINS, load_plugin, plugin_names
from analognas.searching.budget import Budget, parse_budget
from analognas.searching.candidates import Candidate
from analognas.searching.demands import Demand, parse_demand
from analognas.searching.evaluators import Evaluator, FunctionEvaluator
from analognas.searching.loop import Progress, SearchLoop
from analognas.searching.objectives import Objective, read_objective, unrepeated
from analognas.searching.outcome import Reevaluation, SearchOutcome, final_front, front_table
from analognas.searching.problems import make_problem
from analognas.searching.reevaluating import check_replicable, compare, fresh_evaluations
from analognas.searching.search_folder import SearchFolder, open_folder
from analognas.searching.spaces import Decoder, Space
from analognas.searching.strategies import (
    LARGEST_BUDGETS,
    Problem,
    Strategy,
    batch_generator,
)
from analognas.searching.strategies.drawing import random_codes
from analognas.searching.strategies.registry import find_strategy
from analognas.searching.table import Table, TableEvaluator, TableSpace
from analognas.searching.trials import describe, trial_runner

StrategyChoice = str | Callable[[Problem, int], Strategy]
Known = Iterable[Candidate | tuple[Any, Mapping[str, float]]]
FEASIBILITY_DRAWS = 200


def run_search(  # noqa: PLR0913 - the one public door; all but the first three have a default
    space: Space,
    evaluator: Evaluator | Callable[..., Mapping[str, float]] | Table,
    objectives: Sequence[str | Objective],
    strategy: StrategyChoice = "nsga2",
    budget: int | str | Budget = 200,
    seed: int = 0,
    *,
    directory: str | Path | None = None,
    fits: Callable[[Any], bool] | None = None,
    time_limit_s: float | None = None,
    workers: int = 1,
    known: Known = (),
    reevaluate: int = 0,
    progress: Progress | None = None,
) -> SearchOutcome:
    """Search a space for networks that are best in every objective at once.

    Args:
        space: One of `make_space`, or anything with `genes`, `decode(codes, fits)` and
            `codes(arch)` whose networks have `key` and `to_dict()` (see `Space`).
        evaluator: An `Evaluator`, the name of an installed one, a function from a network to its
            metrics, or a table of results (data frame, CSV or Parquet file, mapping; then only the
            networks of the table are searched, see `TableSpace`).
        objectives: `"max:accuracy"`, `"min:energy"`, names of OBJECTIVES or `Objective`s; and
            demands such as `"cores<=32"`, which hold for every network of the front.
        strategy: A name of STRATEGIES, the name of an installed one, or a maker of one's own:
            `(problem, seed) -> Strategy`.
        budget: Evaluations (200), a time ("10m"), or a `Budget`.
        seed: Of every random draw.
        directory: Folder for journal and front. If it holds this very search, it goes on; None
            keeps everything in memory.
        fits: Limits that a network must keep to be evaluated at all.
        time_limit_s: Evaluations that take longer are ended and count as failed. Evaluates in
            processes of their own: the evaluator must then be importable.
        workers: Processes that evaluate at the same time.
        known: Evaluations that exist already, those of an earlier outcome or pairs of network and
            metrics; they cost nothing, and can be on the front.
        reevaluate: Fresh seeds under which the final front is evaluated again.
        progress: Told how far the search is.

    Returns:
        The front, every evaluation, and what must be said beside them.

    Raises:
        UserError: An argument cannot be used, nothing meets the demands, or everything failed.
    """
    wanted, demands = _read_objectives(objectives)
    space, judge = _evaluator_for(space, evaluator)
    metrics = _metrics(wanted, demands, judge)
    check_replicable(judge, reevaluate)
    decoder = Decoder(space, fits)
    problem = make_problem(space, decoder, judge, wanted, demands)
    name, made = _make_strategy(strategy, problem, seed)
    limit, notes = _limit(name, parse_budget(budget))
    known_ones = _known_candidates(known, space, metrics)
    settings = {
        "genes": {gene: list(values) for gene, values in decoder.genes.items()},
        "objectives": [[objective.name, objective.direction] for objective in wanted],
        "demands": [str(demand) for demand in demands],
        "strategy": name,
        "seed": seed,
        "known": [[*one.id, dict(one.scores)] for one in known_ones],
        "table": judge.content_key if isinstance(judge, TableEvaluator) else None,
    }
    place: AbstractContextManager[SearchFolder | None] = (
        nullcontext() if directory is None else open_folder(Path(directory), settings, metrics)
    )
    with (
        place as folder,
        trial_runner(judge, metrics, workers=workers, time_limit_s=time_limit_s) as runner,
    ):
        loop = SearchLoop(
            made,
            decoder,
            runner,
            folder.journal if folder else None,
            demands,
            tells_seconds=limit.seconds is not None,
        )
        with checking("`known`"):
            loop.take_known(known_ones)
        with checking("The folder holds another search"):
            loop.replay()
        _check_feasible(decoder, loop, seed)
        loop.run(limit, progress)
        evaluations = tuple(loop.evaluations.values())
        front = final_front(evaluations, wanted, demands)
        if not front:
            raise UserError(_nothing_found(evaluations, demands))
        again: Reevaluation | None = None
        if reevaluate:
            archs = {member.key: _network(decoder, member.codes) for member in front}
            journal = folder.fresh_journal if folder else None
            fresh = fresh_evaluations(
                front, archs, evaluations, runner, seeds=reevaluate, journal=journal
            )
            again = compare(front, fresh, evaluations, wanted, reevaluate)
        if folder is not None:
            write_text(folder.front_path, front_table(front, wanted).to_csv(index=False))
    if loop.stopped_early:
        notes.append("The search stopped early: nothing new was proposed any more.")
    return SearchOutcome(
        objectives=wanted,
        demands=demands,
        front=front,
        evaluations=evaluations,
        seconds=loop.seconds,
        strategy=name,
        seed=seed,
        notes=tuple(notes),
        stopped_early=loop.stopped_early,
        reevaluation=again,
        directory=None if folder is None else folder.path,
    )


def _read_objectives(
    texts: Sequence[str | Objective],
) -> tuple[tuple[Objective, ...], tuple[Demand, ...]]:
    given = [texts] if isinstance(texts, str | Objective) else list(texts)
    demands = [text for text in given if isinstance(text, str) and ("<=" in text or ">=" in text)]
    rest = [text for text in given if not (isinstance(text, str) and text in demands)]
    return unrepeated([read_objective(one) for one in rest]), tuple(map(parse_demand, demands))


def _evaluator_for(space: Space, given: Any) -> tuple[Space, Evaluator]:
    """The evaluator, and the space that it knows."""
    if isinstance(given, str) and Path(given).suffix not in (".csv", ".parquet"):
        maker = load_plugin(EVALUATOR_PLUGINS, given)
        if maker is None:
            installed = ", ".join(plugin_names(EVALUATOR_PLUGINS)) or "none"
            raise UserError(
                f"There is no evaluator {given!r}. Give an object with `evaluate(trials)`, a "
                "function, a data frame, a .csv or .parquet file, or the name of an installed one "
                f"({installed})."
            )
        given = maker()
    if isinstance(given, pd.DataFrame | str | Path | Mapping):
        given = TableEvaluator(given, space)
    if isinstance(given, TableEvaluator):
        if not isinstance(space, TableSpace):
            space = TableSpace(space, list(given.architectures.values()))
        return space, given
    if callable(getattr(given, "evaluate", None)):
        evaluator: Evaluator = given
        return space, evaluator
    if callable(given):
        return space, FunctionEvaluator(given)
    raise UserError(
        "The evaluator must be an object with `evaluate(trials)`, a function or a table, but got "
        f"{type(given).__name__}."
    )


def _metrics(
    objectives: Sequence[Objective], demands: Sequence[Demand], evaluator: Evaluator
) -> tuple[str, ...]:
    """What every evaluation must give; a table says at once whether it does."""
    names = [o.name for o in objectives] + [demand.metric for demand in demands]
    metrics = tuple(dict.fromkeys(names))
    if isinstance(evaluator, TableEvaluator):
        missing = [name for name in metrics if name not in evaluator.metrics]
        if missing:
            raise UserError(
                f"The table has no {', '.join(map(repr, missing))}. It has: "
                f"{', '.join(evaluator.metrics)}."
            )
    return metrics


def _make_strategy(strategy: StrategyChoice, problem: Problem, seed: int) -> tuple[str, Strategy]:
    if isinstance(strategy, str):
        return strategy, find_strategy(strategy)(problem, seed)
    if not callable(strategy):
        raise UserError(
            "The strategy must be a name or a maker `(problem, seed) -> strategy`, but got "
            f"{type(strategy).__name__}. To use a strategy that you made yourself, give "
            "`lambda problem, seed: strategy`."
        )
    made = strategy(problem, seed)
    missing = [n for n in ("batch_size", "ask", "replay", "tell") if not hasattr(made, n)]
    if missing:
        raise UserError(
            f"A strategy must have batch_size, ask, replay and tell, but {type(made).__name__} "
            f"lacks {', '.join(missing)}."
        )
    return getattr(strategy, "__name__", type(made).__name__), made


def _limit(strategy: str, budget: Budget) -> tuple[Budget, list[str]]:
    largest = LARGEST_BUDGETS.get(strategy)
    if largest is None or (budget.evaluations or 0) <= largest:
        capped = budget.evaluations if largest is None else (budget.evaluations or largest)
        return Budget(capped, budget.seconds), []
    note = (
        f"{strategy} does {largest} evaluations instead of {budget.evaluations:g}: its time grows "
        "faster than their number."
    )
    return Budget(largest, budget.seconds), [note]


def _known_candidates(known: Known, space: Space, metrics: Sequence[str]) -> list[Candidate]:
    found = []
    for number, one in enumerate(known, start=1):
        if not isinstance(one, Candidate):
            try:
                arch, values = one
                scores = {str(name): float(value) for name, value in values.items()}
                one = Candidate(str(arch.key), -1, dict(space.codes(arch)), arch.to_dict(), scores)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"Known network {number} must be an evaluation or a pair of a network of the "
                    f"space and its metrics, but got {one!r:.100} ({describe(error)})."
                ) from error
        nonsense = [name for name, value in one.scores.items() if not math.isfinite(value)]
        if nonsense:
            raise UserError(
                f"Every metric of a known network must be finite, but {one.key} has "
                f"{nonsense[0]}={one.scores[nonsense[0]]}. Leave the network out."
            )
        missing = [name for name in metrics if name not in one.scores]
        if missing and one.failure is None:
            raise UserError(
                f"Every known network must have all objectives and demanded metrics, but {one.key} "
                f"has no {', '.join(missing)}."
            )
        found.append(one)
    return found


def _network(decoder: Decoder, codes: Mapping[str, int | str]) -> Any:
    found = decoder.realise(codes)
    assert found is not None
    return found.arch


def _check_feasible(decoder: Decoder, loop: SearchLoop, seed: int) -> None:
    """Make sure that some genotype is a network within the limits."""
    if loop.evaluations:
        return
    rng = batch_generator(seed, "feasibility")
    for _ in range(FEASIBILITY_DRAWS):
        if decoder.realise(random_codes(decoder.genes, rng)) is not None:
            return
    raise UserError(
        f"None of {FEASIBILITY_DRAWS} random genotypes gives a network that `fits`. Relax the "
        "limits, or let `decode` make networks smaller until they fit."
    )


def _nothing_found(evaluations: Sequence[Candidate], demands: Sequence[Demand]) -> str:
    failures = [one.failure for one in evaluations if one.failure is not None]
    sound = [one for one in evaluations if one.failure is None and one.fidelity == 1.0]
    if not sound:
        reason = f"; the last one failed with: {failures[-1]}" if failures else ""
        return (
            f"None of {len(evaluations)} evaluations gave a full result{reason}. Mend the "
            "evaluator, or give a larger budget."
        )
    tightest = max(demands, key=lambda demand: min(demand.violation(one.scores) for one in sound))
    values = [one.scores[tightest.metric] for one in sound]
    nearest = min(values) if tightest.at_most else max(values)
    return (
        f"None of {len(sound)} evaluated networks meets the demands. The tightest is {tightest}: "
        f"the nearest value is {nearest:.6g}. Relax it or search longer."
    )
