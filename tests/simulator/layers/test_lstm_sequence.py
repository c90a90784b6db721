"""An LSTM trained over a whole sequence at once, against the same one step by step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    AnalogModel,
    Hardware,
    HwaRecipe,
    TileConfig,
    analog_layers,
    noisy_training,
    spawn_generator,
    to_analog,
)
from analognas.simulator.layers.lstm_sequence import takes_sequences
from analognas.simulator.layers.step_layer import StepLayer
from analognas.simulator.presets import STANDARD_AIMC

IN, HIDDEN, BATCH, TIMES = 6, 9, 4, 7
RECIPE = HwaRecipe(range_batches=1, ramp_fraction=0.0)
ONE_TILE = STANDARD_AIMC
SEVERAL_TILES = replace(STANDARD_AIMC, tile=TileConfig(rows=5, columns=8))
ONE_SCALE = replace(SEVERAL_TILES, mapping=replace(STANDARD_AIMC.mapping, scaling="layer"))
LAYERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "without bias": {"bias": False},
    "two layers, both ways": {"num_layers": 2, "bidirectional": True, "batch_first": True},
}


def listen(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    """A hook: whoever listens to every step hears every step."""


@contextmanager
def training(
    digital: nn.LSTM, hardware: Hardware, full_scale: float, *, step_by_step: bool
) -> Iterator[AnalogModel]:
    """Past the first batches, with these input ranges."""
    # The sequence has the time first: noise of the products with the inputs would come in another
    # order.
    quiet = replace(hardware, converters=replace(hardware.converters, output_noise=0.0))
    inputs = {f"0.{name}": quiet for name, _ in digital.named_parameters() if "weight_ih" in name}
    analog = to_analog(nn.Sequential(digital), hardware, layer_hardware=inputs).train()
    matrices = [layer for _, layer in analog_layers(analog) if isinstance(layer, StepLayer)]
    with noisy_training(analog, RECIPE, generator=spawn_generator(0, "training")):
        assert not any(map(takes_sequences, matrices))
        analog(torch.zeros(2, 3, digital.input_size, dtype=next(digital.parameters()).dtype))
        for _, layer in analog_layers(analog):
            layer.input_range.data.fill_(full_scale)
        for matrix in matrices:
            if step_by_step:
                matrix.register_forward_hook(listen)
            assert takes_sequences(matrix) is not step_by_step
        yield analog


def gradients(analog: AnalogModel, x: Tensor, states: list[Tensor]) -> dict[str, Tensor]:
    """Results and all gradients of some loss; the states' too, if there are any."""
    for tensor in (x, *states):
        tensor.grad = None
        tensor.requires_grad_()
    twin = analog.network.get_submodule("0")
    y, (h, c) = twin(x, tuple(states) if states else None)
    (y.square().sum() + (y * y.detach().cos()).sum() + h.sum() - c.square().sum()).backward()
    found = {name: p.grad for name, p in analog.named_parameters() if p.grad is not None}
    for place, tensor in enumerate((x, *states)):
        assert tensor.grad is not None
        found[f"input {place}"] = tensor.grad
    return found | {"y": y.detach(), "h": h.detach(), "c": c.detach()}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("hardware", [ONE_TILE, SEVERAL_TILES, ONE_SCALE])
@pytest.mark.parametrize("full_scale", [0.02, 5.0])  # nearly all inputs clipped, and none
@pytest.mark.parametrize("given", [False, True])
def test_the_same_numbers_as_step_by_step(  # noqa: PLR0913
    kind: str,
    hardware: Hardware,
    full_scale: float,
    given: bool,
    filled: Any,
    normal: Any,
    assert_close: Any,
) -> None:
    layer = filled(nn.LSTM(IN, HIDDEN, **LAYERS[kind]).double())
    x = normal(BATCH, TIMES, IN)
    batch = BATCH if layer.batch_first else TIMES
    outer = layer.num_layers * (2 if layer.bidirectional else 1)
    states = [normal(outer, batch, HIDDEN, name=name) for name in "hc"] if given else []
    found = []
    for step_by_step in (False, True):
        with training(layer, hardware, full_scale, step_by_step=step_by_step) as analog:
            found.append(gradients(analog, x, states))
    ours, theirs = found
    assert ours.keys() == theirs.keys()
    assert len(ours) >= 8
    for name, value in ours.items():
        assert theirs[name].abs().max() > 0, name
        assert_close(value, theirs[name], 1e-7)  # the decay of a range is a float32


def test_the_fast_kernels_too(filled: Any, normal: Any, assert_close: Any) -> None:
    layer = filled(nn.LSTM(40, 64, batch_first=True))
    x = normal(8, 5, 40, dtype=torch.float32)
    found = []
    for step_by_step in (False, True):
        with training(layer, ONE_TILE, 1.5, step_by_step=step_by_step) as analog:
            found.append(gradients(analog, x.clone(), []))
    for name, value in found[0].items():
        assert_close(value, found[1][name], 1e-4)


def test_without_noise_and_with_fine_converters_the_gradient_is_that_of_torch(
    filled: Any, normal: Any, assert_close: Any
) -> None:
    fine = replace(STANDARD_AIMC.converters, dac_bits=16, adc_bits=16)
    hardware = replace(STANDARD_AIMC, converters=fine)
    recipe = HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=None, range_batches=1)
    layer = filled(nn.LSTM(IN, HIDDEN, batch_first=True).double())
    x = normal(BATCH, TIMES, IN)
    analog = to_analog(layer, hardware).train()
    with noisy_training(analog, recipe, generator=spawn_generator(0, "training")):
        analog(x)
        for _, matrix in analog_layers(analog):
            matrix.input_range.data.fill_(8.0)
        found = gradients(analog, x.clone(), [])
    expected = x.clone().requires_grad_()
    y, (h, c) = layer(expected)
    (y.square().sum() + (y * y.detach().cos()).sum() + h.sum() - c.square().sum()).backward()
    assert expected.grad is not None
    assert_close(found["y"], y.detach(), 1e-3)
    assert_close(found["input 0"], expected.grad, 1e-2)
