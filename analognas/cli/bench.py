"""`analognas bench`: compare searched networks with baselines at equal cost."""

from pathlib import Path
from typing import Annotated

import typer


def bench(
    out: Annotated[Path, typer.Option(help="Page to write (.md); a .csv is put beside it.")],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    task: Annotated[str, typer.Option(help="kws or digits.")] = "kws",
    data: Annotated[Path | None, typer.Option(help="Folder of keyword recordings.")] = None,
    words: Annotated[str | None, typer.Option(help="Keywords in --data: yes,no,zoom in")] = None,
    split: Annotated[str | None, typer.Option(help="How the data are cut; see `tasks`.")] = None,
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
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
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
