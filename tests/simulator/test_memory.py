"""Chips are simulated in as many rounds as the memory asks for."""

from torch import nn

from analognas.simulator import HERMES_DEFAULT, chips_that_fit, program, spawn_generator, to_analog
from analognas.simulator.layers import AnalogModel, analog_layers
from analognas.simulator.memory import bytes_per_chip


def programmed(chips: int) -> AnalogModel:
    analog = to_analog(nn.Sequential(nn.Linear(300, 40), nn.Linear(40, 7)), HERMES_DEFAULT)
    for _, layer in analog_layers(analog):
        layer.input_range.data.fill_(1.0)
    program(analog, chips=chips, generator=spawn_generator(0, "p"))
    return analog


def test_a_chip_takes_the_memory_that_is_said() -> None:
    analog = programmed(3)
    held = sum(
        tensor.numel() * tensor.element_size()
        for _, layer in analog_layers(analog)
        for tile in layer.crossbar_tiles()
        for tensor in (tile.g_programmed_uS, tile.ageing, tile.weight)
    )
    assert bytes_per_chip(analog) * 3 == held


def test_half_of_the_free_memory_is_used_and_one_chip_at_least() -> None:
    analog = programmed(1)
    size = bytes_per_chip(analog)
    assert chips_that_fit(analog, free_bytes=10 * size) == 5
    assert chips_that_fit(analog, free_bytes=size // 2) == 1
    assert chips_that_fit(analog) >= 1
