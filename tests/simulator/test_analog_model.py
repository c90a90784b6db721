"""The analog twin as a user meets it: convert, program, age, read, convert back."""

import contextlib
import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from analognas.simulator import (
    HARDWARE,
    HERMES_DEFAULT,
    IDEAL,
    PCM_2019,
    AnalogLayer,
    AnalogModel,
    ConverterConfig,
    HwaRecipe,
    RangeRule,
    TileConfig,
    analog_layers,
    calibrate_input_ranges,
    noisy_training,
    over_time,
    program,
    recalibrate_batch_norm,
    recalibrate_input_ranges,
    reprogram,
    set_time,
    spawn_generator,
    to_analog,
    to_digital,
)
from analognas.simulator.devices import IdealDevice, Pcm2019
from analognas.simulator.faults import Faults
from analognas.simulator.hardware import Hardware
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.output_stage import OutputStage
from analognas.simulator.tile import CrossbarTile

DAY_S = 86_400.0


def generator(name: str = "test") -> torch.Generator:
    return spawn_generator(0, name)


def normal(*shape: int, name: str = "data", dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.empty(*shape, dtype=dtype).normal_(generator=generator(name))


def small_network(dtype: torch.dtype = torch.float64) -> nn.Module:
    layers = nn.Sequential(
        nn.Conv2d(3, 12, (5, 3), stride=2, padding=(2, 1), bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 12, 3, padding=1, groups=12),
        nn.ReLU(),
        nn.Conv2d(12, 24, 3, padding=1, groups=4),
        nn.ReLU(),
        nn.Conv2d(24, 20, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(80, 7),
    )
    layers.to(dtype)
    with torch.no_grad():
        for index, parameter in enumerate(layers.parameters()):
            fan_in = parameter[0].numel()
            parameter.copy_(normal(*parameter.shape, name=f"w{index}") / math.sqrt(fan_in))
    return layers.eval()


@pytest.mark.parametrize("tile", [(256, 256), (16, 5), (7, 3)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_ideal_hardware_equals_the_digital_network(
    tile: tuple[int, int], dtype: torch.dtype, tolerance: float
) -> None:
    network = small_network(dtype)
    hardware = replace(IDEAL, tile=TileConfig(rows=tile[0], columns=tile[1]))
    analog = to_analog(network, hardware)
    program(analog, chips=2, generator=generator())
    set_time(analog, t_s=1e7, generator=generator())
    x = normal(5, 3, 20, 11, dtype=dtype)
    with torch.no_grad():
        expected, actual = network(x), analog(x)
    assert actual.shape == (2, 5, 7)
    assert (actual - expected).abs().max() <= tolerance * expected.abs().max()


def test_converters_alone_equal_the_quantised_product() -> None:
    layer = nn.Linear(40, 6, bias=True, dtype=torch.float64)
    converters = ConverterConfig(output_noise=0.0)
    analog = to_analog(layer, replace(IDEAL, converters=converters))
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(1.5)
    program(analog, chips=1, generator=generator())
    x = normal(30, 40)
    scale = layer.weight.detach().abs().amax(dim=1)
    codes = (x / 1.5 * 127).round().clamp(-127, 127)
    product = codes / 127 @ (layer.weight.detach() / scale[:, None]).T
    lsb = 20 / 254
    read = (product / lsb).round().clamp(-127, 127) * lsb
    expected = read * scale * 1.5 + layer.bias.detach()
    with torch.no_grad():
        torch.testing.assert_close(analog(x)[0], expected)


def test_compensation_undoes_a_uniform_drift() -> None:
    class OneExponent(Pcm2019):
        """Every cell drifts alike, nothing else is noisy."""

        def programming_sigma_uS(self, r: Tensor) -> Tensor:
            return torch.zeros_like(r)

        def drift_mean(self, r: Tensor) -> Tensor:
            return torch.full_like(r, 0.06)

        def drift_sigma(self, r: Tensor) -> Tensor:
            return torch.zeros_like(r)

        def read_noise_fraction(self, r: Tensor) -> Tensor:
            return torch.zeros_like(r)

    network = small_network()
    hardware = replace(IDEAL, device=OneExponent(), compensation="gdc")
    analog = to_analog(network, hardware)
    x = normal(4, 3, 20, 11)
    program(analog, chips=1, generator=generator())
    with torch.no_grad():
        set_time(analog, t_s=31_536_000.0, generator=generator())
        compensated = analog(x)[0]
        torch.testing.assert_close(compensated, network(x), rtol=1e-9, atol=1e-9)
    without = to_analog(network, replace(hardware, compensation="none"))
    program(without, chips=1, generator=generator())
    set_time(without, t_s=31_536_000.0, generator=generator())
    with torch.no_grad():
        assert (without(x)[0] - network(x)).norm() > 0.2 * network(x).norm()


def first_tile(layer: AnalogLayer) -> CrossbarTile:
    tile = layer.tiles[0]
    assert isinstance(tile, CrossbarTile)
    return tile


def prepared(hardware: Hardware = HERMES_DEFAULT) -> tuple[AnalogModel, Tensor]:
    network = small_network(torch.float32)
    x = normal(6, 3, 20, 11, dtype=torch.float32)
    analog = to_analog(network, hardware)
    calibrate_input_ranges(analog, x)
    return analog, x


def test_a_chip_is_the_same_chip_whatever_is_simulated_beside_it() -> None:
    results = {}
    for chips in (range(4), [2], [3, 2]):
        analog, x = prepared()
        program(analog, chips=chips, generator=generator("p"))
        set_time(analog, t_s=DAY_S, generator=generator("t"))
        _, layer = next(iter(analog_layers(analog)))
        index = list(chips).index(2)
        with torch.no_grad():
            results[len(chips)] = (
                first_tile(layer).g_programmed_uS[index],
                first_tile(layer).ageing[index],
                analog(x)[index],
            )
    for other in (2, 4):
        assert torch.equal(results[1][0], results[other][0])
        assert torch.equal(results[1][1], results[other][1])
        torch.testing.assert_close(results[1][2], results[other][2], rtol=1e-5, atol=1e-5)


def test_same_seed_same_bits_and_chips_differ() -> None:
    outputs = []
    for _ in range(2):
        analog, x = prepared()
        program(analog, chips=2, generator=generator("p"))
        set_time(analog, t_s=DAY_S, generator=generator("t"))
        with torch.no_grad():
            outputs.append(analog(x))
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0][0], outputs[0][1])


def test_exponents_persist_while_read_noise_is_drawn_anew() -> None:
    analog, _ = prepared()
    program(analog, chips=2, generator=generator("p"))
    _, layer = next(iter(analog_layers(analog)))
    tile = first_tile(layer)
    exponents, programmed = tile.ageing.clone(), tile.g_programmed_uS.clone()
    weights = []
    stream = generator("t")
    for _ in range(2):
        set_time(analog, t_s=DAY_S, generator=stream)
        weights.append(tile.weight.clone())
    assert torch.equal(tile.ageing, exponents)
    assert torch.equal(tile.g_programmed_uS, programmed)
    assert not torch.equal(*weights)


def test_pairs_keep_the_noise_of_the_empty_cell() -> None:
    layer = nn.Linear(512, 200, bias=False)
    layer.weight.data.fill_(1.0)
    analog = to_analog(layer, replace(PCM_2019, compensation="none"))
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(1.0)
    program(analog, chips=1, generator=generator())
    _, twin = next(iter(analog_layers(analog)))
    empty = first_tile(twin).g_programmed_uS[0, 1]
    # Half of N(0, 0.26348 uS) is cut at zero: mean sigma / sqrt(2 pi).
    assert empty.mean().item() == pytest.approx(0.26348 / math.sqrt(2 * math.pi), rel=0.02)
    assert (empty == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)


def test_the_model_given_is_left_untouched_and_comes_back() -> None:
    network = small_network(torch.float32)
    before = copy.deepcopy(network.state_dict())
    analog = to_analog(network, HERMES_DEFAULT)
    calibrate_input_ranges(analog, normal(4, 3, 20, 11, dtype=torch.float32))
    program(analog, chips=2, generator=generator())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    back = to_digital(analog)
    assert back.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in back.state_dict().items())


def test_the_digital_copy_can_keep_the_saturation_of_the_inputs() -> None:
    layer = nn.Linear(4, 3)
    analog = to_analog(layer, HERMES_DEFAULT)
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(0.5)
    x = normal(6, 4, dtype=torch.float32)
    with torch.no_grad():
        clipped = to_digital(analog, clip_inputs=True)(x)
        torch.testing.assert_close(clipped, layer(x.clamp(-0.5, 0.5)))
        torch.testing.assert_close(to_digital(analog)(x), layer(x))


def test_layers_can_be_kept_digital() -> None:
    network = small_network()
    analog = to_analog(network, IDEAL, keep_digital=["0", "11"])
    assert [name for name, _ in analog_layers(analog)] == ["3", "5", "7"]


def test_a_shared_module_is_one_matrix() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.again = self.first

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.again(self.first(x))
            return result

    network = Twice()
    analog = to_analog(network, IDEAL)
    assert len(list(analog_layers(analog))) == 1
    program(analog, chips=2, generator=generator())
    x = normal(3, 4, dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(analog(x)[1], network(x))


def test_grouped_blocks_carry_the_noise_of_their_empty_cells() -> None:
    # 28 groups of 9 rows share a tile: a column is disturbed by all 252 rows, not by its own 9.
    depthwise = nn.Conv2d(28, 28, 3, padding=1, groups=28, bias=False)
    analog = to_analog(depthwise, HERMES_DEFAULT)
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(1.0)
    program(analog, chips=1, generator=generator())
    _, twin = next(iter(analog_layers(analog)))
    weight = first_tile(twin).weight[0]
    assert weight.shape == (28, 252)
    assert (weight != 0).float().mean() > 0.7


def test_an_unset_input_range_is_refused_with_the_remedy() -> None:
    analog = to_analog(nn.Linear(4, 2), HERMES_DEFAULT)
    with pytest.raises(ValueError, match="calibrate_input_ranges"):
        program(analog, chips=1, generator=generator())


def test_bad_calls_are_refused() -> None:
    analog = to_analog(nn.Linear(4, 2), IDEAL)
    with pytest.raises(ValueError, match="programmed before it ages"):
        set_time(analog, t_s=1.0, generator=generator())
    with pytest.raises(ValueError, match="at least 1 chip"):
        program(analog, chips=0, generator=generator())
    program(analog, chips=1, generator=generator())
    with pytest.raises(ValueError, match="at least 0 seconds"):
        set_time(analog, t_s=-1.0, generator=generator())
    with pytest.raises(ValueError, match="has none"):
        to_analog(nn.ReLU(), IDEAL)
    with pytest.raises(ValueError, match="keep_digital"):
        to_analog(nn.Linear(4, 2), IDEAL, keep_digital=["head"])


@pytest.mark.parametrize("name", HARDWARE)
def test_every_preset_runs_and_ages(name: str) -> None:
    analog, x = prepared(HARDWARE[name])
    program(analog, chips=2, generator=generator())
    set_time(analog, t_s=DAY_S, generator=generator())
    with torch.no_grad():
        assert torch.isfinite(analog(x)).all()


def test_ideal_cell_in_real_converters_does_not_age() -> None:
    analog, _ = prepared(replace(HERMES_DEFAULT, device=IdealDevice()))
    program(analog, chips=1, generator=generator())
    gains = []
    for t_s in (1.0, 1e8):
        set_time(analog, t_s=t_s, generator=generator(repr(t_s)))
        gains += [first_tile(layer).drift_gain.item() for _, layer in analog_layers(analog)]
    assert gains == pytest.approx([1.0] * len(gains), abs=0.1)


@pytest.mark.parametrize("kind", ["torch", "safetensors"])
def test_programmed_chips_survive_a_round_trip_of_the_state_dict(kind: str, tmp_path: Path) -> None:
    hardware = replace(
        HERMES_DEFAULT,
        weight_read_noise=0.0,
        converters=ConverterConfig(output_noise=0.0),
        faults=Faults(stuck_at_reset=0.01, stuck_at_random=0.01),
        output_stage=OutputStage(adc_gain_spread=0.02),
    )
    analog, x = prepared(hardware)
    program(analog, chips=3, generator=generator("p"))
    set_time(analog, t_s=DAY_S, generator=generator("t"))
    recalibrate_batch_norm(analog, [normal(8, *x.shape[1:], name="b", dtype=x.dtype)])
    path = tmp_path / "state"
    if kind == "torch":
        torch.save(analog.state_dict(), path)
        state = torch.load(path, weights_only=True)
    else:
        save_file(analog.state_dict(), path)
        state = load_file(path)
    again = to_analog(small_network(torch.float32), hardware)
    again.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(again(x), analog(x))
        later = []
        for model in (analog, again):
            set_time(model, t_s=1e7, generator=generator("later"))
            later.append(model(x))
    assert torch.equal(*later)


def test_loaded_chips_take_the_type_of_their_model_and_stay_themselves() -> None:
    hardware = replace(
        HERMES_DEFAULT,
        weight_read_noise=0.0,
        converters=ConverterConfig(dac_bits=None, adc_bits=None, output_noise=0.0),
        faults=Faults(stuck_at_random=0.01),
        output_stage=OutputStage(adc_gain_spread=0.02),
    )
    analog, x = prepared(hardware)
    program(analog, chips=2, generator=generator("p"))
    recalibrate_batch_norm(analog, [normal(8, *x.shape[1:], name="b", dtype=x.dtype)])
    again = to_analog(small_network(torch.float64), hardware)
    again.load_state_dict(analog.state_dict())
    with torch.no_grad():
        expected, y = analog(x), again(x.double())
    assert y.dtype == torch.float64
    torch.testing.assert_close(
        y, expected.double(), rtol=0, atol=1e-5 * float(expected.abs().max())
    )


def test_chips_move_with_their_model() -> None:
    hardware = replace(HERMES_DEFAULT, output_stage=OutputStage(adc_gain_spread=0.02))
    analog, x = prepared(hardware)
    program(analog, chips=2, generator=generator("p"))
    recalibrate_batch_norm(analog, [normal(8, *x.shape[1:], name="b", dtype=x.dtype)])
    moved = copy.deepcopy(analog).to("meta").state_dict()
    assert moved.keys() == analog.state_dict().keys()
    assert {value.device.type for value in moved.values()} == {"meta"}


@pytest.mark.filterwarnings("ignore:for .* copying from a non-meta parameter")
def test_chips_are_loaded_where_their_model_is() -> None:
    hardware = replace(HERMES_DEFAULT, output_stage=OutputStage(adc_gain_spread=0.02))
    analog, x = prepared(hardware)
    program(analog, chips=2, generator=generator("p"))
    recalibrate_batch_norm(analog, [normal(8, *x.shape[1:], name="b", dtype=x.dtype)])
    elsewhere = to_analog(small_network(torch.float32), hardware).to("meta")
    with contextlib.suppress(RuntimeError):  # the numbers of the chips have no values there
        elsewhere.load_state_dict(analog.state_dict())
    assert elsewhere.state_dict().keys() == analog.state_dict().keys()
    assert {value.device.type for value in elsewhere.state_dict().values()} == {"meta"}


def test_a_state_without_the_errors_of_its_columns_is_refused() -> None:
    hardware = replace(HERMES_DEFAULT, output_stage=OutputStage(adc_gain_spread=0.02))
    analog, _ = prepared(hardware)
    program(analog, chips=1, generator=generator())
    state = {name: v for name, v in analog.state_dict().items() if "variations" not in name}
    again = to_analog(small_network(torch.float32), hardware)
    with pytest.raises(ValueError, match=r"tiles\.0\.variations is missing.*Program"):
        again.load_state_dict(state)


def test_the_state_of_other_hardware_is_refused() -> None:
    analog, _ = prepared()
    program(analog, chips=1, generator=generator())
    other = to_analog(small_network(torch.float32), PCM_2019)
    with pytest.raises(ValueError, match="other hardware"):
        other.load_state_dict(analog.state_dict())


def test_programming_again_keeps_the_chip_and_renews_its_cells() -> None:
    analog, _ = prepared(replace(HERMES_DEFAULT, faults=Faults(stuck_at_g_max=0.05)))
    program(analog, chips=2, generator=generator("p"))
    set_time(analog, t_s=DAY_S, generator=generator("t"))
    _, layer = next(iter(analog_layers(analog)))
    tile = first_tile(layer)
    faults, programmed = tile.fault_map.clone(), tile.g_programmed_uS.clone()
    reprogram(analog, generator=generator("again"))
    assert torch.equal(tile.fault_map, faults)
    assert not torch.equal(tile.g_programmed_uS, programmed)
    assert float(analog.t_s) == 0.0


def test_a_life_with_refreshes_starts_the_drift_again() -> None:
    ages = {}
    for every in (None, 1000.0):
        analog, _ = prepared()
        program(analog, chips=1, generator=generator("p"))
        grid = [1.0, 900.0, 2500.0, 2600.0]
        lived = over_time(analog, grid, generator=generator("t"), reprogram_every_s=every)
        ages[every] = [(t_s, float(analog.t_s)) for t_s in lived]
    assert ages[None] == [(t, t) for t in (1.0, 900.0, 2500.0, 2600.0)]
    assert ages[1000.0] == [(1.0, 1.0), (900.0, 900.0), (2500.0, 500.0), (2600.0, 600.0)]
    with pytest.raises(ValueError, match="must not decrease"):
        next(over_time(analog, [2.0, 1.0], generator=generator()))


def test_recalibrated_batch_norm_undoes_a_uniform_change_of_scale() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 5)
    ).double()
    data = normal(64, 3, 5, 5)
    with torch.no_grad():
        norm = network[1]
        assert isinstance(norm, nn.BatchNorm2d)
        norm.momentum = None
        network.train()(data)
        network.eval()
    analog = to_analog(network, IDEAL)
    program(analog, chips=2, generator=generator())
    _, layer = next(iter(analog_layers(analog)))
    first_tile(layer).weight.mul_(0.6)
    with torch.no_grad():
        assert (analog(data) - network(data)).norm() > 0.1 * network(data).norm()
        recalibrate_batch_norm(analog, [data])
        scale = network(data).abs().max()
        assert (analog(data) - network(data)).abs().max() <= 1e-4 * scale
    assert to_digital(analog).state_dict().keys() == network.state_dict().keys()
    torch.testing.assert_close(to_digital(analog)(data), network(data))


def test_recalibrated_ranges_follow_the_chip() -> None:
    analog, x = prepared()
    program(analog, chips=2, generator=generator())
    layers = dict(analog_layers(analog))
    before = layers["3"].chip_ranges.clone()
    first_tile(layers["0"]).weight[1].mul_(0.5)
    recalibrate_input_ranges(analog, [x])
    after = layers["3"].chip_ranges
    assert after[1] < 0.9 * after[0]
    assert not torch.equal(before, after)
    with torch.no_grad():
        assert torch.isfinite(analog(x)).all()


@pytest.mark.parametrize("kind", ["quantile", "moving_quantile", "moving_std", "max"])
def test_ranges_are_calibrated_on_magnitudes(kind: Any) -> None:
    analog = to_analog(nn.Linear(50, 2), HERMES_DEFAULT)
    batches = [-normal(400, 50, name=name, dtype=torch.float32).abs() for name in "ab"]
    calibrate_input_ranges(analog, batches, rule=RangeRule(kind=kind, quantile=0.9))
    (value,) = (layer.input_range.item() for _, layer in analog_layers(analog))
    everything = torch.cat(batches)
    expected = {
        "quantile": everything.abs().quantile(0.9).item(),
        "moving_quantile": sum(b.abs().quantile(0.9).item() for b in batches) / 2,
        "moving_std": sum(3 * b.std().item() for b in batches) / 2,
        "max": everything.abs().max().item(),
    }[kind]
    assert value == pytest.approx(expected, rel=1e-3)


def test_inputs_and_weights_that_are_not_finite_are_refused() -> None:
    analog, x = prepared()
    program(analog, chips=1, generator=generator())
    with pytest.raises(ValueError, match="inputs of the network must be finite, but one is nan"):
        analog(torch.full_like(x, math.nan))
    broken = to_analog(nn.Linear(4, 2), IDEAL)
    next(iter(analog_layers(broken)))[1].weight.data[0, 1] = math.inf
    with pytest.raises(ValueError, match="weights of layer '0' must be finite, but one is inf"):
        program(broken, chips=1, generator=generator())


def test_scales_that_follow_the_inputs_need_no_range() -> None:
    hardware = replace(HERMES_DEFAULT, input_stage=InputStage(scaling="abs_max"))
    network, x = small_network(torch.float32), normal(6, 3, 20, 11, dtype=torch.float32)
    analog = to_analog(network, hardware)
    with noisy_training(analog, HwaRecipe(), generator=generator()) as session:
        analog(100 * x).sum().backward()
        session.step(progress=1.0)
    with torch.no_grad():
        torch.testing.assert_close(to_digital(analog, clip_inputs=True)(x), to_digital(analog)(x))
    program(analog, chips=2, generator=generator())
    with torch.no_grad():
        exact = to_digital(analog)(100 * x)
        error = (analog(100 * x)[0] - exact).norm() / exact.norm()
    assert error < 0.6


def test_outputs_of_any_structure_get_the_chips_in_front() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 2)

        def forward(self, x: Tensor, *, scale: float) -> dict[str, object]:
            return {"left": self.left(x) * scale, "both": (self.left(x), [self.right(x)]), "n": 2}

    analog = to_analog(Heads(), IDEAL)
    program(analog, chips=3, generator=generator())
    with torch.no_grad():
        output = analog(normal(5, 4, dtype=torch.float32), scale=2.0)
    assert output["left"].shape == (3, 5, 3)
    assert output["both"][1][0].shape == (3, 5, 2)
    assert output["n"] == 2


def test_a_programmed_model_can_be_moved_or_converted() -> None:
    quiet = ConverterConfig(output_noise=0.0, adc_bits=None)
    analog, x = prepared(replace(HERMES_DEFAULT, weight_read_noise=0.0, converters=quiet))
    program(analog, chips=2, generator=generator())
    with torch.no_grad():
        single = analog(x)
        double = analog.double()(x.double())
    assert double.dtype == torch.float64
    assert (double - single).norm() < 0.02 * single.norm()


def test_a_large_batch_is_sampled_without_favouring_a_feature() -> None:
    """One feature in 256 is large: even steps through the batch would see all of it or nothing."""
    x = normal(256, 64, 256, dtype=torch.float32)
    x[..., 3] *= 50
    analog = to_analog(nn.Linear(256, 2), HERMES_DEFAULT)
    calibrate_input_ranges(analog, x)
    (value,) = (layer.input_range.item() for _, layer in analog_layers(analog))
    assert value == pytest.approx(float(np.quantile(x.abs().numpy(), 0.9995)), rel=0.05)


@pytest.mark.parametrize("x", [torch.full((1, 1), -2.0), torch.full((8, 1), -2.0)], ids=len)
def test_inputs_that_do_not_vary_give_a_range_all_the_same(x: Tensor) -> None:
    analog = to_analog(nn.Linear(1, 3), HERMES_DEFAULT)
    with noisy_training(analog, HwaRecipe(), generator=generator()):
        assert torch.isfinite(analog(x)).all()
    (trained,) = (layer.input_range.item() for _, layer in analog_layers(analog))
    calibrate_input_ranges(analog, x, rule=RangeRule(kind="moving_std"))
    (calibrated,) = (layer.input_range.item() for _, layer in analog_layers(analog))
    assert trained == calibrated == 2.0
