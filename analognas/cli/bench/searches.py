"""`analognas bench labels` and `bench search`: how labels are got, and how they are used."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.bench.findings import show_findings
from analognas.cli.options import Split, Task, Words, Workers


def labels(
    out: Annotated[Path, typer.Option(help="Page to write (.md); a .json is put beside it.")],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    labels: Annotated[Path, typer.Option(help="Folder of a label run with kept weights.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the labels' recordings.")] = None,
    targets: Annotated[int, typer.Option(min=10, help="Networks that are labelled again.")] = 60,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips per training.")] = 8,
    workers: Workers = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the intervals.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look for cheaper labels: short trainings, and weights inherited from other networks.

    Labels networks of an existing set again at a fifth of the epochs, and compares the orders.
    """
    import sys

    from analognas.benchmarks.cheaper_labels import (
        CheaperLabelsConfig,
        run_cheaper_labels,
        write_page,
    )
    from analognas.benchmarks.cheaper_labels_page import tables, to_json
    from analognas.benchmarks.running import command_of
    from analognas.cli.output import progress, say

    config = CheaperLabelsConfig(
        labels=labels,
        data=data,
        folder=folder,
        targets=targets,
        chips=chips,
        workers=workers,
        seed=seed,
        command=command_of(sys.argv[1:]),
    )
    with progress("cheaper labels") as bar:
        report = run_cheaper_labels(config, bar.update)
    show_findings(tables(report), to_json(report), [report.verdict], as_json=json)
    written = write_page(report, out)
    say(f"Written: {out} and {written}.")


def search(
    out: Annotated[
        Path, typer.Option(help="Page to write (.md); CSV files and a picture are put beside it.")
    ],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    only: Annotated[
        str | None,
        typer.Option(help="table, training, or page to compute nothing (default: all)."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Label sets, names or folders: a,b (default: those of keywords)."),
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Some of the methods: random,tpe")] = None,
    table_seeds: Annotated[int, typer.Option(min=1, help="Seeds of a search in a table.")] = 30,
    evaluations: Annotated[
        int, typer.Option(min=2, help="Budget in a table, at most half of it.")
    ] = 60,
    task: Task = "kws",
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
    words: Words = None,
    split: Split = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Recorded seconds of every search that trains.")
    ] = 600.0,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of a search that trains.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a full training.")] = 15,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips in a search.")] = 8,
    finalists: Annotated[int, typer.Option(min=1, help="Networks trained again at the end.")] = 5,
    fresh_seeds: Annotated[int, typer.Option(min=1, help="Trainings of each of those.")] = 2,
    fresh_chips: Annotated[int, typer.Option(min=1, help="Simulated chips of those.")] = 25,
    workers: Workers = 2,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare all search strategies, on tables of labels and end to end with trainings.

    The page keeps the cases in which our strategy loses. Interrupted, it loses nothing.
    """
    import sys

    from analognas.benchmarks.running import command_of
    from analognas.benchmarks.search_page import tables, to_json
    from analognas.benchmarks.search_running import (
        TABLE_SETS,
        SearchBenchConfig,
        read_part,
        run_search_bench,
        write_page,
    )
    from analognas.benchmarks.search_training_jobs import Effort
    from analognas.cli.output import progress, say
    from analognas.labelling.job import TaskChoice

    config = SearchBenchConfig(
        folder=folder,
        task=TaskChoice(
            task, split, str(data) if data else None, tuple(words.split(",")) if words else None
        ),
        labels=tuple(labels.split(",")) if labels else TABLE_SETS,
        only=read_part(only),
        methods=tuple(methods.split(",")) if methods else None,
        table_seeds=table_seeds,
        evaluations=evaluations,
        effort=Effort(
            seconds=seconds,
            epochs=epochs,
            chips=chips,
            finalists=finalists,
            fresh_seeds=fresh_seeds,
            fresh_chips=fresh_chips,
        ),
        seeds=seeds,
        workers=workers,
        command=command_of(sys.argv[1:]),
    )
    with progress("search strategies") as bar:
        report = run_search_bench(config, bar.update)
    written = write_page(report, out)
    show_findings(tables(report), to_json(report), report.summary, as_json=json)
    say(f"Written: {out} and {', '.join(map(str, written))}.")
