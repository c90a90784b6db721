"""The main surrogate on labels whose law is known."""

import time
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
    rmse,
    rows_of,
)
from analognas.surrogates.boosting import BoostingSettings
from analognas.surrogates.regions import Region

MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]
SMALL = TreeSettings(mean=BoostingSettings(trees=60), calibration_folds=5)


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


@pytest.fixture(scope="module")
def varied(make_varied: MakeTable) -> XGBoostSurrogate:
    table, features = make_varied(80)
    regions = (Region("noise over 2.5", "hardware_noise", low=2.5),)
    return XGBoostSurrogate(SMALL, regions=regions).fit(features, table.targets())


def test_new_networks_are_put_in_order(
    learned: XGBoostSurrogate, new: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = new
    prediction = learned.predict(rows)
    for _, index in targets.groupby("t_s").indices.items():
        actual = targets["mean"].to_numpy()[index]
        assert kendall_tau_b(actual, prediction.rank_score[index]) > 0.8
        assert kendall_tau_b(actual, prediction.mean[index]) > 0.8


def test_intervals_cover_new_networks(
    learned: XGBoostSurrogate, new: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = new
    p = learned.predict(rows, level=0.8)
    assert 0.7 < coverage(targets, targets["mean"], p.lower, p.upper) < 0.95


def test_the_low_quantile_is_as_far_below_as_the_chips_are_apart(
    learned: XGBoostSurrogate, new: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    rows, targets = new
    prediction = learned.predict(rows)
    gap = float(np.mean(prediction.mean - prediction.quantile_05))
    assert gap == pytest.approx(1.645 * np.sqrt((targets["sd"] ** 2).mean()), rel=0.25)


def test_new_networks_are_predicted_on_every_hardware(
    varied: XGBoostSurrogate, make_varied: MakeTable
) -> None:
    table, rows = make_varied(60, seed=1)
    targets = table.targets()
    prediction = varied.predict(rows)
    assert rmse(targets["mean"], prediction.mean) < 0.08  # their sd is 0.2
    assert 0.65 < coverage(targets, targets["mean"], prediction.lower, prediction.upper) <= 0.97
    assert not prediction.beyond.any()


def test_hardware_between_two_that_were_learned_from_is_predicted(
    varied: XGBoostSurrogate, make_varied: MakeTable
) -> None:
    _, rows = make_varied(20, seed=1)
    quiet, loud = (rows.assign(hardware_noise=noise) for noise in (0.8, 2.2))
    middle = rows.assign(hardware_noise=1.5)
    low, mid, high = (varied.predict(frame).mean.mean() for frame in (loud, middle, quiet))
    assert low < mid < high


def test_beyond_the_hardware_of_the_labels_intervals_are_no_narrower_and_say_so(
    varied: XGBoostSurrogate, make_varied: MakeTable
) -> None:
    _, rows = make_varied(20, seed=1)
    far = rows.assign(hardware_noise=4.0)
    assert varied.predict(far).beyond.all()
    assert varied.ranges is not None
    assert varied.ranges.describe(far) == ("noise is 4 (learned: 0 to 3)",)
    widths = []
    for noise in (3.0, 4.0):
        p = varied.predict(rows.assign(hardware_noise=noise))
        widths.append(((p.upper - p.lower) / np.sqrt(p.mean * (1 - p.mean) + 1e-3)).max())
    assert widths[1] > widths[0]


def test_a_label_of_more_seeds_weighs_more(made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, features = made_up
    targets = table.targets()
    rows = rows_of(features, targets)
    other = targets.assign(mean=1.0 - targets["mean"], clips=10, chips=1)
    both = pd.concat([targets, other], ignore_index=True)
    mean = XGBoostSurrogate(SMALL).fit(pd.concat([rows, rows]), both).predict(rows).mean
    near, far = (np.abs(mean - frame["mean"]).mean() for frame in (targets, other))
    assert near < 0.6 * far


def test_settings_are_stored_and_checked(made_up: tuple[LabelTable, pd.DataFrame]) -> None:
    table, features = made_up
    targets = table.targets()
    fitted = XGBoostSurrogate(SMALL).fit(rows_of(features, targets), targets)
    assert XGBoostSurrogate.from_json(fitted.to_json()).settings == SMALL
    with pytest.raises(ValueError, match="trees"):
        BoostingSettings(trees=0)


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


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_fitted_and_predicted_quickly(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    """Time of this process alone, so that a busy machine changes little."""
    table, features = on_variants
    rng = np.random.default_rng(0)
    wide = features.assign(**{f"more{n}": rng.normal(size=len(features)) for n in range(70)})
    copies = -(-100_000 // len(wide))
    targets = table.targets()
    names = [targets.assign(key=targets["key"] + f"/{copy}") for copy in range(copies)]
    many = pd.concat([wide] * copies, ignore_index=True)
    began = time.process_time()
    surrogate = XGBoostSurrogate().fit(many, pd.concat(names, ignore_index=True))
    fitted = time.process_time()
    surrogate.predict(many)
    assert fitted - began < 30.0  # about 10 s on a free core
    assert len(many) / (time.process_time() - fitted) > 10_000
