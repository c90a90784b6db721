"""Errors of the layers of a network on chips."""

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
    over_time,
    program,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.analysis import LayerError, layer_errors, summarise_layers
from analognas.simulator.hardware import Hardware

NAMES = ["0", "2", "6", "8"]


def generator(name: str = "test") -> torch.Generator:
    return spawn_generator(0, name)


def on_chips(network: nn.Module, inputs: Tensor, hardware: Hardware, chips: int = 2) -> AnalogModel:
    analog = to_analog(network, hardware)
    calibrate_input_ranges(analog, inputs)
    program(analog, chips=chips, generator=generator("chips"))
    return analog


def test_every_layer_is_measured_on_every_chip(network: nn.Module, inputs: Tensor) -> None:
    analog = on_chips(network, inputs, HERMES_DEFAULT)
    set_time(analog, t_s=60.0, generator=generator("time"))
    errors = layer_errors(analog, inputs)
    assert [(error.chip, error.layer) for error in errors] == [
        (chip, name) for chip in (0, 1) for name in NAMES
    ]
    assert {error.t_s for error in errors} == {60.0}
    assert all(0.001 < error.own < 0.5 for error in errors)


def test_ideal_layers_have_no_error(network: nn.Module, inputs: Tensor) -> None:
    analog = on_chips(network, inputs, IDEAL, chips=1)
    for error in layer_errors(analog, inputs):
        assert error.own < 1e-5
        assert error.accumulated is not None
        assert error.accumulated < 1e-5


def test_the_error_is_that_of_the_layer_on_its_own_input(
    network: nn.Module, inputs: Tensor
) -> None:
    # Only the depthwise layer is wrong, by 10 %: the others have no error of their own, but what
    # follows it carries on with the error.
    analog = on_chips(network, inputs, IDEAL, chips=1)
    layers = dict(analog_layers(analog))
    (tile,) = layers["2"].crossbar_tiles()
    tile.weight.mul_(1.1)
    layers["2"].digital.bias.data.zero_()  # type: ignore[operator]
    program_root = int(analog.roots[0])
    layers["2"].start_reads(program_root, 0.0)
    errors = {error.layer: error for error in layer_errors(analog, inputs)}
    assert errors["2"].own == pytest.approx(0.1, rel=1e-4)
    assert errors["2"].accumulated == pytest.approx(0.1, rel=1e-4)
    assert max(errors[name].own for name in ("0", "6", "8")) < 1e-5
    assert errors["0"].accumulated == pytest.approx(0.0, abs=1e-5)
    assert errors["8"].accumulated is not None
    assert errors["8"].accumulated > 0.01


def test_errors_grow_with_age(network: nn.Module, inputs: Tensor) -> None:
    analog = on_chips(network, inputs, replace(HERMES_DEFAULT, compensation="none"), chips=1)
    means = []
    for _ in over_time(analog, [1.0, 1e7], generator=generator("time")):
        errors = layer_errors(analog, inputs)
        means.append(sum(error.own for error in errors) / len(errors))
        first, last = errors[0], errors[-1]
        assert first.accumulated == pytest.approx(first.own)  # both networks have the same inputs
        assert last.accumulated != pytest.approx(last.own)
    assert means[1] > 1.2 * means[0]


def test_measuring_leaves_no_trace(network: nn.Module, inputs: Tensor) -> None:
    analog = on_chips(network, inputs, IDEAL)
    with torch.no_grad():
        before = analog(inputs)
        layer_errors(analog, inputs)
        assert torch.equal(analog(inputs), before)
    assert not any(layer._forward_hooks for _, layer in analog_layers(analog))


def test_a_layer_that_is_used_twice_has_one_error(inputs: Tensor) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.flat = nn.Flatten()
            self.square = nn.Linear(72, 72)

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.square(self.square(self.flat(x)).relu())
            return y

    analog = on_chips(Twice().eval(), inputs, HERMES_DEFAULT, chips=1)
    (error,) = layer_errors(analog, inputs)
    assert error.layer == "square"
    assert error.accumulated is not None
    assert error.own < error.accumulated


def test_inputs_whose_exact_output_is_zero_do_not_count(network: nn.Module, inputs: Tensor) -> None:
    analog = on_chips(nn.Sequential(nn.Flatten(), nn.Linear(72, 4, bias=False)), inputs, IDEAL, 1)
    with_zero = torch.cat([inputs, torch.zeros_like(inputs[:1])])
    (error,) = layer_errors(analog, with_zero)
    assert error.own < 1e-5


def test_a_model_that_is_not_programmed_is_refused(network: nn.Module, inputs: Tensor) -> None:
    with pytest.raises(ValueError, match="programmed before its errors"):
        layer_errors(to_analog(network, IDEAL), inputs)


def test_a_summary_is_the_mean_over_chips() -> None:
    errors = [
        LayerError("a", 1.0, 0, 0.1, 0.2),
        LayerError("b", 1.0, 0, 0.5, None),
        LayerError("a", 1.0, 1, 0.3, 0.4),
        LayerError("a", 60.0, 0, 0.9, 0.9),
    ]
    first, other, later = summarise_layers(errors)
    assert (first.layer, first.t_s, first.chips) == ("a", 1.0, 2)
    assert first.own == pytest.approx(0.2)
    assert first.accumulated == pytest.approx(0.3)
    assert first.own_spread == pytest.approx(0.02**0.5)
    assert (other.layer, other.accumulated, other.own_spread) == ("b", None, 0.0)
    assert (later.t_s, later.own) == (60.0, 0.9)
