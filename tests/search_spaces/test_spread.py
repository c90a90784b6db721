import numpy as np
import pytest

from analognas.search_spaces import (
    Architecture,
    ConvOptions,
    ConvSpace,
    Fits,
    SearchSpace,
    make_space,
    sample_spread,
)


def within(space: SearchSpace, parameters: int, multiplications: int) -> Fits:
    return lambda network: (
        space.parameters(network) <= parameters
        and space.multiplications(network) <= multiplications
    )


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return make_space("tinyml", input_shape=(1, 49, 10), n_classes=10)


@pytest.fixture(scope="module")
def drawn(space: SearchSpace) -> list[Architecture]:
    fits = within(space, 300_000, 12_000_000)
    return sample_spread(space, np.random.default_rng(0), 64, fits)


def test_the_networks_are_distinct_and_fit(space: SearchSpace, drawn: list[Architecture]) -> None:
    assert len(drawn) == len({network.key for network in drawn}) == 64
    assert all(within(space, 300_000, 12_000_000)(network) for network in drawn)


def test_both_families_give_half(drawn: list[Architecture]) -> None:
    assert [network.space for network in drawn].count("conv") == 32
    assert [network.space for network in drawn[:10]].count("conv") == 5


def test_parameters_are_spread_evenly_over_their_logarithm(
    space: SearchSpace, drawn: list[Architecture]
) -> None:
    sizes = [np.log10(space.parameters(network)) for network in drawn]
    assert min(sizes) < 3.3
    assert max(sizes) > 4.9
    counts, _ = np.histogram(sizes, bins=5, range=(3.0, 5.48))
    assert counts.min() >= 6
    half, _ = np.histogram(sizes[:32], bins=5, range=(3.0, 5.48))
    assert half.min() >= 2


def test_multiplications_are_spread_too(space: SearchSpace, drawn: list[Architecture]) -> None:
    work = [np.log10(space.multiplications(network)) for network in drawn]
    counts, _ = np.histogram(work, bins=4)
    assert counts.min() >= 5


def test_the_same_seed_gives_the_same_networks() -> None:
    space = make_space("conv", input_shape=(1, 8, 8), n_classes=10)
    fits = within(space, 20_000, 10**6)
    one, same, other = (sample_spread(space, np.random.default_rng(s), 8, fits) for s in (1, 1, 2))
    assert one == same
    assert one != other


def test_limits_that_nothing_meets_are_refused(space: SearchSpace) -> None:
    with pytest.raises(ValueError, match="Not even the smallest network"):
        sample_spread(space, np.random.default_rng(0), 4, within(space, 10, 10))


def test_more_networks_than_there_are_is_refused() -> None:
    options = ConvOptions(stages=(2,), kinds=("pointwise",), kernels=("3x3",), widths=(8,))
    space = ConvSpace((1, 5, 5), 2, options)
    assert space.count() == 4
    everything = within(space, 10**9, 10**12)
    assert len(sample_spread(space, np.random.default_rng(0), 4, everything)) == 4
    with pytest.raises(ValueError, match="only 4 that fit the limits were found"):
        sample_spread(space, np.random.default_rng(0), 5, everything)


def test_no_networks_is_a_possible_wish() -> None:
    space = make_space("conv", input_shape=(1, 8, 8), n_classes=10)
    fits = within(space, 1_500, 10**5)
    assert sample_spread(space, np.random.default_rng(0), 0, fits) == []
    assert len(sample_spread(space, np.random.default_rng(0), 3, fits)) == 3
