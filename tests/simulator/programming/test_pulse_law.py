"""Pulses against the closed form of one step and against the golden curve."""

import math

import pytest
import torch

from analognas.simulator.programming.pulse_law import (
    PulsedPcm,
    mean_staircase_uS,
    open_loop_pulses,
    reset_pulse,
    set_pulse,
)
from analognas.simulator.streams import spawn_generator

DEVICES = 400_000
# Mean and standard deviation after n SET pulses from RESET, of an independent implementation with
# 200,000 devices; by the limit of the conductance.
GOLDEN = {
    20.0: {
        1: (2.05, 1.52),
        2: (3.43, 1.97),
        3: (4.47, 2.20),
        5: (5.92, 2.38),
        8: (7.24, 2.44),
        10: (7.83, 2.46),
        15: (8.80, 2.55),
        20: (9.39, 2.66),
    },
    12.0: {
        1: (2.06, 1.52),
        2: (3.44, 1.97),
        3: (4.47, 2.19),
        5: (5.90, 2.31),
        8: (7.16, 2.24),
        10: (7.69, 2.16),
        15: (8.50, 2.04),
        20: (8.91, 1.97),
    },
}


@pytest.mark.parametrize("limit_uS", GOLDEN)
def test_conductances_follow_the_golden_curve_within_one_percent(limit_uS: float) -> None:
    generator = spawn_generator(0, "golden")
    cell = PulsedPcm(limit_uS=limit_uS)
    g_uS = reset_pulse(torch.zeros(DEVICES), generator=generator)
    for n in range(1, 21):
        count = torch.full((DEVICES,), float(n))
        g_uS = set_pulse(g_uS, count, cell, generator=generator)
        if n in GOLDEN[limit_uS]:
            mean, spread = GOLDEN[limit_uS][n]
            assert g_uS.double().mean().item() == pytest.approx(mean, rel=0.01)
            assert g_uS.double().std().item() == pytest.approx(spread, rel=0.01)


@pytest.mark.parametrize(("g", "n"), [(4.0, 3), (6.0, 10), (5.0, 1)])
def test_one_pulse_has_the_mean_and_spread_of_the_law(g: float, n: int) -> None:
    start = torch.full((DEVICES,), g, dtype=torch.float64)
    count = torch.full_like(start, n)
    cell = PulsedPcm(limit_uS=100.0)
    after = set_pulse(start, count, cell, generator=spawn_generator(0, "one"))
    history = math.exp(-n / 2.6)
    mean = g - 0.084 * g + 0.880 + 1.40 * history
    sigma = 0.091 * g + 0.260 + 2.15 * history
    assert after.mean().item() == pytest.approx(mean, abs=5 * sigma / DEVICES**0.5)
    assert after.std().item() == pytest.approx(sigma, rel=0.02)
    assert torch.equal(start, torch.full_like(start, g))  # nothing is changed in place


def test_a_device_of_double_steps_goes_twice_as_far() -> None:
    start = torch.full((1000,), 3.0, dtype=torch.float64)
    count = torch.full_like(start, 4)
    factor = torch.full_like(start, 2.0)
    cell = PulsedPcm(limit_uS=100.0)
    usual = set_pulse(start, count, cell, generator=spawn_generator(0, "s"))
    strong = set_pulse(start, count, cell, step_factor=factor, generator=spawn_generator(0, "s"))
    step = 0.880 + 1.40 * math.exp(-4 / 2.6)
    unclipped = (usual > 0.1) & (strong > 0.1)
    torch.testing.assert_close((strong - usual)[unclipped], torch.full_like(start, step)[unclipped])


def test_reset_forgets_the_conductance() -> None:
    g_uS = reset_pulse(torch.full((DEVICES,), 9.0), generator=spawn_generator(0, "reset"))
    assert g_uS.mean().item() == pytest.approx(0.1, abs=1e-3)
    assert g_uS.std().item() == pytest.approx(0.01, rel=0.02)
    assert g_uS.min().item() >= 0.01


def test_the_staircase_is_the_noiseless_law() -> None:
    stairs = mean_staircase_uS(2).tolist()
    first = 0.1 - 0.084 * 0.1 + 0.880 + 1.40 * math.exp(-1 / 2.6)
    second = first - 0.084 * first + 0.880 + 1.40 * math.exp(-2 / 2.6)
    assert stairs == pytest.approx([0.1, first, second])


def test_open_loop_counts_lead_to_the_nearest_stair() -> None:
    stairs = mean_staircase_uS(12)
    target = torch.linspace(0, 11, 200, dtype=torch.float64)
    nearest = (target[:, None] - stairs).abs().argmin(dim=1)
    assert torch.equal(open_loop_pulses(target, most=12), nearest)


def test_a_target_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="`full_uS <= limit_uS` must hold, but got full_uS=13"):
        PulsedPcm(full_uS=13.0)
