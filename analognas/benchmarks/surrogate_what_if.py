"""Predicted against simulated change of the accuracy when the hardware of a network changes.

A change is that from the nominal hardware to a variant, of one network at one time. The network was
not learned from; the variant was, with other networks.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analognas.benchmarks.surrogate_tables import Table, time_in_words
from analognas.reporting.style import INK, MUTED, PICKS, name_axes, new_axes, new_figure
from analognas.surrogates.evaluation import SurrogateEvaluation
from analognas.surrogates.label_table import NOMINAL

NOTE = (
    "From the nominal hardware to a variant, of one network at one time. The network was not "
    "learned from, the variant was, with other networks. Beside it: the mean change of other "
    "networks on the same variant, simulated, which a surrogate must beat to know networks, and no "
    "change at all. The band is to hold at all times together, so that at each it covers more."
)
LEVEL = 0.8
NOTABLE = 0.05  # simulated changes from this on count as such (fraction)
NAMES = ["key", "t_s", "seed"]


def what_if_changes(result: SurrogateEvaluation) -> pd.DataFrame:
    """Changes of networks not seen.

    Returns:
        Columns `key`, `t_s`, `seed`, `variant`, then as fractions `predicted`, `simulated`, and
        `usual`: what the change on this variant was, on the mean of the networks of other folds;
        `covered` says whether the accuracy on the variant lies in its band. Without variants there
        are no rows.
    """
    frame = result.unseen
    if frame.empty or (frame["variant"] == NOMINAL).all():
        return pd.DataFrame()
    nominal = frame[frame["variant"] == NOMINAL].set_index(NAMES)[["mean", "actual"]]
    varied = frame[frame["variant"] != NOMINAL].merge(
        nominal, left_on=NAMES, right_index=True, suffixes=("", "_before")
    )
    changes = varied[[*NAMES, "variant", "fold"]].assign(
        predicted=varied["mean"] - varied["mean_before"],
        simulated=varied["actual"] - varied["actual_before"],
        covered=(varied[f"<{LEVEL}"] <= varied["actual"])
        & (varied["actual"] <= varied[f">{LEVEL}"]),
    )
    groups = changes.groupby(["seed", "variant", "t_s"])["simulated"]
    own = changes.groupby(["seed", "variant", "t_s", "fold"])["simulated"]
    others = groups.transform("size") - own.transform("size")
    usual = (groups.transform("sum") - own.transform("sum")) / others.where(others > 0)
    return changes.assign(usual=usual).drop(columns="fold").reset_index(drop=True)


def what_if_table(changes: pd.DataFrame) -> Table:
    """How well changes are told, time by time, beside what the variant does to other networks."""
    columns = [
        "accuracy after",
        "changes",
        "their sd (points)",
        "correlation",
        "RMSE (points)",
        "RMSE of the mean of other networks (points)",
        "RMSE of no change (points)",
        f"losses over {100 * NOTABLE:.0f} points that are foreseen",
        f"coverage of the {100 * LEVEL:.0f} % band",
    ]
    rows: list[list[object]] = []
    for t_s, part in changes.groupby("t_s"):
        rows.append([time_in_words(float(str(t_s))), *_scores(part)])
    rows.append(["all together", *_scores(changes)])
    title = "What if: the change from nominal to other hardware, networks not seen"
    return title, columns, rows


def what_if_scores(changes: pd.DataFrame) -> dict[str, float]:
    """The same of all times together, for machines; fractions."""
    known = changes.dropna(subset="usual")
    return {
        "changes": float(len(changes)),
        "correlation": _correlation(changes),
        "rmse": _rms(changes["predicted"] - changes["simulated"]),
        "rmse_of_the_mean_of_other_networks": _rms(known["usual"] - known["simulated"]),
        "rmse_of_no_change": _rms(changes["simulated"]),
        "coverage": float(changes["covered"].mean()),
    }


def plot_what_if(changes: pd.DataFrame) -> Figure:
    """Every change as a dot, one colour per time."""
    figure = new_figure(6.0, 5.0)
    axes = new_axes(figure)
    for place, (t_s, part) in enumerate(changes.groupby("t_s")):
        axes.scatter(
            100 * part["simulated"],
            100 * part["predicted"],
            s=7,
            alpha=0.45,
            linewidths=0,
            color=PICKS[place % len(PICKS)],
            label=time_in_words(float(str(t_s))),
        )
    both = changes[["simulated", "predicted"]].to_numpy()
    low, high = 100 * float(both.min()), 100 * float(both.max())
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1.0)
    axes.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="upper left")
    name_axes(axes, "simulated change, points", "Predicted change of the accuracy, points")
    return figure


def _scores(changes: pd.DataFrame) -> list[object]:
    known = changes.dropna(subset="usual")
    lost = changes[changes["simulated"] <= -NOTABLE]
    foreseen = float((lost["predicted"] <= -NOTABLE / 2).mean()) if len(lost) else None
    return [
        len(changes),
        _points(float(changes["simulated"].std(ddof=0))),
        f"{_correlation(changes):.2f}",
        _points(_rms(changes["predicted"] - changes["simulated"])),
        _points(_rms(known["usual"] - known["simulated"])),
        _points(_rms(changes["simulated"])),
        None if foreseen is None else f"{foreseen:.0%}",
        f"{changes['covered'].mean():.0%}",
    ]


def _correlation(changes: pd.DataFrame) -> float:
    if len(changes) < 2 or min(changes["predicted"].std(), changes["simulated"].std()) == 0:
        return float("nan")
    return float(np.corrcoef(changes["predicted"], changes["simulated"])[0, 1])


def _rms(errors: pd.Series) -> float:
    return float(np.sqrt((errors**2).mean()))


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f}"
