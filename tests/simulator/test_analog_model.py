"""The analog twin as a user meets it: convert, program, age, read, convert back."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    HARDWARE,
    HERMES_DEFAULT,
    IDEAL,
    PCM_2019,
    AnalogLayer,
    AnalogModel,
    ConverterConfig,
    TileConfig,
    analog_layers,
    calibrate_input_ranges,
    program,
    set_time,
    spawn_generator,
    to_analog,
    to_digital,
)
from analognas.simulator.devices import IdealDevice, Pcm2019
from analognas.simulator.hardware import Hardware
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


def mvm_error(hardware: Hardware, *, chips: int, t_s: float, column_max: bool) -> float:
    """Mean relative error of one 512 x 512 tile on half-sparse uniform inputs."""
    weight = normal(512, 512, name="tile", dtype=torch.float32).mul_(0.246).clamp_(-1, 1)
    if not column_max:
        weight[:, 0] = torch.where(weight[:, 0] >= 0, 1.0, -1.0)  # pins every column's scale to 1
    layer = nn.Linear(512, 512, bias=False)
    layer.weight.data = weight / weight.abs().amax(1, keepdim=True)
    stream = generator("inputs")
    x = torch.empty(200, 512).uniform_(-1, 1, generator=stream)
    x *= torch.empty_like(x).uniform_(0, 1, generator=stream) < 0.5
    analog = to_analog(layer, hardware)
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(1.0)
    program(analog, chips=chips, generator=generator("chips"))
    set_time(analog, t_s=t_s, generator=generator("time"))
    with torch.no_grad():
        exact, read = layer(x), analog(x)
    return float(((read - exact).norm(dim=-1) / exact.norm(dim=-1)).mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("t_s", "published"),
    [(1.0, 0.120), (3600.0, 0.136), (DAY_S, 0.153), (31_536_000.0, 0.194)],
)
def test_error_of_the_standard_model_with_scaled_columns(t_s: float, published: float) -> None:
    # Reference values of the standard AIMC model include its IR drop, which adds under 0.2 points.
    assert mvm_error(PCM_2019, chips=10, t_s=t_s, column_max=True) == pytest.approx(
        published, abs=0.006
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("t_s", "published"),
    [(1.0, 0.139), (3600.0, 0.155), (DAY_S, 0.175), (31_536_000.0, 0.220)],
)
def test_error_of_the_standard_model_with_weights_as_conductances(
    t_s: float, published: float
) -> None:
    assert mvm_error(PCM_2019, chips=10, t_s=t_s, column_max=False) == pytest.approx(
        published, abs=0.006
    )


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
                first_tile(layer).drift_exponent[index],
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
    exponents, programmed = tile.drift_exponent.clone(), tile.g_programmed_uS.clone()
    weights = []
    stream = generator("t")
    for _ in range(2):
        set_time(analog, t_s=DAY_S, generator=stream)
        weights.append(tile.weight.clone())
    assert torch.equal(tile.drift_exponent, exponents)
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
