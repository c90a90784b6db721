"""`analognas surrogate`: fit surrogates on label sets and judge them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from analognas.surrogates import SurrogateEvaluation

surrogate_app = typer.Typer(
    help="Fit and judge the models that predict accuracy.", no_args_is_help=True
)

LABELS_HELP = "Folder of a label set, or the name of one that comes with the package."
CHIP_HELP = "Chip on which the networks are placed: its name or file."


@surrogate_app.callback()
def surrogate() -> None:
    """Fit and judge the models that predict accuracy."""


@surrogate_app.command()
def fit(
    labels: Annotated[str, typer.Option(help=LABELS_HELP)],
    out: Annotated[Path, typer.Option(help="File to write (JSON).")],
    chip: Annotated[str, typer.Option(help=CHIP_HELP)] = "hermes",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Fit the surrogate on a label set and write it as JSON."""
    if out.exists() and not force:
        from analognas.errors import UserError

        raise UserError(f"{out} exists already. Choose another --out, or replace it with --force.")
    from analognas.cli.output import say
    from analognas.errors import checking
    from analognas.files import write_text
    from analognas.simulator.chip import load_chip
    from analognas.surrogate_fitting import fit_surrogate, read_labels

    with checking("chip"):
        spec = load_chip(chip)
    table = read_labels(labels)
    model = fit_surrogate(table, spec)
    write_text(out, model.to_json())
    say(f"Fitted on: {table.description().summary()}.")
    say(
        f"Written: {out}, {len(model.columns)} features. "
        f"How good it is: analognas surrogate evaluate --labels {labels}"
    )


@surrogate_app.command()
def evaluate(
    labels: Annotated[
        str | None, typer.Option(help=LABELS_HELP + " Default: all that come with it.")
    ] = None,
    chip: Annotated[str, typer.Option(help=CHIP_HELP)] = "hermes",
    all_times: Annotated[
        bool,
        typer.Option("--all-times", help="Show every time, not one day only."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge the surrogate on networks it has not seen, beside baselines and the noise ceiling."""
    from analognas.cli.output import progress, show_json
    from analognas.errors import UserError, checking
    from analognas.simulator.chip import load_chip
    from analognas.surrogate_fitting import judge_surrogates, read_labels
    from analognas.surrogates import LABEL_SETS

    with checking("chip"):
        spec = load_chip(chip)
    names = LABEL_SETS if labels is None else (labels,)
    if not names:
        raise UserError("No label set comes with this package. Name a folder with --labels.")
    results = []
    for name in names:
        table = read_labels(name)
        with progress(f"Judging on {name}") as bar:
            results.append((name, judge_surrogates(table, spec, progress=bar.update)))
    if as_json:
        show_json([row for name, result in results for row in _records(name, result)])
        return
    for name, result in results:
        _show(name, result, all_times=all_times)


def _records(name: str, result: "SurrogateEvaluation") -> list[dict[str, object]]:
    """Every score as an object that says what it was measured on; accuracies are fractions."""
    about = result.description
    origin = {
        "labels": name,
        "task": about.task,
        "data": about.data_name,
        "split": about.split,
        "part": about.part,
        "hardware": about.hardware,
        "hardware_hash": about.hardware_hash,
        "simulator_version": about.simulator_version,
        "architectures": about.architectures,
    }
    return [
        {**origin, **dict(zip(result.scores.columns, row, strict=True))}
        for row in result.scores.itertuples(index=False, name=None)
    ]


def _show(name: str, result: "SurrogateEvaluation", *, all_times: bool) -> None:
    from analognas.cli.output import show_table
    from analognas.surrogates.evaluation import ONE_DAY_S

    scores = result.scores
    times = list(result.description.times_s)
    if not all_times:
        times = [ONE_DAY_S] if ONE_DAY_S in times else times[-1:]
    names = list(dict.fromkeys(scores["surrogate"]))
    rows: list[list[object]] = []
    for t_s in [*times, None]:
        here = scores[scores["t_s"].isna()] if t_s is None else scores[scores["t_s"] == t_s]
        for quantity in dict.fromkeys(here["quantity"]):
            cells = here[here["quantity"] == quantity].set_index("surrogate")
            rows.append(
                [
                    "all together" if t_s is None else _words(t_s),
                    _label(quantity),
                    *(_cell(quantity, cells.loc[other].to_dict()) for other in names),
                    _ceiling(quantity, cells.iloc[0].to_dict()),
                ]
            )
    title = f"Surrogates on the labels {name}: {result.description.summary()}"
    columns = ["accuracy after", "quantity", *names, "noise ceiling"]
    show_table(title, columns, rows, note=_note(result))


def _note(result: "SurrogateEvaluation") -> str:
    note = (
        f"Predicted against simulated accuracy of networks not learned from, {result.folds} splits "
        "by architecture key. +- is the sd over the splits; other scores are pooled over them. "
        "Points are percentage points of accuracy. `none` is the tau of a constant. "
    )
    ceiling = next(iter(result.ceilings.values()), None)
    if ceiling is None:
        return note + "No noise ceiling: no networks were labelled under several seeds."
    return note + (
        "Noise ceiling: what an oracle of the true values reaches against one noisy label, from "
        f"{ceiling.replicated} networks under several seeds; in brackets the central 90 % of a "
        "bootstrap over networks. For coverage it is the nominal level."
    )


def _words(t_s: float) -> str:
    from analognas.records import EVALUATION_TIMES_S

    return {value: name for name, value in EVALUATION_TIMES_S.items()}.get(t_s, f"{t_s:g} s")


def _label(quantity: str) -> str:
    return f"{quantity} (points)" if _in_points(quantity) else quantity


def _in_points(quantity: str) -> bool:
    from analognas.surrogates.evaluation import MEAN_ABSOLUTE_ERROR, REGRET, RMSE, WIDTH

    return quantity in (REGRET, RMSE, MEAN_ABSOLUTE_ERROR, WIDTH)


def _number(quantity: str, value: float) -> str:
    if quantity.startswith("coverage"):
        return f"{value:.0%}"
    return f"{100 * value:.1f}" if _in_points(quantity) else f"{value:.2f}"


def _cell(quantity: str, score: dict[str, float]) -> str:
    if score["value"] != score["value"]:  # NaN
        return "none"
    spread = "" if score["sd"] != score["sd"] else f" +- {score['sd']:.2f}"
    return _number(quantity, score["value"]) + spread


def _ceiling(quantity: str, score: dict[str, float]) -> str | None:
    if score["ceiling"] != score["ceiling"]:
        return None
    if score["ceiling_low"] != score["ceiling_low"]:
        return _number(quantity, score["ceiling"])
    return f"{score['ceiling']:.2f} [{score['ceiling_low']:.2f}, {score['ceiling_high']:.2f}]"
