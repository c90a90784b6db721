"""A few labels correct a surrogate of many."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from analognas.surrogates import (
    AdaptedSurrogate,
    LabelTable,
    TreeSettings,
    XGBoostSurrogate,
    coverage,
    kendall_tau_b,
    read_surrogate,
    rmse,
    rows_of,
)
from analognas.surrogates.boosting import BoostingSettings

MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]


@pytest.fixture(scope="module")
def base(make_table: MakeTable) -> XGBoostSurrogate:
    table, features = make_table(100, replicated=0)
    targets = table.targets()
    settings = TreeSettings(mean=BoostingSettings(trees=100), calibration_folds=3)
    return XGBoostSurrogate(settings).fit(rows_of(features, targets), targets)


@pytest.fixture(scope="module")
def elsewhere(make_table: MakeTable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Another device: lower odds, networks further apart, faster ageing."""
    table, features = make_table(80, replicated=0, seed=5)
    targets = table.targets()
    odds = logit(np.clip(targets["mean"], 0.01, 0.99))
    slower = 0.08 * np.log10(targets["t_s"])
    return rows_of(features, targets), targets.assign(mean=expit(1.3 * odds - 1.0 - slower))


def first(count: int, targets: pd.DataFrame) -> np.ndarray:
    return targets["key"].isin(sorted(targets["key"].unique())[:count]).to_numpy()


@pytest.fixture(scope="module")
def adapted(
    base: XGBoostSurrogate, elsewhere: tuple[pd.DataFrame, pd.DataFrame]
) -> AdaptedSurrogate:
    rows, targets = elsewhere
    few = first(15, targets)
    return AdaptedSurrogate(base).fit(rows[few], targets[few])


def test_it_beats_the_surrogate_as_it_was_and_one_fitted_anew(
    base: XGBoostSurrogate,
    adapted: AdaptedSurrogate,
    elsewhere: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    rows, targets = elsewhere
    few = first(15, targets)
    settings = TreeSettings(mean=BoostingSettings(trees=100), calibration_folds=3)
    anew = XGBoostSurrogate(settings).fit(rows[few], targets[few])
    new, actual = rows[~few], targets[~few]["mean"]
    errors = [rmse(actual, one.predict(new).mean) for one in (adapted, base, anew)]
    assert errors[0] < 0.5 * errors[1]
    assert errors[0] < 0.7 * errors[2]
    assert adapted.errors is not None
    assert adapted.errors.after < 0.5 * adapted.errors.before
    assert kendall_tau_b(actual, adapted.predict(new).rank_score) > 0.8


def test_its_intervals_cover_networks_that_gave_no_labels(
    adapted: AdaptedSurrogate, elsewhere: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = elsewhere
    left = ~first(15, targets)
    prediction = adapted.predict(rows[left])
    inside = coverage(targets[left], targets[left]["mean"], prediction.lower, prediction.upper)
    assert 0.6 < inside <= 1.0
    assert np.all(prediction.quantile_05 <= prediction.mean)


def test_where_nothing_changed_little_is_corrected(
    base: XGBoostSurrogate, make_table: MakeTable
) -> None:
    table, features = make_table(60, replicated=0, seed=7)
    targets = table.targets()
    rows = rows_of(features, targets)
    few = first(12, targets)
    same = AdaptedSurrogate(base).fit(rows[few], targets[few])
    before, after = (
        rmse(targets[~few]["mean"], one.predict(rows[~few]).mean) for one in (base, same)
    )
    assert after < 1.15 * before


def test_stored_and_read_back_it_predicts_the_same_bits(
    adapted: AdaptedSurrogate, elsewhere: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    text = adapted.to_json()
    again = read_surrogate(text)
    np.testing.assert_array_equal(
        again.predict(elsewhere[0]).mean, adapted.predict(elsewhere[0]).mean
    )
    assert again.to_json() == text
    for damaged in (text.replace('"base"', '"bass"'), text.replace('"stretch"', '"strecth"')):
        with pytest.raises(ValueError, match="damaged"):
            read_surrogate(damaged)


def test_too_few_networks_are_refused(
    base: XGBoostSurrogate, elsewhere: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = elsewhere
    few = first(4, targets)
    with pytest.raises(ValueError, match="at least 5 networks"):
        AdaptedSurrogate(base).fit(rows[few], targets[few])
    with pytest.raises(ValueError, match="fitted before"):
        AdaptedSurrogate(base).predict(rows)
