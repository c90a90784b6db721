"""`analognas search`: find networks, train the best, leave everything in a run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from analognas.cli.options import AsJson, Settings, Task, Words

if TYPE_CHECKING:
    from analognas.deployment.bundle import Bundle
    from analognas.searching import SearchConfig, SearchResult


def search(
    task: Task,
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
    words: Words = None,
    split: Annotated[
        str | None, typer.Option(help="How to split: recording, speaker:NAME.")
    ] = None,
    space: Annotated[str, typer.Option(help="Search space: tinyml, conv, resnet.")] = "tinyml",
    chip: Annotated[str, typer.Option(help="Chip: a name or a TOML file.")] = "hermes",
    hardware: Annotated[
        str | None,
        typer.Option(
            help="Hardware to simulate, its tiles as large as the chip's cores: a name or a TOML "
            "file. Default: that of the chip."
        ),
    ] = None,
    settings: Settings = None,
    evaluator: Annotated[
        Literal["surrogate", "training"],
        typer.Option(
            help="How candidates are judged: predicted by a surrogate, or trained hardware-aware "
            "and measured on simulated chips, on the validation part. Training needs no surrogate, "
            "so it works for every task, and takes its time."
        ),
    ] = "surrogate",
    surrogate: Annotated[
        str | None,
        typer.Option(help="Surrogate: a name or a JSON file. Default: the nearest fitted one."),
    ] = None,
    search_hardware: Annotated[
        str,
        typer.Option(
            metavar="all|NAME,...",
            help="Decide about the hardware together with the network. Comma-separated: "
            "digital-layers (none, first, last or both on no crossbar), devices (1 or 2 cells per "
            "polarity), adc-bits (5 to 8), read-mode (of the chip), noise (in the training, "
            "relative to the recipe; only with --evaluator training); all: whatever chip and "
            "evaluator allow.",
        ),
    ] = "",
    objectives: Annotated[
        str,
        typer.Option(
            help="Comma-separated. Predicted, or simulated with --evaluator training: accuracy@T "
            "(mean), accuracy-low@T (5 % quantile over chips) and yield@T (share of chips above "
            "--min-accuracy), T being 1s, 1h, 1day, 1month or 1year; accuracy-worst (lowest of "
            "these times), drop (from 1 s to 1 month), service-life (time until the accuracy is "
            "below --min-accuracy, at most a year). "
            "Modelled or counted: energy, latency, area, cores, parameters."
        ),
    ] = "accuracy@1day,energy",
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="N|Nm",
            help="Different networks to score, or minutes; default 2000. With --evaluator "
            "training: full trainings (shorter ones count in part), or minutes of training and "
            "measuring, added up over all workers; default 30m. Winners come on top.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Of a full training of a candidate, with --evaluator training. [15]"),
    ] = None,
    reevaluate: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="With --evaluator training: train every network of the front K times more, under "
            "fresh seeds and on fresh chips, and say by how much the search was too optimistic. "
            "On top of the budget; 0: not at all. [1]",
        ),
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(
            help="Who proposes: nsga2 (default), surrogate-assisted (default with --evaluator "
            "training: learns from its own trainings, at most 300), multi-fidelity (with "
            "--evaluator training: short trainings first, the better half goes on), "
            "regularised-evolution, local-search, random, analognas (the published evolution, "
            "first objective only), optuna-nsga2, tpe (at most 300 networks), gp (at most 100), or "
            "an installed strategy."
        ),
    ] = None,
    max_cores: Annotated[int | None, typer.Option(help="Cores at most.")] = None,
    max_params: Annotated[int | None, typer.Option(help="Parameters at most.")] = None,
    max_energy_nj: Annotated[float | None, typer.Option(help="nJ per inference at most.")] = None,
    min_accuracy: Annotated[
        float | None,
        typer.Option(
            help="Accuracy after a day at least, predicted or simulated, 0 to 1. It is also the "
            "accuracy that is enough for service-life and yield@T, of candidates and of winners."
        ),
    ] = None,
    label_budget: Annotated[
        str | None,
        typer.Option(
            metavar="Nm",
            help="Before the search, train and measure the networks that it is about for so long, "
            "and fit the surrogate anew: 30m. Ends earlier when there is little to gain.",
        ),
    ] = None,
    winners: Annotated[int, typer.Option(help="Networks to train and measure; 0: none.")] = 3,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Train and measure the well-known networks too.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of every random draw.")] = 0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where networks are trained.")
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(help="Processes that train. Default: one per core.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. Default: runs/TASK-DATE-seedSEED.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Follow the search live in an Optuna storage, such as sqlite:///live.db. Costs "
            "about 70 ms a network on SQLite, 2 to 3 minutes for 2,000. Without it the front alone "
            "is written, to study.db at the end.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Search networks that stay accurate on an analog chip, then train and measure the best.

    An interrupted search loses nothing: `analognas resume RUN` goes on with it.
    """
    from analognas.cli.output import progress
    from analognas.hardware_choice import parse_settings
    from analognas.searching import default_directory, make_config, search_task

    config = make_config(
        {
            "task": task,
            "data": None if data is None else str(data),
            "words": None if words is None else _list(words),
            "split": split,
            "space": space,
            "chip": chip,
            "hardware": hardware,
            "evaluator": evaluator,
            "epochs": epochs,
            "reevaluate": reevaluate,
            "surrogate": surrogate,
            "overrides": parse_settings(settings or []),
            "search_hardware": _list(search_hardware),
            "objectives": _list(objectives),
            "budget": budget,
            "sampler": sampler,
            "max_cores": max_cores,
            "max_parameters": max_params,
            "max_energy_nJ": max_energy_nj,
            "min_accuracy": min_accuracy,
            "label_budget": label_budget,
            "winners": winners,
            "baselines": baselines,
            "seed": seed,
            "device": device,
            "workers": workers,
            "storage": storage,
        }
    )
    if dry_run:
        show_plan(config, as_json=as_json)
        return
    directory = out or default_directory(config)
    with progress("search") as bar:
        result = search_task(config, directory, bar.update)
    show_result(result, as_json=as_json)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def show_plan(config: SearchConfig, *, as_json: bool) -> None:
    """Print what a search would do."""
    from analognas.cli.output import show_json, show_table
    from analognas.searching.planning import plan_search

    plan = plan_search(config)
    if as_json:
        show_json(plan)
        return
    rows = [[key, value if isinstance(value, str) else str(value)] for key, value in plan.items()]
    show_table("Dry run: nothing is written", ("setting", "value"), rows)


def show_result(result: SearchResult, *, as_json: bool) -> None:
    """Print the front of a search, and what its trained winners reached."""
    from analognas.cli.output import say, show_json, show_table
    from analognas.reporting.tables import optimism_sentences
    from analognas.searching.front import HOW_PICKED
    from analognas.searching.hardware_names import in_words, shown

    catalogue = result.config.catalogue
    optimised = result.config.objectives
    names = [*optimised, *(n for n in ("accuracy@1day", "energy", "cores") if n not in optimised)]
    trained = trained_records(result)
    rows: list[list[Any]] = [
        [
            member.key,
            ", ".join(member.picks) or None,
            *([member.seeds] if result.config.trains else []),
            *(member.scores[name] for name in names),
        ]
        for member in result.front
    ]
    seeds = ["training seeds"] if result.config.trains else []
    columns = ["key", "picked for", *seeds, *(catalogue[name].heading for name in names)]
    designs = [shown(member.codes) for member in result.front]  # empty unless hardware is searched
    if as_json:
        show_json(
            {
                "run": str(result.directory),
                "networks": result.networks,
                "seconds": round(result.seconds, 3),
                "basis": result.basis,
                "costs": result.scope,
                "warnings": result.warnings,
                "front": [
                    dict(zip(columns, row, strict=True))
                    | ({"network": member.network, **design} if design else {})
                    for row, member, design in zip(rows, result.front, designs, strict=True)
                ],
                "winners": trained,
                "optimism": optimism_record(result),
            }
        )
        return
    if any(designs):
        columns.append("hardware")
        rows = [[*row, in_words(m.codes)] for row, m in zip(rows, result.front, strict=True)]
    formats = {
        catalogue[name].heading: ".4f" if catalogue[name].unit == "fraction" else ",.0f"
        for name in names
    }
    show_table(
        f"Front of the {result.networks} networks that were "
        f"{'trained and measured' if result.config.trains else 'scored'}, in "
        f"{result.seconds:.0f} s{' of one core' if result.config.trains else ''}",
        columns,
        rows,
        note=f"{HOW_PICKED} {result.basis} {result.scope}",
        formats=formats,
    )
    if result.reevaluation is not None:
        say(result.reevaluation.summary())
    if trained:
        show_trained(trained, result.scope)
        for sentence in optimism_sentences(_bundles(result)):
            say(sentence)
    for warning in result.warnings:
        say(f"note: {warning}")
    say(f"Everything is in {result.directory}.")


def trained_records(result: SearchResult) -> Sequence[Mapping[str, object]]:
    """Size, modelled cost and simulated accuracy of every trained network."""
    from analognas.reporting.tables import network_records

    return network_records(_bundles(result), result.config.min_accuracy)


def optimism_record(result: SearchResult) -> Mapping[str, object]:
    """By how much the search, or the surrogate, expected too much."""
    from analognas.reporting.tables import optimism_of_winners

    again = result.reevaluation
    fresh = None if again is None else {one.key: dict(one.scores) for one in again.front}
    return {
        "front": None if again is None else {**asdict(again), "front": fresh},
        "winners": optimism_of_winners(_bundles(result)),
    }


def _bundles(result: SearchResult) -> list[Bundle]:
    if not result.bundles:
        return []
    from analognas.deployment.bundle import read_bundle

    return [read_bundle(folder) for folder in result.bundles]


def show_trained(records: Sequence[Mapping[str, object]], scope: str) -> None:
    """Print what the trained networks reached on the simulated chips."""
    from analognas.cli.output import show_table
    from analognas.reporting.tables import terminal_formats

    formats = terminal_formats(records)
    show_table(
        "Trained, put on simulated chips and aged: accuracy on the test part",
        tuple(formats),
        [[record[column] for column in formats] for record in records],
        note=scope,
        formats=formats,
    )
