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
    rows_of,
)
from analognas.surrogates import evaluation as evaluation_module
from analognas.surrogates.boosting import BoostingSettings
from analognas.surrogates.evaluation import first_seed
from analognas.surrogates.scoring import (
    RECALL,
    REGRET,
    RMSE,
    SPEARMAN,
    TAU,
    TAU_TOP,
    coverage_name,
)
from analognas.surrogates.splits import LARGEST, UNSEEN_BOTH, UNSEEN_HARDWARE, UNSEEN_NETWORKS

MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]
ONE_DAY_S = 86_400.0
SMALL: Mapping[str, Callable[[], Surrogate]] = {
    **SURROGATES,
    "xgboost": partial(
        XGBoostSurrogate, TreeSettings(mean=BoostingSettings(trees=60), calibration_folds=4)
    ),
}


@pytest.fixture(scope="module")
def result(make_table: MakeTable) -> SurrogateEvaluation:
    table, features = make_table(80, replicated=12, times_s=(1.0, ONE_DAY_S))
    rows = rows_of(features, table.targets())
    return evaluate_surrogates(table, rows, rng=np.random.default_rng(0), surrogates=SMALL, seeds=1)


def value(
    result: SurrogateEvaluation,
    surrogate: str,
    quantity: str,
    *,
    split: str = UNSEEN_NETWORKS,
    hardware: str = "nominal",
    column: str = "value",
) -> float:
    scores = result.scores
    here = (scores["surrogate"] == surrogate) & (scores["quantity"] == quantity)
    here &= (scores["split"] == split) & (scores["hardware"] == hardware)
    return float(scores.loc[here & scores["t_s"].isin([ONE_DAY_S, np.nan]), column].mean())


def test_trees_beat_the_parameter_count_and_stay_below_the_ceiling(
    result: SurrogateEvaluation,
) -> None:
    ceiling = result.ceilings.nominal[ONE_DAY_S]
    tau = value(result, "xgboost", TAU)
    assert value(result, "parameter-count", TAU) < tau < ceiling.tau
    assert value(result, "parameter-count", RMSE) > value(result, "xgboost", RMSE) > ceiling.rmse


def test_knowing_nothing_is_visible_as_no_order(result: SurrogateEvaluation) -> None:
    for quantity in (TAU, SPEARMAN, TAU_TOP):
        assert np.isnan(value(result, "mean", quantity))
    assert value(result, "mean", REGRET) >= value(result, "xgboost", REGRET)
    assert value(result, "mean", RECALL) < value(result, "xgboost", RECALL)


def test_intervals_of_all_surrogates_cover_by_network(result: SurrogateEvaluation) -> None:
    for name in SMALL:
        assert value(result, name, coverage_name(0.8)) == pytest.approx(0.8, abs=0.15)


def test_scores_exist_for_every_time_and_surrogate(result: SurrogateEvaluation) -> None:
    by_time = result.scores[result.scores["quantity"] == TAU]
    assert len(by_time) == len(SMALL) * len(result.description.times_s)
    assert by_time["ceiling_low"].notna().all()


def test_a_useless_feature_table_gives_a_tau_near_zero(make_table: MakeTable) -> None:
    table, features = make_table(80, replicated=0, times_s=(1.0, ONE_DAY_S))
    noise = np.random.default_rng(3).normal(size=features.shape)
    useless = pd.DataFrame(noise, columns=features.columns, index=features.index)
    settings = TreeSettings(mean=BoostingSettings(trees=20), calibration_folds=2)
    small: Mapping[str, Callable[[], Surrogate]] = {"xgboost": partial(XGBoostSurrogate, settings)}
    rows = rows_of(useless, table.targets())
    result = evaluate_surrogates(
        table, rows, rng=np.random.default_rng(0), surrogates=small, seeds=1
    )
    assert abs(value(result, "xgboost", TAU)) < 0.25


def test_without_replicated_networks_there_is_no_ceiling(make_table: MakeTable) -> None:
    table, features = make_table(30, replicated=0)
    told: list[tuple[int, int, str]] = []
    result = evaluate_surrogates(
        table,
        rows_of(features, table.targets()),
        rng=np.random.default_rng(0),
        surrogates={"mean": SURROGATES["mean"]},
        seeds=2,
        progress=lambda done, total, name: told.append((done, total, name)),
    )
    assert result.ceilings.nominal == {}
    assert result.scores.loc[result.scores["quantity"] == TAU, "ceiling"].isna().all()
    assert [(done, total) for done, total, _ in told] == [(index, 10) for index in range(10)]


def test_surrogates_are_judged_against_one_label_per_network(
    made_up: tuple[LabelTable, pd.DataFrame],
) -> None:
    conditions = made_up[0].conditions()
    single = first_seed(conditions)
    assert len(single) == 40 * 5
    expected = conditions[conditions["seed"] == 0].sort_values(["key", "t_s"])["mean"].to_numpy()
    np.testing.assert_array_equal(single.sort_values(["key", "t_s"])["single"], expected)


def test_hardware_sizes_groups_and_counts_are_judged_and_can_be_continued(
    make_varied: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, features = make_varied(50, per_network=6, times_s=(ONE_DAY_S,))
    features = features.assign(log10_multiplications=features["log10_parameters"] + 1.0)
    monkeypatch.setattr(evaluation_module, "LEARNING_COUNTS", (20,))
    monkeypatch.setattr(evaluation_module, "uncalibrated", SMALL["xgboost"])
    kept: dict[str, pd.DataFrame] = {}

    def keep(name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        if name not in kept:
            kept[name] = make()
        return kept[name]

    def judge() -> SurrogateEvaluation:
        return evaluate_surrogates(
            table,
            features,
            rng=np.random.default_rng(0),
            surrogates={name: SMALL[name] for name in ("xgboost", "parameter-count")},
            seeds=1,
            groups={"noise": ["hardware_noise"]},
            keep=keep,
        )

    result = judge()
    fits = len(kept)
    assert fits == (5 + 3 + 1) + (5 + 1) + 2 * 6 + 2  # ADC of at most 5 bits is the one region
    again = judge()
    assert len(kept) == fits
    pd.testing.assert_frame_equal(again.scores, result.scores)
    assert set(result.scores["split"]) == {UNSEEN_NETWORKS, UNSEEN_HARDWARE, UNSEEN_BOTH, LARGEST}
    assert result.description.variants == 8
    for split in (UNSEEN_HARDWARE, UNSEEN_BOTH):
        tau = value(result, "xgboost", TAU, split=split, hardware="variants")
        ceiling = value(result, "xgboost", TAU, split=split, hardware="variants", column="ceiling")
        assert 0.4 < tau < ceiling + 0.1
    ablation = result.ablation[result.ablation["quantity"] == RMSE]
    errors = ablation[ablation["unseen"] == "networks"].set_index(["left_out", "hardware"])["value"]
    assert errors["noise", "variants"] > 1.2 * errors["all columns", "variants"]
    learning = result.learning[result.learning["quantity"] == RMSE]
    here = learning[learning["hardware"] == "variants"].set_index("networks")["value"]
    assert here["20"] > here["40"]


def test_features_of_other_rows_are_refused(made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, features = made_up
    with pytest.raises(ValueError, match="one row per row"):
        evaluate_surrogates(table, features, rng=np.random.default_rng(0))
