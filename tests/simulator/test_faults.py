"""Broken cells: as many as announced, where announced, and for ever."""

import math

import pytest
import torch
from pydantic import ValidationError

from analognas.simulator import spawn_generator
from analognas.simulator.devices import (
    Device,
    Pcm2019,
    ReramCmo,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.faults import (
    Fault,
    Faults,
    apply_faults,
    draw_faults,
    draw_stuck_levels,
)

SHAPE = (2, 400, 500)
CELLS = 400_000


def assert_binomial(count: int, probability: float, cells: int = CELLS) -> None:
    error = math.sqrt(cells * probability * (1 - probability))
    assert abs(count - cells * probability) <= 5 * error


@pytest.mark.parametrize(
    "faults",
    [
        Faults(stuck_at_reset=0.01),
        Faults(stuck_at_g_max=0.002),
        Faults(stuck_at_random=0.03),
        Faults(stuck_at_reset=0.01, stuck_at_g_max=0.0005, stuck_at_random=0.2),
        Faults(stuck_at_reset=0.1, stuck_at_g_max=0.2, stuck_at_random=0.7),
    ],
)
def test_the_yield_is_binomial(faults: Faults) -> None:
    fault_map = draw_faults(SHAPE, faults, generator=spawn_generator(1, "faults"))
    assert fault_map.shape == SHAPE
    assert fault_map.dtype == torch.int8
    for fault, probability in (
        (Fault.HEALTHY, 1 - faults.stuck),
        (Fault.RESET, faults.stuck_at_reset),
        (Fault.G_MAX, faults.stuck_at_g_max),
        (Fault.RANDOM, faults.stuck_at_random),
    ):
        assert_binomial(int((fault_map == fault).sum()), probability)


def test_faults_of_neighbours_are_independent() -> None:
    fault_map = draw_faults(
        SHAPE, Faults(stuck_at_reset=0.1), generator=spawn_generator(2, "faults")
    )
    broken = fault_map != Fault.HEALTHY
    for first, second in (
        (broken[0], broken[1]),
        (broken[:, 1:], broken[:, :-1]),
        (broken[:, :, 1:], broken[:, :, :-1]),
    ):
        assert_binomial(int((first & second).sum()), 0.01, cells=first.numel())


def test_the_map_of_a_chip_comes_from_its_stream() -> None:
    faults = Faults(stuck_at_reset=0.1, stuck_at_random=0.1)
    maps = [draw_faults(SHAPE, faults, generator=spawn_generator(chip)) for chip in (3, 3, 4)]
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])


@pytest.mark.parametrize("device", [Pcm2019(), ReramCmo()], ids=lambda d: d.kind)
def test_broken_cells_show_where_they_are_stuck(device: Device) -> None:
    fault_map = torch.tensor([0, 1, 2, 3, 3], dtype=torch.int8)
    level = torch.tensor([0.9, 0.9, 0.9, 0.0, 0.25])
    g = torch.full((7, 5), 20.0)
    stuck = apply_faults(g, fault_map, level, device)
    low, high = device.g_min_uS, device.g_max_uS
    expected = torch.tensor([20.0, low, high, low, low + 0.25 * (high - low)])
    torch.testing.assert_close(stuck, expected.expand(7, 5))
    assert (g == 20.0).all()


def test_random_levels_are_even_over_the_range() -> None:
    device = ReramCmo()
    level = draw_stuck_levels(SHAPE, dtype=torch.float64, generator=spawn_generator(3, "levels"))
    everywhere = torch.full(SHAPE, Fault.RANDOM, dtype=torch.int8)
    g = apply_faults(torch.zeros(SHAPE, dtype=torch.float64), everywhere, level, device)
    width = device.g_max_uS - device.g_min_uS
    assert g.min() >= device.g_min_uS
    assert g.max() < device.g_max_uS
    # Of an even distribution: spread width / sqrt(12), kurtosis 9 / 5.
    spread = width / math.sqrt(12)
    middle = device.g_min_uS + width / 2
    assert float(g.mean()) == pytest.approx(middle, abs=5 * spread / CELLS**0.5)
    assert float(g.std()) == pytest.approx(spread, abs=5 * spread * (0.8 / 4 / CELLS) ** 0.5)


def test_broken_cells_neither_age_nor_follow_a_new_programming() -> None:
    device, shape = Pcm2019(), (2, 40, 50)
    faults = Faults(stuck_at_reset=0.1, stuck_at_g_max=0.1, stuck_at_random=0.1)
    fault_map = draw_faults(shape, faults, generator=spawn_generator(4, "faults"))
    level = draw_stuck_levels(shape, dtype=torch.float32, generator=spawn_generator(4, "levels"))
    seen = []
    for programming, target in enumerate((5.0, 20.0)):
        g_target = torch.full(shape, target)
        programmed = program_conductance(
            device, g_target, generator=spawn_generator(programming, "p")
        )
        ageing = draw_ageing(device, g_target, generator=spawn_generator(programming, "a"))
        for t_s in (0.0, 1e6):
            stream = spawn_generator(programming, "r", repr(t_s))
            g = read_conductance(device, programmed, ageing, t_s=t_s, generator=stream)
            seen.append(apply_faults(g, fault_map, level, device))
    broken = fault_map != Fault.HEALTHY
    for other in seen[1:]:
        assert torch.equal(seen[0][broken], other[broken])
        assert (seen[0] != other)[~broken].float().mean() > 0.99


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_runs_where_its_tensors_are(dtype: torch.dtype, device: torch.device) -> None:
    stream = spawn_generator(5, "faults", device=device)
    fault_map = draw_faults((3, 4), Faults(stuck_at_random=1.0), generator=stream)
    level = draw_stuck_levels((3, 4), dtype=torch.float64, generator=stream)
    g = apply_faults(torch.zeros(3, 4, dtype=dtype, device=device), fault_map, level, Pcm2019())
    assert fault_map.device.type == level.device.type == g.device.type == device.type
    assert g.dtype == dtype
    assert (g > 0).all()


def test_without_faults_nothing_happens() -> None:
    fault_map = draw_faults(SHAPE, Faults(), generator=spawn_generator(6, "faults"))
    assert Faults().stuck == 0
    assert (fault_map == Fault.HEALTHY).all()


@pytest.mark.parametrize("share", [0.1, 0.2, 0.7])
def test_probabilities_may_fill_the_whole_and_no_more(share: float) -> None:
    rest = (1 - share) / 2
    assert Faults(
        stuck_at_reset=share, stuck_at_g_max=rest, stuck_at_random=rest
    ).stuck == pytest.approx(1)
    with pytest.raises(ValidationError, match="<= 1` must hold, but got"):
        Faults(stuck_at_reset=share, stuck_at_g_max=rest, stuck_at_random=rest + 0.01)
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Faults(stuck_at_reset=-share)
