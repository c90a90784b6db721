"""The main surrogate on labels whose law is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import (
    LabelTable,
    TreeSettings,
    XGBoostSurrogate,
    coverage,
    kendall_tau_b,
    rows_of,
)

MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]
SMALL = TreeSettings(trees=60, calibration_folds=5)


@pytest.fixture(scope="module")
def learned(make_table: MakeTable) -> XGBoostSurrogate:
    table, features = make_table(120, replicated=20, seed=0)
    targets = table.targets()
    return XGBoostSurrogate().fit(rows_of(features, targets), targets)


@pytest.fixture(scope="module")
def new(make_table: MakeTable) -> tuple[pd.DataFrame, pd.DataFrame]:
    table, features = make_table(150, replicated=0, seed=1)
    targets = table.targets()
    return rows_of(features, targets), targets


def test_new_networks_are_put_in_order(
    learned: XGBoostSurrogate, new: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = new
    prediction = learned.predict(rows)
    assert prediction.rank_score is not None
    for _, index in targets.groupby("t_s").indices.items():
        actual = targets["mean"].to_numpy()[index]
        assert kendall_tau_b(actual, prediction.rank_score[index]) > 0.75
        assert kendall_tau_b(actual, prediction.mean[index]) > 0.75


def test_intervals_cover_new_networks(
    learned: XGBoostSurrogate, new: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = new
    p = learned.predict(rows, level=0.8)
    assert 0.7 < coverage(targets["key"].tolist(), targets["mean"], p.lower, p.upper) < 0.95


def test_the_low_quantile_lies_below_most_labels(
    learned: XGBoostSurrogate, new: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = new
    low = learned.predict(rows).quantile_05
    assert low is not None
    gap = float(np.mean(targets["mean"] - low))
    assert gap == pytest.approx(float(np.mean(targets["mean"] - targets["low"])), abs=0.02)


def test_a_label_of_more_seeds_weighs_more(made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, features = made_up
    targets = table.targets()
    rows = rows_of(features, targets)
    twice = pd.concat([targets, targets.assign(mean=1.0 - targets["mean"])], ignore_index=True)
    both = pd.concat([rows, rows])
    means = []
    for weight in (1, 20):
        twice["seeds"] = np.repeat([weight, 1], len(targets))
        means.append(XGBoostSurrogate(SMALL).fit(both, twice).predict(rows).mean)
    errors = [float(np.abs(mean - targets["mean"]).mean()) for mean in means]
    assert errors[1] < 0.5 * errors[0]


def test_settings_are_stored_and_checked(made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, features = made_up
    targets = table.targets()
    fitted = XGBoostSurrogate(SMALL).fit(rows_of(features, targets), targets)
    assert XGBoostSurrogate.from_json(fitted.to_json()).settings == SMALL
    with pytest.raises(ValueError, match="trees"):
        TreeSettings(trees=0)


def test_features_without_a_time_are_refused(made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, features = made_up
    with pytest.raises(ValueError, match="log10_t_s"):
        XGBoostSurrogate(SMALL).fit(features, table.targets())


def test_a_model_of_other_columns_is_refused(made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, features = made_up
    targets = table.targets()
    text = XGBoostSurrogate(SMALL).fit(rows_of(features, targets), targets).to_json()
    with pytest.raises(ValueError, match="damaged"):
        XGBoostSurrogate.from_json(text.replace('"nothing0",', "", 1))
