"""The table of a weight's spread against closed forms, where there are any."""

import math

import pytest
import torch
from scipy import stats

from analognas.simulator.conductance_mapping import (
    ConductanceMapping,
    from_conductances,
    to_conductances,
)
from analognas.simulator.devices import (
    IdealDevice,
    PcmHermes,
    ReramCmo,
    ReramWan2022,
    StateIndependent,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.streams import spawn_generator
from analognas.simulator.weight_spread import weight_spread

DAY_S = 86_400.0
LEVELS = [0, 13, 64, 128, 256]


def clamped(mean: float, sigma: float) -> tuple[float, float]:
    """First and second moment of max(N(mean, sigma), 0)."""
    a = mean / sigma
    tail, density = float(stats.norm.cdf(a)), float(stats.norm.pdf(a))
    second = (mean**2 + sigma**2) * tail + mean * sigma * density
    return mean * tail + sigma * density, second


def decay(mean: float, sigma: float, log_time: float) -> float:
    """Mean of exp(-log_time |N(mean, sigma)|)."""
    shift = log_time * sigma
    up, down = stats.norm.cdf(mean / sigma - shift), stats.norm.cdf(-mean / sigma - shift)
    common = math.exp(shift**2 / 2)
    return float(common * (math.exp(-log_time * mean) * up + math.exp(log_time * mean) * down))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("t_s", [0.0, 1.0, DAY_S])
@pytest.mark.parametrize(
    "device",
    [
        StateIndependent(),
        StateIndependent(programming_noise_uS=1.0, nu_sigma=0.01, read_noise_uS=0.2),
    ],
    ids=["default", "written badly"],
)
def test_the_state_independent_cell_has_the_spread_of_a_product(
    device: StateIndependent, level: int, t_s: float
) -> None:
    """Programmed conductance, decay and read noise are independent: their moments multiply."""
    log_time = math.log((t_s + device.t_ref_s) / device.t_ref_s)
    growth = math.sqrt(math.log((t_s + device.t_ref_s + device.t_read_s) / (2 * device.t_read_s)))
    read = 1 + (device.read_noise_uS / device.g_max_uS * growth) ** 2
    first, second = (decay(device.nu_mean, device.nu_sigma, k * log_time) for k in (1, 2))
    variance = 0.0
    for r in (level / 256, 0.0):
        mean, square = clamped(r * device.g_max_uS, device.programming_noise_uS)
        variance += square * second * read - (mean * first) ** 2
    expected = math.sqrt(variance) / first / device.g_max_uS
    assert float(weight_spread(device, t_s=t_s)[level]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("t_s", "coefficients"),
    [
        (1.0, (0.348, 16.030, -43.853, 45.393, -16.815)),
        (DAY_S, (0.701, 22.086, -50.773, 47.095, -16.458)),
    ],
)
def test_the_neurram_cell_has_the_spread_of_two_clamped_gaussians(
    level: int, t_s: float, coefficients: tuple[float, ...]
) -> None:
    def law(r: float, powers: tuple[float, ...]) -> tuple[float, float]:
        mean, square = clamped(40.0 * r, sum(c * r**k for k, c in enumerate(powers)))
        return mean, square - mean**2

    at_one_second = (0.348, 16.030, -43.853, 45.393, -16.815)
    total = [
        sum(law(n / 256, powers)[0] - law(0.0, powers)[0] for n in range(257))
        for powers in (at_one_second, coefficients)
    ]
    variance = law(level / 256, coefficients)[1] + law(0.0, coefficients)[1]
    expected = math.sqrt(variance) * total[0] / total[1] / 40.0
    table = weight_spread(ReramWan2022(), t_s=t_s)
    assert float(table[level]) == pytest.approx(expected, rel=0.03)


def test_the_table_is_smooth() -> None:
    table = weight_spread(PcmHermes(), t_s=DAY_S)
    assert table.shape == (257,)
    assert table.dtype == torch.float32
    assert (table > 0).all()
    assert (table[20:] - table[19:-1]).abs().max() < 0.01 * table.max()


def test_a_cell_that_keeps_what_was_written_has_no_spread() -> None:
    assert weight_spread(IdealDevice(), t_s=DAY_S).max() == 0


def test_a_change_to_the_table_stays_with_its_owner() -> None:
    table = weight_spread(IdealDevice(), t_s=1.0)
    table.add_(1.0)
    assert weight_spread(IdealDevice(), t_s=1.0).max() == 0


def test_the_range_of_a_cell_above_zero_is_what_counts() -> None:
    # Far from the ends a pair's upper cell scatters as relaxation and read noise say; the lower one
    # is half cut off at g_min.
    device = ReramCmo(read_noise_scale=0.0, programming_noise_scale=0.0)
    spread = weight_spread(device, t_s=1.0)
    _, square = clamped(0.0, 0.41183342)
    mean = 0.41183342 / math.sqrt(2 * math.pi)
    expected = math.sqrt(0.41183342**2 + square - mean**2) / (88.2 - 9.0)
    assert float(spread[128]) == pytest.approx(expected, rel=0.03)


def test_a_time_that_the_device_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="`t_s <= 172800` must hold"):
        weight_spread(ReramWan2022(), t_s=1e6)


@pytest.mark.parametrize(
    ("device", "mapping"),
    [
        (ReramCmo(), ConductanceMapping(layout="single")),
        (PcmHermes(), ConductanceMapping(significances=(1.0, 1.0))),
        (PcmHermes(), ConductanceMapping(significances=(4.0, 1.0))),
    ],
    ids=["single cells", "two pairs", "unequal pairs"],
)
@pytest.mark.parametrize("level", [26, 128, 230])
def test_a_weight_scatters_as_its_cells_on_a_tile(
    device: ReramCmo | PcmHermes, mapping: ConductanceMapping, level: int
) -> None:
    """Weights of both signs, written, aged and read together, against the table."""
    magnitude = level / 256
    weight = torch.full((200, 200), magnitude)
    weight[1::2] *= -1

    def stream(name: str) -> torch.Generator:
        return spawn_generator(1, name)

    target = to_conductances(weight, device, mapping)
    programmed = program_conductance(device, target, generator=stream("p"))
    ageing = draw_ageing(device, target, generator=stream("a"))
    now = read_conductance(device, programmed, ageing, t_s=DAY_S, generator=stream("r"))
    read = from_conductances(now, device, mapping)
    variance = (read[::2].var() + read[1::2].var()) / 2
    # The table's factor of the mean drift, from the cells' means of all levels.
    table = weight_spread(device, mapping, t_s=DAY_S)
    gain = table_gain(device, mapping)
    assert float(table[level]) == pytest.approx(float(variance.sqrt()) * gain, rel=0.04)


def table_gain(device: ReramCmo | PcmHermes, mapping: ConductanceMapping) -> float:
    """Mean weights at programming over those after a day, over evenly spread weights."""
    weight = torch.linspace(-1, 1, 513).repeat(200, 1)
    target = to_conductances(weight, device, mapping)
    programmed = program_conductance(device, target, generator=spawn_generator(2, "p"))
    ageing = draw_ageing(device, target, generator=spawn_generator(2, "a"))
    start, now = (
        from_conductances(
            read_conductance(
                device, programmed, ageing, t_s=t_s, generator=spawn_generator(2, "r")
            ),
            device,
            mapping,
        )
        for t_s in (0.0, DAY_S)
    )
    return float((start * weight.sign()).sum() / (now * weight.sign()).sum())
