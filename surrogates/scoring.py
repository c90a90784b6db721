"""Scores of predictions that were made of rows not learned from, beside their noise ceilings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analognas.surrogates.label_table import NOMINAL, LabelTable
from analognas.surrogates.metrics import (
    coverage,
    kendall_tau_b,
    mean_absolute_error,
    recall_of_ten,
    regret_best_of_ten,
    rmse,
    spearman,
    tau_top_quarter,
)
from analognas.surrogates.noise_ceiling import NoiseCeiling, estimate_noise_ceiling
from analognas.surrogates.variant_ceilings import (
    MINIMUM_NETWORKS,
    VariantCeilings,
    estimate_variant_ceilings,
)

LEVELS = (0.5, 0.8, 0.95)
VARIANTS = "variants"
ALL = "all together"
FEWEST_IN_ORDER = 5  # networks of a fold on one hardware that are put in order

TAU = "Kendall tau-b"
SPEARMAN = "Spearman"
TAU_TOP = "tau-b in the top quarter"
REGRET = "regret of the best of ten"
RECALL = "recall of the best ten"
RMSE = "RMSE"
MEAN_ABSOLUTE_ERROR = "mean absolute error"
RANKS = (TAU, SPEARMAN)

# Names of a ceiling's fields.
CEILING_FIELDS: Mapping[str, str] = {
    TAU: "tau",
    SPEARMAN: "spearman",
    TAU_TOP: "tau_top_quarter",
    REGRET: "regret_best_of_ten",
    RECALL: "recall_of_ten",
    RMSE: "rmse",
}
SCORE_COLUMNS = (
    "hardware",
    "t_s",
    "quantity",
    "value",
    "sd",
    "ceiling",
    "ceiling_low",
    "ceiling_high",
)


def coverage_name(level: float) -> str:
    return f"coverage of the {level:.0%} interval, by network"


def width_name(level: float) -> str:
    return f"mean width of the {level:.0%} interval"


@dataclass(frozen=True, eq=False)
class Ceilings:
    """By time; empty without networks under several seeds."""

    nominal: Mapping[float, NoiseCeiling]
    variants: Mapping[float, VariantCeilings]

    @classmethod
    def of(cls, table: LabelTable, rng: np.random.Generator) -> "Ceilings":
        conditions = table.conditions()
        nominal, variants = {}, {}
        for t_s in table.times_s:
            now = conditions[conditions["t_s"] == t_s]
            here = now["variant"] == NOMINAL
            if now[here].groupby("key").size().ge(2).sum() < 2:
                continue
            nominal[t_s] = estimate_noise_ceiling(now.loc[here, ["key", "mean"]], rng=rng)
            elsewhere = now[~here]
            if (elsewhere.groupby("key")["seed"].nunique() >= 2).sum() >= 2:
                variants[t_s] = estimate_variant_ceilings(elsewhere, rng=rng)
        return cls(nominal, variants)

    def find(self, quantity: str, t_s: float, variants: list[str] | None) -> dict[str, float]:
        """Ceiling of a quantity on the nominal hardware, or on variants; empty if not known."""
        name = CEILING_FIELDS.get(quantity)
        if name is None:
            return {}
        if variants is None:
            if t_s not in self.nominal:
                return {}
            one = self.nominal[t_s]
            ends = {"ceiling_low": one.tau_low, "ceiling_high": one.tau_high}
            return {"ceiling": getattr(one, name)} | (ends if quantity == TAU else {})
        if t_s not in self.variants:
            return {}
        many = self.variants[t_s]
        known = many.scores.index.intersection(variants)
        value = float(many.scores.loc[known, name].mean()) if len(known) else np.nan
        if quantity != TAU:
            return {"ceiling": value}
        shift = value - float(many.scores["tau"].mean())
        return {
            "ceiling": value,
            "ceiling_low": many.tau_low + shift,
            "ceiling_high": min(many.tau_high + shift, 1.0),
        }


def score_predictions(frame: pd.DataFrame, ceilings: Ceilings) -> pd.DataFrame:
    """Score predictions of one surrogate on one kind of split.

    Ranks are those of networks on the same hardware at the same time, within a fold for tau and
    Spearman; scores of several kinds of hardware are averaged.

    Args:
        frame: Columns `seed`, `fold`, `key`, `variant`, `t_s`, `actual`, `mean`, `rank_score`, and
            the ends `<level` and `>level` of the intervals.
        ceilings: What an oracle reaches.

    Returns:
        `SCORE_COLUMNS`, one row per hardware (`nominal`, all `variants` in the frame, for intervals
        also `all together`), time and quantity; `t_s` is NaN for intervals, where all times count
        together. `sd` is that over the seeds of the cut into folds.
    """
    scores: list[dict[str, object]] = []
    is_nominal = frame["variant"] == NOMINAL
    for hardware, part in ((NOMINAL, frame[is_nominal]), (VARIANTS, frame[~is_nominal])):
        if part.empty:
            continue
        variants = None if hardware == NOMINAL else sorted(part["variant"].unique())
        for t_s, now in part.groupby("t_s"):
            for quantity, (value, sd) in _score_time(now).items():
                row = {"hardware": hardware, "t_s": t_s, "quantity": quantity}
                found = ceilings.find(quantity, float(str(t_s)), variants)
                scores.append({**row, "value": value, "sd": sd, **found})
        scores += _interval_rows(hardware, part)
    if is_nominal.any() and not is_nominal.all():
        scores += _interval_rows(ALL, frame)
    return pd.DataFrame(scores).reindex(columns=list(SCORE_COLUMNS))


Metric = Callable[[pd.DataFrame], float]


def _score_time(part: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Mean over the seeds, and their sd, of every quantity that is about one time."""
    ranks = {TAU: kendall_tau_b, SPEARMAN: spearman}
    picks = {TAU_TOP: tau_top_quarter, REGRET: regret_best_of_ten, RECALL: recall_of_ten}
    errors = {RMSE: rmse, MEAN_ABSOLUTE_ERROR: mean_absolute_error}
    metrics: dict[str, Metric] = {}
    for name, rank in ranks.items():
        metrics[name] = lambda one, metric=rank: _mean_over(  # type: ignore[misc]
            one, ["fold", "variant"], FEWEST_IN_ORDER, metric
        )
    for name, pick in picks.items():
        metrics[name] = lambda one, metric=pick: _mean_over(  # type: ignore[misc]
            one, ["variant"], MINIMUM_NETWORKS, metric
        )
    for name, error in errors.items():
        metrics[name] = lambda one, metric=error: metric(  # type: ignore[misc]
            one["actual"], one["mean"]
        )
    return {name: _over_seeds(part, metric) for name, metric in metrics.items()}


def _interval_rows(hardware: str, part: pd.DataFrame) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for quantity, (value, sd) in _score_intervals(part).items():
        level = next((x for x in LEVELS if quantity == coverage_name(x)), np.nan)
        row = {"hardware": hardware, "t_s": np.nan, "quantity": quantity}
        rows.append({**row, "value": value, "sd": sd, "ceiling": level})
    return rows


def _score_intervals(part: pd.DataFrame) -> dict[str, tuple[float, float]]:
    found = {}
    for level in LEVELS:
        low, high = f"<{level}", f">{level}"
        found[coverage_name(level)] = _over_seeds(
            part,
            lambda one, low=low, high=high: coverage(  # type: ignore[misc]
                one, one["actual"], one[low], one[high]
            ),
        )
        found[width_name(level)] = _over_seeds(
            part,
            lambda one, low=low, high=high: float((one[high] - one[low]).mean()),  # type: ignore[misc]
        )
    return found


def _mean_over(
    part: pd.DataFrame, groups: list[str], fewest: int, metric: Callable[..., float]
) -> float:
    """Mean of a rank metric over groups of at least `fewest` networks; NaN if there are none."""
    values = [
        metric(group["actual"], group["rank_score"])
        for _, group in part.groupby(groups)
        if len(group) >= fewest
    ]
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _over_seeds(part: pd.DataFrame, metric: Metric) -> tuple[float, float]:
    values = [metric(one) for _, one in part.groupby("seed")]
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(np.mean(values)), sd
