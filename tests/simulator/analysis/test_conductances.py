"""Histograms of conductances."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    HERMES_DEFAULT,
    PCM_2019,
    AnalogModel,
    Hardware,
    calibrate_input_ranges,
    program,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.analysis import ConductanceHistogram, conductance_histogram
from analognas.simulator.devices import IdealDevice, Pcm2019
from analognas.simulator.faults import Faults


def generator(name: str = "test") -> torch.Generator:
    return spawn_generator(0, name)


def aged(network: nn.Module, inputs: Tensor, hardware: Hardware, t_s: float) -> AnalogModel:
    analog = to_analog(network, hardware)
    calibrate_input_ranges(analog, inputs)
    program(analog, chips=3, generator=generator("chips"))
    set_time(analog, t_s=t_s, generator=generator("time"))
    return analog


def by_state(
    analog: AnalogModel, layer: str, bins: int = 50
) -> tuple[ConductanceHistogram, ConductanceHistogram]:
    programmed, old = (
        record for record in conductance_histogram(analog, bins=bins) if record.layer == layer
    )
    assert (programmed.state, old.state) == ("programmed", "aged")
    return programmed, old


def test_every_cell_of_every_chip_is_counted_once(network: nn.Module, inputs: Tensor) -> None:
    analog = aged(network, inputs, PCM_2019, 3600.0)
    records = conductance_histogram(analog, bins=20)
    assert [record.layer for record in records] == ["0", "0", "2", "2", "6", "6", "8", "8"]
    cells = {"0": 8 * 18, "2": 8 * 72, "6": 16 * 32, "8": 5 * 16}  # "2": block-diagonal
    for record in records:
        assert sum(record.counts) == cells[record.layer] * 2 * 3
        assert len(record.edges_uS) == 21
        assert record.edges_uS[0] == 0.0
        assert record.edges_uS[-1] >= 25.0
        assert record.t_s == (0.0 if record.state == "programmed" else 3600.0)


def test_cells_drift_by_the_law_of_their_device(network: nn.Module, inputs: Tensor) -> None:
    hardware = replace(PCM_2019, device=Pcm2019(programming_noise_scale=0.0))
    programmed, old = by_state(aged(network, inputs, hardware, 86_400.0), "6")
    # nu lies between 0.049 and about 0.1: the mean conductance loses a third to a half in a day.
    factor = old.mean_uS / programmed.mean_uS
    assert (86_420 / 20) ** -0.1 < factor < (86_420 / 20) ** -0.045


def test_ideal_cells_have_the_conductances_of_the_weights() -> None:
    layer = nn.Linear(4, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, -0.5, 0.25, 0.0]])
    hardware = replace(HERMES_DEFAULT, device=IdealDevice())
    analog = aged(layer, torch.ones(2, 4), hardware, 1e6)
    programmed, old = by_state(analog, "0", bins=4)
    # Pairs (25, 0), (0, 12.5), (6.25, 0), (0, 0) uS on three chips; a value on an edge counts up.
    assert programmed.counts == old.counts == (15, 3, 3, 3)
    assert old.mean_uS == pytest.approx((25 + 12.5 + 6.25) / 8)


def test_stuck_cells_are_where_they_are_stuck(network: nn.Module, inputs: Tensor) -> None:
    hardware = replace(PCM_2019, faults=Faults(stuck_at_g_max=1.0))
    for record in conductance_histogram(aged(network, inputs, hardware, 1e5)):
        assert record.mean_uS == pytest.approx(25.0)
        assert record.spread_uS == 0.0


def test_cells_beyond_the_range_get_a_bin(network: nn.Module, inputs: Tensor) -> None:
    hardware = replace(PCM_2019, device=Pcm2019(programming_noise_scale=3.0))
    programmed, _ = by_state(aged(network, inputs, hardware, 1.0), "6")
    assert programmed.edges_uS[-1] > 27.0
    assert programmed.counts[-1] >= 1


def test_wrong_calls_are_refused(network: nn.Module, inputs: Tensor) -> None:
    with pytest.raises(ValueError, match="before it has conductances"):
        conductance_histogram(to_analog(network, PCM_2019))
    with pytest.raises(ValueError, match="bins >= 1"):
        conductance_histogram(aged(network, inputs, PCM_2019, 1.0), bins=0)
