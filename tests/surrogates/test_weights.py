"""How much labels count, and which stand for all."""

import numpy as np
import pandas as pd

from analognas.surrogates import NOMINAL, LabelTable
from analognas.surrogates.weights import label_weights, thin

ROW = {"mean": 0.7, "sd": 0.03, "chips": 20.0, "clips": 700.0, "seeds": 1}


def test_precise_labels_count_more() -> None:
    rows = [ROW, ROW | {"chips": 2.0}, ROW | {"clips": 100.0}, ROW | {"seeds": 3}]
    plain, few_chips, few_clips, more_seeds = label_weights(pd.DataFrame(rows))
    assert few_clips < few_chips < plain < more_seeds
    assert np.mean([plain, few_chips, few_clips, more_seeds]) == 1.0


def test_few_rows_stay_all(on_variants: tuple[LabelTable, pd.DataFrame]) -> None:
    targets = on_variants[0].targets()
    np.testing.assert_array_equal(thin(targets, len(targets)), np.arange(len(targets)))


def test_thinned_networks_keep_their_times_and_the_nominal_hardware(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    targets = on_variants[0].targets()  # 60 networks on 5 kinds of hardware at 2 times
    kept = targets.iloc[thin(targets, 300)]
    assert 290 <= len(kept) <= 300
    assert kept["key"].nunique() == 60
    assert (kept.groupby(["key", "variant"]).size() == 2).all()
    assert set(kept.loc[kept["variant"] == NOMINAL, "key"]) == set(targets["key"])
    by_network = kept.groupby("key")["variant"].nunique()
    assert by_network.max() - by_network.min() <= 1


def test_if_there_is_no_room_for_all_some_networks_go(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    targets = on_variants[0].targets()
    kept = targets.iloc[thin(targets, 60)]
    assert len(kept) == 60
    assert kept["key"].nunique() == 30
    assert kept["variant"].nunique() > 3
