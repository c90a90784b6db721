"""`analognas surrogate`: fit surrogates on label sets, judge them, adapt them to something new."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from analognas.cli.options import AsJson

if TYPE_CHECKING:
    from analognas.simulator import Hardware
    from analognas.surrogates import SurrogateEvaluation

surrogate_app = typer.Typer(no_args_is_help=True)

FEW_NETWORKS = 20
LABELS_HELP = "Folder of a label set, or the name of one that comes with the package."
HARDWARE_HELP = (
    "Hardware the labels were made on, a TOML file. Only needed if it is no preset of ours."
)


@surrogate_app.callback()
def surrogate() -> None:
    """Fit, judge and adapt the models that predict accuracy without training.

    A surrogate learns from a label set: networks that were trained and measured on simulated chips
    (`analognas label`). It then predicts, for a network, a hardware and a time that it never saw,
    the mean accuracy, the 5 % quantile over chips and an interval. If the labels hold variants of
    the hardware, it may be asked about any hardware within their range.

    fit makes one, evaluate says how far it can be trusted, and adapt corrects one with 10 to 20
    labels from another device or other data. Use it with `analognas search --surrogate FILE`.
    """


@surrogate_app.command()
def fit(
    labels: Annotated[str, typer.Option(help=LABELS_HELP)],
    out: Annotated[Path, typer.Option(help="File to write (JSON).")],
    hardware: Annotated[Path | None, typer.Option(help=HARDWARE_HELP)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Fit the surrogate on a label set and write it as JSON."""
    _check_new(out, force=force)
    from analognas.cli.output import say
    from analognas.files import write_text
    from analognas.surrogate_fitting import fit_surrogate, read_labels

    table = read_labels(labels)
    model = fit_surrogate(table, _read_hardware(hardware))
    write_text(out, model.to_json())
    say(f"Fitted on: {table.description().summary()}.")
    if table.variants is None:
        say(
            "These labels are of one hardware: for any other one its predictions are a guess. "
            "`analognas label --variants` measures on variants of the hardware."
        )
    networks = table.description().architectures
    if networks < FEW_NETWORKS:
        say(
            f"{networks} networks are few: what they predict of others is little more than a "
            "guess. 40 are a beginning, 120 are good (see the learning curve in "
            "results/surrogate.md)."
        )
    say(
        f"Written: {out}, {len(model.columns)} features. "
        f"How good it is: analognas surrogate evaluate --labels {labels}"
    )


@surrogate_app.command()
def adapt(
    model: Annotated[
        str, typer.Option(help="Surrogate to start from: a shipped one's name or a JSON file.")
    ],
    labels: Annotated[str, typer.Option(help=LABELS_HELP + " 10 to 20 networks are enough.")],
    out: Annotated[Path, typer.Option(help="File to write (JSON).")],
    hardware: Annotated[Path | None, typer.Option(help=HARDWARE_HELP)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Correct a fitted surrogate with a few labels from another device or other data.

    Make the labels with `analognas label --networks 20`, or with `--reevaluate FOLDER --hardware
    NAME` if networks that were trained before are to be measured on another device.
    """
    _check_new(out, force=force)
    from analognas.cli.output import say
    from analognas.files import write_text
    from analognas.searching.surrogate_choice import read_named_surrogate
    from analognas.surrogate_adapting import adapt_surrogate
    from analognas.surrogate_fitting import read_labels

    base, table = read_named_surrogate(model), read_labels(labels)
    adapted = adapt_surrogate(base, table, _read_hardware(hardware))
    write_text(out, adapted.to_json())
    errors = adapted.errors
    assert errors is not None  # it was just fitted
    say(f"Adapted to: {table.description().summary()}.")
    say(
        f"RMSE on these networks: {100 * errors.before:.1f} points without the correction, "
        f"{100 * errors.after:.1f} points where each is corrected by the others."
    )
    if errors.after >= errors.before:
        say("The labels do not show that the correction helps: label more networks.")
    say(f"Written: {out}. Search with it: analognas search --surrogate {out}")


@surrogate_app.command()
def evaluate(
    labels: Annotated[
        str | None, typer.Option(help=LABELS_HELP + " Default: all that come with it.")
    ] = None,
    hardware: Annotated[Path | None, typer.Option(help=HARDWARE_HELP)] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Cuts of the networks into five folds.")] = 1,
    all_times: Annotated[
        bool, typer.Option("--all-times", help="Show every time, not one day only.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Page to write (.md), with .json and .png beside it. Learns from fewer networks "
            "and without groups of features, too: some minutes."
        ),
    ] = None,
    adapt_to: Annotated[
        list[str] | None,
        typer.Option(help="For the page: label set to adapt to; repeat the option."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where finished fits are kept; with the same one it goes on later."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the surrogate on networks and hardware it has not seen.

    Beside it stand baselines and the noise ceiling: what an oracle would reach against labels that
    are noisy themselves.
    """
    import sys

    from analognas.cli.output import progress, say, show_json
    from analognas.errors import UserError
    from analognas.surrogate_fitting import judge_surrogates, read_labels
    from analognas.surrogates import LABEL_SETS

    names = LABEL_SETS if labels is None else (labels,)
    if not names:
        raise UserError("No label set comes with this package. Name a folder with --labels.")
    if len(names) > 1 and (report is not None or folder is not None):
        raise UserError("--report and --folder are about one label set. Name it with --labels.")
    if adapt_to and report is None:
        raise UserError("--adapt-to is measured for a page. Name one with --report.")
    results = []
    for name in names:
        table = read_labels(name)
        with progress(f"Judging on {name}") as bar:
            result = judge_surrogates(
                table,
                _read_hardware(hardware),
                seeds=seeds,
                thorough=report is not None,
                folder=folder,
                progress=bar.update,
            )
        results.append((name, result))
    if report is not None:
        from analognas.benchmarks.running import command_of
        from analognas.benchmarks.surrogate_page import write_page
        from analognas.benchmarks.surrogate_report import make_report

        full = make_report(
            names[0],
            results[0][1],
            adapt_to or (),
            hardware=_read_hardware(hardware),
            command=command_of(sys.argv[1:]),
        )
        write_page(full, report)
        say(f"Written: {report}, with its numbers (.json) and pictures (.png) beside it.")
    if as_json:
        show_json([row for name, result in results for row in _records(name, result)])
        return
    for name, result in results:
        _show(name, result, all_times=all_times)


def _check_new(out: Path, *, force: bool) -> None:
    if out.exists() and not force:
        from analognas.errors import UserError

        raise UserError(f"{out} exists already. Choose another --out, or replace it with --force.")


def _read_hardware(path: Path | None) -> "Hardware | None":
    if path is None:
        return None
    from analognas.hardware_choice import load_hardware

    return load_hardware(str(path))


def _records(name: str, result: "SurrogateEvaluation") -> list[dict[str, object]]:
    """Every score as an object that says what it was measured on; accuracies are fractions."""
    about = result.description
    origin = {
        "labels": name,
        "task": about.task,
        "data": about.data_name,
        "data_split": about.split,
        "part": about.part,
        "hardware_of_labels": about.hardware,
        "hardware_hash": about.hardware_hash,
        "simulator_version": about.simulator_version,
        "architectures": about.architectures,
        "variants": about.variants,
    }
    return [
        {**origin, **dict(zip(result.scores.columns, row, strict=True))}
        for row in result.scores.itertuples(index=False, name=None)
    ]


def _show(name: str, result: "SurrogateEvaluation", *, all_times: bool) -> None:
    from analognas.benchmarks.surrogate_tables import NOTE, score_tables
    from analognas.cli.output import show_table

    about = result.description.summary()
    tables = score_tables(result, all_times=all_times)
    for place, (title, columns, rows) in enumerate(tables):
        note = NOTE if place == len(tables) - 1 else ""
        show_table(f"{title}. Labels {name}: {about}", columns, rows, note=note)
