"""Cross-validated scores beside baselines and noise ceiling."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import (
    SURROGATES,
    LabelTable,
    Surrogate,
    SurrogateEvaluation,
    TreeSettings,
    XGBoostSurrogate,
    evaluate_surrogates,
)
from analognas.surrogates.evaluation import (
    REGRET,
    RMSE,
    SPEARMAN,
    TAU,
    TAU_TOP,
    coverage_name,
    first_seed,
)

MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]
ONE_DAY_S = 86_400.0
SMALL: Mapping[str, Callable[[], Surrogate]] = {
    **SURROGATES,
    "xgboost": partial(XGBoostSurrogate, TreeSettings(trees=80, calibration_folds=4)),
}


@pytest.fixture(scope="module")
def result(make_table: MakeTable) -> SurrogateEvaluation:
    table, features = make_table(80, replicated=12, times_s=(1.0, ONE_DAY_S))
    return evaluate_surrogates(
        table, features, rng=np.random.default_rng(0), surrogates=SMALL, folds=5
    )


def value(result: SurrogateEvaluation, surrogate: str, quantity: str) -> float:
    scores = result.scores
    here = (scores["surrogate"] == surrogate) & (scores["quantity"] == quantity)
    return float(scores.loc[here & scores["t_s"].isin([ONE_DAY_S, np.nan]), "value"].item())


def test_trees_beat_the_parameter_count_and_stay_below_the_ceiling(
    result: SurrogateEvaluation,
) -> None:
    ceiling = result.ceilings[ONE_DAY_S]
    tau = value(result, "xgboost", TAU)
    assert value(result, "parameter-count", TAU) < tau < ceiling.tau
    assert value(result, "parameter-count", RMSE) > value(result, "xgboost", RMSE) > ceiling.rmse


def test_knowing_nothing_is_visible_as_no_order(result: SurrogateEvaluation) -> None:
    for quantity in (TAU, SPEARMAN, TAU_TOP):
        assert np.isnan(value(result, "mean", quantity))
    assert value(result, "mean", REGRET) >= value(result, "xgboost", REGRET)


def test_intervals_of_all_surrogates_cover_by_network(result: SurrogateEvaluation) -> None:
    for name in SMALL:
        assert value(result, name, coverage_name(0.8)) == pytest.approx(0.8, abs=0.12)


def test_scores_exist_for_every_time_and_surrogate(result: SurrogateEvaluation) -> None:
    by_time = result.scores[result.scores["quantity"] == TAU]
    assert len(by_time) == len(SMALL) * len(result.description.times_s)
    assert by_time["ceiling_low"].notna().all()


def test_a_useless_feature_table_gives_a_tau_near_zero(make_table: MakeTable) -> None:
    table, features = make_table(80, replicated=0, times_s=(1.0, ONE_DAY_S))
    noise = np.random.default_rng(3).normal(size=features.shape)
    useless = pd.DataFrame(noise, columns=features.columns, index=features.index)
    small: Mapping[str, Callable[[], Surrogate]] = {
        "xgboost": partial(XGBoostSurrogate, TreeSettings(trees=20, calibration_folds=2))
    }
    result = evaluate_surrogates(
        table, useless, rng=np.random.default_rng(0), surrogates=small, folds=5
    )
    assert abs(value(result, "xgboost", TAU)) < 0.25


def test_without_replicated_networks_there_is_no_ceiling(make_table: MakeTable) -> None:
    table, features = make_table(30, replicated=0)
    only_mean = {"mean": SURROGATES["mean"]}
    told: list[tuple[int, int, str]] = []
    result = evaluate_surrogates(
        table,
        features,
        rng=np.random.default_rng(0),
        surrogates=only_mean,
        progress=lambda done, total, name: told.append((done, total, name)),
    )
    assert result.ceilings == {}
    assert result.scores.loc[result.scores["quantity"] == TAU, "ceiling"].isna().all()
    assert told == [(index, 5, "mean") for index in range(5)]


def test_surrogates_are_judged_against_one_label_per_network(
    made_up: tuple[LabelTable, pd.DataFrame],
) -> None:
    means = made_up[0].means()
    single = first_seed(means)
    assert len(single) == 40 * 5
    expected = means[means["seed"] == 0].sort_values(["key", "t_s"])["mean"].to_numpy()
    np.testing.assert_array_equal(single.sort_values(["key", "t_s"])["single"], expected)
