"""What is learned from and what is judged never mix."""

import numpy as np
import pandas as pd

from analognas.surrogates import NOMINAL, LabelTable
from analognas.surrogates.regions import Region
from analognas.surrogates.splits import (
    UNSEEN_BOTH,
    UNSEEN_HARDWARE,
    largest_split,
    learning_splits,
    network_splits,
    region_splits,
)

LOW_BITS = Region("low bits", "hardware_adc_bits", high=6.0)


def test_networks_are_judged_once_per_seed_and_never_seen(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    targets = on_variants[0].targets()
    splits = network_splits(targets, seeds=2)
    assert len(splits) == 10
    assert len({split.name for split in splits}) == 10
    for seed in range(2):
        judged = sum(split.judge.astype(int) for split in splits if split.seed == seed)
        assert np.all(judged == 1)
    for split in splits:
        assert not set(targets["key"][split.learn]) & set(targets["key"][split.judge])
    first, other = (splits[0].judge, splits[5].judge)
    assert np.any(first != other)


def test_a_region_is_judged_on_variants_and_learned_from_nowhere(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    table, features = on_variants
    targets = table.targets()
    splits = region_splits(features, targets, (LOW_BITS,))
    kinds = [split.kind for split in splits]
    assert kinds.count(UNSEEN_HARDWARE) == 1
    assert kinds.count(UNSEEN_BOTH) == 2
    for split in splits:
        assert features["hardware_adc_bits"][split.learn].min() > 6.0
        assert features["hardware_adc_bits"][split.judge].max() <= 6.0
        assert (targets["variant"][split.judge] != NOMINAL).all()
        shared = set(targets["key"][split.learn]) & set(targets["key"][split.judge])
        assert bool(shared) == (split.kind == UNSEEN_HARDWARE)


def test_largest_networks_are_those_with_the_most_multiplications(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    table, features = on_variants
    targets = table.targets()
    assert largest_split(features, targets) == []
    sized = features.assign(log10_multiplications=features["log10_parameters"])
    (split,) = largest_split(sized, targets)
    assert targets["key"][split.judge].nunique() == 12
    sizes = sized["log10_multiplications"]
    assert sizes[split.learn].max() < sizes[split.judge].min()


def test_a_learning_curve_adds_networks_to_those_before(
    on_variants: tuple[LabelTable, pd.DataFrame],
) -> None:
    targets = on_variants[0].targets()
    splits = learning_splits(targets, (10, 20, 200), seeds=2)
    assert [count for count, _ in splits] == [10, 20, 48] * 2
    for small, large in ((0, 1), (1, 2), (3, 4), (4, 5)):
        assert not np.any(splits[small][1].learn & ~splits[large][1].learn)
    for count, split in splits:
        assert targets["key"][split.learn].nunique() == count
        assert not set(targets["key"][split.learn]) & set(targets["key"][split.judge])
