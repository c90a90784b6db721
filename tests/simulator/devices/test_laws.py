"""Every noise law against its closed form: mean, spread, dependence on conductance and time."""

import math
from dataclasses import asdict

import pytest
import torch
from pydantic import ValidationError
from scipy import stats
from torch import Tensor

from analognas.simulator import spawn_generator
from analognas.simulator.devices import (
    Device,
    IdealDevice,
    Pcm2019,
    PcmDriftTable,
    PcmHermes,
    ReramCmo,
    ReramWan2022,
    StateIndependent,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.devices.pcm_laws import DriftingCell, drift_conductance

DRAWS = 100_000
DAY_S, YEAR_S = 86_400.0, 31_536_000.0
DRIFTING = [
    Pcm2019(),
    Pcm2019(g_max_uS=30.0, programming_noise_scale=0.5, drift_scale=2.0, read_noise_scale=0.5),
    PcmHermes(),
    PcmHermes(cells_per_polarity=1),
    PcmDriftTable(g_uS=(0.0, 10.0, 20.0), nu_mean=(0.08, 0.05, 0.03), nu_sigma=(0.04, 0.02, 0.01)),
    StateIndependent(),
]
RERAM = [
    ReramWan2022(),
    ReramWan2022(g_max_uS=20.0, noise_scale=2.0),
    ReramCmo(),
    ReramCmo(acceptance="2%", relaxation_scale=0.5, read_noise_scale=2.0),
]
RELATIVE = [0.0, 0.05, 0.3, 0.7, 1.0]

drifting = pytest.mark.parametrize("cell", DRIFTING, ids=lambda d: f"{d.kind}-{d.g_max_uS}")
noisy = pytest.mark.parametrize("device", DRIFTING + RERAM, ids=lambda d: f"{d.kind}-{d.g_max_uS}")
relative = pytest.mark.parametrize("r", RELATIVE)


def closed_clamped(mean: float, sigma: float, low: float = 0.0) -> tuple[float, float]:
    """Mean and standard deviation of max(N(mean, sigma), low)."""
    mean -= low
    a = mean / sigma
    first = mean * stats.norm.cdf(a) + sigma * stats.norm.pdf(a)
    second = (mean**2 + sigma**2) * stats.norm.cdf(a) + mean * sigma * stats.norm.pdf(a)
    return low + first, math.sqrt(max(second - first**2, 0.0))


def closed_folded(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of |N(mean, sigma)|."""
    c = abs(mean) / sigma
    first = sigma * math.sqrt(2 / math.pi) * math.exp(-(c**2) / 2) + abs(mean) * (
        1 - 2 * stats.norm.cdf(-c)
    )
    return first, math.sqrt(mean**2 + sigma**2 - first**2)


def closed_decay(mean: float, sigma: float, log_time: float) -> float:
    """Mean of exp(-log_time |N(mean, sigma)|), the moment-generating function of a folded normal.

    The k-th moment of the decay is the mean at k times the logarithm.
    """
    shift = log_time * sigma
    common = math.exp(shift**2 / 2)
    return float(
        common * math.exp(-log_time * mean) * stats.norm.cdf(mean / sigma - shift)
        + common * math.exp(log_time * mean) * stats.norm.cdf(-mean / sigma - shift)
    )


def assert_moments(sample: torch.Tensor, mean: float, sigma: float) -> None:
    """Mean and spread within 5 standard errors (of the spread by its fourth moment)."""
    n = sample.numel()
    assert sample.mean().item() == pytest.approx(mean, abs=5 * sigma / math.sqrt(n) + 1e-9)
    central = sample - sample.mean()
    kurtosis = (central**4).mean().item() / max(central.pow(2).mean().item() ** 2, 1e-30)
    error = sigma * math.sqrt(max(kurtosis - 1, 0.1) / (4 * n))
    assert sample.std().item() == pytest.approx(sigma, abs=5 * error + 1e-9)


def level_uS(device: Device | DriftingCell, r: float) -> float:
    low = float(getattr(device, "g_min_uS", 0.0))
    return low + r * (device.g_max_uS - low)


def cells_at(device: Device | DriftingCell, r: float) -> torch.Tensor:
    return torch.full((DRAWS,), level_uS(device, r), dtype=torch.float64)


def ask(device: object, law: str, r: float) -> float:
    return float(getattr(device, law)(torch.tensor([r], dtype=torch.float64))[0])


@noisy
@relative
def test_programmed_conductance_is_a_clamped_gaussian(device: Device, r: float) -> None:
    drawn = program_conductance(
        device, cells_at(device, r), generator=spawn_generator(1, "program")
    )
    sigma = ask(device, "programming_sigma_uS", r)
    assert_moments(drawn, *closed_clamped(level_uS(device, r), sigma, device.g_min_uS))
    assert drawn.min() >= device.g_min_uS


@drifting
@relative
def test_drift_exponent_is_a_folded_gaussian(cell: Pcm2019, r: float) -> None:
    nu = draw_ageing(cell, cells_at(cell, r), generator=spawn_generator(2, "drift"))
    assert_moments(nu, *closed_folded(ask(cell, "drift_mean", r), ask(cell, "drift_sigma", r)))


@drifting
@relative
@pytest.mark.parametrize("t_s", [1.0, DAY_S, YEAR_S])
def test_decay_has_the_moments_of_its_exponents(cell: Pcm2019, r: float, t_s: float) -> None:
    nu = draw_ageing(cell, cells_at(cell, r), generator=spawn_generator(3, "drift"))
    aged = cell.aged_uS(torch.full_like(nu, 7.0), nu, t_s=t_s)
    mean, sigma = ask(cell, "drift_mean", r), ask(cell, "drift_sigma", r)
    log_time = math.log((t_s + cell.t_ref_s) / cell.t_ref_s)
    first, second = (closed_decay(mean, sigma, k * log_time) for k in (1, 2))
    assert_moments(aged, 7.0 * first, 7.0 * math.sqrt(second - first**2))


@drifting
@pytest.mark.parametrize("r", RELATIVE[1:])
@pytest.mark.parametrize("t_s", [0.0, 1.0, DAY_S, YEAR_S])
def test_read_noise_is_relative_to_the_drifted_conductance(
    cell: Pcm2019, r: float, t_s: float
) -> None:
    programmed = cells_at(cell, r)
    nu = torch.full_like(programmed, 0.06)
    read = read_conductance(cell, programmed, nu, t_s=t_s, generator=spawn_generator(4, "read"))
    drifted = r * cell.g_max_uS * ((t_s + cell.t_ref_s) / cell.t_ref_s) ** -0.06
    growth = math.sqrt(math.log((t_s + cell.t_ref_s + cell.t_read_s) / (2 * cell.t_read_s)))
    sigma = drifted * ask(cell, "read_noise_fraction", r) * growth
    assert_moments(read, *closed_clamped(drifted, sigma))


def test_published_values_of_the_2019_cell() -> None:
    cell = Pcm2019()
    for r, sigma in ((0.0, 0.26348), (0.5, 0.952705), (1.0, 1.05538)):
        assert ask(cell, "programming_sigma_uS", r) == pytest.approx(sigma, rel=1e-5)
    for r, mean in ((1.0, 0.049), (0.5, 0.049), (0.1, 0.060090), (0.01, 0.095780)):
        assert ask(cell, "drift_mean", r) == pytest.approx(mean, rel=1e-4)
    for r, sigma in ((1.0, 0.008), (0.5, 0.008), (0.1, 0.022882), (0.01, 0.045)):
        assert ask(cell, "drift_sigma", r) == pytest.approx(sigma, rel=1e-4)
    assert ask(cell, "read_noise_fraction", 1.0) == pytest.approx(0.0088)
    assert ask(cell, "read_noise_fraction", 0.1) == pytest.approx(0.039308, rel=1e-4)


def test_published_read_noise_of_the_2019_cell() -> None:
    one = torch.tensor([25.0], dtype=torch.float64)
    for t_s, fraction in ((0.0, 0.036818), (DAY_S, 0.044764)):
        sigma = Pcm2019().read_sigma_uS(one, one, t_s=t_s)
        assert float(sigma) == pytest.approx(25.0 * fraction, rel=1e-4)


def test_drift_over_a_day_at_the_published_exponent() -> None:
    one = torch.ones(1, dtype=torch.float64)
    factor = drift_conductance(one, 0.049 * one, t_s=DAY_S, t_ref_s=20.0)
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


def test_the_first_cells_keep_the_fields_that_hashes_of_hardware_were_made_of() -> None:
    scales = {"programming_noise_scale": 1.0, "drift_scale": 1.0, "read_noise_scale": 1.0}
    times = {"g_max_uS": 25.0, "t_ref_s": 20.0, "t_read_s": 250e-9}
    assert asdict(Pcm2019()) == {"kind": "pcm_2019"} | times | scales
    assert asdict(PcmHermes()) == {"kind": "pcm_hermes", "cells_per_polarity": 2} | scales
    assert asdict(IdealDevice()) == {"kind": "ideal"} | times


def test_a_drift_table_is_linear_between_its_points_and_constant_beyond() -> None:
    cell = PcmDriftTable(
        cell=Pcm2019(drift_scale=2.0),
        g_uS=(5.0, 10.0, 20.0),
        nu_mean=(0.08, 0.05, 0.03),
        nu_sigma=(0.03, 0.02, 0.01),
    )
    for g, mean, sigma in (
        (0.0, 0.08, 0.03),
        (5.0, 0.08, 0.03),
        (6.0, 0.074, 0.028),
        (10.0, 0.05, 0.02),
        (15.0, 0.04, 0.015),
        (20.0, 0.03, 0.01),
        (25.0, 0.03, 0.01),
    ):
        assert ask(cell, "drift_mean", g / 25.0) == pytest.approx(2 * mean)
        assert ask(cell, "drift_sigma", g / 25.0) == pytest.approx(2 * sigma)
    flat = PcmDriftTable(g_uS=(3.0,), nu_mean=(0.06,), nu_sigma=(0.01,))
    assert [ask(flat, "drift_mean", r) for r in (0.0, 0.5, 1.0)] == [pytest.approx(0.06)] * 3


def test_the_default_drift_table_samples_the_2019_fit() -> None:
    for g in PcmDriftTable().g_uS:
        for law in ("drift_mean", "drift_sigma"):
            fit = ask(Pcm2019(), law, g / 25.0)
            assert ask(PcmDriftTable(), law, g / 25.0) == pytest.approx(fit, abs=1e-3)


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"g_uS": (1.0, 2.0)}, "same length"),
        ({"g_uS": (2.0, 1.0), "nu_mean": (0.1, 0.1), "nu_sigma": (0.0, 0.0)}, "must increase"),
    ],
)
def test_a_drift_table_that_is_no_table_is_refused(
    columns: dict[str, tuple[float, ...]], rule: str
) -> None:
    with pytest.raises(ValidationError, match=rule):
        PcmDriftTable(**columns)  # type: ignore[arg-type]


def test_published_deviations_of_the_neurram_cell() -> None:
    # Sums of the polynomials: at r = 0 the first coefficient, at r = 1 all, at 1/2 by hand.
    cell = ReramWan2022()
    for r, sigma in ((0.0, 0.348), (0.5, 2.0229375), (1.0, 1.103)):
        assert ask(cell, "programming_sigma_uS", r) == pytest.approx(sigma, rel=1e-9)
    half_range = ReramWan2022(g_max_uS=20.0)
    assert ask(half_range, "programming_sigma_uS", 0.5) == pytest.approx(1.01146875, rel=1e-9)


# At r = 0, 1/2, 1. One hour lies ln(3600) / ln(86400) = 0.72040 of the way from 1 s to 1 day.
DEVIATIONS = {
    0.0: (0.348, 2.0229375, 1.103),
    1.0: (0.348, 2.0229375, 1.103),
    3600.0: (0.602302, 3.381675, 2.218180),
    DAY_S: (0.701, 3.909, 2.651),
    2 * DAY_S: (0.782, 3.929125, 2.677),
}


@pytest.mark.parametrize("t_s", DEVIATIONS)
@pytest.mark.parametrize("place", range(3))
def test_the_neurram_cell_scatters_about_its_target_at_every_time(t_s: float, place: int) -> None:
    device = ReramWan2022()
    target = cells_at(device, place / 2)
    programmed = program_conductance(device, target, generator=spawn_generator(5, "program"))
    ageing = draw_ageing(device, target, generator=spawn_generator(5, "age"))
    read = read_conductance(
        device, programmed, ageing, t_s=t_s, generator=spawn_generator(5, "read")
    )
    assert_moments(read, *closed_clamped(20.0 * place, DEVIATIONS[t_s][place]))


def test_the_deviation_of_a_neurram_cell_only_grows_in_size() -> None:
    r = torch.linspace(0, 1, 1001, dtype=torch.float64)
    cell = ReramWan2022()
    target = cell.g_max_uS * r
    for t_s in (10.0, 3600.0, DAY_S, 1.5 * DAY_S, 2 * DAY_S):
        moved = cell.aged_uS(target + 0.1, target, t_s=t_s) - target
        assert (moved > 0.1).all()  # below 1, a cell clamped at zero would come back to life


def test_nothing_is_said_about_the_neurram_cell_after_two_days() -> None:
    g = torch.ones(3)
    with pytest.raises(ValueError, match=r"`t_s <= 172800` must hold for the device 'reram_wan'"):
        ReramWan2022().aged_uS(g, g, t_s=2 * DAY_S + 1)


def test_published_values_of_the_cmo_cell() -> None:
    fine, coarse = ReramCmo(), ReramCmo(acceptance="2%")
    for r, g in ((0.0, 9.0), (1.0, 88.2)):
        expected = 0.00081107 + 0.00106879 * g
        assert ask(fine, "programming_sigma_uS", r) == pytest.approx(expected, rel=1e-9)
        expected = 0.0112185391 + 0.01129027418 * g
        assert ask(coarse, "programming_sigma_uS", r) == pytest.approx(expected, rel=1e-9)
    # log10(10) = 1 and ln(500000.5) = 13.12236.
    ten = torch.full((1,), 10.0, dtype=torch.float64)
    for t_s in (0.0, 1.0):
        sigma = fine.read_sigma_uS(ten, ten, t_s=t_s)
        assert float(sigma) == pytest.approx(0.0277316483 * math.sqrt(13.12236), rel=1e-5)
    assert float(fine.read_sigma_uS(10 * ten, ten, t_s=1.0)) == pytest.approx(2 * float(sigma))


@pytest.mark.parametrize("r", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize(
    ("t_s", "shift", "spread"),
    [(0.0, 0.0, 0.41183342), (1.0, 0.0, 0.41183342), (DAY_S, -1.011645, 0.889363)],
)
def test_the_cmo_cell_relaxes_alike_at_every_level(
    r: float, t_s: float, shift: float, spread: float
) -> None:
    # ln(86400) = 11.366743
    device = ReramCmo()
    level = cells_at(device, r)
    ageing = draw_ageing(device, level, generator=spawn_generator(6, "age"))
    assert_moments(ageing, 0.0, 1.0)
    aged = device.aged_uS(level, ageing, t_s=t_s)
    assert_moments(aged, *closed_clamped(level_uS(device, r) + shift, spread, 9.0))
    read = read_conductance(device, level, ageing, t_s=t_s, generator=spawn_generator(6, "read"))
    assert read.min() >= 9.0


@pytest.mark.parametrize("g", [9.5, 40.0, 88.2])
@pytest.mark.parametrize("t_s", [1.0, DAY_S, YEAR_S])
def test_the_cmo_cell_is_read_with_noise_of_its_logarithm(g: float, t_s: float) -> None:
    device = ReramCmo(relaxation_scale=0.0, read_noise_scale=2.0)
    level = torch.full((DRAWS,), g, dtype=torch.float64)
    read = read_conductance(
        device, level, torch.zeros_like(level), t_s=t_s, generator=spawn_generator(7, "read")
    )
    growth = math.sqrt(math.log((t_s + 1e-6) / 2e-6))
    sigma = 2.0 * 0.0277316483 * math.log10(g) * growth
    assert_moments(read, *closed_clamped(g, sigma, 9.0))


def test_the_range_of_a_cmo_cell_is_open() -> None:
    with pytest.raises(ValidationError, match="`g_min_uS < g_max_uS` must hold"):
        ReramCmo(g_min_uS=20.0, g_max_uS=20.0)


def test_the_state_independent_cell_is_the_same_at_every_level() -> None:
    device = StateIndependent()
    for r in RELATIVE:
        assert ask(device, "programming_sigma_uS", r) == 0.2
        assert ask(device, "drift_mean", r) == 0.1
        assert ask(device, "drift_sigma", r) == 0.05
    g = torch.full((1,), 25.0, dtype=torch.float64)
    # One microsiemens at g_max times the growth at 20 s: ln(40000000.5) = 17.504390.
    assert float(device.read_sigma_uS(g, g, t_s=0.0)) == pytest.approx(
        math.sqrt(17.504390), rel=1e-6
    )


@pytest.mark.parametrize("device", DRIFTING, ids=lambda device: device.kind)
@pytest.mark.parametrize("r", [0.0, 0.004, 0.05, 0.3, 1.0])
def test_the_fused_kernels_draw_from_the_same_laws(device: Device, r: float) -> None:
    """Programming, exponents and 1/f noise: tabulated in float32, exact in float64."""
    count, t_s = 2 * DRAWS, DAY_S

    def draw(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        target = torch.full((count,), r * device.g_max_uS, dtype=dtype)

        def stream(name: str) -> torch.Generator:
            return spawn_generator(7, name, str(dtype))

        programmed = program_conductance(device, target, generator=stream("programming"))
        exponents = draw_ageing(device, target, generator=stream("ageing"))
        read = read_conductance(device, programmed, exponents, t_s=t_s, generator=stream("read"))
        return programmed.double(), exponents.double(), read.double()

    for fused, exact in zip(draw(torch.float32), draw(torch.float64), strict=True):
        spread = exact.std().item()
        assert fused.mean().item() == pytest.approx(
            exact.mean().item(), abs=5 * spread * math.sqrt(2 / count)
        )
        assert fused.std().item() == pytest.approx(spread, rel=5 * math.sqrt(3 / count))
        neighbours = torch.corrcoef(torch.stack([fused[1:], fused[:-1]]))[0, 1].item()
        assert abs(neighbours) < 5 / math.sqrt(count)
