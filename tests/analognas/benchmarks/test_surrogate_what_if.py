"""Predicted against simulated changes, on predictions that are made up."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from analognas.benchmarks.surrogate_what_if import (
    plot_what_if,
    what_if_changes,
    what_if_scores,
    what_if_table,
)
from analognas.surrogates import NOMINAL

DAY_S = 86_400.0


def predictions(error: float = 0.0) -> Any:
    """Two variants that cost networks 0.1 and 0.3, the wider ones half; predicted but for errors.

    There are two folds of two networks, one narrow and one wide in each.
    """
    rows = []
    for place, key in enumerate(("narrow a", "wide a", "narrow b", "wide b")):
        for variant, loss in ((NOMINAL, 0.0), ("v1", 0.1), ("v2", 0.3)):
            lost = loss / 2 if key.startswith("wide") else loss
            off = 0.0 if variant == NOMINAL else error
            rows.append(
                {
                    "key": key,
                    "variant": variant,
                    "t_s": DAY_S,
                    "seed": 0,
                    "fold": place // 2,
                    "actual": 0.9 - lost,
                    "mean": 0.85 - lost + off,
                    "<0.8": 0.85 - lost + off - 0.06,
                    ">0.8": 0.85 - lost + off + 0.06,
                }
            )
    return SimpleNamespace(unseen=pd.DataFrame(rows))


def test_an_error_of_the_level_is_none_of_the_change() -> None:
    changes = what_if_changes(predictions())
    assert len(changes) == 8
    assert changes["predicted"].to_numpy() == pytest.approx(changes["simulated"].to_numpy())
    found = what_if_scores(changes)
    assert found["correlation"] == pytest.approx(1.0)
    assert found["rmse"] == pytest.approx(0.0, abs=1e-12)
    assert found["coverage"] == 1.0


def test_other_networks_and_no_change_stand_beside_it() -> None:
    changes = what_if_changes(predictions(error=0.1))
    found = what_if_scores(changes)
    assert found["rmse"] == pytest.approx(0.1)
    assert found["coverage"] == 1.0  # the level was 0.05 too low
    narrow = changes[(changes["key"] == "narrow a") & (changes["variant"] == "v2")]
    assert narrow["usual"].item() == pytest.approx(-(0.3 + 0.15) / 2)  # of the other fold
    assert found["rmse_of_the_mean_of_other_networks"] == pytest.approx(
        ((0.025**2 + 0.075**2) / 2) ** 0.5
    )
    losses = (0.1, 0.05, 0.3, 0.15)
    assert found["rmse_of_no_change"] == pytest.approx((sum(x**2 for x in losses) / 4) ** 0.5)


def test_the_table_has_a_row_per_time_and_one_for_all() -> None:
    changes = what_if_changes(predictions(error=0.1))
    _, columns, rows = what_if_table(changes)
    assert [row[0] for row in rows] == ["1 day", "all together"]
    assert all(len(row) == len(columns) for row in rows)
    assert dict(zip(columns, rows[0], strict=True))["RMSE (points)"] == "10.0"
    assert len(plot_what_if(changes).axes[0].collections) == 1


def test_without_variants_there_is_nothing_to_tell() -> None:
    whole = predictions().unseen
    nominal = SimpleNamespace(unseen=whole[whole["variant"] == NOMINAL])
    assert what_if_changes(nominal).empty  # type: ignore[arg-type]
    nothing = SimpleNamespace(unseen=pd.DataFrame())
    assert what_if_changes(nothing).empty  # type: ignore[arg-type]
