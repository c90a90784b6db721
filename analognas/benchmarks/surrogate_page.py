"""The page on the surrogate, with its figure, and the same for machines."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from analognas.benchmarks.surrogate_report import SurrogateReport
from analognas.benchmarks.surrogate_tables import (
    NOTE,
    Table,
    ablation_table,
    judged_time,
    learning_rows,
    score_tables,
    time_in_words,
)
from analognas.benchmarks.surrogate_what_if import NOTE as WHAT_IF_NOTE
from analognas.benchmarks.surrogate_what_if import (
    plot_what_if,
    what_if_changes,
    what_if_scores,
    what_if_table,
)
from analognas.benchmarks.tables import markdown_table
from analognas.files import write_text, writing
from analognas.reporting.style import (
    BASELINES,
    INK,
    MARKERS,
    PAPER,
    PICKS,
    name_axes,
    new_axes,
    new_figure,
)
from analognas.surrogates.evaluation import MAIN
from analognas.surrogates.label_table import NOMINAL
from analognas.surrogates.regions import REGIONS
from analognas.surrogates.scoring import REGRET, TAU, coverage_name
from analognas.surrogates.splits import UNSEEN_BOTH, UNSEEN_HARDWARE, UNSEEN_NETWORKS
from analognas.surrogates.xgboost_trees import TreeSettings

FORMAT_VERSION = 1
PNG_DPI = 150
WHAT_IF = "_what_if.png"  # behind the name of the page


def write_page(report: SurrogateReport, out: Path) -> None:
    """Write the page, and beside it the numbers (.json), the learning curve (.png), what-ifs."""
    write_text(out, to_markdown(report, out.with_suffix("").name))
    write_text(out.with_suffix(".json"), json.dumps(to_json(report), indent=1) + "\n")
    figures = {out.with_suffix(".png"): plot_learning(report)}
    changes = what_if_changes(report.evaluation)
    if not changes.empty:
        figures[out.with_name(out.with_suffix("").name + WHAT_IF)] = plot_what_if(changes)
    for path, figure in figures.items():
        with writing(path) as temporary:
            figure.savefig(temporary, dpi=PNG_DPI, facecolor=PAPER)


def to_json(report: SurrogateReport) -> dict[str, Any]:
    """Everything that was found; accuracies are fractions."""
    result = report.evaluation
    changes = what_if_changes(result)
    return {
        "format_version": FORMAT_VERSION,
        "label": "predicted, against simulated",
        "command": report.command,
        "facts": dict(report.facts),
        "scores": _records(result.scores),
        "ablation": _records(result.ablation),
        "learning": _records(result.learning),
        "what_if": None if changes.empty else _plain(what_if_scores(changes)),
        "adaptation": {
            name: [_plain(asdict(score)) for score in scores]
            for name, scores in report.adaptation.items()
        },
        "speed": asdict(report.speed),
    }


def to_markdown(report: SurrogateReport, stem: str) -> str:
    """The page itself."""
    result = report.evaluation
    lines = [
        f"# Surrogate on {report.labels}: predicted against simulated accuracy",
        "",
        f"Made by `{report.command}`. Accuracies are simulated, those of the surrogate predicted.",
        "",
        *_verdicts(report),
        "",
        *(f"- {name}: {value}" for name, value in report.facts.items()),
        f"- for machines: `{stem}.json`",
        "",
        NOTE,
        "",
    ]
    for table in score_tables(result, all_times=True):
        lines += _section(table)
    changes = what_if_changes(result)
    if not changes.empty:
        title, columns, rows = what_if_table(changes)
        picture = f"![Predicted against simulated change of the accuracy]({stem}{WHAT_IF})"
        lines += [f"## {title}", "", WHAT_IF_NOTE, "", *_table((title, columns, rows)), ""]
        lines += [picture, ""]
    lines += ["## Regions", "", "Left out one after another, with all variants in them:", ""]
    lines += [f"- {region.name}: `{region.column}` {_bounds(region)}" for region in REGIONS]
    lines += [
        "",
        "## Learning curve",
        "",
        f"Kendall tau-b {time_in_words(judged_time(result))} after programming on a fifth of the "
        "networks, another one for every seed; +- is the sd over seeds.",
        "",
        f"![Kendall tau-b against the number of labelled networks]({stem}.png)",
        "",
        *_table(_learning_table(report)),
        "",
    ]
    if not result.ablation.empty:
        lines += _section(ablation_table(result))
    if report.adaptation:
        lines += _section(_adaptation_table(report))
    speed = report.speed
    lines += [
        "## Speed",
        "",
        f"- fit with calibration on {speed.rows:,} rows: {speed.fit_seconds:.1f} s",
        f"- on {speed.many_rows:,} rows (the same labels again and again as further networks; "
        f"{TreeSettings().rows:,} of them are learned from): {speed.many_fit_seconds:.1f} s",
        f"- {speed.predictions_per_second:,.0f} predictions a second, features apart",
    ]
    return "\n".join(lines) + "\n"


def plot_learning(report: SurrogateReport) -> Figure:
    """Tau against the number of labelled networks, with the noise ceiling."""
    rows = learning_rows(report.evaluation).dropna(subset="value")
    figure = new_figure(6.4, 3.8)
    axes = new_axes(figure)
    for place, (hardware, part) in enumerate(rows.groupby("hardware", sort=False)):
        colour, words = PICKS[place], _hardware_in_words(str(hardware))
        axes.errorbar(
            part["networks"],
            part["value"],
            yerr=part["sd"].fillna(0.0),
            color=colour,
            marker=MARKERS[place],
            markersize=4,
            linewidth=1.4,
            capsize=2,
            label=words,
        )
        ceiling = part.iloc[-1]
        if not math.isnan(ceiling["ceiling"]):
            axes.axhline(ceiling["ceiling"], color=colour, linewidth=1.0, linestyle="--")
            axes.axhspan(
                ceiling["ceiling_low"], ceiling["ceiling_high"], color=colour, alpha=0.10, lw=0
            )
            axes.annotate(
                f"noise ceiling, {words}",
                (float(rows["networks"].min()), ceiling["ceiling"]),
                textcoords="offset points",
                xytext=(0, 3),
                color=BASELINES[0],
                fontsize=8,
            )
    if len(rows):
        axes.set_xscale("log")
        axes.set_xticks(sorted(set(rows["networks"].tolist())))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="lower right")
    axes.set_ylim(top=1.0)
    day = time_in_words(judged_time(report.evaluation))
    name_axes(axes, "labelled networks", f"Kendall tau-b on networks not seen, {day}")
    return figure


def _verdicts(report: SurrogateReport) -> list[str]:
    """What was aimed at, and whether it was reached."""
    result = report.evaluation
    scores = result.scores[result.scores["surrogate"] == MAIN]
    now = scores[(scores["t_s"] == judged_time(result)) | scores["t_s"].isna()]
    found = []
    unseen = now[now["split"] == UNSEEN_NETWORKS]
    for hardware in dict.fromkeys(unseen.loc[unseen["quantity"] == TAU, "hardware"]):
        cells = unseen[unseen["hardware"] == hardware].set_index("quantity").to_dict("index")
        words = _hardware_in_words(str(hardware))
        tau = cells[TAU]
        share = tau["value"] / tau["ceiling"]
        what = f"tau on networks not seen, {words}: {tau['value']:.2f}"
        found.append(_aim(what, share, f"the noise ceiling {tau['ceiling']:.2f}", 0.9))
        regret = 100 * cells[REGRET]["value"]
        reached = "reached" if regret < 1 else "missed"
        found.append(
            f"- regret of the best of ten, {words}: {regret:.2f} points; "
            f"the aim of less than 1 is {reached}"
        )
    covered = float(unseen.loc[unseen["quantity"] == coverage_name(0.8), "value"].iloc[-1])
    reached = "reached" if 0.75 <= covered <= 0.85 else "missed"
    found.append(
        f"- the 80 % interval of networks not seen, all hardware together, covers {covered:.0%}; "
        f"the aim of 75 to 85 % is {reached}"
    )
    for kind in (UNSEEN_HARDWARE, UNSEEN_BOTH):
        part = now[now["split"] == kind]
        if part.empty:
            continue
        taus = part[part["quantity"] == TAU]
        share = float((taus["value"] / taus["ceiling"]).mean())
        what = f"tau, {kind}: {taus['value'].mean():.2f} on the mean over the regions"
        found.append(_aim(what, share, "their noise ceilings", 0.85))
        covered = float(part.loc[part["quantity"] == coverage_name(0.8), "value"].mean())
        reached = "reached" if covered >= 0.75 else "missed"
        found.append(
            f"- the 80 % interval, {kind}, covers {covered:.0%} on the mean over the regions; "
            f"the aim of 75 % is {reached}, nothing is guaranteed"
        )
    return found


def _aim(what: str, share: float, ceiling: str, wanted: float) -> str:
    if math.isnan(share):
        return f"- {what}; there is no noise ceiling to compare with"
    reached = "reached" if share >= wanted else "missed"
    return f"- {what}, {share:.1%} of {ceiling}; the aim of {wanted:.0%} is {reached}"


def _learning_table(report: SurrogateReport) -> Table:
    rows: list[list[object]] = []
    for row in learning_rows(report.evaluation).to_dict("records"):
        spread = "" if math.isnan(row["sd"]) else f" +- {row['sd']:.2f}"
        ceiling = None if math.isnan(row["ceiling"]) else f"{row['ceiling']:.2f}"
        words = _hardware_in_words(str(row["hardware"]))
        rows.append([words, row["networks"], f"{row['value']:.2f}{spread}", ceiling])
    return "Learning curve", ["hardware", "labelled networks", "tau-b", "noise ceiling"], rows


def _adaptation_table(report: SurrogateReport) -> Table:
    columns = [
        "label set",
        "networks that gave labels",
        "surrogate",
        "tau-b after a day",
        "RMSE (points)",
        "coverage of the 80 % interval",
        "its width (points)",
    ]
    rows: list[list[object]] = [
        [
            name,
            score.networks,
            score.method,
            f"{score.tau:.2f}" + ("" if math.isnan(score.sd) else f" +- {score.sd:.2f}"),
            f"{100 * score.rmse:.1f}",
            None if math.isnan(score.coverage) else f"{score.coverage:.0%}",
            None if math.isnan(score.width) else f"{100 * score.width:.0f}",
        ]
        for name, scores in report.adaptation.items()
        for score in scores
    ]
    return f"Adaptation of the surrogate fitted on {report.labels}", columns, rows


def _section(table: Table) -> list[str]:
    return [f"## {table[0]}", "", *_table(table), ""]


def _table(table: Table) -> list[str]:
    _, columns, rows = table
    shown = [["-" if cell is None else str(cell) for cell in row] for row in rows]
    return [markdown_table(columns, shown)]


def _bounds(region: Any) -> str:
    if math.isinf(region.low):
        return f"at most {region.high:g}"
    return f"at least {region.low:g}"


def _hardware_in_words(hardware: str) -> str:
    return "nominal hardware" if hardware == NOMINAL else "variants of the hardware"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [_plain({str(k): v for k, v in row.items()}) for row in frame.to_dict("records")]


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """NaN, which JSON does not know, as null; other numbers with six digits."""
    return {
        name: (None if math.isnan(value) else float(f"{value:.6g}"))
        if isinstance(value, float)
        else value
        for name, value in record.items()
    }
