"""How good a surrogate is on networks it never saw, beside baselines and the noise ceiling.

The networks of a label table are split five ways by their key. Surrogates learn from labels
averaged over seeds and are judged against one label per network, that of its first seed. The noise
ceiling is what an oracle would reach against such labels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analognas.surrogates.base import Prediction, Surrogate
from analognas.surrogates.feature_table import rows_of
from analognas.surrogates.folds import fold_of_rows
from analognas.surrogates.label_table import LabelDescription, LabelTable
from analognas.surrogates.metrics import (
    coverage,
    kendall_tau_b,
    mean_absolute_error,
    regret_best_of_ten,
    rmse,
    spearman,
    tau_top_quarter,
)
from analognas.surrogates.noise_ceiling import NoiseCeiling, estimate_noise_ceiling
from analognas.surrogates.registry import SURROGATES

FOLDS = 5
LEVELS = (0.5, 0.8, 0.95)
ONE_DAY_S = 86_400.0

TAU = "Kendall tau-b"
SPEARMAN = "Spearman"
TAU_TOP = "tau-b in the top quarter"
REGRET = "regret of the best of ten"
RMSE = "RMSE"
MEAN_ABSOLUTE_ERROR = "mean absolute error"
WIDTH = "mean width of the 80 % interval"


@dataclass(frozen=True, eq=False)
class SurrogateEvaluation:
    """Cross-validated scores.

    `scores` is long, one row per surrogate, time and quantity: `surrogate`, `t_s` (NaN where all
    times count together), `quantity`, `value`, `sd` (over the splits, NaN for pooled quantities),
    `ceiling`, `ceiling_low` and `ceiling_high` (NaN where there is none). Ranks of a predictor that
    says the same of every network are NaN.
    """

    description: LabelDescription
    folds: int
    ceilings: Mapping[float, NoiseCeiling]  # by time; empty without replicated networks
    scores: pd.DataFrame


def evaluate_surrogates(
    table: LabelTable,
    features: pd.DataFrame,
    *,
    rng: np.random.Generator,
    surrogates: Mapping[str, Callable[[], Surrogate]] = SURROGATES,
    folds: int = FOLDS,
    progress: Callable[[int, int, str], None] | None = None,
) -> SurrogateEvaluation:
    """Fit every surrogate on each part of the splits and judge it on the rest.

    Args:
        table: The labels.
        features: One row per network, indexed by key, without a time.
        rng: For the noise ceiling; the splits follow from the keys alone.
        surrogates: Makers of unfitted surrogates by name.
        folds: Number of splits.
        progress: Told (done, total, name) before each fit.
    """
    targets = table.targets()
    rows = rows_of(features, targets)
    single = first_seed(table.means())
    actual = targets.merge(single, on=["key", "t_s"], how="left", validate="1:1")["single"]
    fold = fold_of_rows(targets["key"].tolist(), folds)
    ceilings = _ceilings(table, rng)
    scores = []
    for number, (name, make) in enumerate(surrogates.items()):
        predicted = pd.DataFrame(index=range(len(targets)), columns=_COLUMNS, dtype=np.float64)
        for index in range(folds):
            if progress is not None:
                progress(number * folds + index, len(surrogates) * folds, name)
            held_out = fold == index
            surrogate = make().fit(rows[~held_out], targets[~held_out])
            predicted.loc[held_out, _COLUMNS] = _predict(surrogate, rows[held_out])
        frame = predicted.assign(key=targets["key"], t_s=targets["t_s"], actual=actual, fold=fold)
        scores.append(_score(frame, ceilings).assign(surrogate=name))
    order = ["surrogate", "t_s", "quantity", "value", "sd"]
    order += ["ceiling", "ceiling_low", "ceiling_high"]
    return SurrogateEvaluation(
        description=table.description(),
        folds=folds,
        ceilings=ceilings,
        scores=pd.concat(scores, ignore_index=True)[order],
    )


def first_seed(means: pd.DataFrame) -> pd.DataFrame:
    """Keep the label of the lowest seed of each network and time: `key`, `t_s`, `single`."""
    first = means.sort_values("seed").drop_duplicates(["key", "t_s"])
    return first.rename(columns={"mean": "single"})[["key", "t_s", "single"]]


def coverage_name(level: float) -> str:
    return f"coverage of the {level:.0%} interval, by network"


_COLUMNS = ["mean", "rank_score", *(f"{end}{level}" for level in LEVELS for end in "<>")]


def _predict(surrogate: Surrogate, rows: pd.DataFrame) -> np.ndarray:
    """Columns as in `_COLUMNS`."""
    predictions: list[Prediction] = [surrogate.predict(rows, level=level) for level in LEVELS]
    first = predictions[0]
    order = first.mean if first.rank_score is None else first.rank_score
    ends = [end for prediction in predictions for end in (prediction.lower, prediction.upper)]
    return np.column_stack([first.mean, order, *ends])


def _ceilings(table: LabelTable, rng: np.random.Generator) -> dict[float, NoiseCeiling]:
    means = table.means()
    replicated = means.groupby(["key", "t_s"]).size().ge(2).groupby("t_s").sum()
    return {
        t_s: estimate_noise_ceiling(means.loc[means["t_s"] == t_s, ["key", "mean"]], rng=rng)
        for t_s in table.times_s
        if replicated[t_s] >= 2
    }


def _score(frame: pd.DataFrame, ceilings: Mapping[float, NoiseCeiling]) -> pd.DataFrame:
    scores = [
        pd.DataFrame(_score_time(frame[frame["t_s"] == t_s], ceilings.get(t_s))).assign(t_s=t_s)
        for t_s in sorted(frame["t_s"].unique().tolist())
    ]
    together = [
        {
            "quantity": coverage_name(level),
            "value": coverage(
                frame["key"].tolist(), frame["actual"], frame[f"<{level}"], frame[f">{level}"]
            ),
            "ceiling": level,
        }
        for level in LEVELS
    ]
    scores.append(pd.DataFrame(together).assign(t_s=np.nan))
    columns = ["t_s", "quantity", "value", "sd", "ceiling", "ceiling_low", "ceiling_high"]
    return pd.concat([score.reindex(columns=columns) for score in scores], ignore_index=True)


def _score_time(part: pd.DataFrame, ceiling: NoiseCeiling | None) -> list[dict[str, object]]:
    actual, order, mean = part["actual"], part["rank_score"], part["mean"]
    scores: list[dict[str, object]] = []
    for quantity, metric in ((TAU, kendall_tau_b), (SPEARMAN, spearman)):
        by_split = [metric(s["actual"], s["rank_score"]) for _, s in part.groupby("fold")]
        scores.append(
            {
                "quantity": quantity,
                "value": float(np.mean(by_split)),
                "sd": float(np.std(by_split, ddof=1)),
            }
        )
    pooled = {
        TAU_TOP: tau_top_quarter(actual, order),
        REGRET: regret_best_of_ten(actual, order),
        RMSE: rmse(actual, mean),
        MEAN_ABSOLUTE_ERROR: mean_absolute_error(actual, mean),
        WIDTH: float((part[">0.8"] - part["<0.8"]).mean()),
    }
    scores += [{"quantity": quantity, "value": value} for quantity, value in pooled.items()]
    if ceiling is None:
        return scores
    reached = {
        TAU: ceiling.tau,
        SPEARMAN: ceiling.spearman,
        TAU_TOP: ceiling.tau_top_quarter,
        REGRET: ceiling.regret_best_of_ten,
        RMSE: ceiling.rmse,
    }
    for score in scores:
        score["ceiling"] = reached.get(str(score["quantity"]), np.nan)
        if score["quantity"] == TAU:
            score |= {"ceiling_low": ceiling.tau_low, "ceiling_high": ceiling.tau_high}
    return scores
