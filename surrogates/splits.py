"""How labels are cut into a part to learn from and a part to be judged on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analognas.surrogates.folds import fold_of_rows
from analognas.surrogates.label_table import NOMINAL
from analognas.surrogates.regions import REGIONS, Region, largest, usable_regions

BoolArray = NDArray[np.bool_]

FOLDS = 5
UNSEEN_NETWORKS = "unseen networks"
UNSEEN_HARDWARE = "unseen hardware, known networks"
UNSEEN_BOTH = "unseen hardware and networks"
LARGEST = "largest networks"
REGION_FOLDS = 2  # of the folds of networks that are also left out with a region


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to learn from and rows to be judged on.

    Attributes:
        kind: What is new in the rows to be judged on.
        learn: Rows `(N,)`.
        judge: Rows `(N,)`; none of them is learned from.
        seed: Of the cut into folds.
        fold: Of the networks; -1 if they are not cut.
        region: Of the hardware that is left out, if one is.
    """

    kind: str
    learn: BoolArray
    judge: BoolArray
    seed: int = 0
    fold: int = -1
    region: str = ""

    @property
    def name(self) -> str:
        return "/".join((self.kind, self.region, str(self.seed), str(self.fold)))


def network_splits(targets: pd.DataFrame, seeds: int, folds: int = FOLDS) -> list[Split]:
    """Cut the networks into folds, once per seed; no row of a fold's networks is learned from."""
    splits = []
    for seed in range(seeds):
        fold = fold_of_rows(targets["key"].tolist(), folds, salt=_salt(seed))
        splits += [
            Split(UNSEEN_NETWORKS, fold != index, fold == index, seed, index)
            for index in range(folds)
        ]
    return splits


def region_splits(
    features: pd.DataFrame, targets: pd.DataFrame, regions: Sequence[Region] = REGIONS
) -> list[Split]:
    """Leave out one region of the hardware after another.

    Learned from are the nominal hardware and all variants outside of the region; judged are the
    variants in it: on networks that were seen on other hardware, and on networks that were not.
    """
    keys = targets["key"].tolist()
    fold = fold_of_rows(keys, FOLDS, salt=_salt(0))
    splits = []
    for region in usable_regions(features, keys, regions):
        inside = region.mask(features)
        judge = inside & (targets["variant"] != NOMINAL).to_numpy()
        splits.append(Split(UNSEEN_HARDWARE, ~inside, judge, region=region.name))
        splits += [
            Split(UNSEEN_BOTH, ~inside & (fold != f), judge & (fold == f), 0, f, region.name)
            for f in range(REGION_FOLDS)
        ]
    return splits


def largest_split(features: pd.DataFrame, targets: pd.DataFrame) -> list[Split]:
    """Leave out the largest fifth of the networks by multiplications; none if all are equal."""
    large = largest(features, targets["key"].tolist())
    return [Split(LARGEST, ~large, large)] if large.any() and not large.all() else []


def learning_splits(
    targets: pd.DataFrame, counts: Sequence[int], seeds: int
) -> list[tuple[int, Split]]:
    """Learn from few networks, then more; judged on a fifth, another one for every seed.

    Counts beyond the networks of the other four fifths are passed over; all of those come last.
    """
    splits = []
    for seed in range(seeds):
        keys = targets["key"].tolist()
        fold = fold_of_rows(keys, FOLDS, salt=_salt(seed))
        judge = fold == seed % FOLDS
        others = np.unique(np.asarray(keys)[~judge])
        others = np.random.default_rng(seed).permutation(others)
        for count in (*(count for count in counts if count < len(others)), len(others)):
            learn = targets["key"].isin(others[:count].tolist()).to_numpy()
            splits.append((count, Split(UNSEEN_NETWORKS, learn, judge, seed, seed % FOLDS)))
    return splits


def _salt(seed: int) -> str:
    return str(seed) if seed else ""
