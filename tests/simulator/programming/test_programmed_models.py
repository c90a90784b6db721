"""Pulsed programming of whole networks, through `program`."""

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    AnalogModel,
    Hardware,
    TileConfig,
    analog_layers,
    calibrate_input_ranges,
    over_time,
    program,
    programming_logs,
    reprogram,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.presets import AIHWKIT_DEFAULT, IDEAL
from analognas.simulator.programming import GradientDescent

HARDWARE = Hardware(tile=TileConfig(rows=30, columns=20))


@pytest.fixture
def x() -> Tensor:
    return torch.empty(16, 3, 6, 6).normal_(generator=spawn_generator(0, "x"))


def made(x: Tensor, hardware: Hardware = HARDWARE) -> AnalogModel:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5)
    )
    for name, parameter in network.named_parameters():
        nn.init.normal_(parameter, std=0.1, generator=spawn_generator(0, name))
    analog = to_analog(network, hardware)
    calibrate_input_ranges(analog, x)
    return analog


@pytest.mark.parametrize("method", ["verify", "gdp"])
def test_every_pulse_is_counted_and_the_network_still_computes(method: str, x: Tensor) -> None:
    analog = made(x)
    with torch.no_grad():
        exact = analog(x)
        program(analog, chips=2, generator=spawn_generator(0), method=method)
        set_time(analog, t_s=60.0, generator=spawn_generator(0, "time"))
        error = (analog(x) - exact).norm(dim=(1, 2)) / exact.norm()
    assert (error < 0.5).all()
    logs = programming_logs(analog)
    assert set(logs) == {"0", "3"}
    for layer, weights in (("0", 8 * 27), ("3", 128 * 5)):
        assert len(logs[layer]) == 2
        for log in logs[layer]:
            assert log.cells == 2 * weights
            assert log.set_pulses > 0
            assert log.energy_uJ > 0
    first, second = logs["0"]
    assert first != second  # other cells, other pulses


def test_a_chip_is_written_the_same_whatever_is_beside_it(x: Tensor) -> None:
    conductances = []
    for chips in ((3,), (1, 3)):
        analog = made(x)
        program(analog, chips=chips, generator=spawn_generator(5), method="verify")
        conductances.append([t[-1] for name, t in analog.state_dict().items() if "g_prog" in name])
    for alone, beside in zip(*conductances, strict=True):
        assert torch.equal(alone, beside)


def test_statistical_programming_counts_nothing(x: Tensor) -> None:
    analog = made(x)
    program(analog, chips=1, generator=spawn_generator(0), method="gdp")
    assert programming_logs(analog)
    reprogram(analog, generator=spawn_generator(1))
    assert programming_logs(analog) == {}


def test_a_schedule_writes_by_the_method_that_is_asked_for(x: Tensor) -> None:
    analog = made(x)
    program(analog, chips=1, generator=spawn_generator(0), method="verify")
    first = programming_logs(analog)
    times = over_time(
        analog,
        [1.0, 150.0],
        generator=spawn_generator(1),
        reprogram_every_s=100.0,
        method="verify",
    )
    assert list(times) == [1.0, 150.0]
    assert set(programming_logs(analog)) == set(first)
    assert programming_logs(analog) != first


def test_fitted_gains_and_offsets_act_behind_the_converter(x: Tensor) -> None:
    analog = made(x)
    method = GradientDescent(affine=True)
    program(analog, chips=1, generator=spawn_generator(0), method=method)
    *_, (_, head) = analog_layers(analog)
    tile = next(head.crossbar_tiles())
    assert not torch.equal(tile.digital_gain, torch.ones_like(tile.digital_gain))
    with torch.no_grad():
        head.start_reads(0, 0.0)
        before = analog(x)
        tile.digital_offset += 0.5
        head.start_reads(0, 0.0)
        assert not torch.allclose(before, analog(x))


def test_wrong_methods_are_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match="Unknown programming method 'laser'"):
        program(made(x), chips=1, generator=spawn_generator(0), method="laser")
    for hardware in (IDEAL, AIHWKIT_DEFAULT):
        if hardware.device.kind.startswith("pcm"):
            continue
        with pytest.raises(ValueError, match="phase-change"):
            program(made(x, hardware), chips=1, generator=spawn_generator(0), method="gdp")
