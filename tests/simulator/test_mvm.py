"""Every effect of one matrix-vector multiplication, alone and in its place in the order."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from analognas.simulator import (
    IDEAL,
    ConverterConfig,
    Hardware,
    TileConfig,
    analog_layers,
    hardware_with,
    program,
    spawn_generator,
    to_analog,
)
from analognas.simulator.circuit import CircuitIrDrop
from analognas.simulator.conductance_mapping import ConductanceMapping, ConductanceTable
from analognas.simulator.devices import ReramCmo
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.ir_drop import IrDrop
from analognas.simulator.mvm import (
    Drive,
    TileReading,
    column_numbers,
    read_tile,
    read_tile_in_passes,
)
from analognas.simulator.output_stage import OutputStage, draw_column_variation
from analognas.simulator.streams import NoiseStream

ROWS, COLUMNS = 48, 6
GENTLE = ConductanceTable(weights=(-1.0, 1.0), relative=((0.1, 0.9), (0.9, 0.1)))
QUIET = ConverterConfig(dac_bits=8, adc_bits=None, output_noise=0.0)


def drawn(*shape: int, name: str) -> Tensor:
    generator = spawn_generator(0, name)
    return torch.empty(*shape, dtype=torch.float64).uniform_(-1, 1, generator=generator)


def linear(drive: Tensor, weight: Tensor) -> Tensor:
    return F.linear(drive, weight)


def reading(weight: Tensor, hardware: Hardware) -> TileReading:
    columns = column_numbers(
        hardware,
        scale=torch.ones(len(weight), dtype=weight.dtype),
        noise=hardware.converters.output_noise,
        read_noise=hardware.weight_read_noise,
    )
    variation = None
    if hardware.output_stage != OutputStage():
        variation = draw_column_variation(
            len(weight),
            hardware.output_stage,
            hardware.converters,
            generator=spawn_generator(0, "columns"),
            dtype=weight.dtype,
        )
    return TileReading(weight, columns, variation)


def read(hardware: Hardware, x: Tensor, weight: Tensor, name: str = "read") -> Tensor:
    return read_tile_in_passes(
        linear, x.clone(), reading(weight, hardware), hardware, NoiseStream(0, name)
    )


def quantised(x: Tensor, bits: int = 8) -> Tensor:
    top = 2 ** (bits - 1) - 1
    codes: Tensor = (x * top).round().clamp(-top, top)
    value: Tensor = codes / top
    return value


@pytest.mark.parametrize("encoding", ["one_pass", "separate_analog", "separate_digital", "split"])
@pytest.mark.parametrize("bits", [5, 8])
def test_every_encoding_computes_the_quantised_product(encoding: Any, bits: int) -> None:
    hardware = replace(
        IDEAL,
        converters=replace(QUIET, dac_bits=bits),
        input_stage=InputStage(encoding=encoding),
    )
    x, weight = drawn(20, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    expected = quantised(x, bits) @ weight.T
    torch.testing.assert_close(read(hardware, x, weight), expected, rtol=1e-12, atol=1e-12)


def test_bit_serial_inputs_compute_the_quantised_product() -> None:
    stage = InputStage(encoding="bit_serial")
    hardware = replace(IDEAL, converters=QUIET, input_stage=stage)
    x, weight = drawn(20, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    torch.testing.assert_close(
        read(hardware, x, weight), quantised(x) @ weight.T, rtol=1e-12, atol=1e-12
    )


def test_passes_by_sign_are_converted_once_or_twice() -> None:
    converters = replace(QUIET, adc_bits=6, output_bound=4.0)
    x, weight = drawn(50, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    drive = quantised(x)

    def converted(y: Tensor) -> Tensor:
        lsb = 8.0 / 62
        return (y / lsb).round().clamp(-31, 31) * lsb

    plus, minus = drive.clamp_min(0) @ weight.T, drive.clamp_max(0) @ weight.T
    expectations: dict[Any, Tensor] = {
        "separate_analog": converted(plus + minus),
        "separate_digital": converted(plus) + converted(minus),
    }
    for encoding, expected in expectations.items():
        stage = InputStage(encoding=encoding)
        hardware = replace(IDEAL, converters=converters, input_stage=stage)
        torch.testing.assert_close(read(hardware, x, weight), expected)


@pytest.mark.parametrize("law", ["pcm", "constant"])
def test_noise_of_a_read_follows_its_law(law: Any) -> None:
    hardware = replace(IDEAL, weight_read_noise=0.02, read_noise_law=law)
    weight, drive = drawn(4, ROWS, name="w"), drawn(1, ROWS, name="x")
    n = 30_000
    y = read(hardware, drive.expand(n, ROWS), weight) - drive @ weight.T
    load = weight.abs() @ drive[0] ** 2 if law == "pcm" else drive.square().sum().expand(4)
    expected = 0.02 * load.sqrt()
    assert ((y.std(dim=0) - expected).abs() < 5 * expected / math.sqrt(2 * n)).all()
    assert (y.mean(dim=0).abs() < 5 * expected / math.sqrt(n)).all()


def test_noise_of_the_inputs_reaches_every_column_through_its_weights() -> None:
    hardware = replace(IDEAL, input_stage=InputStage(noise=0.05))
    weight, n = drawn(4, ROWS, name="w"), 30_000
    y = read(hardware, torch.zeros(n, ROWS, dtype=torch.float64), weight)
    expected = 0.05 * weight.norm(dim=1)
    assert ((y.std(dim=0) - expected).abs() < 5 * expected / math.sqrt(2 * n)).all()


def test_negative_inputs_may_be_weaker() -> None:
    hardware = replace(IDEAL, input_stage=InputStage(asymmetry=0.1))
    x, weight = drawn(5, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    weakened = torch.where(x < 0, 0.9 * x, x)
    torch.testing.assert_close(read(hardware, x, weight), weakened @ weight.T)


@pytest.mark.parametrize("encoding", ["one_pass", "separate_analog"])
def test_ir_drop_acts_on_every_pass(encoding: Any) -> None:
    drop = IrDrop(strength=1.0, conductance_ratio=400.0)
    hardware = replace(
        IDEAL, converters=QUIET, ir_drop=drop, input_stage=InputStage(encoding=encoding)
    )
    x, weight = drawn(9, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    drive = quantised(x)

    def one_pass(v: Tensor) -> Tensor:
        a = v.abs() @ weight.abs().T * ROWS / 400.0
        c = 0.05 * a**3 - 0.2 * a**2 + 0.5 * a
        profile = 1 - (1 - torch.arange(ROWS, dtype=torch.float64) / ROWS) ** 2
        return v @ weight.T - c * ((v * profile) @ weight.T)

    passes = [drive] if encoding == "one_pass" else [drive.clamp_min(0), drive.clamp_max(0)]
    expected = torch.stack([one_pass(v) for v in passes]).sum(dim=0)
    torch.testing.assert_close(read(hardware, x, weight), expected)
    assert (expected - drive @ weight.T).abs().max() > 0.01


def test_the_output_stage_comes_between_weight_noise_and_output_noise() -> None:
    stage = OutputStage(s_shape=3.0, s_shape_spread=0.2, asymmetry=0.1)
    hardware = replace(
        IDEAL,
        output_stage=stage,
        converters=ConverterConfig(dac_bits=None, adc_bits=None, output_noise=0.03),
    )
    x, weight = drawn(1, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    n = 30_000
    y = read(hardware, x.expand(n, ROWS), weight)
    variation = reading(weight, hardware).variation
    assert variation is not None
    product = (x @ weight.T)[0]
    bent = product / (1 + variation.s_shape * product.abs())
    bent = torch.where(bent < 0, 0.9 * bent, bent)
    assert ((y.mean(dim=0) - bent).abs() < 5 * 0.03 / math.sqrt(n)).all()
    assert ((y.std(dim=0) - 0.03).abs() < 5 * 0.03 / math.sqrt(2 * n)).all()


def test_converters_may_differ_in_gain_offset_and_dither() -> None:
    stage = OutputStage(adc_gain_spread=0.05, adc_offset_spread=0.1)
    hardware = replace(IDEAL, output_stage=stage, converters=replace(QUIET, adc_bits=8))
    x, weight = drawn(30, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    variation = reading(weight, hardware).variation
    assert variation is not None
    lsb = 20 / 254
    analog = quantised(x) @ weight.T * variation.adc_gain + variation.adc_offset
    torch.testing.assert_close(read(hardware, x, weight), (analog / lsb).round() * lsb)
    dither = replace(hardware, output_stage=OutputStage(adc_stochastic_rounding=True))
    many = read(dither, x[:1].expand(20_000, ROWS), weight)
    exact = quantised(x[:1]) @ weight.T
    assert ((many.mean(dim=0) - exact[0]).abs() < 5 * lsb / 2 / math.sqrt(20_000)).all()
    assert len(np.unique(many[:, 0].numpy())) == 2


def test_a_spread_of_output_noise_is_each_columns_own() -> None:
    hardware = replace(
        IDEAL,
        output_stage=OutputStage(noise_spread=0.5),
        converters=ConverterConfig(dac_bits=None, adc_bits=None, output_noise=0.05),
    )
    analog = to_analog(nn.Linear(ROWS, COLUMNS, bias=False), hardware)
    program(analog, chips=1, generator=spawn_generator(0, "chip"))
    _, layer = next(iter(analog_layers(analog)))
    with torch.no_grad():
        y = analog(torch.zeros(20_000, ROWS))[0]
    tile = next(iter(layer.crossbar_tiles()))
    ((_, read_now),) = layer.readings.on(0)
    assert read_now.variation is not None
    sigma = read_now.variation.output_noise
    assert sigma.std() > 0.005
    measured = (y / tile.column_scale).std(dim=0)
    assert ((measured - sigma).abs() < 5 * sigma / math.sqrt(40_000)).all()


def test_accumulating_row_parts_adds_outputs() -> None:
    x, weight = drawn(7, ROWS, name="x"), drawn(COLUMNS, ROWS, name="w")
    total = read_tile(linear, Drive(x), reading(weight, IDEAL), IDEAL, NoiseStream(0, "r"))
    again = read_tile(
        linear, Drive(x), reading(weight, IDEAL), IDEAL, NoiseStream(0, "r"), into=total.clone()
    )
    torch.testing.assert_close(again, 2 * total)


def programmed_linear(hardware: Hardware, bias: bool = True) -> tuple[nn.Linear, nn.Module]:
    layer = nn.Linear(ROWS, COLUMNS, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(drawn(COLUMNS, ROWS, name="w"))
    analog = to_analog(layer, hardware)
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(2.0)
    program(analog, chips=1, generator=spawn_generator(0, "chip"))
    return layer, analog


def test_scaling_by_the_largest_input_keeps_small_vectors_precise() -> None:
    hardware = replace(IDEAL, converters=replace(QUIET, dac_bits=6))
    x = drawn(20, ROWS, name="x") * torch.logspace(-3, 0, 20, dtype=torch.float64)[:, None]
    errors = {}
    scalings: tuple[Any, ...] = ("static", "abs_max")
    for scaling in scalings:
        layer, analog = programmed_linear(
            replace(hardware, input_stage=InputStage(scaling=scaling)), bias=False
        )
        with torch.no_grad():
            exact, y = layer(x), analog(x)[0]
        errors[scaling] = (y - exact).norm(dim=1) / exact.norm(dim=1)
    assert errors["abs_max"].max() < 0.05
    assert errors["static"][0] > 0.5


@pytest.mark.parametrize("encoding", ["one_pass", "separate_analog", "separate_digital"])
def test_bound_management_recovers_what_the_adc_would_clip(encoding: Any) -> None:
    converters = ConverterConfig(dac_bits=8, adc_bits=9, output_bound=1.0, output_noise=0.0)
    x = drawn(20, ROWS, name="x") * 2
    errors = {}
    managements: tuple[Any, ...] = ("none", "iterative")
    for management in managements:
        stage = InputStage(bound_management=management, encoding=encoding)
        layer, analog = programmed_linear(replace(IDEAL, converters=converters, input_stage=stage))
        with torch.no_grad():
            exact, y = layer(x), analog(x)[0]
        errors[management] = float((y - exact).norm() / exact.norm())
    assert errors["none"] > 0.3
    assert errors["iterative"] < 0.1


@pytest.mark.parametrize("idle", ["held", "cut_off"])
def test_wires_of_the_circuit_weaken_the_product(idle: Any) -> None:
    errors = []
    for ohm in (0.0, 5.0, 50.0):
        circuit = CircuitIrDrop(segment_ohm=ohm, idle=idle)
        layer, analog = programmed_linear(replace(IDEAL, converters=QUIET, circuit=circuit))
        x = drawn(6, ROWS, name="x")
        with torch.no_grad():
            exact, y = layer(quantised(x / 2) * 2), analog(x)[0]
        errors.append(float((y - exact).norm() / exact.norm()))
    assert errors[0] < 1e-9
    assert 1e-4 < errors[1] < errors[2] < 1


@pytest.mark.parametrize("idle", ["held", "cut_off"])
def test_wires_without_resistance_change_nothing_whatever_the_cells(idle: Any) -> None:
    """An empty cell of this kind conducts, and a whole pair is less than its largest one."""
    device = ReramCmo(programming_noise_scale=0.0, read_noise_scale=0.0, relaxation_scale=0.0)
    mapping = ConductanceMapping(table=GENTLE)
    hardware = replace(IDEAL, device=device, mapping=mapping, converters=QUIET)
    wired = replace(hardware, circuit=CircuitIrDrop(segment_ohm=0.0, idle=idle))
    x = drawn(6, ROWS, name="x")
    with torch.no_grad():
        plain, circuit = (programmed_linear(one, bias=False)[1](x) for one in (hardware, wired))
    torch.testing.assert_close(circuit, plain)


@pytest.mark.parametrize("rounding", [False, True], ids=["noise", "dither"])
def test_the_converters_of_the_rows_err_anew_in_every_window(rounding: bool) -> None:
    """Neighbouring outputs of a convolution see the same input, not the same error."""
    stage = InputStage(noise=0.0 if rounding else 0.05, stochastic_rounding=rounding)
    converters = ConverterConfig(dac_bits=4 if rounding else None, adc_bits=None, output_noise=0.0)
    layer = nn.Conv2d(1, 1, 3, bias=False, dtype=torch.float64)
    layer.weight.data.fill_(1.0)
    analog = to_analog(layer, replace(IDEAL, input_stage=stage, converters=converters))
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(1.0)
    program(analog, chips=1, generator=spawn_generator(0, "chip"))
    x = torch.full((4, 1, 102, 102), 0.5 / 7, dtype=torch.float64)  # half way between two codes
    with torch.no_grad():
        error = analog(x)[0, :, 0] - layer(x)[:, 0]
    sigma = 3 * (0.5 / 7 if rounding else 0.05)  # of a sum over nine rows
    count = error.numel()
    assert float(error.std()) == pytest.approx(sigma, rel=5 / math.sqrt(2 * count))
    assert abs(float(error.mean())) < 5 * sigma / math.sqrt(count)
    for one, other in ((error[:, 1:], error[:, :-1]), (error[..., 1:], error[..., :-1])):
        assert abs(float((one * other).mean())) < 5 * sigma**2 / math.sqrt(one.numel())


def test_vectors_are_scaled_by_what_drives_each_tile() -> None:
    """Rows of small inputs on a tile of their own use its whole converter."""
    tile = TileConfig(rows=8, columns=8)
    converters = ConverterConfig(dac_bits=5, adc_bits=None, output_noise=0.0)
    stage = InputStage(scaling="abs_max")
    hardware = replace(IDEAL, tile=tile, converters=converters, input_stage=stage)
    layer = nn.Linear(16, 4, bias=False, dtype=torch.float64)
    layer.weight.data = drawn(4, 16, name="w")
    layer.weight.data[:, 8:] = 0
    analog = to_analog(layer, hardware)
    program(analog, chips=1, generator=spawn_generator(0, "chip"))
    x = drawn(50, 16, name="x")
    x[:, :8] /= 50
    with torch.no_grad():
        exact = layer(x)
        error = analog(x)[0] - exact
    assert error.norm() / exact.norm() < 0.06


def test_the_step_of_the_8_bit_adc_is_the_published_one() -> None:
    hardware = replace(IDEAL, converters=ConverterConfig(dac_bits=None, output_noise=0.0))
    ramp = torch.linspace(-1, 1, 20_001, dtype=torch.float64)[:, None].expand(-1, 12)
    y = read(hardware, ramp.contiguous(), torch.ones(1, 12, dtype=torch.float64))
    levels = np.unique(y.numpy())
    assert len(levels) == 255
    assert np.diff(levels).mean() == pytest.approx(0.078740, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"input_stage": InputStage(encoding="bit_serial")}, "dac_bits=none"),
        ({"ir_drop": IrDrop(strength=1.0), "circuit": CircuitIrDrop()}, "at most one"),
        ({"input_stage": InputStage(bound_management="iterative")}, "adc_bits=none"),
        (
            {
                "converters": ConverterConfig(),
                "input_stage": InputStage(bound_management="iterative", encoding="bit_serial"),
            },
            "encoding='bit_serial' drives its rows fully",
        ),
        (
            {
                "mapping": ConductanceMapping(groups="apart"),
                "input_stage": InputStage(noise=0.1),
            },
            "noise=0.1",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(IDEAL, **settings)  # type: ignore[arg-type]


def test_a_rule_between_settings_is_told_without_the_whole_record() -> None:
    settings = {"input_stage.encoding": "bit_serial", "converters.dac_bits": "none"}
    with pytest.raises(ValueError, match=r"dac_bits=none\. Give .* another encoding\.$") as error:
        hardware_with(IDEAL, settings)
    assert "{" not in str(error.value)
