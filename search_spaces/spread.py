"""Draw networks of all sizes, evenly over the logarithm of parameters and multiplications.

Uniform genes give mostly large networks, but a surrogate must know the whole range. So a pool of
candidates is drawn first, each shrunk to a size of its own, and then thinned out evenly.
"""

from math import log10

import numpy as np

from analognas.search_spaces.architecture import Architecture
from analognas.search_spaces.base import Fits, SearchSpace

SMALLEST_PARAMETERS = 1_000
PARAMETER_BINS, MULTIPLICATION_BINS = 8, 6
POOL_PER_NETWORK, SMALLEST_POOL = 12, 400
PATIENCE = 500  # draws in a row without a new network, after which the pool is taken as it is
PROBES = 20  # draws to find out how large a network may be


def sample_spread(
    space: SearchSpace, rng: np.random.Generator, n: int, fits: Fits
) -> list[Architecture]:
    """Draw `n` distinct networks that fit, of all sizes.

    Equal numbers come from every eighth of the range of log10(parameters), which begins at 1,000
    where the limits leave room, and within it from every sixth of its range of
    log10(multiplications), as far as there are candidates. A union of families gives equal numbers
    from each. Any beginning of the list is as evenly spread as the whole.

    Raises:
        ValueError: Fewer than `n` distinct networks were found that fit.
    """
    families = space.families
    shares = [n // len(families) + (index < n % len(families)) for index in range(len(families))]
    drawn = [
        _sample_family(family, rng, share, fits)
        for family, share in zip(families, shares, strict=True)
    ]
    return [group[turn] for turn in range(max(shares)) for group in drawn if turn < len(group)]


def _sample_family(
    space: SearchSpace, rng: np.random.Generator, n: int, fits: Fits
) -> list[Architecture]:
    if n == 0:
        return []
    pool = _draw_pool(space, rng, max(SMALLEST_POOL, POOL_PER_NETWORK * n), fits)
    if len(pool) < n:
        raise ValueError(
            f"{n} distinct networks of the space {space.name!r} were asked for, but only "
            f"{len(pool)} that fit the limits were found. Ask for fewer or relax the limits."
        )
    strata = _strata(space, pool)
    chosen: list[Architecture] = []
    while len(chosen) < n:
        # One network of every parameter bin a round; within it, the multiplication bins in turn.
        for index in rng.permutation(len(strata)):
            cells = [cell for cell in strata[index] if cell]
            if cells and len(chosen) < n:
                chosen.append(cells[0].pop())
                strata[index] = [*cells[1:], cells[0]]
    return chosen


def _draw_pool(
    space: SearchSpace, rng: np.random.Generator, size: int, fits: Fits
) -> list[Architecture]:
    """Distinct networks that fit, each shrunk to a number of parameters drawn log-uniformly."""
    largest = max(space.parameters(space.sample(rng, fits)) for _ in range(PROBES))
    smallest = min(SMALLEST_PARAMETERS, largest // 4)
    pool: dict[str, Architecture] = {}
    in_vain = 0
    while len(pool) < size and in_vain < PATIENCE:
        limit = 10 ** rng.uniform(log10(smallest), log10(largest))

        def fits_well(network: Architecture, limit: float = limit) -> bool:
            return space.parameters(network) <= limit and fits(network)

        codes = space.random_codes(rng)
        network = space.decode(codes, fits_well) or space.decode(codes, fits)
        in_vain += 1
        if network and network.key not in pool and space.parameters(network) >= smallest:
            pool[network.key] = network
            in_vain = 0
    return list(pool.values())


def _strata(space: SearchSpace, pool: list[Architecture]) -> list[list[list[Architecture]]]:
    """Networks by bin of parameters and, within it, by bin of multiplications."""
    strata = []
    sizes = [log10(space.parameters(network)) for network in pool]
    for group in _bins(pool, sizes, PARAMETER_BINS):
        work = [log10(space.multiplications(network)) for network in group]
        strata.append(_bins(group, work, MULTIPLICATION_BINS))
    return strata


def _bins(
    networks: list[Architecture], values: list[float], number: int
) -> list[list[Architecture]]:
    """Split into equally wide bins from the smallest to the largest value."""
    bins: list[list[Architecture]] = [[] for _ in range(number)]
    low = min(values, default=0.0)
    width = (max(values, default=0.0) - low) / number
    for network, value in zip(networks, values, strict=True):
        bins[min(number - 1, int((value - low) / width)) if width else 0].append(network)
    return bins
