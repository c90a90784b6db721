from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognas.tasks.splitting import split_by_hash


@given(
    samples=st.lists(st.binary(max_size=4), unique=True, max_size=60),
    kinds=st.integers(1, 4),
    order=st.randoms(use_true_random=False),
)
def test_every_sample_is_in_one_part_whatever_the_order(
    samples: list[bytes], kinds: int, order: object
) -> None:
    strata = {sample: sum(sample) % kinds for sample in samples}
    parts = split_by_hash(samples, [strata[sample] for sample in samples])
    assert sorted(index for part in parts for index in part) == list(range(len(samples)))
    shuffled = sorted(samples)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    again = split_by_hash(shuffled, [strata[sample] for sample in shuffled])
    for part, same in zip(parts, again, strict=True):
        assert {samples[i] for i in part} == {shuffled[i] for i in same}


def test_every_stratum_is_cut_sixty_twenty_twenty() -> None:
    samples = [bytes([index, kind]) for kind in range(3) for index in range(50)]
    strata = [sample[1] for sample in samples]
    for part, size in zip(split_by_hash(samples, strata), (30, 10, 10), strict=True):
        assert Counter(strata[index] for index in part) == dict.fromkeys(range(3), size)


def test_each_sample_needs_a_stratum() -> None:
    with pytest.raises(ValueError, match="got 1 for 2"):
        split_by_hash([b"a", b"b"], [0])
