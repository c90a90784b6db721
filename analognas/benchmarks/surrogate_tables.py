"""Scores of surrogates as tables of words, for the terminal and for a page."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analognas.records import EVALUATION_TIMES_S, ONE_DAY_S
from analognas.surrogates.evaluation import MAIN, SurrogateEvaluation
from analognas.surrogates.label_table import NOMINAL
from analognas.surrogates.scoring import (
    MEAN_ABSOLUTE_ERROR,
    REGRET,
    RMSE,
    TAU,
    TAU_TOP,
    coverage_name,
    width_name,
)
from analognas.surrogates.splits import LARGEST, UNSEEN_BOTH, UNSEEN_HARDWARE, UNSEEN_NETWORKS

Table = tuple[str, list[str], list[list[object]]]  # title, columns, rows

NOTE = (
    "Predicted against simulated accuracy of what was not learned from. Five parts of the "
    "networks by architecture key, each predicted by a model of the others; +- is the sd over "
    "cuts into such parts. Points are percentage points of accuracy. `none` is the tau of a "
    "constant. On variants of the hardware, networks are put in order on each variant alone, and "
    "scores are averaged. Noise ceiling: what an oracle of the true values reaches against one "
    "noisy label, from networks under several seeds; in brackets the central 90 % of a bootstrap "
    "over networks. For coverage it is the nominal level. Beyond the hardware or the sizes that "
    "were learned from no coverage is guaranteed: it is printed as it was found. The constants of "
    "the surrogate (kernels, trees) were chosen on the cuts and regions of kws-arabic, so that its "
    "scores flatter a little; labels of spoken digits decided about one of them, the share of the "
    "smooth law."
)


def score_tables(result: SurrogateEvaluation, *, all_times: bool) -> list[Table]:
    """Unseen networks, unseen hardware, largest networks: those that there are."""
    times = list(result.description.times_s)
    if not all_times:
        times = [judged_time(result)]
    found = [_beside_baselines("Networks not seen", _of(result, UNSEEN_NETWORKS), times)]
    if UNSEEN_HARDWARE in set(result.scores["split"]):
        found += [region_table(result, kind) for kind in (UNSEEN_HARDWARE, UNSEEN_BOTH)]
    large = _of(result, LARGEST)
    if not large.empty:
        found.append(_beside_baselines("Largest fifth of the networks not seen", large, times))
    return found


def judged_time(result: SurrogateEvaluation) -> float:
    """One day, or the last time if that was not measured."""
    times = result.description.times_s
    return ONE_DAY_S if ONE_DAY_S in times else times[-1]


def region_table(result: SurrogateEvaluation, kind: str) -> Table:
    """The main surrogate on one region of the hardware after another, which it never saw."""
    here = _of(result, kind)
    here = here[here["surrogate"] == MAIN]
    level = 0.8
    columns = [
        "region left out",
        "Kendall tau-b",
        "noise ceiling",
        "share of it",
        "regret of the best of ten (points)",
        "RMSE (points)",
        coverage_name(level),
        f"{width_name(level)} (points)",
    ]
    rows: list[list[object]] = []
    parts = [(str(name), part) for name, part in here.groupby("region", sort=False)]
    shares = []
    for name, part in parts:
        now = part[(part["t_s"] == judged_time(result)) | part["t_s"].isna()]
        cells = _by_quantity(now)
        tau = cells[TAU]
        shares.append(tau["value"] / tau["ceiling"])
        rows.append(
            [
                name,
                _number(TAU, tau["value"]),
                _ceiling(TAU, tau),
                _percent(shares[-1]),
                _number(REGRET, cells[REGRET]["value"]),
                _number(RMSE, cells[RMSE]["value"]),
                _number(coverage_name(level), cells[coverage_name(level)]["value"]),
                _number(width_name(level), cells[width_name(level)]["value"]),
            ]
        )
    if len(rows) > 1:
        means = here[(here["t_s"] == judged_time(result)) | here["t_s"].isna()]
        mean = means.groupby("quantity")["value"].mean().to_dict()
        rows.append(
            [
                "mean over the regions",
                _number(TAU, mean[TAU]),
                None,
                _percent(float(pd.Series(shares).mean())),
                _number(REGRET, mean[REGRET]),
                _number(RMSE, mean[RMSE]),
                _number(coverage_name(level), mean[coverage_name(level)]),
                _number(width_name(level), mean[width_name(level)]),
            ]
        )
    title = kind[0].upper() + kind[1:]
    return f"{title}, {time_in_words(judged_time(result))} after programming", columns, rows


def ablation_table(result: SurrogateEvaluation) -> Table:
    """What the main surrogate loses without a group of columns."""
    columns = ["left out"]
    cells: dict[str, list[object]] = {}
    wanted = [
        ("networks", NOMINAL, TAU, "tau, unseen networks, nominal"),
        ("networks", "variants", TAU, "tau, unseen networks, variants"),
        ("networks", "variants", RMSE, "RMSE, unseen networks, variants (points)"),
        ("hardware", "variants", TAU, "tau, unseen hardware"),
        ("hardware", "variants", RMSE, "RMSE, unseen hardware (points)"),
    ]
    scores = result.ablation
    scores = scores[scores["t_s"] == judged_time(result)]
    for unseen, hardware, quantity, name in wanted:
        here = scores[
            (scores["unseen"] == unseen)
            & (scores["hardware"] == hardware)
            & (scores["quantity"] == quantity)
        ]
        if here.empty:
            continue
        columns.append(name)
        for left_out, value in zip(here["left_out"], here["value"], strict=True):
            digits = 1 if quantity == RMSE else 3
            shown = 100 * value if quantity == RMSE else value
            cells.setdefault(str(left_out), []).append(f"{shown:.{digits}f}")
    rows = [[name, *values] for name, values in cells.items()]
    return "Without a group of features", columns, rows


def learning_rows(result: SurrogateEvaluation) -> pd.DataFrame:
    """Tau of the main surrogate by the number of labelled networks, and its ceiling.

    Returns:
        Columns `networks`, `hardware`, `value`, `sd`, `ceiling`, `ceiling_low`, `ceiling_high`.
    """
    scores = result.learning
    here = scores[(scores["t_s"] == judged_time(result)) & (scores["quantity"] == TAU)]
    here = here.assign(networks=here["networks"].astype(int))
    names = ["networks", "hardware", "value", "sd", "ceiling", "ceiling_low", "ceiling_high"]
    return here.sort_values(["hardware", "networks"])[names].reset_index(drop=True)


def time_in_words(t_s: float) -> str:
    return {value: name for name, value in EVALUATION_TIMES_S.items()}.get(t_s, f"{t_s:g} s")


def _by_quantity(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    rows = scores.drop(columns=["split", "region", "surrogate", "hardware"])
    found = rows.set_index("quantity").to_dict("index")
    return {str(name): {str(k): float(v) for k, v in row.items()} for name, row in found.items()}


def _of(result: SurrogateEvaluation, kind: str) -> pd.DataFrame:
    return result.scores[result.scores["split"] == kind]


def _beside_baselines(title: str, scores: pd.DataFrame, times: Sequence[float]) -> Table:
    names = list(dict.fromkeys(scores["surrogate"]))
    columns = ["hardware", "accuracy after", "quantity", *names, "noise ceiling", "share of it"]
    rows: list[list[object]] = []
    for hardware in dict.fromkeys(scores["hardware"]):
        for t_s in [*times, None]:
            here = scores[scores["hardware"] == hardware]
            here = here[here["t_s"].isna() if t_s is None else here["t_s"] == t_s]
            for quantity in dict.fromkeys(here["quantity"]):
                cells = here[here["quantity"] == quantity].set_index("surrogate").to_dict("index")
                first = cells[names[0]]
                shared = quantity in (TAU, TAU_TOP) and first["ceiling"] == first["ceiling"]
                rows.append(
                    [
                        hardware,
                        "all together" if t_s is None else time_in_words(t_s),
                        f"{quantity} (points)" if _in_points(quantity) else quantity,
                        *(_cell(quantity, cells[name]) for name in names),
                        _ceiling(quantity, first),
                        _percent(first["value"] / first["ceiling"]) if shared else None,
                    ]
                )
    return title, columns, rows


def _in_points(quantity: str) -> bool:
    return quantity in (REGRET, RMSE, MEAN_ABSOLUTE_ERROR) or quantity.startswith("mean width")


def _number(quantity: str, value: float) -> str:
    if quantity.startswith("coverage"):
        return _percent(value)
    return f"{100 * value:.1f}" if _in_points(quantity) else f"{value:.2f}"


def _percent(value: float) -> str:
    return f"{value:.0%}" if value == value else "none"


def _cell(quantity: str, score: dict[str, float]) -> str:
    if score["value"] != score["value"]:  # NaN
        return "none"
    if score["sd"] != score["sd"]:
        return _number(quantity, score["value"])
    factor = 100 if _in_points(quantity) or quantity.startswith("coverage") else 1
    return f"{_number(quantity, score['value'])} +- {factor * score['sd']:.2g}"


def _ceiling(quantity: str, score: dict[str, float]) -> str | None:
    if score["ceiling"] != score["ceiling"]:
        return None
    if score["ceiling_low"] != score["ceiling_low"]:
        return _number(quantity, score["ceiling"])
    return f"{score['ceiling']:.2f} [{score['ceiling_low']:.2f}, {score['ceiling_high']:.2f}]"
