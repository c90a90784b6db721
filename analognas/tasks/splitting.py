"""Cut samples into training, validation and test parts by the hash of their content."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np

from analognas.tasks.base import IntArray

TRAINING_FRACTION = 0.6
VALIDATION_FRACTION = 0.2

Indices = tuple[IntArray, IntArray, IntArray]  # training, validation, test


def split_by_hash(contents: Sequence[bytes], strata: Sequence[Hashable]) -> Indices:
    """Cut every stratum 60/20/20 in the order of the SHA-256 of its samples.

    The order depends on the samples alone, not on where they stand in the file.

    Args:
        contents: `N` byte strings, one a sample.
        strata: `N` labels; each group of equal labels is cut in the same proportions.
    """
    if len(contents) != len(strata):
        raise ValueError(f"Need one stratum a sample, got {len(strata)} for {len(contents)}.")
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index, stratum in enumerate(strata):
        groups[stratum].append(index)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for members in groups.values():
        ordered = sorted(members, key=lambda i: (hashlib.sha256(contents[i]).digest(), i))
        first = round(TRAINING_FRACTION * len(ordered))
        second = first + round(VALIDATION_FRACTION * len(ordered))
        for part, chosen in zip(
            parts, (ordered[:first], ordered[first:second], ordered[second:]), strict=True
        ):
            part.extend(chosen)
    training, validation, test = (np.array(sorted(part), dtype=np.int64) for part in parts)
    return training, validation, test
