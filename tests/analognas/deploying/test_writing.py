"""Chips that hold given conductances, and the same cells read otherwise."""

from dataclasses import replace

import pytest
import torch

from analognas.deploying import Source
from analognas.deploying.writing import give_conductances, read_otherwise
from analognas.simulator import (
    HERMES_DEFAULT,
    AnalogModel,
    ConverterConfig,
    Hardware,
    analog_layers,
    program,
    set_time,
    spawn_generator,
)
from analognas.simulator.devices import PcmHermes

COARSE = replace(
    HERMES_DEFAULT, converters=replace(HERMES_DEFAULT.converters, adc_bits=5, dac_bits=6)
)


def programmed(source: Source, hardware: Hardware) -> AnalogModel:
    analog = source.on(hardware)
    program(analog, chips=2, generator=spawn_generator(0, "program"))
    return analog


def aged(analog: AnalogModel, source: Source) -> torch.Tensor:
    set_time(analog, t_s=86_400.0, generator=spawn_generator(0, "time"))
    outputs: torch.Tensor = analog(source.test.inputs)
    return outputs


@pytest.mark.parametrize(
    "other",
    [
        COARSE,
        replace(HERMES_DEFAULT, compensation="none"),
        replace(HERMES_DEFAULT, compensation="gdc_column"),
        replace(HERMES_DEFAULT, compensation="gdc_exact"),
    ],
)
def test_cells_that_are_read_otherwise_are_as_if_programmed_for_it(
    source: Source, other: Hardware
) -> None:
    analog = programmed(source, HERMES_DEFAULT)
    aged(analog, source)
    read_otherwise(analog, other, generator=spawn_generator(0, "program"))
    assert torch.equal(aged(analog, source), aged(programmed(source, other), source))
    assert not torch.equal(aged(analog, source), aged(programmed(source, HERMES_DEFAULT), source))


def test_other_cells_cannot_be_read_otherwise(source: Source) -> None:
    analog = programmed(source, HERMES_DEFAULT)
    one_cell = replace(HERMES_DEFAULT, device=PcmHermes(drift_scale=0.5))
    with pytest.raises(ValueError, match="Program them anew"):
        read_otherwise(analog, one_cell, generator=spawn_generator(0, "program"))


QUIET = replace(
    HERMES_DEFAULT,
    device=PcmHermes(drift_scale=0.0, read_noise_scale=0.0),
    converters=ConverterConfig(dac_bits=8, adc_bits=None, output_noise=0.0),
    weight_read_noise=0.0,
    compensation="none",
)


def test_given_conductances_are_what_the_chip_holds(source: Source) -> None:
    reference = programmed(source, QUIET)
    cells = {
        name: [tile.g_programmed_uS[1].clone() for tile in layer.crossbar_tiles()]
        for name, layer in analog_layers(reference)
    }
    analog = source.on(QUIET)
    give_conductances(analog, {4: cells}, generator=spawn_generator(1, "other"))
    assert analog.chips == (4,)
    assert torch.equal(aged(analog, source)[0], aged(reference, source)[1])
    assert not torch.equal(aged(analog, source)[0], aged(reference, source)[0])


def test_what_is_given_counts(source: Source) -> None:
    """Cells that all hold the same give outputs that no longer depend on the weights."""
    analog = source.on(replace(HERMES_DEFAULT, compensation="none"))
    program(analog, chips=1, generator=spawn_generator(0, "shapes"))
    cells = {
        name: [torch.full_like(tile.g_programmed_uS[0], 5.0) for tile in layer.crossbar_tiles()]
        for name, layer in analog_layers(analog)
    }
    give_conductances(analog, {0: cells}, generator=spawn_generator(0, "flat"))
    assert (
        aged(analog, source).std(dim=1).max()
        < 0.3 * source.network(source.test.inputs).std(dim=0).max()
    )
