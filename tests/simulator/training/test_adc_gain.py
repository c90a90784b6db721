"""One gain for the ADCs of all layers: its gradient, and that the chip has what was trained."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    IDEAL,
    AnalogLayer,
    AnalogModel,
    Hardware,
    HwaRecipe,
    analog_layers,
    noisy_training,
    program,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.adc_gain import adc_gain, set_adc_gain, with_adc_gain
from analognas.simulator.hardware import ConverterConfig, TileConfig
from analognas.simulator.presets import AON_CIM_4BIT, AON_CIM_8BIT
from analognas.simulator.training import AdditiveNoise
from analognas.simulator.training.analognets import FIRST_STAGE, second_stage

LEARNED = HwaRecipe(
    weight_noise=0.0, output_noise=0.0, clip_sigma=None, ramp_fraction=0.0, adc_gain="learned"
)
FIXED = replace(LEARNED, adc_gain="fixed")


def generator(name: str = "gain") -> torch.Generator:
    return spawn_generator(0, name)


def normal(*shape: int, name: str = "x") -> Tensor:
    return torch.empty(shape).normal_(generator=generator(name))


def noiseless(hardware: Hardware, *, bits: int | None = None) -> Hardware:
    """The same converters around cells that keep their weights."""
    converters = replace(hardware.converters, output_noise=0.0)
    if bits is not None:
        converters = replace(converters, dac_bits=bits, adc_bits=bits)
    return replace(
        hardware,
        device=IDEAL.device,
        weight_read_noise=0.0,
        compensation="none",
        converters=converters,
    )


def network(*, bias: bool = True) -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1, bias=bias),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, groups=3, bias=bias),
        nn.Flatten(),
        nn.Linear(6 * 16, 4, bias=bias),
    )
    for index, parameter in enumerate(model.parameters()):
        parameter.data.normal_(0, 0.3, generator=generator(f"parameter {index}"))
    return model


def in_training(analog: AnalogModel) -> None:
    """Ranges that stay: as if the batches that set them were over."""
    for _, layer in analog_layers(analog):
        layer._batches_seen = 10**6


def set_ranges(analog: AnalogModel, value: float) -> None:
    for _, layer in analog_layers(analog):
        layer.input_range.data.fill_(value)


# ---------------------------------------------------------------- converters as programmed


@pytest.mark.parametrize("bits", [8, 6, 4])
@pytest.mark.parametrize("recipe", [FIXED, LEARNED], ids=["fixed", "learned"])
@pytest.mark.parametrize("groups", ["together", "apart"])
@pytest.mark.parametrize("tile", [(1024, 512), (20, 4)], ids=["one tile", "several"])
def test_training_converts_as_the_programmed_chip_bit_for_bit(
    bits: int, recipe: HwaRecipe, groups: str, tile: tuple[int, int]
) -> None:
    hardware = with_adc_gain(noiseless(AON_CIM_8BIT, bits=bits), 4.0)
    hardware = replace(
        hardware,
        mapping=replace(hardware.mapping, groups=groups),  # type: ignore[arg-type]
        tile=TileConfig(rows=tile[0], columns=tile[1]),
    )
    model = network(bias=False)
    for parameter in model.parameters():
        # Powers of two as scales are exact: what is left to differ are the steps themselves.
        parameter.data.mul_(8).round_().clamp_(-8, 8).div_(8)
        parameter.data.flatten(1)[:, ::7] = 1.0
    analog = to_analog(model, hardware)
    set_ranges(analog, 2.0)
    x = normal(5, 3, 6, 6)
    with noisy_training(analog, recipe, generator=generator()):
        in_training(analog)
        trained = analog(x)
    if recipe.adc_gain == "learned":  # exp(log 4) to rounding
        set_adc_gain(analog, 4.0)
    program(analog, chips=1, generator=generator("chip"))
    assert torch.equal(trained.detach(), analog(x)[0])
    assert not torch.allclose(trained, model(x), atol=1e-3)  # the steps are felt


def test_a_layer_scale_is_not_a_scale_per_column() -> None:
    """A column of small weights has few ADC steps when the layer has one scale."""
    model = nn.Linear(8, 2, bias=False)
    model.weight.data = torch.stack([torch.full((8,), 1.0), torch.full((8,), 1.0 / 1024)])
    analog = to_analog(model, with_adc_gain(noiseless(AON_CIM_4BIT), 8.0))
    set_ranges(analog, 1.0)
    with noisy_training(analog, FIXED, generator=generator()):
        in_training(analog)
        y = analog(torch.full((1, 8), 1.0))
    assert y[0].tolist() == [pytest.approx(8.0), 0.0]


# ---------------------------------------------------------------------------- gradient


class SideBySide(nn.Module):
    """Layers whose outputs meet no other converter: straight-through gradients are exact there."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Conv2d(3, 6, 3)
        self.grouped = nn.Conv2d(3, 6, 3, groups=3)
        self.linear = nn.Linear(3 * 36, 5)
        for index, parameter in enumerate(self.parameters()):
            parameter.data.normal_(0, 0.3, generator=generator(f"parameter {index}"))

    def forward(self, x: Tensor) -> Tensor:
        parts = (self.dense(x), self.grouped(x), self.linear(x.flatten(1)))
        return torch.cat([part.flatten(1) for part in parts], dim=1)


def loss_at(bound: float, x: Tensor, gain: list[Tensor] | None = None) -> float:
    hardware = with_adc_gain(noiseless(AON_CIM_8BIT, bits=16), bound)
    hardware = replace(hardware, tile=TileConfig(rows=60, columns=4))  # row parts are added up
    analog = to_analog(SideBySide(), hardware).double()
    set_ranges(analog, 5.0)
    with noisy_training(analog, LEARNED, generator=generator()) as session:
        in_training(analog)
        y = analog(x.double())
        loss = y.mul(normal(*y.shape, name="loss").double()).sum()
        loss.backward()
        if gain is not None:
            gain.extend(p.grad for p in session.parameters() if p.grad is not None)
        session.parameters()[0].data.add_(0.1)  # silences the warning
    return float(loss.detach())


@pytest.mark.parametrize("bound", [0.03, 0.1])
def test_the_gain_has_the_gradient_of_the_loss(bound: float) -> None:
    """At 16 bits the steps vanish, the clipping stays: finite differences see the same slope."""
    x, step = normal(4, 3, 6, 6), 1e-3
    found: list[Tensor] = []
    loss_at(bound, x, found)
    (gradient,) = found
    slope = (loss_at(bound * math.exp(step), x) - loss_at(bound * math.exp(-step), x)) / (2 * step)
    assert abs(slope) > 1.0  # something is clipped
    assert float(gradient) == pytest.approx(slope, rel=0.01)


def test_without_clipping_the_gradient_is_that_of_the_rounding_error() -> None:
    """As if rounding were a constant beside the step: `d (q LSB) / d log LSB = q LSB - y`."""
    layer = nn.Linear(4, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 0.5, -0.25, 0.125]])
    hardware = with_adc_gain(noiseless(AON_CIM_4BIT), 7.0)  # LSB = 1
    hardware = replace(hardware, converters=replace(hardware.converters, dac_bits=16))
    analog = to_analog(layer, hardware)
    set_ranges(analog, 1.0)
    x = torch.tensor([[1.0, 0.3, 1.0, 1.0]])
    with noisy_training(analog, LEARNED, generator=generator()) as session:
        in_training(analog)
        analog(x).sum().backward()
        (gain,) = session.parameters()
        assert gain.grad is not None
        exact = float(layer(x).detach())
        gain.data.add_(0.1)  # silences the warning
        assert float(gain.grad) == pytest.approx(round(exact) - exact, abs=1e-3)


def test_all_layers_share_one_parameter() -> None:
    analog = to_analog(network(), AON_CIM_8BIT)
    with noisy_training(analog, LEARNED, generator=generator()) as session:
        assert len(session.parameters()) == 1
        assert session.adc_gain == pytest.approx(10.0)
        names = {name for name, _ in analog.named_parameters() if "log_adc_gain" in name}
        assert len(names) == 1  # the optimizer must not meet it three times
        analog(normal(2, 3, 6, 6)).square().mean().backward()
        gain = session.parameters()[0]
        assert gain.grad is not None
        gain.data.add_(0.1)  # silences the warning


# ------------------------------------------------------------------- the gain of the chip


def test_the_identity_of_the_gain_holds_on_the_programmed_chip() -> None:
    """Every ADC ends at `S r_DAC W_max` of its layer, with the S that was learned."""
    analog = to_analog(network(bias=False), noiseless(AON_CIM_8BIT))
    x = normal(8, 3, 6, 6)
    with noisy_training(analog, LEARNED, generator=generator()) as session:
        optimizer = torch.optim.SGD(analog.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            analog(x).square().mean().backward()
            session.parameters()[0].data.sub_(0.5)
            optimizer.step()
            session.step(progress=1.0)
        learned = session.adc_gain
    assert learned is not None
    assert adc_gain(analog) == pytest.approx(learned)
    assert analog.hardware.converters.output_bound == learned != 10.0
    program(analog, chips=1, generator=generator("chip"))
    set_time(analog, t_s=0.0, generator=generator("time"))
    reached: list[str] = []
    for _, layer in analog_layers(analog):
        weight = layer.weight.detach()
        end = learned * float(layer.input_range.detach()) * float(weight.abs().max())
        matrix = layer.product.matrix(weight)
        reach = float(layer.input_range.detach()) * float(matrix[0].abs().sum())
        outputs = layer(first_column_driven(layer))
        assert float(outputs.abs().max()) <= end * (1 + 1e-6)
        if reach > end:
            assert float(outputs.abs().max()) == pytest.approx(end, rel=1e-6)
            reached.append(layer.name)
    assert reached  # not all layers are too small to meet their ADC's end


def first_column_driven(layer: AnalogLayer) -> Tensor:
    """Drive every row fully, in the sign of the first column's weight."""
    digital = layer.digital
    assert isinstance(digital, nn.Linear | nn.Conv2d)
    signs = digital.weight.detach()[:1].sign() * 1e6
    if isinstance(digital, nn.Conv2d):
        signs = signs.repeat(1, digital.groups, 1, 1)
    return signs


def test_a_gain_needs_an_adc_and_one_start() -> None:
    with pytest.raises(ValueError, match="must have an ADC"):
        adc_gain(to_analog(network(), IDEAL))
    other = with_adc_gain(AON_CIM_8BIT, 5.0)
    mixed = to_analog(network(), AON_CIM_8BIT, layer_hardware={"4": other})
    with (
        pytest.raises(ValueError, match=r"the same in all layers, but it is 10 in '0', 5 in '4'"),
        noisy_training(mixed, LEARNED, generator=generator()),
    ):
        pass
    set_adc_gain(mixed, 3.0)
    assert adc_gain(mixed) == 3.0
    set_ranges(mixed, 1.0)
    program(mixed, chips=1, generator=generator())
    with pytest.raises(ValueError, match="before programming"):
        set_adc_gain(mixed, 4.0)


@pytest.mark.parametrize("change", [{"converters": False}, {"per_sample": True}])
def test_a_gain_that_is_not_felt_cannot_be_learned(change: dict[str, bool]) -> None:
    with pytest.raises(ValueError, match="must go with converters and one draw per batch"):
        HwaRecipe(adc_gain="learned", **change)  # type: ignore[arg-type]


def test_a_new_field_leaves_stored_recipes_as_they_were() -> None:
    assert {"converters", "adc_gain"}.isdisjoint(HwaRecipe().to_dict())
    assert LEARNED.to_dict()["adc_gain"] == "learned"


# ---------------------------------------------------------------- training without converters


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("scales", [False, True])
def test_without_converters_only_the_weights_are_disturbed(per_sample: bool, scales: bool) -> None:
    model = network()
    recipe = replace(
        FIXED, converters=False, per_sample=per_sample, learn_output_scales=scales, output_noise=1.0
    )
    analog = to_analog(model, AON_CIM_4BIT)
    x = normal(3, 3, 6, 6)
    with noisy_training(analog, recipe, generator=generator()) as session:
        assert torch.allclose(analog(x), model(x), atol=1e-5)
        for parameter in session.parameters():
            parameter.data.mul_(1.5)
        if scales:
            expected = analog(x).detach()
    if scales:
        assert torch.allclose(analog(x), expected, atol=1e-4)
    loud = replace(recipe, weight_noise=1.0, noise=AdditiveNoise(sigma=0.1, relative_to="layer"))
    with noisy_training(analog, loud, generator=generator()) as session:
        assert not torch.allclose(analog(x), analog(x), atol=1e-3)
        for parameter in session.parameters():
            parameter.data.mul_(1.01)


def test_without_converters_the_ranges_are_to_be_calibrated() -> None:
    analog = to_analog(network(), AON_CIM_8BIT)
    with noisy_training(analog, replace(FIXED, converters=False), generator=generator()):
        analog(normal(3, 3, 6, 6))
    with pytest.raises(ValueError, match="input range of layer '0' must be set"):
        program(analog, chips=1, generator=generator())


# ------------------------------------------------------------------------------- two stages


def test_the_two_stages_differ_in_noise_and_converters_only() -> None:
    second = second_stage(0.1)
    assert second.noise == AdditiveNoise(sigma=0.1, relative_to="layer")
    assert (second.converters, second.adc_gain) == (True, "learned")
    assert FIRST_STAGE.weight_noise == 0.0
    assert not FIRST_STAGE.converters
    assert second.clip_sigma == FIRST_STAGE.clip_sigma == 2.0
    assert second_stage(0.1, converters=False).adc_gain == "fixed"


def test_stages_follow_each_other_on_the_same_model() -> None:
    analog = to_analog(network(), AON_CIM_8BIT)
    x = normal(16, 3, 6, 6)
    for recipe in (FIRST_STAGE, second_stage(0.05)):
        with noisy_training(analog, recipe, generator=generator()) as session:
            optimizer = torch.optim.SGD(analog.parameters(), lr=0.01)
            for step in range(4):
                optimizer.zero_grad()
                analog(x).square().mean().backward()
                optimizer.step()
                session.step(progress=(step + 1) / 4)
        for _, layer in analog_layers(analog):
            weight = layer.weight.detach()
            assert float(weight.abs().max()) <= 2.2 * float(weight.std())
    program(analog, chips=2, generator=generator("chip"))
    assert analog(x).isfinite().all()
    assert ConverterConfig().output_bound != adc_gain(analog)
