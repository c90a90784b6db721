"""Laws of the simulator's effects, written down a second time, in plain numbers.

Nothing here is shared with the simulator: a mistake in one of the two shows as a deviation. Sources
are those of the effects: Nandakumar et al. (ICECS 2019) and Joshi et al. (2020) for the 2019 PCM
cells, Le Gallo et al. (2023) for those of the 64-core chip, Wan et al. (2022) and Falcone et al.
(2025) for ReRAM, Rasch et al. (2023) for everything around the cells.
"""

import math
from dataclasses import dataclass

DAY_S = 86_400.0
YEAR_S = 31_536_000.0


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of a law."""

    mean: float
    spread: float


def clamped_normal(mean: float, sigma: float, lowest: float = 0.0) -> Moments:
    """Moments of `max(N(mean, sigma), lowest)`."""
    if sigma == 0:
        return Moments(max(mean, lowest), 0.0)
    z = (mean - lowest) / sigma
    density, above = _density(z), _distribution(z)
    first = sigma * (z * above + density)
    second = sigma**2 * ((z * z + 1) * above + z * density)
    return Moments(lowest + first, math.sqrt(second - first**2))


def folded_normal(mean: float, sigma: float) -> Moments:
    """Moments of `|N(mean, sigma)|`."""
    z = mean / sigma
    first = 2 * sigma * _density(z) + mean * (1 - 2 * _distribution(-z))
    return Moments(first, math.sqrt(mean**2 + sigma**2 - first**2))


def half_clamped(sigma: float) -> Moments:
    """Moments of `max(N(0, sigma), 0)`."""
    return clamped_normal(0.0, sigma)


def uniform(width: float) -> Moments:
    """Moments of a rounding error over steps of `width`."""
    return Moments(0.0, width / math.sqrt(12))


def folded_power(mean: float, sigma: float, log_time: float) -> Moments:
    """Moments of `exp(-|N(mean, sigma)| log_time)`: drift with an exponent per cell."""

    def expectation(factor: float) -> float:
        quadratic = 0.5 * (sigma * factor) ** 2
        up = math.exp(-mean * factor + quadratic) * _distribution(mean / sigma - sigma * factor)
        down = math.exp(mean * factor + quadratic) * _distribution(-mean / sigma - sigma * factor)
        return up + down

    first = expectation(log_time)
    return Moments(first, math.sqrt(expectation(2 * log_time) - first**2))


def pcm_programming_uS(r: float) -> float:
    """Spread of a programmed 2019 PCM cell with g_max = 25 uS."""
    return 0.26348 + 1.9650 * r - 1.1731 * r**2


def pcm_drift(r: float) -> tuple[float, float]:
    """Location and spread of its drift exponent."""
    return (
        min(max(-0.0155 * math.log(r) + 0.0244, 0.049), 0.1),
        min(max(-0.0125 * math.log(r) - 0.0059, 0.008), 0.045),
    )


def pcm_read(r: float, t_s: float) -> float:
    """Relative spread of its 1/f noise at `t_s`, without drift; t_0 = 20 s, t_read = 250 ns."""
    growth = math.sqrt(math.log((t_s + 20 + 250e-9) / 500e-9))
    return min(0.0088 / math.pow(r, 0.65), 0.2) * growth


def hermes_programming_uS(r: float) -> float:
    """Spread of two programmed cells of the 64-core chip with g_max = 20.7 uS."""
    return 0.16603222 + 4.71806468 * r - 8.48101252 * r**2 + 4.68961419 * r**3


def hermes_drift(r: float) -> tuple[float, float]:
    """Location and spread of their drift exponent, for r above 0.3055."""
    return -0.0436 * r**2 - 0.0126 * r + 0.0736, -0.0118 * r**2 + 0.0093 * r + 0.0073


def wan_uS(r: float, t_s: float) -> float:
    """Spread about its target of a ReRAM cell with g_max = 40 uS, 1 s or one day old."""
    c: tuple[float, ...] = {
        1.0: (0.348, 16.030, -43.853, 45.393, -16.815),
        DAY_S: (0.701, 22.086, -50.773, 47.095, -16.458),
    }[t_s]
    return c[0] + c[1] * r + c[2] * r**2 + c[3] * r**3 + c[4] * r**4


def cmo_relaxation_uS(t_s: float) -> tuple[float, float]:
    """Mean and spread of the relaxation of a CMO/HfOx cell."""
    return -0.08900206 * math.log(t_s), 0.04201137 * math.log(t_s) + 0.41183342


def ir_drop_output(current: float, product: float, profiled: float, rows: int) -> float:
    """Output of a column with static IR drop; 0.35 Ohm per cell, 5 uS per cell at the most."""
    a = current * rows * 0.35 * 5e-6
    return product - (0.05 * a**3 - 0.2 * a**2 + 0.5 * a) * profiled


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _distribution(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2
