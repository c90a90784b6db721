"""Draw networks of all sizes, evenly over the logarithm of parameters and multiplications.

Uniform genes give mostly large networks. Labels are needed over the whole range, so a pool of candidates with
random caps on width and depth is drawn first, and then thinned out.
"""

from math import log10

import numpy as np

from analognas.search_spaces.architecture import Architecture
from analognas.search_spaces.base import Fits, SearchSpace

SMALLEST_PARAMETERS = 1_000
PARAMETER_BINS, MULTIPLICATION_BINS = 8, 6
POOL_PER_NETWORK, SMALLEST_POOL = 12, 400
DRAWS_PER_CANDIDATE = 20


def sample_spread(
    space: SearchSpace, rng: np.random.Generator, n: int, fits: Fits
) -> list[Architecture]:
    """Draw `n` distinct networks that fit, of all sizes.

    Equal numbers come from every eighth of the range of log10(parameters), which begins at 1,000 where the space
    allows, and within each from every sixth of its range of log10(multiplications), as far as there are
    candidates. A union of families gives equal numbers from each. The order is random: the first half is as spread
    as the whole.

    Raises:
        ValueError: Fewer than `n` distinct networks were found that fit.
    """
    families = space.families
    shares = [n // len(families) + (index < n % len(families)) for index in range(len(families))]
    drawn = [
        _sample_family(family, rng, share, fits)
        for family, share in zip(families, shares, strict=True)
    ]
    return [group[i] for i in range(max(shares, default=0)) for group in drawn if i < len(group)]


def _sample_family(
    space: SearchSpace, rng: np.random.Generator, n: int, fits: Fits
) -> list[Architecture]:
    pool = _draw_pool(space, rng, max(SMALLEST_POOL, POOL_PER_NETWORK * n), fits)
    if len(pool) < n:
        raise ValueError(
            f"{n} distinct networks of the space {space.name!r} that fit the limits were asked for, but "
            f"only {len(pool)} were found. Ask for fewer or relax the limits."
        )
    sizes = {
        network.key: (log10(space.parameters(network)), log10(space.multiplications(network)))
        for network in pool
    }
    remaining = _strata(pool, sizes)
    chosen: list[Architecture] = []
    while len(chosen) < n:
        # One network of every parameter bin a round; within a bin the least used row of multiplications.
        for bins in rng.permutation(len(remaining)):
            cells = [cell for cell in remaining[int(bins)] if cell]
            if cells and len(chosen) < n:
                chosen.append(cells[0].pop())
                remaining[int(bins)] = [*cells[1:], cells[0]]
    return chosen


def _strata(
    pool: list[Architecture], sizes: dict[str, tuple[float, float]]
) -> list[list[list[Architecture]]]:
    """Networks by parameter bin and, within it, by multiplication bin; both in the order of the pool."""
    by_parameters: list[list[Architecture]] = [[] for _ in range(PARAMETER_BINS)]
    for index, network in zip(
        _bins([sizes[network.key][0] for network in pool], PARAMETER_BINS), pool, strict=True
    ):
        by_parameters[index].append(network)
    strata = []
    for group in by_parameters:
        cells: list[list[Architecture]] = [[] for _ in range(MULTIPLICATION_BINS)]
        indices = _bins([sizes[network.key][1] for network in group], MULTIPLICATION_BINS)
        for index, network in zip(indices, group, strict=True):
            cells[index].append(network)
        strata.append(cells)
    return strata


def _bins(values: list[float], number: int) -> list[int]:
    """Which of equally wide bins between the smallest and the largest value each value lies in."""
    if not values:
        return []
    low, width = min(values), (max(values) - min(values)) / number
    return [min(number - 1, int((value - low) / width)) if width else 0 for value in values]


def _draw_pool(
    space: SearchSpace, rng: np.random.Generator, size: int, fits: Fits
) -> list[Architecture]:
    """Distinct networks that fit, from the largest possible down to about a thousand parameters.

    Half of the candidates are shrunk to a random size limit drawn log-uniformly; what is drawn too large is shrunk to fit.
    """
    pool: dict[str, Architecture] = {}
    largest = max(space.parameters(space.sample(rng, fits)) for _ in range(20))
    low, high = log10(SMALLEST_PARAMETERS), log10(max(largest, SMALLEST_PARAMETERS + 1))
    for _ in range(DRAWS_PER_CANDIDATE * size):
        if len(pool) >= size:
            break
        limit = 10 ** rng.uniform(low, high)
        network = space.decode(
            space.random_codes(rng),
            lambda candidate, limit=limit: space.parameters(candidate) <= limit and fits(candidate),  # type: ignore[misc]
        )
        if network is not None:
            pool[network.key] = network
    if len(pool) > 2:
        floor = [n for n in pool.values() if space.parameters(n) >= SMALLEST_PARAMETERS]
        return floor if len(floor) >= size // 2 else list(pool.values())
    return list(pool.values())
