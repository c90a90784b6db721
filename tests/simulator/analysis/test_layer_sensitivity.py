"""Layers as the only analog and the only digital ones."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    HERMES_DEFAULT,
    IDEAL,
    AnalogModel,
    analog_layers,
    calibrate_input_ranges,
    program,
    set_time,
    spawn_generator,
    to_analog,
    to_digital,
)
from analognas.simulator.analysis import layer_sensitivity, with_digital_layers
from analognas.simulator.input_encoding import InputStage

NAMES = ["0", "2", "6", "8"]


def calibrated(network: nn.Module, inputs: Tensor) -> AnalogModel:
    analog = to_analog(network, HERMES_DEFAULT)
    calibrate_input_ranges(analog, inputs)
    return analog


def test_each_layer_is_the_only_analog_and_the_only_digital_one(
    network: nn.Module, inputs: Tensor
) -> None:
    analog = calibrated(network, inputs)
    seen: list[set[str]] = []

    def evaluate(variant: AnalogModel) -> float:
        seen.append({name for name, _ in analog_layers(variant)})
        return float(len(seen[-1]))

    told: list[tuple[int, int, str]] = []
    found = layer_sensitivity(analog, evaluate, progress=lambda *now: told.append(now))
    assert (found.all_analog, found.all_digital) == (4.0, 0.0)
    assert [layer.layer for layer in found.layers] == NAMES
    assert [layer.weights for layer in found.layers] == [8 * 18, 8 * 9, 16 * 32, 5 * 16]
    assert {layer.only_analog for layer in found.layers} == {1.0}
    assert {layer.only_digital for layer in found.layers} == {3.0}
    assert seen[2:] == [
        names for name in NAMES for names in ({name}, {other for other in NAMES if other != name})
    ]
    assert [done for done, _, _ in told] == list(range(11))
    assert {total for _, total, _ in told} == {10}


def test_the_model_is_left_untouched(network: nn.Module, inputs: Tensor) -> None:
    analog = calibrated(network, inputs)
    before = {name: value.clone() for name, value in analog.state_dict().items()}

    def spoil(variant: AnalogModel) -> float:
        program(variant, chips=1, generator=spawn_generator(0, "chips"))
        for parameter in variant.parameters():
            parameter.data.zero_()
        return 0.0

    layer_sensitivity(analog, spoil)
    assert analog.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in analog.state_dict().items())
    assert analog.chips == ()


def test_a_chip_is_the_same_in_every_variant(network: nn.Module, inputs: Tensor) -> None:
    analog = calibrated(network, inputs)
    weights = []
    for names in ([], ["0", "8"]):
        variant = with_digital_layers(analog, names)
        program(variant, chips=[3], generator=spawn_generator(0, "chips"))
        set_time(variant, t_s=3600.0, generator=spawn_generator(0, "time"))
        layer = dict(analog_layers(variant))["6"]
        weights += [tile.weight for tile in layer.crossbar_tiles()]
    assert torch.equal(*weights)


def test_a_network_of_digital_layers_is_the_digital_network(
    network: nn.Module, inputs: Tensor
) -> None:
    analog = calibrated(network, inputs)
    variant = with_digital_layers(analog, NAMES)
    program(variant, chips=2, generator=spawn_generator(0, "chips"))
    set_time(variant, t_s=1.0, generator=spawn_generator(0, "time"))
    with torch.no_grad():
        read = variant(inputs)
        assert read.shape == (2, 20, 5)
        torch.testing.assert_close(read[0], to_digital(analog, clip_inputs=True)(inputs))


def test_inputs_saturate_only_where_there_is_a_range(network: nn.Module, inputs: Tensor) -> None:
    scaled = replace(HERMES_DEFAULT, input_stage=InputStage(scaling="abs_max"))
    for hardware in (scaled, IDEAL):
        analog = to_analog(network, hardware)
        with torch.no_grad():
            exact = with_digital_layers(analog, NAMES)(10 * inputs)
            torch.testing.assert_close(exact, network(10 * inputs))


def test_a_shared_layer_is_digital_everywhere() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.again = self.first

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.again(self.first(x))
            return y

    variant = with_digital_layers(to_analog(Twice(), IDEAL), ["first"])
    assert list(analog_layers(variant)) == []
    assert variant.network.first is variant.network.again


def test_wrong_calls_are_refused(network: nn.Module, inputs: Tensor) -> None:
    analog = calibrated(network, inputs)
    with pytest.raises(ValueError, match=r"got 'head'\. Choose among"):
        with_digital_layers(analog, ["head"])
    program(analog, chips=1, generator=spawn_generator(0, "chips"))
    with pytest.raises(ValueError, match="before programming"):
        layer_sensitivity(analog, lambda _: 0.0)
