"""Every noise law against its closed form: mean, spread, dependence on conductance and time."""

import math

import pytest
import torch
from scipy import stats

from analognas.simulator import spawn_generator
from analognas.simulator.devices import (
    DEVICES,
    Device,
    Pcm2019,
    PcmHermes,
    draw_drift_exponents,
    drift_conductance,
    program_conductance,
    read_conductance,
)

DRAWS = 100_000
NOISY = [Pcm2019(), PcmHermes(), PcmHermes(cells_per_polarity=1)]
RELATIVE = [0.0, 0.05, 0.3, 0.7, 1.0]


def closed_clamped(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of max(N(mean, sigma), 0)."""
    a = mean / sigma
    first = mean * stats.norm.cdf(a) + sigma * stats.norm.pdf(a)
    second = (mean**2 + sigma**2) * stats.norm.cdf(a) + mean * sigma * stats.norm.pdf(a)
    return first, math.sqrt(second - first**2)


def closed_folded(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of |N(mean, sigma)|."""
    c = abs(mean) / sigma
    first = sigma * math.sqrt(2 / math.pi) * math.exp(-(c**2) / 2) + abs(mean) * (
        1 - 2 * stats.norm.cdf(-c)
    )
    return first, math.sqrt(mean**2 + sigma**2 - first**2)


def assert_moments(sample: torch.Tensor, mean: float, sigma: float) -> None:
    """Mean and spread within 5 standard errors (of the spread by its fourth moment)."""
    n = sample.numel()
    assert sample.mean().item() == pytest.approx(mean, abs=5 * sigma / math.sqrt(n) + 1e-9)
    central = sample - sample.mean()
    kurtosis = (central**4).mean().item() / max(central.pow(2).mean().item() ** 2, 1e-30)
    error = sigma * math.sqrt(max(kurtosis - 1, 0.1) / (4 * n))
    assert sample.std().item() == pytest.approx(sigma, abs=5 * error + 1e-9)


def ask(device: Device, law: str, r: float) -> float:
    return float(getattr(device, law)(torch.tensor([r], dtype=torch.float64))[0])


@pytest.mark.parametrize("device", NOISY, ids=lambda d: f"{d.kind}-{d.g_max_uS}")
@pytest.mark.parametrize("r", RELATIVE)
def test_programmed_conductance_is_a_clamped_gaussian(device: Device, r: float) -> None:
    target = torch.full((DRAWS,), r * device.g_max_uS, dtype=torch.float64)
    drawn = program_conductance(device, target, generator=spawn_generator(1, "program"))
    sigma = ask(device, "programming_sigma_uS", r)
    assert_moments(drawn, *closed_clamped(r * device.g_max_uS, sigma))
    assert drawn.min() >= 0


@pytest.mark.parametrize("device", NOISY, ids=lambda d: f"{d.kind}-{d.g_max_uS}")
@pytest.mark.parametrize("r", RELATIVE)
def test_drift_exponent_is_a_folded_gaussian(device: Device, r: float) -> None:
    target = torch.full((DRAWS,), r * device.g_max_uS, dtype=torch.float64)
    nu = draw_drift_exponents(device, target, generator=spawn_generator(2, "drift"))
    assert_moments(nu, *closed_folded(ask(device, "drift_mean", r), ask(device, "drift_sigma", r)))


@pytest.mark.parametrize("device", NOISY, ids=lambda d: f"{d.kind}-{d.g_max_uS}")
@pytest.mark.parametrize("r", RELATIVE[1:])
@pytest.mark.parametrize("t_s", [1.0, 86_400.0, 31_536_000.0])
def test_read_noise_is_relative_to_the_drifted_conductance(
    device: Device, r: float, t_s: float
) -> None:
    programmed = torch.full((DRAWS,), r * device.g_max_uS, dtype=torch.float64)
    nu = torch.full_like(programmed, 0.06)
    read = read_conductance(device, programmed, nu, t_s=t_s, generator=spawn_generator(3, "read"))
    drifted = r * device.g_max_uS * ((t_s + device.t_ref_s) / device.t_ref_s) ** -0.06
    growth = math.sqrt(math.log((t_s + device.t_ref_s + device.t_read_s) / (2 * device.t_read_s)))
    sigma = drifted * ask(device, "read_noise_fraction", r) * growth
    assert_moments(read, *closed_clamped(drifted, sigma))


@pytest.mark.parametrize("name", DEVICES)
def test_no_law_breaks_at_the_ends_of_the_range(name: str) -> None:
    device = DEVICES[name]()
    target = torch.linspace(0, 1, 1001, dtype=torch.float64)
    programmed = torch.linspace(0, 1.3, 1001, dtype=torch.float64)  # noise may overshoot g_max
    for law in ("programming_sigma_uS", "drift_mean", "drift_sigma", "read_noise_fraction"):
        values = getattr(device, law)(programmed if law == "read_noise_fraction" else target)
        assert torch.isfinite(values).all(), law
        assert (values >= 0).all(), law


def test_published_values_of_the_2019_cell() -> None:
    cell = Pcm2019()
    for r, sigma in ((0.0, 0.26348), (0.5, 0.952705), (1.0, 1.05538)):
        assert ask(cell, "programming_sigma_uS", r) == pytest.approx(sigma, rel=1e-5)
    for r, mean in ((1.0, 0.049), (0.5, 0.049), (0.1, 0.060090), (0.01, 0.095780)):
        assert ask(cell, "drift_mean", r) == pytest.approx(mean, rel=1e-4)
    for r, sigma in ((1.0, 0.008), (0.1, 0.022882), (0.01, 0.045)):
        assert ask(cell, "drift_sigma", r) == pytest.approx(sigma, rel=1e-4)
    assert ask(cell, "read_noise_fraction", 1.0) == pytest.approx(0.0088)
    assert ask(cell, "read_noise_fraction", 0.1) == pytest.approx(0.039308, rel=1e-4)


def test_drift_over_a_day_at_the_published_exponent() -> None:
    one = torch.ones(1, dtype=torch.float64)
    factor = drift_conductance(one, 0.049 * one, t_s=86_400.0, t_ref_s=20.0)
    assert factor.item() == pytest.approx(0.66353, rel=1e-4)


def test_programming_noise_of_the_64_core_chip_at_its_ends() -> None:
    # Sums of the published cubic's coefficients: at r = 1 all four, at r = 0 the first.
    two, one = PcmHermes(), PcmHermes(cells_per_polarity=1)
    assert ask(two, "programming_sigma_uS", 0.0) == pytest.approx(0.16603222)
    assert ask(two, "programming_sigma_uS", 1.0) == pytest.approx(1.09269858, rel=1e-6)
    assert ask(one, "programming_sigma_uS", 1.0) == pytest.approx(1.00756712, rel=1e-6)
    assert (two.g_max_uS, two.t_ref_s) == (20.7, 300.0)
    assert (one.g_max_uS, one.t_ref_s) == (10.35, 200.0)


def test_drift_composes_over_time_and_lowers_every_conductance() -> None:
    g = torch.linspace(0.1, 25, 50, dtype=torch.float64)
    nu = torch.linspace(0.01, 0.1, 50, dtype=torch.float64)
    direct = drift_conductance(g, nu, t_s=1e6, t_ref_s=20.0)
    half_way = drift_conductance(g, nu, t_s=1e3, t_ref_s=20.0)
    rest = drift_conductance(half_way, nu, t_s=1e6 - 1e3, t_ref_s=1e3 + 20.0)
    torch.testing.assert_close(rest, direct)
    assert (direct < half_way).all()
    assert (half_way < g).all()
