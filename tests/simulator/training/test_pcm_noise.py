"""Phase-change memory in training: one effect at a time against its closed form."""

import math
from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from analognas.simulator import spawn_generator
from analognas.simulator.devices import Pcm2019
from analognas.simulator.training import PcmNoise
from analognas.simulator.training.pcm_noise import draw_pcm_weights

MomentCheck = Callable[[Tensor, float, float], None]

DAY_S = 86_400.0
COUNT = 200_000


def pcm(*, programming: float = 0.0, drift: float = 0.0, read: float = 0.0) -> PcmNoise:
    cell = Pcm2019(programming_noise_scale=programming, drift_scale=drift, read_noise_scale=read)
    return PcmNoise(t_s=DAY_S, cell=cell)


def draw(r: float, noise: PcmNoise, strength: float = 1.0) -> Tensor:
    generator = spawn_generator(0, "pcm")
    return draw_pcm_weights(torch.full((COUNT,), r), noise, strength=strength, generator=generator)


def folded(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of `|mean + sigma xi|`."""
    first = sigma * math.sqrt(2 / math.pi) * math.exp(-0.5 * (mean / sigma) ** 2)
    first += mean * math.erf(mean / (sigma * math.sqrt(2)))
    return first, math.sqrt(mean**2 + sigma**2 - first**2)


@pytest.mark.parametrize("strength", [1.0, 3.0])
@pytest.mark.parametrize("r", [0.01, -0.3, 1.0])
def test_programming_noise_is_a_folded_normal(
    r: float, strength: float, moments_are: MomentCheck
) -> None:
    sigma = strength * (0.26348 + 1.9650 * abs(r) - 1.1731 * r * r) / 25
    mean, deviation = folded(abs(r), sigma)
    moments_are(draw(r, pcm(programming=1.0), strength), math.copysign(mean, r), deviation)


@pytest.mark.parametrize("r", [0.02, 0.3, -1.0])
def test_drift_spreads_by_the_exponents_alone(r: float, moments_are: MomentCheck) -> None:
    """Moments of `(t / t_0)^-|sigma xi|`: E exp(-a |xi|) = exp(a^2 / 2) erfc(a / sqrt 2)."""
    sigma = min(max(-0.0125 * math.log(abs(r)) - 0.0059, 0.008), 0.045)
    a = sigma * math.log((DAY_S + 20) / 20)
    first, second = (math.exp((k * a) ** 2 / 2) * math.erfc(k * a / math.sqrt(2)) for k in (1, 2))
    deviation = abs(r) * math.sqrt(second - first**2)
    moments_are(draw(r, pcm(drift=1.0)), r * first, deviation)


@pytest.mark.parametrize("strength", [1.0, 4.0])
@pytest.mark.parametrize("r", [0.005, 0.3, -1.0])
def test_read_noise_is_relative_and_reflected(
    r: float, strength: float, moments_are: MomentCheck
) -> None:
    q = min(0.0088 / abs(r) ** 0.65, 0.2)
    growth = math.sqrt(math.log((DAY_S + 20 + 250e-9) / (2 * 250e-9)))
    mean, deviation = folded(abs(r), strength * abs(r) * q * growth)
    moments_are(draw(r, pcm(read=1.0), strength), math.copysign(mean, r), deviation)


def test_empty_pairs_stay_empty_and_signs_are_kept() -> None:
    noise = PcmNoise()
    assert not draw(0.0, noise, 3.0).any()
    assert bool((draw(0.01, noise, 3.0) >= 0).all())
    assert bool((draw(-0.01, noise, 3.0) <= 0).all())


def share(hits: Tensor, expected: float) -> None:
    error = math.sqrt(expected * (1 - expected) / COUNT)
    assert abs(float(hits.double().mean()) - expected) < 5 * error


@pytest.mark.parametrize("r", [0.25, -0.25])
def test_stuck_cells_have_their_shares(r: float, moments_are: MomentCheck) -> None:
    """Without noise: 5 % at zero, 4 % at r +- 1, clipped, and 60 % anywhere up to the largest."""
    noise = PcmNoise(stuck_at_reset=0.05, stuck_at_g_max=0.04, stuck_at_random=0.6)
    drawn = draw(r, noise, 0.0)
    share(drawn == 0, 0.05)
    share(drawn == math.copysign(1.0, r), 0.02)
    share(drawn == -math.copysign(0.75, r), 0.02)
    share(drawn == r, 0.31)
    anywhere = drawn[(drawn != 0) & (drawn != r) & (drawn.abs() < 1) & (drawn.abs() != 0.75)]
    assert bool((anywhere * r > 0).all())
    moments_are(anywhere, math.copysign(0.5, r), math.sqrt(1 / 12))


def test_without_stuck_cells_none_are_stuck() -> None:
    assert torch.equal(draw(0.25, PcmNoise(), 0.0), torch.full((COUNT,), 0.25))


def test_shares_of_more_than_all_weights_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"<= 1` must hold, but got 1\.2"):
        PcmNoise(stuck_at_reset=0.6, stuck_at_random=0.6)
