"""Chips that run at once are the chips that run one after another."""

import copy
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from analognas.simulator import (
    HERMES_DEFAULT,
    AnalogModel,
    ConverterConfig,
    Hardware,
    TileConfig,
    analog_layers,
    calibrate_input_ranges,
    program,
    recalibrate_batch_norm,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.circuit import CircuitIrDrop
from analognas.simulator.conductance_mapping import ConductanceMapping
from analognas.simulator.devices import IdealDevice
from analognas.simulator.faults import Faults
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.ir_drop import IrDrop
from analognas.simulator.layers import analog_model
from analognas.simulator.output_stage import OutputStage

CHIPS = 3
DAY_S = 86_400.0
# Unequal chips that drift and whose reads have no noise.
LINEAR = replace(
    HERMES_DEFAULT,
    converters=ConverterConfig(dac_bits=None, adc_bits=None, output_noise=0.0),
    weight_read_noise=0.0,
)
QUIET = replace(LINEAR, converters=ConverterConfig(output_noise=0.0))
PRECISIONS = [
    pytest.param(torch.float64, 1e-12, id="float64"),
    pytest.param(torch.float32, 1e-5, id="float32"),
]

Make = Callable[[], nn.Module]

LAYERS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(20, 9), (4, 20)),
    "linear on a sequence": (lambda: nn.Linear(20, 9, bias=False), (2, 5, 20)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 5, stride=2, padding=3), (2, 4, 17)),
    "conv1d depthwise, circular": (
        lambda: nn.Conv1d(6, 12, 3, padding=1, groups=6, padding_mode="circular"),
        (2, 6, 11),
    ),
    "conv2d": (lambda: nn.Conv2d(3, 8, (5, 3), (2, 1), (2, 1), bias=False), (2, 3, 10, 7)),
    "conv2d pointwise": (lambda: nn.Conv2d(18, 8, 1), (2, 18, 3, 4)),
    "conv2d to one place": (lambda: nn.Conv2d(5, 8, 3), (3, 5, 3, 3)),
    "conv2d depthwise": (lambda: nn.Conv2d(8, 16, 3, padding="same", groups=8), (2, 8, 6, 5)),
    "conv2d grouped": (lambda: nn.Conv2d(8, 12, 3, dilation=2, groups=4), (2, 8, 6, 7)),
    "conv3d": (lambda: nn.Conv3d(2, 6, (3, 2, 3), (1, 2, 1), (1, 0, 2)), (2, 2, 4, 6, 5)),
    "conv3d grouped": (lambda: nn.Conv3d(4, 8, 3, padding=1, groups=2), (2, 4, 4, 3, 5)),
    "transposed 1d": (lambda: nn.ConvTranspose1d(4, 6, 4, 3, 1, 2), (2, 4, 7)),
    "transposed 2d, depthwise": (
        lambda: nn.ConvTranspose2d(6, 6, 3, stride=2, padding=1, output_padding=1, groups=6),
        (2, 6, 4, 5),
    ),
    "transposed 3d": (lambda: nn.ConvTranspose3d(2, 4, 2, (2, 1, 2), groups=2), (2, 2, 3, 2, 3)),
}


class Recurrent(nn.Module):
    """Outputs of all steps and the last states, in which the batch is the second dimension."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.memory = kind(6, 5, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Any:
        return self.memory(x)


class TimeFirstInside(nn.Module):
    """The recurrent layer has time first, the network has the batch first."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(6, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Any:
        y, (h, _) = self.memory(x.transpose(0, 1))
        return {"last": self.head(y[-1]), "states": h}


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros_like(x[:, 0])
        for step in x.unbind(1):
            h = self.cell(step, h)
        return h


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True, add_bias_kv=True)
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Any:
        y, weights = self.attention(x, x, x, key_padding_mask=padding)
        return self.head(y.mean(1)), weights


class Convolutions(nn.Module):
    """An image network with batch norm, a skip and a depthwise layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.bn2 = nn.BatchNorm2d(8, affine=False)
        self.fc = nn.Linear(8, 6)
        self.bn3 = nn.BatchNorm1d(6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)) + x)
        y: Tensor = self.bn3(self.fc(x.mean((2, 3))))
        return y


NETWORKS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "lstm": (lambda: Recurrent(nn.LSTM), (4, 5, 6)),
    "gru": (lambda: Recurrent(nn.GRU), (4, 5, 6)),
    "time first inside": (TimeFirstInside, (4, 5, 6)),
    "cells": (Cells, (4, 5, 6)),
    "attention": (Attention, (4, 5, 6)),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(6, 2, 12, dropout=0.0, batch_first=True),
        (4, 5, 6),
    ),
    "convolutions": (Convolutions, (4, 3, 7, 6)),
}


@pytest.fixture(autouse=True)
def exact_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU may shorten the numbers of a convolution to 10 bits."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def generator(name: str = "test") -> torch.Generator:
    return spawn_generator(0, "chips at once", name)


def normal(*shape: int, dtype: torch.dtype, name: str = "x") -> Tensor:
    return torch.empty(shape, dtype=dtype).normal_(generator=generator(name))


def filled(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    network = network.to(dtype).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            draw = normal(*parameter.shape, dtype=dtype, name=name)
            parameter.copy_(draw / max(1, parameter[0].numel()) ** 0.5)
    return network


def programmed(network: nn.Module, hardware: Hardware, device: torch.device) -> AnalogModel:
    analog = to_analog(network, hardware).to(device)
    for _, layer in analog_layers(analog):
        layer.input_range.data.fill_(1.5)
    program(analog, chips=CHIPS, generator=generator("p"))
    set_time(analog, t_s=DAY_S, generator=generator("t"))
    return analog


def in_both_ways(analog: AnalogModel, *args: Any, **kwargs: Any) -> list[Any]:
    """Outputs of the chips one after another, and at once without falling back."""
    outputs = []
    with torch.no_grad():
        for at_once in (False, True):
            analog.chips_at_once = at_once
            assert (analog.rounds(*args, **kwargs) is not None) == at_once
            outputs.append(analog(*args, **kwargs))
    return outputs


def assert_same(actual: Any, expected: Any, tolerance: float) -> None:
    assert type(actual) is type(expected)
    if isinstance(expected, Tensor):
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        assert (actual - expected).abs().max() <= tolerance * expected.abs().max()
    elif isinstance(expected, dict):
        assert actual.keys() == expected.keys()
        for key, value in expected.items():
            assert_same(actual[key], value, tolerance)
    elif isinstance(expected, tuple | list):
        for ours, theirs in zip(actual, expected, strict=True):
            assert_same(ours, theirs, tolerance)
    else:
        assert actual == expected


# ------------------------------------------------------------------ the same numbers


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("tile", [(256, 256), (16, 5), (7, 3)], ids=str)
@pytest.mark.parametrize("groups", ["together", "apart"])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_layers(
    kind: str,
    tile: tuple[int, int],
    groups: Any,
    dtype: torch.dtype,
    tolerance: float,
    device: torch.device,
) -> None:
    make, shape = LAYERS[kind]
    hardware = replace(
        LINEAR,
        tile=TileConfig(rows=tile[0], columns=tile[1]),
        mapping=ConductanceMapping(groups=groups),
    )
    analog = programmed(filled(make(), dtype), hardware, device)
    expected, actual = in_both_ways(analog, normal(*shape, dtype=dtype).to(device))
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max()
    assert_same(actual, expected, tolerance)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_networks(kind: str, dtype: torch.dtype, tolerance: float, device: torch.device) -> None:
    make, shape = NETWORKS[kind]
    hardware = replace(LINEAR, tile=TileConfig(rows=16, columns=5))
    analog = programmed(filled(make(), dtype), hardware, device)
    expected, actual = in_both_ways(analog, normal(*shape, dtype=dtype).to(device))
    assert_same(actual, expected, tolerance)


HARDWARES: dict[str, Hardware] = {
    "converters": QUIET,
    "static IR drop": replace(QUIET, ir_drop=IrDrop(strength=1.0, conductance_ratio=1e4)),
    "wires of held cells": replace(
        QUIET, circuit=CircuitIrDrop(segment_ohm=20.0, offset_V=0.01, idle="held")
    ),
    "cells that are cut off": replace(
        QUIET, circuit=CircuitIrDrop(segment_ohm=20.0, idle="cut_off", time_steps=5)
    ),
    "unequal columns": replace(
        QUIET,
        output_stage=OutputStage(
            voltage_offset_spread=0.05,
            series_resistance=0.01,
            s_shape=0.1,
            s_shape_spread=0.3,
            asymmetry=0.1,
            adc_gain_spread=0.05,
            adc_offset_spread=0.1,
        ),
    ),
    "IR drop and unequal columns": replace(
        QUIET,
        ir_drop=IrDrop(strength=1.0, conductance_ratio=1e4),
        output_stage=OutputStage(s_shape=0.1, s_shape_spread=0.3),
    ),
    "signs apart": replace(QUIET, input_stage=InputStage(encoding="separate_digital")),
    "bits apart": replace(QUIET, input_stage=InputStage(encoding="bit_serial")),
    "scale of each vector": replace(QUIET, input_stage=InputStage(scaling="abs_max")),
    "running scale": replace(QUIET, input_stage=InputStage(scaling="average_abs_max")),
    "bound management": replace(
        QUIET,
        converters=ConverterConfig(output_bound=1.0, output_noise=0.0),
        input_stage=InputStage(bound_management="iterative"),
    ),
    "stuck cells, factor per column": replace(
        QUIET, compensation="gdc_column", faults=Faults(stuck_at_g_max=0.05)
    ),
    "no compensation": replace(QUIET, compensation="none"),
}


@pytest.mark.parametrize("name", HARDWARES)
@pytest.mark.parametrize("kind", ["linear", "conv2d", "conv2d grouped"])
def test_every_effect(name: str, kind: str, device: torch.device) -> None:
    make, shape = LAYERS[kind]
    hardware = replace(HARDWARES[name], tile=TileConfig(rows=20, columns=6))
    results = []
    for at_once in (False, True):  # a running scale moves with every call
        analog = programmed(filled(make(), torch.float64), hardware, device)
        analog.chips_at_once = at_once
        x = normal(*shape, dtype=torch.float64).to(device)
        assert (analog.rounds(x) is not None) == at_once
        results.append(analog(x))
    assert_same(results[1], results[0], 1e-11)


def test_groups_apart_with_unequal_columns(device: torch.device) -> None:
    hardware = replace(
        QUIET,
        mapping=ConductanceMapping(groups="apart"),
        output_stage=OutputStage(s_shape=0.1, s_shape_spread=0.3, voltage_offset_spread=0.1),
        tile=TileConfig(rows=40, columns=16),
    )
    make, shape = LAYERS["conv2d grouped"]
    analog = programmed(filled(make(), torch.float64), hardware, device)
    expected, actual = in_both_ways(analog, normal(*shape, dtype=torch.float64).to(device))
    assert_same(actual, expected, 1e-12)


def test_single_precision_misses_a_step_of_a_converter_at_most(device: torch.device) -> None:
    make, shape = LAYERS["conv2d"]
    analog = programmed(filled(make(), torch.float32), QUIET, device)
    expected, actual = in_both_ways(analog, normal(*shape, dtype=torch.float32).to(device))
    wrong = ((actual - expected).abs() > 1e-5 * expected.abs().max()).double().mean()
    assert wrong < 0.01


def test_chips_may_have_input_ranges_of_their_own(device: torch.device) -> None:
    analog = programmed(filled(nn.Linear(20, 9), torch.float64), QUIET, device)
    (_, layer), *_ = analog_layers(analog)
    layer.set_chip_ranges(torch.tensor([0.4, 1.0, 2.0], dtype=torch.float64, device=device))
    expected, actual = in_both_ways(analog, normal(30, 20, dtype=torch.float64).to(device))
    assert_same(actual, expected, 1e-12)
    assert expected[0].abs().mean() < 0.8 * expected[2].abs().mean()


def test_the_conductances_are_those_of_the_chips(device: torch.device) -> None:
    analog = programmed(filled(nn.Linear(20, 9), torch.float64), LINEAR, device)
    (_, layer), *_ = analog_layers(analog)
    (tile,) = layer.crossbar_tiles()
    before = tile.g_programmed_uS, tile.weight
    x = normal(4, 20, dtype=torch.float64).to(device)
    in_both_ways(analog, x)
    assert tile.g_programmed_uS is before[0]
    tile.weight[1].zero_()  # both ways read this very tensor
    expected, actual = in_both_ways(analog, x)
    assert_same(actual, expected, 1e-12)
    assert layer.bias is not None
    assert torch.equal(actual[1], layer.bias.detach().expand(4, -1))
    assert not torch.equal(actual[0], actual[1])


def test_rounds_of_chips_give_the_same(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, shape = NETWORKS["convolutions"]
    analog = programmed(filled(make(), torch.float64), QUIET, device)
    x = normal(*shape, dtype=torch.float64).to(device)
    recalibrate_batch_norm(analog, [x])
    expected, at_once = in_both_ways(analog, x)
    folding = next(iter(analog._foldings.values()))
    assert folding is not None
    needed = folding.numbers_per_sample * len(x) * 8
    assert needed > 4 * 8 * (3 + 8) * 7 * 6 * 8  # at least some copies of the largest layer
    for chips, bounds in ((1, [(0, 1), (1, 2), (2, 3)]), (2, [(0, 2), (2, 3)]), (9, [(0, 3)])):
        monkeypatch.setattr(analog_model, "usable_bytes", lambda _, n=chips: n * needed + 1)
        rounds = analog.rounds(x)
        assert rounds is not None
        assert [(places.start, places.stop) for places in rounds] == bounds
        assert_same(analog(x), expected, 1e-12)
    assert_same(at_once, expected, 1e-12)


# ------------------------------------------------------------------ noise


NOISES: dict[str, Hardware] = {
    "read noise": replace(LINEAR, weight_read_noise=0.05),
    "output noise": replace(LINEAR, converters=ConverterConfig(adc_bits=None, output_noise=0.3)),
    "both": replace(
        LINEAR,
        weight_read_noise=0.05,
        converters=ConverterConfig(adc_bits=None, output_noise=0.3),
    ),
    "unequal noise of the columns": replace(
        LINEAR,
        weight_read_noise=0.05,
        converters=ConverterConfig(adc_bits=None, output_noise=0.3),
        output_stage=OutputStage(noise_spread=0.5),
    ),
    "noise of the drives": replace(
        LINEAR, input_stage=InputStage(noise=0.1), converters=ConverterConfig(output_noise=0.0)
    ),
}


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("kind", ["linear", "conv2d"])
def test_the_noise_has_the_same_law(name: str, kind: str, device: torch.device) -> None:
    make, shape = LAYERS[kind]
    analog = programmed(filled(make(), torch.float64), NOISES[name], device)
    one = normal(*shape, dtype=torch.float64)[:1]
    draws = 6000 if kind == "linear" else 300
    x = torch.cat([one] * draws).to(device)
    x[0] += 1e-9  # all samples alike would not tell whether they stay apart
    expected, actual = in_both_ways(analog, x)
    error = 5 / draws**0.5
    spread = expected.std(dim=1)
    assert (spread > 0).all()
    assert ((actual.mean(1) - expected.mean(1)).abs() <= 2 * error * spread).all()
    assert ((actual.std(dim=1) / spread).log().abs() <= 1.5 * error).all()
    # Noise is drawn for every chip and sample: none repeats another's.
    noise = (actual - actual.mean(1, keepdim=True)).flatten(2)
    between = (noise[0] * noise[1]).mean(0) / (noise[0].std(0) * noise[1].std(0))
    assert (between.abs() <= error).all()


def test_noise_is_new_at_every_read_and_reproducible(device: torch.device) -> None:
    x = normal(4, 20, dtype=torch.float32).to(device)
    outputs = []
    for _ in range(2):
        analog = programmed(filled(nn.Linear(20, 9), torch.float32), HERMES_DEFAULT, device)
        analog.chips_at_once = True
        outputs.append((analog(x), analog(x)))
    assert torch.equal(outputs[0][0], outputs[1][0])
    assert torch.equal(outputs[0][1], outputs[1][1])
    assert not torch.equal(*outputs[0])


# ------------------------------------------------------------------ batch norm


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_batch_norm_statistics_of_each_chip(
    dtype: torch.dtype, tolerance: float, device: torch.device
) -> None:
    make, shape = NETWORKS["convolutions"]
    analog = programmed(filled(make(), dtype), LINEAR, device)
    batches = [normal(6, *shape[1:], dtype=dtype, name=name).to(device) for name in "ab"]
    batches.append(normal(5, *shape[1:], dtype=dtype, name="c").to(device))
    own = copy.deepcopy(dict(analog.network.named_buffers()))
    statistics = []
    for at_once in (False, True, True):  # again, with statistics already there
        analog.chips_at_once = at_once
        recalibrate_batch_norm(analog, batches)
        statistics.append(analog.chip_statistics)
    for name, values in statistics[0].items():
        assert values.shape[0] == CHIPS
        assert not torch.equal(values[0], values[1])
        for others in statistics[1:]:
            assert_same(others[name], values, 10 * tolerance)
    expected, actual = in_both_ways(analog, batches[0])
    assert_same(actual, expected, 10 * tolerance)
    for name, values in analog.network.named_buffers():
        assert torch.equal(values, own[name])
    analog.set_chip_statistics({})
    assert (analog(batches[0]) - actual).abs().max() > 0.01 * actual.abs().max()


def test_a_batch_of_one_value_per_channel_has_no_variance(device: torch.device) -> None:
    analog = programmed(filled(Convolutions(), torch.float64), LINEAR, device)
    analog.chips_at_once = True
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        recalibrate_batch_norm(analog, [normal(1, 3, 7, 6, dtype=torch.float64).to(device)])


# ------------------------------------------------------------------ what is repeated


def test_what_has_a_row_per_sample_is_repeated(device: torch.device) -> None:
    analog = programmed(filled(Attention(), torch.float64), LINEAR, device)
    x = normal(4, 5, 6, dtype=torch.float64).to(device)
    padding = torch.arange(5, device=device) >= torch.tensor([[5], [3], [4], [2]], device=device)
    for args, kwargs in (((x, padding), {}), ((x,), {"padding": padding})):
        expected, actual = in_both_ways(analog, *args, **kwargs)
        assert_same(actual, expected, 1e-12)


def test_inputs_and_outputs_may_be_nested(device: torch.device) -> None:
    class Nested(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 3)
            self.embedding = nn.Embedding(10, 6)

        def forward(self, x: Tensor, more: dict[str, Any], *, scale: float) -> Any:
            tokens, weights = more["both"]
            y = self.fc(x + self.embedding(tokens)) * weights
            return {"y": y * scale, "n": 2, "constant": weights, "turned": [y.T]}

    analog = programmed(filled(Nested(), torch.float64), LINEAR, device)
    tokens = torch.tensor([3, 1, 4, 1], device=device)
    weights = normal(3, dtype=torch.float64).to(device)  # not as long as the first input
    x = normal(4, 6, dtype=torch.float64).to(device)
    expected, actual = in_both_ways(analog, x, {"both": (tokens, weights)}, scale=2.0)
    assert actual["turned"][0].shape == (CHIPS, 3, 4)
    assert_same(actual, expected, 1e-12)


class TimeFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.LSTM(6, 5)

    def forward(self, x: Tensor) -> Any:
        return self.memory(x)[0]


class DigitalTimeFirst(nn.Module):
    """Only the digital part mixes what the analog layer keeps apart."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(self.head(x), dim=0)


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(6, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.full((len(x),), x.shape[1])
        last: Tensor = self.memory(pack_padded_sequence(x, lengths, batch_first=True))[1][0]
        return last


class StepsBeforeSamples(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(x.transpose(0, 1).flatten(0, 1))
        return y.view(x.shape[1], x.shape[0], -1).transpose(0, 1)


class TimeFirstBetween(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(x.transpose(0, 1)).transpose(0, 1)
        return y


class Constant(nn.Module):
    """A layer that reads something else than samples."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt = nn.Parameter(torch.ones(2, 6))
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.prompt).mean() + self.head(x)
        return y


class FixedBatch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(x.view(4, 5, 6))
        return y


class BatchMean(FixedBatch):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(x)
        return y - y.mean(0)


UNFIT: dict[str, tuple[Make, str]] = {
    "time first": (TimeFirst, "how often a layer is used"),
    "digital part mixes": (DigitalTimeFirst, "outputs mix samples"),
    "packed": (Packed, "memory.weight_ih_l0.*mix samples or change their order"),
    "steps before samples": (StepsBeforeSamples, "head.*mix samples or change their order"),
    "time first between": (TimeFirstBetween, "head.*do not have the samples as first"),
    "constant": (Constant, "head.*do not have the samples as first"),
    "fixed batch": (FixedBatch, "fails on a batch of another size"),
    "batch mean": (BatchMean, "outputs mix samples"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_networks_that_need_one_chip_at_a_time_get_it(
    kind: str, device: torch.device, caplog: pytest.LogCaptureFixture
) -> None:
    make, reason = UNFIT[kind]
    analog = programmed(filled(make(), torch.float64), LINEAR, device)
    x = normal(4, 5, 6, dtype=torch.float64).to(device)
    analog.chips_at_once = False
    expected = analog(x)
    analog.chips_at_once = True
    with caplog.at_level(logging.WARNING):
        assert torch.equal(analog(x), expected)
        analog(x)
    (message,) = [text for text in caplog.messages if "one after another" in text]
    assert re.search(reason, message)


def test_a_first_input_without_rows_needs_one_chip_at_a_time(
    device: torch.device, caplog: pytest.LogCaptureFixture
) -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 4)

        def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
            y: Tensor = self.head(pair[0] + pair[1])
            return y

    analog = programmed(filled(Pair(), torch.float64), LINEAR, device)
    analog.chips_at_once = True
    x = normal(4, 6, dtype=torch.float64).to(device)
    assert analog((x, x)).shape == (CHIPS, 4, 4)
    assert "first argument is not a tensor" in caplog.text


def test_samples_that_are_all_alike_decide_nothing(device: torch.device) -> None:
    analog = programmed(filled(StepsBeforeSamples(), torch.float64), LINEAR, device)
    analog.chips_at_once = True
    alike = torch.zeros(4, 5, 6, dtype=torch.float64, device=device)
    assert analog.rounds(alike) is None
    x = normal(4, 5, 6, dtype=torch.float64).to(device)
    actual = analog(x)
    analog.chips_at_once = False
    assert torch.equal(actual, analog(x))


def test_the_trial_draws_no_noise_and_is_made_once(device: torch.device) -> None:
    analog = programmed(filled(nn.Linear(20, 9), torch.float32), HERMES_DEFAULT, device)
    seen: list[int] = []
    for _, layer in analog_layers(analog):
        layer.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    x = normal(5, 20, dtype=torch.float32).to(device)
    analog.chips_at_once = True
    analog(x)
    analog(x[:4])
    assert seen == [2, 4, 15, 12]
    analog.chips_at_once = False
    after = analog(x)
    fresh = programmed(filled(nn.Linear(20, 9), torch.float32), HERMES_DEFAULT, device)
    fresh.chips_at_once = False
    assert torch.equal(after, fresh(x))


def test_the_device_decides_unless_told(device: torch.device) -> None:
    analog = programmed(filled(nn.Linear(20, 9), torch.float32), LINEAR, device)
    x = normal(5, 20, dtype=torch.float32).to(device)
    assert analog.chips_at_once is None
    assert (analog.rounds(x) is not None) == (device.type == "cuda")


def test_an_empty_batch_and_a_single_chip(device: torch.device) -> None:
    analog = programmed(filled(nn.Linear(20, 9), torch.float32), LINEAR, device)
    analog.chips_at_once = True
    assert analog(torch.zeros(0, 20, device=device)).shape == (CHIPS, 0, 9)
    program(analog, chips=1, generator=generator())
    assert analog.rounds(normal(5, 20, dtype=torch.float32).to(device)) is None


def test_chips_of_another_round_have_noise_of_their_own() -> None:
    """Rounds of chips with the same seed differ in nothing but their numbers."""
    quiet_cells = replace(HERMES_DEFAULT, device=IdealDevice(), compensation="none")
    outputs = []
    for chips in ((0, 1), (2, 3), (0, 1)):
        analog = to_analog(filled(nn.Linear(20, 9), torch.float32), quiet_cells)
        calibrate_input_ranges(analog, torch.ones(1, 20))
        analog.chips_at_once = True
        program(analog, chips=chips, generator=generator("p"))
        with torch.no_grad():
            outputs.append(analog(torch.ones(50, 20)))
    first, second, again = outputs
    assert torch.equal(first, again)
    assert ((first - second).abs() > 0).float().mean() > 0.5
