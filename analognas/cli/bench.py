"""`analognas bench`: compare networks, programming, labels; time and check the simulator."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from analognas.benchmarks.simulator_tables import Table

DEFAULT = "networks"


class WithDefault(TyperGroup):
    """A group that takes options without a command's name for those of `networks`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: as in `Door`
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


bench_app = typer.Typer(cls=WithDefault)


@bench_app.callback()
def bench() -> None:
    """Make the tables in results/ again.

    Without a command's name, `bench` does what `bench networks` does.
    """


@bench_app.command(DEFAULT)
def networks(
    out: Annotated[Path, typer.Option(help="Page to write (.md); a .csv is put beside it.")],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    task: Annotated[str, typer.Option(help="kws, digits, imu, cifar10 or vww.")] = "kws",
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
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


@bench_app.command()
def simulator(
    only: Annotated[str | None, typer.Option(help="Some of the models: resnet32,ds-cnn")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="2 chips, few repetitions, ratios only: some minutes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch (default: its own choice).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, inputs and chips.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time the simulator against the same networks in plain FP32 PyTorch.

    Hardware-aware training steps, evaluations of many chips, peak memory, and how the cost grows.
    Leave the machine alone meanwhile.
    """
    from analognas.benchmarks.simulator_models import MODELS
    from analognas.benchmarks.simulator_speed import (
        SpeedConfig,
        run_simulator_speed,
        write_page,
    )
    from analognas.benchmarks.simulator_tables import tables, to_json
    from analognas.benchmarks.simulator_timing import FULL, QUICK
    from analognas.cli.output import progress, say

    config = SpeedConfig(
        models=tuple(only.split(",")) if only is not None else tuple(MODELS),
        effort=QUICK if quick else FULL,
        device=device,
        threads=threads,
        seed=seed,
        out=out,
    )
    with progress("speed of the simulator") as bar:
        report = run_simulator_speed(config, bar.update)
    facts = [f"{name}: {value}" for name, value in report.facts.items()]
    show_findings(tables(report), to_json(report), facts, as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")


@bench_app.command()
def fidelity(
    quick: Annotated[
        bool, typer.Option("--quick", help="Few draws and small samples, to look around.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that the simulator does what the papers say.

    Every effect against its closed form, and the error of whole tiles against a second
    implementation in NumPy. Exit code 1 if anything deviates more than it may.
    """
    from analognas.benchmarks.fidelity.report import tables, to_json, verdict
    from analognas.benchmarks.simulator_fidelity import (
        FULL,
        QUICK,
        FidelityConfig,
        run_fidelity,
        write_page,
    )
    from analognas.cli.output import progress, say
    from analognas.errors import RunFailed

    config = FidelityConfig(effort=QUICK if quick else FULL, seed=seed, out=out)
    with progress("fidelity of the simulator") as bar:
        report = run_fidelity(config, bar.update)
    show_findings(tables(report), to_json(report), [verdict(report)], as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")
    if report.failures:
        raise RunFailed(f"The simulator deviates: {'; '.join(report.failures)}.")


@bench_app.command()
def programming(
    quick: Annotated[
        bool, typer.Option("--quick", help="Two cores of few kinds and two chips: two minutes.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="First seed of the cores.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare write-and-verify with gradient-descent programming.

    Error of products on held-out inputs, pulses, energy and time, accuracy of a
    trained network. The page keeps the cases in which gradient descent loses.
    """
    from analognas.benchmarks.programming import (
        FULL,
        QUICK,
        ProgrammingConfig,
        run_programming,
        write_page,
    )
    from analognas.benchmarks.programming_page import to_json, verdict
    from analognas.benchmarks.programming_tables import tables
    from analognas.cli.output import progress, say

    config = ProgrammingConfig(effort=QUICK if quick else FULL, seed=seed, out=out)
    with progress("programming") as bar:
        report = run_programming(config, bar.update)
    show_findings(tables(report), to_json(report), [verdict(report)], as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")


@bench_app.command()
def chip(
    out: Annotated[
        Path | None, typer.Option(help="Page to write (.md); a .json is put beside it.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the cost model of chips with published figures.

    Fits the energies of one chip to one published network and predicts the other. Exit code 1 if
    a figure does not follow from the chip files.
    """
    from analognas.benchmarks.chip_cost import run_chip_cost, write_page
    from analognas.benchmarks.chip_cost_tables import tables, to_json, verdict
    from analognas.cli.output import say
    from analognas.errors import RunFailed

    report = run_chip_cost(out)
    show_findings(tables(report), to_json(report), [verdict(report)], as_json=json)
    if out is not None:
        data = write_page(report, out)
        say(f"Written: {out} and {data}.")
    if report.failures:
        raise RunFailed(f"Figures do not follow: {'; '.join(report.failures)}.")


@bench_app.command()
def analognets(
    out: Annotated[Path, typer.Option(help="Page to write (.md); a .json is put beside it.")],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of keyword recordings (default: spoken digits).")
    ] = None,
    words: Annotated[str | None, typer.Option(help="Keywords in --data: yes,no,zoom in")] = None,
    split: Annotated[str | None, typer.Option(help="How the data are cut; see `tasks`.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each of the two stages.")] = 30,
    chips: Annotated[int, typer.Option(min=2, help="Simulated chips per training.")] = 10,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of every row.")] = 2,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes of one thread.")] = 2,
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


@bench_app.command()
def labels(
    out: Annotated[Path, typer.Option(help="Page to write (.md); a .json is put beside it.")],
    folder: Annotated[
        Path, typer.Option(help="Folder for what is finished; the same command continues.")
    ],
    labels: Annotated[Path, typer.Option(help="Folder of a label run with kept weights.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the labels' recordings.")] = None,
    targets: Annotated[int, typer.Option(min=10, help="Networks that are labelled again.")] = 60,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips per training.")] = 8,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes of one thread.")] = 1,
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


@bench_app.command()
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
    task: Annotated[str, typer.Option(help="kws, digits, imu, cifar10 or vww.")] = "kws",
    data: Annotated[
        Path | None,
        typer.Option(help="The data, folder or archive; see `analognas tasks NAME`."),
    ] = None,
    words: Annotated[str | None, typer.Option(help="Keywords in --data: yes,no,zoom in")] = None,
    split: Annotated[str | None, typer.Option(help="How the data are cut; see `tasks`.")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Recorded seconds of every search that trains.")
    ] = 600.0,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of a search that trains.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of a full training.")] = 15,
    chips: Annotated[int, typer.Option(min=1, help="Simulated chips in a search.")] = 8,
    finalists: Annotated[int, typer.Option(min=1, help="Networks trained again at the end.")] = 5,
    fresh_seeds: Annotated[int, typer.Option(min=1, help="Trainings of each of those.")] = 2,
    fresh_chips: Annotated[int, typer.Option(min=1, help="Simulated chips of those.")] = 25,
    workers: Annotated[int, typer.Option(min=1, help="Parallel processes of one thread.")] = 2,
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


def show_findings(
    tables: "Sequence[Table]", content: dict[str, Any], summary: list[str], *, as_json: bool
) -> None:
    """Print what a benchmark has found: as JSON, or as tables and the lines of its summary."""
    from analognas.cli.output import say, show_json, show_table

    if as_json:
        show_json(content)
        return
    for table in tables:
        show_table(table.title, table.columns, table.rows, note=table.note)
    for line in summary:
        say(line)
