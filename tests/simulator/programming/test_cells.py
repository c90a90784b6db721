"""State and counters of an array of pulsed cells."""

import pytest
import torch

from analognas.simulator.devices import IdealDevice, Pcm2019, PcmHermes, ReramWan2022
from analognas.simulator.programming import CellArray, Geometry, PulsedPcm, geometry_of
from analognas.simulator.streams import spawn_generator

SHAPE = (2, 8, 16)


def array(devices: int = 2, *, cell: PulsedPcm | None = None, seed: int = 0) -> CellArray:
    geometry = Geometry(devices=devices, g_cell_max_uS=10.35 * devices, stretch=1.0)
    return CellArray(SHAPE, geometry, cell or PulsedPcm(), generator=spawn_generator(seed, "array"))


def test_a_new_array_is_reset_and_that_counts() -> None:
    cells = array()
    assert cells.device_uS().max() < 0.2
    assert (cells.set_pulses, cells.reset_pulses) == (0, 2 * 2 * 8 * 16)


def test_pulses_change_the_chosen_devices_only_and_are_counted() -> None:
    cells = array()
    before = cells.device_uS()
    chosen = torch.rand(2, *SHAPE, generator=spawn_generator(1, "chosen")) < 0.3
    assert cells.set_(chosen) == int(chosen.sum())
    after = cells.device_uS()
    assert torch.equal(after[~chosen], before[~chosen])
    assert (after[chosen] != before[chosen]).all()
    assert cells.set_pulses == int(chosen.sum())
    assert torch.equal(cells.pulses_since_reset, chosen.float())
    cells.reset_(chosen)
    assert cells.pulses_since_reset.sum() == 0
    assert cells.pulses == 2 * 2 * 8 * 16 + 2 * int(chosen.sum())


def test_nothing_chosen_is_no_pulse() -> None:
    cells = array()
    nothing = torch.zeros(2, *SHAPE, dtype=torch.bool)
    assert cells.set_(nothing) == cells.reset_(nothing) == 0
    assert cells.set_pulses == 0


def test_a_cell_is_the_sum_of_its_devices() -> None:
    cells = array()
    cells.set_(torch.ones(2, *SHAPE, dtype=torch.bool))
    torch.testing.assert_close(cells.cell_uS(), cells.device_uS().sum(dim=0))


def test_history_starts_again_with_a_reset() -> None:
    """The first pulse after a RESET goes further than the tenth."""
    cells = array(devices=1)
    everything = torch.ones(1, *SHAPE, dtype=torch.bool)
    steps = []
    for _ in range(10):
        before = cells.cell_uS()
        cells.set_(everything)
        steps.append((cells.cell_uS() - before).mean().item())
    cells.reset_(everything)
    cells.set_(everything)
    assert steps[9] < 0.5 * steps[0]
    assert cells.cell_uS().mean().item() == pytest.approx(2.05, abs=0.5)


def test_device_spread_lasts() -> None:
    """With spread, the same devices are strong again after a RESET."""

    def correlation(spread: float) -> float:
        cells = array(devices=1, cell=PulsedPcm(device_spread=spread))
        everything, held = torch.ones(1, *SHAPE, dtype=torch.bool), []
        for _ in range(2):
            for _ in range(12):
                cells.set_(everything)
            held.append(cells.cell_uS().flatten())
            cells.reset_(everything)
        return float(torch.corrcoef(torch.stack(held))[0, 1])

    assert abs(correlation(0.0)) < 0.25
    assert correlation(0.4) > 0.5


@pytest.mark.parametrize(
    ("device", "devices", "stretch"),
    [
        (PcmHermes(cells_per_polarity=1), 1, 1.0),
        (PcmHermes(cells_per_polarity=2), 2, 1.0),
        (Pcm2019(), 1, 25 / 10.35),
    ],
)
def test_geometry_is_that_of_the_device(
    device: PcmHermes | Pcm2019, devices: int, stretch: float
) -> None:
    geometry = geometry_of(device, PulsedPcm())
    assert geometry.devices == devices
    assert geometry.stretch == pytest.approx(stretch)
    assert geometry.g_device_max_uS * devices == pytest.approx(device.g_max_uS)


@pytest.mark.parametrize("device", [ReramWan2022(), IdealDevice()])
def test_other_memories_have_no_law_of_pulses(device: ReramWan2022 | IdealDevice) -> None:
    with pytest.raises(ValueError, match=r"must have phase-change cells.*statistical"):
        geometry_of(device, PulsedPcm())


def test_the_seed_decides() -> None:
    one, same, other = array(seed=3), array(seed=3), array(seed=4)
    for cells in (one, same, other):
        cells.set_(torch.ones(2, *SHAPE, dtype=torch.bool))
    assert torch.equal(one.cell_uS(), same.cell_uS())
    assert not torch.equal(one.cell_uS(), other.cell_uS())
