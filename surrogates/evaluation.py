"""How good a surrogate is on networks and hardware it never saw, beside baselines and ceilings.

Surrogates learn from labels averaged over seeds and are judged against one label per network and
hardware, that of its first seed. The noise ceiling is what an oracle would reach against such
labels. Every split is fitted by itself (`predict_split`); what comes out can be kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from analognas.surrogates.base import Surrogate
from analognas.surrogates.label_table import LabelDescription, LabelTable
from analognas.surrogates.registry import SURROGATES
from analognas.surrogates.scoring import LEVELS, Ceilings, score_predictions
from analognas.surrogates.splits import (
    FOLDS,
    UNSEEN_HARDWARE,
    UNSEEN_NETWORKS,
    Split,
    largest_split,
    learning_splits,
    network_splits,
    region_splits,
)
from analognas.surrogates.xgboost_trees import TreeSettings, XGBoostSurrogate

MAIN = "xgboost"
ONE_DAY_S = 86_400.0
LEARNING_COUNTS = (20, 40, 80, 120, 160, 200)
EVERYTHING = "all columns"

Predictions = pd.DataFrame
# Gives the predictions of a split: those that were kept under its name, or new ones.
Keeper = Callable[[str, Callable[[], Predictions]], Predictions]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class SurrogateEvaluation:
    """Scores of predictions of what was not learned from.

    `scores` is long: `split`, `region`, `surrogate`, then the columns of `score_predictions`.
    In place of these `ablation` has `left_out` and `unseen` (networks, or hardware), `learning` has
    the number of `networks`; both are about the main surrogate. Ranks of a predictor that says the
    same of every network are NaN. `unseen` holds the predictions of the main surrogate, if it is
    judged, for networks that it did not see, as `predict_split` gives them.
    """

    description: LabelDescription
    ceilings: Ceilings
    scores: pd.DataFrame
    ablation: pd.DataFrame
    learning: pd.DataFrame
    unseen: pd.DataFrame
    seeds: int


@dataclass(frozen=True, eq=False)
class Labels:
    """Features and targets row by row, and the single label that a row is judged against."""

    features: pd.DataFrame
    targets: pd.DataFrame
    actual: pd.Series

    @classmethod
    def of(cls, table: LabelTable, features: pd.DataFrame) -> "Labels":
        """Put the features of `table.targets()`, row by row, beside them.

        Raises:
            ValueError: There are more or fewer rows of features.
        """
        targets = table.targets()
        if len(features) != len(targets):
            raise ValueError(
                "`features` must have one row per row of `table.targets()`, but got "
                f"{len(features)} and {len(targets)}."
            )
        single = first_seed(table.conditions())
        names = ["key", "variant", "t_s"]
        actual = targets.merge(single, on=names, how="left", validate="1:1")["single"]
        return cls(features.reset_index(drop=True), targets.reset_index(drop=True), actual)


def evaluate_surrogates(  # noqa: PLR0913
    table: LabelTable,
    features: pd.DataFrame,
    *,
    rng: np.random.Generator,
    surrogates: Mapping[str, Callable[[], Surrogate]] = SURROGATES,
    seeds: int = 5,
    groups: Mapping[str, Sequence[str]] | None = None,
    keep: Keeper | None = None,
    progress: Progress | None = None,
) -> SurrogateEvaluation:
    """Fit surrogates on each part of the splits and judge them on the rest.

    Args:
        table: The labels.
        features: One row per row of `table.targets()`, with `log10_t_s`.
        rng: For the noise ceilings; the splits follow from the keys alone.
        surrogates: Makers of unfitted surrogates by name; the main one alone is judged on regions
            of the hardware.
        seeds: Cuts of the networks into folds.
        groups: Columns that belong together, by name; the main surrogate is fitted without each.
            None leaves this and the learning curve out.
        keep: Where predictions are kept, to go on later; None makes all anew.
        progress: Told (done, total, name) before each fit.
    """
    labels = Labels.of(table, features)
    ceilings = Ceilings.of(table, rng)
    plan = _plan(labels, surrogates, seeds, groups)
    found: dict[tuple[str, ...], list[Predictions]] = {}
    for done, (name, address, make) in enumerate(plan):
        if progress is not None:
            progress(done, len(plan), name)
        found.setdefault(address, []).append(make() if keep is None else keep(name, make))
    together = {address: pd.concat(parts, ignore_index=True) for address, parts in found.items()}

    def scored(what: str, names: Sequence[str]) -> pd.DataFrame:
        parts = [
            score_predictions(frame, ceilings).assign(**dict(zip(names, address, strict=True)))
            for (kind, *address), frame in together.items()
            if kind == what
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    return SurrogateEvaluation(
        description=table.description(),
        ceilings=ceilings,
        scores=scored("split", ("split", "region", "surrogate")),
        ablation=scored("ablation", ("left_out", "unseen")),
        learning=scored("learning", ("networks",)),
        unseen=together.get(("split", UNSEEN_NETWORKS, "", MAIN), pd.DataFrame()),
        seeds=seeds,
    )


def predict_split(split: Split, labels: Labels, make: Callable[[], Surrogate]) -> Predictions:
    """Fit on one part of a split and predict the other; columns as `score_predictions` wants."""
    learn, judge = split.learn, split.judge
    surrogate = make().fit(labels.features[learn], labels.targets[learn])
    rows = labels.features[judge]
    predictions = [surrogate.predict(rows, level=level) for level in LEVELS]
    ends = {
        f"{end}{level}": getattr(prediction, name)
        for level, prediction in zip(LEVELS, predictions, strict=True)
        for end, name in (("<", "lower"), (">", "upper"))
    }
    first = predictions[0]
    return labels.targets.loc[judge, ["key", "variant", "t_s"]].assign(
        seed=split.seed,
        fold=split.fold,
        actual=labels.actual[judge],
        mean=first.mean,
        rank_score=first.rank_score,
        quantile_05=first.quantile_05,
        beyond=first.beyond,
        **ends,
    )


def first_seed(conditions: pd.DataFrame) -> pd.DataFrame:
    """Keep the label of the lowest seed: `key`, `variant`, `t_s`, `single`."""
    names = ["key", "variant", "t_s"]
    first = conditions.sort_values("seed").drop_duplicates(names)
    return first.rename(columns={"mean": "single"})[[*names, "single"]]


def uncalibrated() -> XGBoostSurrogate:
    """The main surrogate with intervals of few models: for scores of its order and mean alone."""
    return XGBoostSurrogate(TreeSettings(calibration_folds=2, calibration_rows=500), regions=())


Planned = tuple[str, tuple[str, ...], Callable[[], Predictions]]


def _plan(
    labels: Labels,
    surrogates: Mapping[str, Callable[[], Surrogate]],
    seeds: int,
    groups: Mapping[str, Sequence[str]] | None,
) -> list[Planned]:
    """Every fit: its name, where its predictions belong, and how they are made."""
    features, targets = labels.features, labels.targets
    splits = network_splits(targets, seeds)
    regions, large = region_splits(features, targets), largest_split(features, targets)
    plan: list[Planned] = []
    for name, make in surrogates.items():
        for split in [*splits, *(regions if name == MAIN else ()), *large]:
            address = ("split", split.kind, split.region, name)
            fit = partial(predict_split, split, labels, make)
            plan.append((f"{name}/{split.name}", address, fit))
    if groups is None:
        return plan
    for left_out, columns in {EVERYTHING: (), **groups}.items():
        fewer = labels if not columns else _without(labels, columns)
        for split in [*splits[:FOLDS], *(s for s in regions if s.kind == UNSEEN_HARDWARE)]:
            what = "hardware" if split.kind == UNSEEN_HARDWARE else "networks"
            plan.append(
                (
                    f"without {left_out}/{split.name}",
                    ("ablation", left_out, what),
                    partial(predict_split, split, fewer, uncalibrated),
                )
            )
    for count, split in learning_splits(targets, LEARNING_COUNTS, seeds):
        plan.append(
            (
                f"{count} networks/{split.name}",
                ("learning", str(count)),
                partial(predict_split, split, labels, uncalibrated),
            )
        )
    return plan


def _without(labels: Labels, columns: Iterable[str]) -> Labels:
    return Labels(labels.features.drop(columns=list(columns)), labels.targets, labels.actual)
