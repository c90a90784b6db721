"""`analognas bench networks` and `bench analognets`: trained networks against each other."""

from pathlib import Path
from typing import Annotated

import typer

from analognas.cli.bench.findings import show_findings
from analognas.cli.options import Device, Split, Task, Words, Workers


def networks(
    out: Annotated[Path, typer.Option(help="Page to write (.md); a .csv is put beside it.")],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    task: Task = "kws",
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
    words: Words = None,
    split: Split = None,
    budget: Annotated[str, typer.Option(help="Candidates of each search, or minutes: 10m.")] = (
        "2000"
    ),
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of every network.")] = 3,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips per training.")] = 25,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of training (default: full schedule).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the searches.")] = 0,
    surrogate: Annotated[
        str | None, typer.Option(help="Surrogate: a shipped one's name or a JSON file.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Parallel trainings (default: one per core).")
    ] = None,
    device: Device = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the search with random search, named networks and the widest network.

    All use the same limits, labels, number of candidates and training. The
    page keeps the cases in which the search loses.
    """
    import sys

    from analognas.benchmarks.running import BenchmarkConfig, command_of, run_benchmark
    from analognas.benchmarks.tables import records
    from analognas.cli.output import progress, say, show_table
    from analognas.searching.config import make_config
    from analognas.training import FULL_RECIPE

    search = make_config(
        {
            "task": task,
            "data": str(data) if data else None,
            "words": tuple(words.split(",")) if words else None,
            "split": split,
            "budget": budget,
            "seed": seed,
            "surrogate": surrogate,
            "device": device,
        }
    )
    config = BenchmarkConfig(
        search=search,
        folder=folder,
        seeds=tuple(range(seeds)),
        chips=chips,
        epochs=epochs or FULL_RECIPE.epochs,
        workers=workers,
        command=command_of(sys.argv[1:]),
    )
    with progress("benchmark") as bar:
        result = run_benchmark(config, out, bar.update)
    rows = records(result)
    columns = [name for name in rows[0] if not name.startswith("sd ")]
    if json:
        columns = list(rows[0])
    show_table(result.title, columns, [[row[c] for c in columns] for row in rows], as_json=json)
    say(f"Written: {out} and {out.with_suffix('.csv')}.")


def analognets(
    out: Annotated[Path, typer.Option(help="Page to write (.md); a .json is put beside it.")],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of keyword recordings (default: spoken digits).")
    ] = None,
    words: Words = None,
    split: Split = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each of the two stages.")] = 30,
    chips: Annotated[int, typer.Option(min=2, help="Simulated chips per training.")] = 10,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of every row.")] = 2,
    workers: Workers = 2,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train as AnalogNets do, part by part: noise, one ADC gain, no depthwise layers.

    On simulated chips of AON-CiM at 8, 6 and 4 bits. The page keeps the cases in which the ADC
    constraint in training loses.
    """
    import sys

    from analognas.benchmarks.analognets import AnalogNetsConfig, run_analognets, write_page
    from analognas.benchmarks.analognets_jobs import Effort
    from analognas.benchmarks.analognets_page import to_json, verdict
    from analognas.benchmarks.analognets_tables import tables
    from analognas.benchmarks.running import command_of
    from analognas.cli.output import progress, say
    from analognas.labelling.job import TaskChoice

    config = AnalogNetsConfig(
        task=TaskChoice(
            "kws", split, str(data) if data else None, tuple(words.split(",")) if words else None
        ),
        folder=folder,
        effort=Effort(epochs=epochs, chips=chips, seeds=tuple(range(seeds))),
        workers=workers,
        command=command_of(sys.argv[1:]),
    )
    with progress("AnalogNets training") as bar:
        report = run_analognets(config, bar.update)
    show_findings(tables(report), to_json(report), [verdict(report)], as_json=json)
    written = write_page(report, out)
    say(f"Written: {out} and {written}.")
