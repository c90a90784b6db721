"""What predictions owe to groups of columns, on functions whose answer is known."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates import LabelTable, TreeSettings, XGBoostSurrogate, rows_of
from analognas.surrogates.attribution import FloatArray, shapley_values
from analognas.surrogates.boosting import BoostingSettings

MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]
GROUPS = {"size": [0, 1], "kind": [2], "rest": [3]}


@pytest.fixture
def rows() -> FloatArray:
    return np.random.default_rng(0).normal(size=(9, 4))


def test_a_sum_is_taken_apart_into_its_terms(rows: FloatArray) -> None:
    slope = np.array([2.0, -1.0, 3.0, 0.0])
    found = shapley_values(lambda matrix: matrix @ slope, rows[0], rows[1:], GROUPS)
    above = slope * (rows[0] - rows[1:].mean(axis=0))
    assert found["size"] == pytest.approx(above[:2].sum())
    assert found["kind"] == pytest.approx(above[2])
    assert found["rest"] == pytest.approx(0.0)


def test_a_product_is_shared_equally() -> None:
    row, others = np.array([2.0, 3.0]), np.zeros((1, 2))
    found = shapley_values(lambda m: m[:, 0] * m[:, 1], row, others, {"a": [0], "b": [1]})
    assert found == pytest.approx({"a": 3.0, "b": 3.0})


def test_what_is_the_same_everywhere_contributes_nothing(rows: FloatArray) -> None:
    rows[:, 2] = 0.7
    found = shapley_values(lambda m: np.exp(m).prod(axis=1), rows[0], rows[1:], GROUPS)
    assert found["kind"] == 0.0
    total = np.exp(rows).prod(axis=1)
    assert sum(found.values()) == pytest.approx(total[0] - total[1:].mean())


def test_too_many_groups_are_refused() -> None:
    groups = {str(place): [place] for place in range(13)}
    with pytest.raises(ValueError, match="At most 12 groups"):
        shapley_values(lambda m: m.sum(axis=1), np.ones(13), np.zeros((1, 13)), groups)


def test_contributions_lead_from_the_average_to_the_prediction(make_table: MakeTable) -> None:
    table, features = make_table(60)
    targets = table.targets()
    rows = rows_of(features, targets)
    settings = TreeSettings(mean=BoostingSettings(trees=60), calibration_folds=2)
    surrogate = XGBoostSurrogate(settings).fit(rows, targets)
    groups = {
        "size": ["log10_parameters"],
        "kind": ["depthwise"],
        "nothing": [f"nothing{index}" for index in range(5)],
        "time": ["log10_t_s"],
    }
    day = rows[targets["t_s"].to_numpy() == 86_400.0].sort_values("log10_parameters")
    largest, others = day.iloc[-1:], day.iloc[:20]
    found = surrogate.contributions(largest, others, groups)
    assert found.total == pytest.approx(surrogate.predict(largest).rank_score[0], abs=1e-5)
    assert found.base == pytest.approx(surrogate.predict(others).rank_score.mean(), abs=1e-5)
    assert sum(found.groups.values()) == pytest.approx(found.total - found.base, abs=1e-4)
    assert found.smooth["time"] == 0.0  # the same in all rows
    assert max(found.groups, key=lambda name: found.groups[name]) == "size"
    assert found.trees["size"] > 0 < found.smooth["size"]
    with pytest.raises(ValueError, match=r"log10_t_s.*are not"):
        surrogate.contributions(largest, others, {**groups, "time": []})
