"""Every linear and convolutional layer on ideal crossbars is the layer itself."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    IDEAL,
    AnalogModel,
    ConverterConfig,
    Hardware,
    HwaRecipe,
    TileConfig,
    analog_layers,
    calibrate_input_ranges,
    noisy_training,
    program,
    spawn_generator,
    to_analog,
)
from analognas.simulator.conductance_mapping import ConductanceMapping
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.output_stage import OutputStage

# torch's own layer says so about even kernels; ours pads beforehand anyway.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

QUIET = HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=None)
PRECISIONS = [
    pytest.param(torch.float64, 1e-12, id="float64"),
    pytest.param(torch.float32, 1e-5, id="float32"),
]

MakeLayer = Callable[[], nn.Module]

# A layer and the shape of its input.
LAYERS: dict[str, tuple[MakeLayer, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(20, 9), (4, 20)),
    "linear without bias": (lambda: nn.Linear(20, 9, bias=False), (4, 20)),
    "linear on one vector": (lambda: nn.Linear(20, 9), (20,)),
    "linear on a sequence": (lambda: nn.Linear(20, 9), (2, 5, 20)),
    "linear on an image": (lambda: nn.Linear(20, 9), (2, 3, 4, 20)),
    "linear with one output": (lambda: nn.Linear(20, 1), (4, 20)),
    "conv1d": (lambda: nn.Conv1d(4, 6, 5, stride=2, padding=3), (2, 4, 17)),
    "conv1d dilated, same": (
        lambda: nn.Conv1d(4, 6, 4, padding="same", dilation=3),
        (2, 4, 17),
    ),
    "conv1d depthwise, circular": (
        lambda: nn.Conv1d(6, 12, 3, padding=1, groups=6, padding_mode="circular"),
        (2, 6, 11),
    ),
    "conv1d of single positions": (lambda: nn.Conv1d(4, 6, 1, stride=3), (2, 4, 11)),
    "conv2d of single positions": (lambda: nn.Conv2d(4, 6, 1, stride=(2, 3)), (2, 4, 9, 8)),
    "conv2d of single positions, padded": (
        lambda: nn.Conv2d(4, 6, 1, stride=2, padding=1, groups=2),
        (2, 4, 9, 8),
    ),
    "conv1d reflect": (lambda: nn.Conv1d(3, 5, 5, padding=2, padding_mode="reflect"), (2, 3, 9)),
    "conv1d valid": (lambda: nn.Conv1d(3, 5, 4, padding="valid", stride=3), (2, 3, 12)),
    "conv2d": (
        lambda: nn.Conv2d(3, 8, (5, 3), stride=(2, 1), padding=(2, 1), bias=False),
        (2, 3, 10, 7),
    ),
    "conv2d pointwise": (lambda: nn.Conv2d(18, 8, 1), (2, 18, 3, 4)),
    "conv2d depthwise": (lambda: nn.Conv2d(8, 8, 3, padding=1, groups=8), (2, 8, 6, 5)),
    "conv2d depthwise multiplied": (lambda: nn.Conv2d(6, 18, 3, groups=6), (2, 6, 6, 5)),
    "conv2d grouped, dilated": (
        lambda: nn.Conv2d(8, 12, 3, padding=2, dilation=2, groups=4),
        (2, 8, 6, 7),
    ),
    "conv2d same": (lambda: nn.Conv2d(3, 5, (4, 3), padding="same"), (2, 3, 6, 7)),
    "conv2d reflect": (
        lambda: nn.Conv2d(3, 5, 3, padding=(2, 1), padding_mode="reflect"),
        (2, 3, 6, 7),
    ),
    "conv2d replicate": (
        lambda: nn.Conv2d(3, 5, 3, padding="same", padding_mode="replicate"),
        (2, 3, 6, 7),
    ),
    "conv3d": (
        lambda: nn.Conv3d(2, 6, (3, 2, 3), stride=(1, 2, 1), padding=(1, 0, 2)),
        (2, 2, 4, 6, 5),
    ),
    "conv3d grouped, circular": (
        lambda: nn.Conv3d(4, 8, 3, padding=1, groups=2, padding_mode="circular"),
        (2, 4, 4, 3, 5),
    ),
    "conv3d same, dilated": (
        lambda: nn.Conv3d(2, 3, 2, padding="same", dilation=2),
        (2, 2, 4, 5, 4),
    ),
    "transposed 1d": (
        lambda: nn.ConvTranspose1d(4, 6, 4, stride=3, padding=1, output_padding=2),
        (2, 4, 7),
    ),
    "transposed 1d, grouped": (lambda: nn.ConvTranspose1d(6, 9, 3, groups=3), (2, 6, 7)),
    "transposed 2d": (
        lambda: nn.ConvTranspose2d(4, 6, (3, 4), stride=2, padding=(1, 0), bias=False),
        (2, 4, 5, 4),
    ),
    "transposed 2d, depthwise": (
        lambda: nn.ConvTranspose2d(6, 6, 3, stride=2, padding=1, output_padding=1, groups=6),
        (2, 6, 4, 5),
    ),
    "transposed 2d, dilated": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, dilation=2, padding=3, groups=2),
        (2, 4, 4, 5),
    ),
    "transposed 2d, cropped": (lambda: nn.ConvTranspose2d(4, 6, 2, padding=2), (2, 4, 7, 6)),
    "transposed 3d": (
        lambda: nn.ConvTranspose3d(2, 4, 2, stride=(2, 1, 2), output_padding=(1, 0, 1), groups=2),
        (2, 2, 3, 2, 3),
    ),
}
TILES = [(256, 256), (16, 5), (7, 3)]


def generator(name: str = "products") -> torch.Generator:
    return spawn_generator(0, name)


def normal(*shape: int, dtype: torch.dtype, name: str = "x") -> Tensor:
    return torch.empty(shape, dtype=dtype).normal_(generator=generator(name))


def made(kind: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Tensor]:
    make, shape = LAYERS[kind]
    layer = make().to(dtype)
    for name, parameter in layer.named_parameters():
        parameter.data.normal_(0, 1 / math.sqrt(parameter[0].numel()), generator=generator(name))
    return layer, normal(*shape, dtype=dtype)


def programmed(layer: nn.Module, hardware: Hardware) -> AnalogModel:
    analog = to_analog(layer, hardware)
    program(analog, chips=1, generator=generator("chips"))
    return analog


def assert_close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert (actual - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("tile", TILES, ids=str)
@pytest.mark.parametrize(
    "mapping",
    [
        ConductanceMapping(),
        ConductanceMapping(split="aligned"),
        ConductanceMapping(groups="apart"),
    ],
    ids=["balanced", "aligned", "apart"],
)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_ideal_crossbars_compute_the_layer(
    kind: str,
    tile: tuple[int, int],
    mapping: ConductanceMapping,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    layer, x = made(kind, dtype)
    tiles = TileConfig(rows=tile[0], columns=tile[1])
    analog = programmed(layer, replace(IDEAL, tile=tiles, mapping=mapping))
    with torch.no_grad():
        assert_close(analog(x)[0], layer(x), tolerance)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("tile", TILES, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_vectors_scaled_one_by_one_compute_the_layer(
    kind: str, tile: tuple[int, int], dtype: torch.dtype, tolerance: float
) -> None:
    layer, x = made(kind, dtype)
    hardware = replace(
        IDEAL,
        tile=TileConfig(rows=tile[0], columns=tile[1]),
        input_stage=InputStage(scaling="abs_max"),
    )
    with torch.no_grad():
        assert_close(programmed(layer, hardware)(x)[0], layer(x), tolerance)


@pytest.mark.parametrize("kind", LAYERS)
def test_drives_are_halved_until_the_outputs_fit(kind: str) -> None:
    # Without bound management the converter would clip most of these outputs.
    layer, x = made(kind)
    converters = ConverterConfig(dac_bits=None, adc_bits=16, output_bound=0.05, output_noise=0.0)
    stage = InputStage(scaling="abs_max", bound_management="iterative")
    tile = TileConfig(rows=16, columns=5)
    hardware = replace(IDEAL, tile=tile, converters=converters, input_stage=stage)
    unmanaged = replace(hardware, input_stage=InputStage(scaling="abs_max"))
    with torch.no_grad():
        assert_close(programmed(layer, hardware)(x)[0], layer(x), 1e-3)
        with pytest.raises(AssertionError):
            assert_close(programmed(layer, unmanaged)(x)[0], layer(x), 1e-2)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("tile", TILES, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_training_without_noise_is_the_layer_and_its_gradients(
    kind: str, tile: tuple[int, int], dtype: torch.dtype, tolerance: float
) -> None:
    layer, x = made(kind, dtype)
    analog = to_analog(layer, replace(IDEAL, tile=TileConfig(rows=tile[0], columns=tile[1])))
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    expected = layer(inputs[0])
    weighting = normal(*expected.shape, dtype=dtype, name="gradient")
    (expected * weighting).sum().backward()
    with noisy_training(analog, QUIET, generator=generator()):
        actual = analog(inputs[1])
        (actual * weighting).sum().backward()
    assert_close(actual.detach(), expected.detach(), tolerance)
    gradients = [x.grad for x in inputs]
    assert gradients[0] is not None
    assert gradients[1] is not None
    assert_close(gradients[1], gradients[0], tolerance)
    twins = dict(analog.named_parameters())
    for name, parameter in layer.named_parameters():
        trained = twins[f"network.0.digital.{name}"].grad
        assert trained is not None
        assert parameter.grad is not None
        assert_close(trained, parameter.grad, tolerance)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_training_pass_converts_like_the_programmed_one(kind: str) -> None:
    # Both round; training reads groups as one tile, which changes nothing without noise.
    layer, x = made(kind)
    # The bound keeps the converter's thresholds away from the multiples of 1/127.
    converters = ConverterConfig(output_noise=0.0, output_bound=9.7)
    hardware = replace(IDEAL, converters=converters)
    analog = to_analog(layer, hardware)
    calibrate_input_ranges(analog, x)
    trained = copy.deepcopy(analog)
    converting = HwaRecipe(weight_noise=0.0, clip_sigma=None, ramp_fraction=0.0)
    with noisy_training(trained, converting, generator=generator()), torch.no_grad():
        for name, parameter in trained.named_parameters():
            if name.endswith("input_range"):
                trained(x)  # the range follows the first batches ...
                parameter.copy_(dict(analog.named_parameters())[name])
        for _, twin in analog_layers(trained):
            twin._batches_seen = 20  # ... and has learned by now
        in_training = trained(x)
    program(analog, chips=1, generator=generator())
    with torch.no_grad():
        assert_close(in_training, analog(x)[0], 1e-9)
        assert (in_training - layer(x)).abs().max() > 1e-4  # something was rounded


UNBATCHED = [name for name in LAYERS if "linear" not in name]


@pytest.mark.parametrize("kind", UNBATCHED)
def test_an_input_without_a_batch_is_refused_with_the_remedy(kind: str) -> None:
    layer, x = made(kind)
    analog = programmed(layer, IDEAL)
    with torch.no_grad(), pytest.raises(ValueError, match="unsqueeze"):
        analog(x[0])


def test_an_empty_batch_stays_empty() -> None:
    for kind in ("linear", "conv2d", "transposed 1d"):
        layer, x = made(kind)
        with torch.no_grad():
            assert programmed(layer, IDEAL)(x[:0])[0].shape == layer(x[:0]).shape


def test_inputs_in_any_memory_order_give_the_same() -> None:
    for kind in ("linear on a sequence", "conv2d", "conv1d"):
        layer, x = made(kind)
        other = x.transpose(0, -1).contiguous().transpose(0, -1)
        analog = programmed(layer, IDEAL)
        with torch.no_grad():
            torch.testing.assert_close(analog(other), analog(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("noise_spread", [0.0, 0.5], ids=["tiles joined", "tiles alone"])
def test_groups_that_are_read_apart_do_not_feel_the_cells_of_others(noise_spread: float) -> None:
    layer = nn.Conv2d(6, 12, 3, groups=6, bias=False)
    x = torch.zeros(2, 6, 5, 5)
    x[:, 2] = 1.0  # the input of the third group alone
    own = torch.zeros(12, dtype=torch.bool)
    own[4:6] = True
    leaked = {}
    for groups in ("together", "apart"):
        hardware = Hardware(
            tile=TileConfig(rows=30, columns=30),
            converters=ConverterConfig(dac_bits=8, adc_bits=None, output_noise=0.0),
            weight_read_noise=0.0,
            compensation="none",
            mapping=ConductanceMapping(groups=groups),
            output_stage=OutputStage(noise_spread=noise_spread),
        )
        analog = to_analog(layer, hardware)
        calibrate_input_ranges(analog, x)
        program(analog, chips=2, generator=spawn_generator(0, "apart"))
        with torch.no_grad():
            magnitude = analog(x).abs().amax(dim=(0, 1, 3, 4))
        assert (magnitude[own] > 0).all()
        leaked[groups] = magnitude[~own].max().item()
    assert leaked["apart"] == 0.0
    assert leaked["together"] > 0.001


def test_groups_read_apart_need_one_scale_for_all_inputs() -> None:
    with pytest.raises(ValueError, match="must go with static input scaling"):
        Hardware(
            mapping=ConductanceMapping(groups="apart"),
            input_stage=InputStage(scaling="abs_max"),
        )


def test_groups_read_apart_see_their_own_drives_at_the_columns_foot() -> None:
    foot = OutputStage(series_resistance=0.02, reference_weight=0.5)
    hardware = replace(
        IDEAL,
        output_stage=foot,
        mapping=ConductanceMapping(groups="apart"),
        tile=TileConfig(rows=40, columns=16),
    )
    grouped, x = made("conv2d grouped, dilated")
    assert isinstance(grouped, nn.Conv2d)
    parts = []
    for group, share in enumerate(x.chunk(4, dim=1)):
        own = nn.Conv2d(2, 3, 3, padding=2, dilation=2, dtype=x.dtype)
        columns = slice(3 * group, 3 * group + 3)
        own.load_state_dict({k: v[columns] for k, v in grouped.state_dict().items()})
        parts.append(programmed(own, hardware)(share))
    expected = torch.cat(parts, dim=2)
    assert_close(programmed(grouped, hardware)(x), expected, 1e-12)
    assert (expected[0] - grouped(x)).abs().max() > 1e-3 * expected.abs().max()


def test_training_of_strided_shortcuts_stays_within_its_memory() -> None:
    """Torch's own gradient of such a layer, in channels-last order, breaks the process."""
    analog = to_analog(nn.Sequential(nn.Conv2d(8, 8, 1, stride=2, bias=False)), IDEAL)
    x = torch.empty(2, 8, 96, 96).normal_(generator=spawn_generator(0, "x"))
    x = x.contiguous(memory_format=torch.channels_last)
    with noisy_training(analog, QUIET, generator=spawn_generator(0, "noise")):
        for _ in range(12):
            analog(x).sum().backward()
    (weight,) = (layer.weight for _, layer in analog_layers(analog))
    assert weight.grad is not None
    expected = 12 * x[:, :, ::2, ::2].sum(dim=(0, 2, 3))
    torch.testing.assert_close(weight.grad[:, :, 0, 0], expected.expand(8, 8), rtol=1e-3, atol=1e-2)
