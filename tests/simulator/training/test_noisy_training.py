"""The context manager around a training loop, and what a layer feels inside it."""

import logging
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    HERMES_DEFAULT,
    IDEAL,
    AnalogLayer,
    AnalogModel,
    Hardware,
    HwaRecipe,
    analog_layers,
    noisy_training,
    program,
    spawn_generator,
    to_analog,
)
from analognas.simulator.conductance_mapping import ConductanceMapping
from analognas.simulator.hardware import ConverterConfig, TileConfig
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.training import (
    AdditiveNoise,
    AnyWeightNoise,
    CellNoise,
    DiscretizeNoise,
    DorefaNoise,
    FixedClip,
    LayerTraining,
    LearnedClip,
    PcmNoise,
)
from analognas.simulator.weight_spread import weight_spread

QUIET = HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=None)
LOUD = HwaRecipe(noise=AdditiveNoise(sigma=0.1), ramp_fraction=0.0, clip_sigma=None)


def generator(name: str = "training") -> torch.Generator:
    return spawn_generator(0, name)


def normal(*shape: int, name: str = "x") -> Tensor:
    return torch.empty(shape).normal_(generator=generator(name))


def network() -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, groups=3, bias=False),
        nn.Flatten(),
        nn.Linear(6 * 16, 4),
    )
    for index, parameter in enumerate(model.parameters()):
        parameter.data.normal_(0, 0.3, generator=generator(f"parameter {index}"))
    return model


def twin(model: nn.Module, hardware: Hardware = HERMES_DEFAULT) -> AnalogModel:
    return to_analog(model, hardware).train()


def only_layer(analog: AnalogModel) -> AnalogLayer:
    (pair,) = analog_layers(analog)
    return pair[1]


def parts_of(analog: AnalogModel) -> list[LayerTraining]:
    return [module for module in analog.modules() if isinstance(module, LayerTraining)]


def part_of(analog: AnalogModel) -> LayerTraining:
    (part,) = parts_of(analog)
    return part


def take_steps(
    analog: AnalogModel, recipe: HwaRecipe, *, steps: int = 10, seed: str = "training"
) -> float:
    """Train on a fixed task; return the last loss."""
    x, y = normal(32, 3, 6, 6), torch.arange(32) % 4
    with noisy_training(analog, recipe, generator=generator(seed)) as session:
        optimizer = torch.optim.SGD(analog.parameters(), lr=0.01)
        for step in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(analog(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            session.step(progress=(step + 1) / steps)
    return float(loss.detach())


# ------------------------------------------------------------------ beginning and end


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"noise": PcmNoise(stuck_at_reset=0.01)},
        {"noise": DiscretizeNoise(bits=4, sigma=0.01)},
        {"drop_connect": 0.1},
        {"per_sample": True},
    ],
    ids=str,
)
def test_afterwards_the_weights_are_exactly_those_of_the_last_step(
    settings: dict[str, Any],
) -> None:
    model = network()
    analog = twin(model)
    x = normal(5, 3, 6, 6)
    with noisy_training(analog, HwaRecipe(clip_sigma=None, **settings)) as session:
        analog(x).sum().backward()
        session.step(progress=1.0)
        assert not torch.equal(analog(x), model(x))
    layers = dict(analog_layers(analog))
    for name, original in model.named_modules():
        if name in layers:
            assert isinstance(original, nn.Linear | nn.Conv2d)
            assert torch.equal(layers[name].weight, original.weight)
    assert torch.equal(analog(x), model(x))
    assert not parts_of(analog)
    assert analog.state_dict().keys() == twin(model).state_dict().keys()
    program(analog, chips=1, generator=generator("program"))


def test_layers_are_plain_again_after_an_exception() -> None:
    model = network()
    analog = twin(model)

    def fail() -> None:
        raise KeyError("data")

    with pytest.raises(KeyError), noisy_training(analog, HwaRecipe(learn_output_scales=True)):
        fail()
    assert not parts_of(analog)
    assert torch.equal(analog(normal(5, 3, 6, 6)), model(normal(5, 3, 6, 6)))


@pytest.mark.parametrize("training", [True, False])
def test_the_block_is_in_training_mode_and_leaves_the_mode_that_it_found(training: bool) -> None:
    analog = twin(network()).train(training)
    with noisy_training(analog, HwaRecipe()):
        assert analog.training
    assert analog.training is training


def test_evaluation_mode_is_free_of_noise_inside_the_block() -> None:
    model = network()
    analog = twin(model)
    x = normal(5, 3, 6, 6)
    with noisy_training(analog, HwaRecipe(ramp_fraction=0.0)):
        analog(x)
        analog.eval()
        assert torch.equal(analog(x), model(x))


def test_an_ordinary_module_is_refused() -> None:
    with (
        pytest.raises(TypeError, match=r"got Linear\. Call `to_analog"),
        noisy_training(nn.Linear(3, 3), HwaRecipe()),  # type: ignore[arg-type]
    ):
        pass


def test_a_programmed_model_is_refused() -> None:
    analog = twin(nn.Linear(3, 3))
    only_layer(analog).input_range.data.fill_(1.0)
    program(analog, chips=2, generator=generator())
    with (
        pytest.raises(ValueError, match="on 2 chips"),
        noisy_training(analog, HwaRecipe()),
    ):
        pass


def test_two_sessions_at_once_are_refused() -> None:
    analog = twin(nn.Linear(3, 3))
    with (
        noisy_training(analog, HwaRecipe()),
        pytest.raises(ValueError, match="Leave its `with` block first"),
        noisy_training(analog, HwaRecipe()),
    ):
        pass


def test_a_shared_weight_cannot_have_two_output_scales() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    with (
        pytest.raises(ValueError, match="must not share a weight"),
        noisy_training(twin(model), HwaRecipe(learn_output_scales=True)),
    ):
        pass


@pytest.mark.parametrize("progress", [-0.1, 1.1, 57, math.nan])
def test_progress_is_a_share(progress: float) -> None:
    with (
        noisy_training(twin(nn.Linear(3, 3)), HwaRecipe()) as session,
        pytest.raises(ValueError, match="0 <= progress <= 1"),
    ):
        session.step(progress=progress)


# ------------------------------------------------------------------------------ noise


def test_without_noise_and_converters_training_is_digital() -> None:
    model = network()
    x = normal(5, 3, 6, 6)
    analog = twin(model, IDEAL)
    with noisy_training(analog, QUIET):
        (part, *_) = parts_of(analog)
        weight = torch.ones(2, 3)
        assert part.noisy_weight(weight) is weight
        assert part.final_weight(weight) is weight
        y = analog(x)
        y.sum().backward()
    torch.testing.assert_close(y, model(x))
    model(x).sum().backward()
    gradients = [p.grad for n, p in analog.named_parameters() if not n.endswith("range")]
    for mine, original in zip(gradients, model.parameters(), strict=True):
        torch.testing.assert_close(mine, original.grad)


def test_the_weights_of_a_pass_have_the_recipes_noise() -> None:
    """A linear layer that is driven row by row shows its weights."""
    analog = twin(nn.Linear(400, 300, bias=False), IDEAL)
    with noisy_training(analog, LOUD, generator=generator()):
        seen = analog(torch.eye(400)).T
    layer = only_layer(analog)
    largest = layer.weight.abs().amax(dim=1, keepdim=True)
    deviation = ((seen - layer.weight) / largest).detach()
    count = deviation.numel()
    assert float(deviation.std()) == pytest.approx(0.2, rel=5 / math.sqrt(2 * count))
    assert abs(float(deviation.mean())) < 5 * 0.2 / math.sqrt(count)


def test_every_sample_may_have_noise_of_its_own() -> None:
    analog = twin(nn.Linear(20, 30, bias=False), IDEAL)
    x = normal(1, 20).expand(4, 20)
    for per_sample in (False, True):
        with noisy_training(analog, replace(LOUD, per_sample=per_sample)):
            y = analog(x).detach()
        assert torch.allclose(y[0], y[1]) is not per_sample


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("tile", [TileConfig(columns=4096), TileConfig(rows=7, columns=4096)])
def test_the_noise_of_both_ways_is_the_same_law(per_sample: bool, tile: TileConfig) -> None:
    """Of one layer with weights of one size: `sigma |x| max|w|` at every output."""
    layer = nn.Conv2d(2, 4096, 3, bias=False)
    layer.weight.data.fill_(0.5)
    analog = twin(layer, replace(IDEAL, tile=tile))
    x = normal(1, 2, 3, 3)
    recipe = replace(LOUD, weight_noise=1.0, per_sample=per_sample)
    with noisy_training(analog, recipe, generator=generator()), torch.no_grad():
        if per_sample:
            y = analog(x.expand(25, 2, 3, 3))
        else:
            y = torch.cat([analog(x) for _ in range(25)])
    deviation = (y - float(x.sum()) * 0.5).flatten()
    expected = 0.1 * 0.5 * float(x.norm())
    count = deviation.numel()
    assert float(deviation.std()) == pytest.approx(expected, rel=5 / math.sqrt(2 * count))
    assert abs(float(deviation.mean())) < 5 * expected / math.sqrt(count)


@pytest.mark.parametrize(
    "noise", [CellNoise(), AdditiveNoise(sigma=0.05), PcmNoise()], ids=lambda n: n.kind
)
def test_a_column_ten_times_larger_has_ten_times_the_result(noise: AnyWeightNoise) -> None:
    """Tiles rescale every column by itself: channel-wise remapping without a state."""
    seen = []
    for factors in (torch.ones(4), torch.tensor([1.0, 10.0, 0.1, 1.0])):
        layer = nn.Linear(30, 4, bias=False)
        layer.weight.data.copy_(normal(4, 30, name="w") * factors[:, None])
        analog = twin(layer)
        recipe = HwaRecipe(noise=noise, ramp_fraction=0.0)
        with noisy_training(analog, recipe, generator=generator()):
            seen.append(analog(normal(64, 30)).detach() / factors)
        assert not torch.allclose(seen[-1], layer(normal(64, 30)) / factors, atol=1e-2)
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-4, atol=1e-4)


def test_the_cells_noise_is_that_of_the_hardware() -> None:
    analog = twin(nn.Linear(5, 4))
    table = weight_spread(HERMES_DEFAULT.device, t_s=3600.0)
    recipe = HwaRecipe(noise_time_s=3600.0, ramp_fraction=0.0)
    with noisy_training(analog, recipe, generator=generator()):
        part = part_of(analog)
        assert part.table is not None
        assert torch.equal(part.table, table)
        weight = only_layer(analog).weight.detach()
        draws = torch.stack([part.noisy_weight(weight) for _ in range(20_000)])
        largest = weight.abs().amax(dim=1, keepdim=True)
        entry = (weight.abs() / largest * (len(table) - 1)).round().long()
        expected = 2.0 * largest * table[entry]
        assert ((draws.std(dim=0) - expected).abs() < 5 * expected / math.sqrt(40_000)).all()
        assert ((draws.mean(dim=0) - weight).abs() < 5 * expected / math.sqrt(20_000)).all()


def test_hardware_that_scales_whole_layers_sets_the_cells_noise() -> None:
    layerwise = replace(HERMES_DEFAULT, mapping=replace(HERMES_DEFAULT.mapping, scaling="layer"))
    analog = twin(nn.Linear(5, 4), layerwise)
    with noisy_training(analog, HwaRecipe()):
        assert part_of(analog).recipe.noise == CellNoise(relative_to="layer")


def test_noise_ramps_up_with_progress() -> None:
    analog = twin(nn.Linear(64, 64, bias=False), IDEAL)
    x = normal(512, 64)
    clean = analog.network(x)
    spread = {}
    with noisy_training(analog, replace(LOUD, ramp_fraction=0.5)) as session:
        assert torch.allclose(analog(x), clean, atol=1e-5)  # nothing yet
        for progress in (0.25, 0.5, 1.0):
            session.step(progress=progress)
            assert part_of(analog).ramp == min(1.0, progress / 0.5)
            assert part_of(analog).output_noise == 0.0 + min(1.0, progress / 0.5)
            spread[progress] = float((analog(x) - clean).std().detach())
    assert spread[0.25] == pytest.approx(spread[0.5] / 2, rel=0.1)
    assert spread[1.0] == pytest.approx(spread[0.5], rel=0.1)


def test_without_a_ramp_the_noise_is_full_from_the_start() -> None:
    analog = twin(nn.Linear(4, 4))
    with noisy_training(analog, LOUD):
        assert part_of(analog).ramp == 1.0


def test_drop_connect_zeroes_weights_of_a_pass() -> None:
    analog = twin(nn.Linear(400, 300, bias=False), IDEAL)
    with noisy_training(analog, replace(QUIET, drop_connect=0.3), generator=generator()):
        seen = analog(torch.eye(400)).T
    error = math.sqrt(0.3 * 0.7 / seen.numel())
    assert abs(float((seen == 0).double().mean()) - 0.3) < 5 * error


def test_one_seed_repeats_and_two_differ() -> None:
    losses, weights = [], []
    for seed in ("a", "a", "b"):
        analog = twin(network())
        losses.append(take_steps(analog, HwaRecipe(), seed=seed))
        weights.append(torch.cat([p.detach().flatten() for p in analog.parameters()]))
    assert losses[0] == losses[1]
    assert torch.equal(weights[0], weights[1])
    assert losses[0] != losses[2]


def test_the_default_generator_is_torchs_own() -> None:
    x = normal(5, 6)
    seen = []
    state = torch.get_rng_state()
    try:
        for seed in (1, 1, 2):
            analog = twin(_linear())
            torch.default_generator.manual_seed(seed)
            with noisy_training(analog, LOUD):
                seen.append(analog(x).detach())
    finally:
        torch.set_rng_state(state)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def _linear() -> nn.Linear:
    layer = nn.Linear(6, 4, bias=False)
    layer.weight.data.copy_(normal(4, 6, name="w"))
    return layer


# --------------------------------------------------------------------- input ranges


def test_ranges_start_at_three_standard_deviations() -> None:
    analog = twin(nn.Linear(8, 4))
    seen = []
    with noisy_training(analog, HwaRecipe(range_batches=3), generator=generator()):
        for index in range(5):
            x = normal(64, 8, name=f"x{index}") * (1 + index)
            analog(x)
            seen.append(3 * float(x.std()))
    layer = only_layer(analog)
    assert float(layer.input_range.detach()) == pytest.approx(sum(seen[:3]) / 3, rel=1e-5)


# ------------------------------------------------------------------ clips and scales


def test_weights_are_clipped_after_every_step() -> None:
    analog = twin(nn.Linear(100, 100))
    layer = only_layer(analog)
    layer.weight.data.normal_(generator=generator())
    before = layer.weight.detach().clone()
    with noisy_training(analog, HwaRecipe(clip_sigma=None)) as session:
        session.step(progress=0.0)
        assert torch.equal(layer.weight, before)
    with noisy_training(analog, HwaRecipe(clip_sigma=1.5)) as session:
        session.step(progress=0.0)
    bound = 1.5 * before.std()
    assert torch.equal(layer.weight, before.clamp(-bound, bound))
    with noisy_training(analog, HwaRecipe(clip=FixedClip(bound=0.5))) as session:
        session.step(progress=0.0)
    assert float(layer.weight.detach().abs().max()) == 0.5


def test_output_scales_are_trained_and_folded_into_the_weights() -> None:
    model = network()
    analog = twin(model, IDEAL)
    x = normal(5, 3, 6, 6)
    factors = []
    with noisy_training(analog, replace(QUIET, learn_output_scales=True)) as session:
        assert {id(p) for p in session.parameters()} <= {id(p) for p in analog.parameters()}
        torch.testing.assert_close(analog(x), model(x))
        for index, scale in enumerate(session.parameters()):
            scale.data.uniform_(0.5, 2.0, generator=generator(f"scale {index}"))
            factors.append(scale.detach().clone())
        y = analog(x)
        assert not torch.allclose(y, model(x))
        y.square().sum().backward()
        assert all(p.grad is not None and p.grad.any() for p in session.parameters())
        in_evaluation = analog.eval()(x)
    torch.testing.assert_close(in_evaluation, y)
    torch.testing.assert_close(analog(x), y)
    originals = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    for (_, layer), original, factor in zip(analog_layers(analog), originals, factors, strict=True):
        shape = (-1, *[1] * (original.weight.dim() - 1))
        torch.testing.assert_close(layer.weight, original.weight * factor.view(shape))
        assert layer.bias is original.bias is None or torch.equal(layer.bias, original.bias)  # type: ignore[arg-type]


def test_learned_limits_are_trained_and_applied_at_the_end() -> None:
    analog = twin(nn.Linear(50, 3, bias=False), IDEAL)
    layer = only_layer(analog)
    layer.weight.data.normal_(generator=generator())
    before = layer.weight.detach().clone()
    x = normal(20, 50)
    recipe = replace(QUIET, clip=LearnedClip(start_sigma=1.0))
    with noisy_training(analog, recipe) as session:
        (bound,) = session.parameters()
        torch.testing.assert_close(bound.detach(), before.square().mean(dim=1).sqrt())
        analog(x).square().sum().backward()
        assert bound.grad is not None
        assert bool(bound.grad.all())
        bound.data.copy_(torch.tensor([0.5, -1.0, 9.0]))
        session.step(progress=0.5)
        assert torch.equal(layer.weight, before)
        assert bool((bound > 0).all())
        in_evaluation = analog.eval()(x)
    limit = torch.tensor([0.5, 1e-6, 9.0])[:, None]
    torch.testing.assert_close(layer.weight.detach(), torch.clamp(before, -limit, limit))
    torch.testing.assert_close(analog(x), in_evaluation)


def test_transformed_weights_are_what_was_trained() -> None:
    analog = twin(nn.Linear(50, 3, bias=False), IDEAL)
    x = normal(20, 50)
    with noisy_training(analog, replace(QUIET, noise=DorefaNoise(bits=4))):
        trained = analog(x).detach()
    torch.testing.assert_close(analog(x), trained)
    assert float(only_layer(analog).weight.detach().abs().max()) == pytest.approx(0.6)


def test_forgotten_parameters_are_noticed(caplog: pytest.LogCaptureFixture) -> None:
    analog = twin(network())
    with caplog.at_level(logging.WARNING):
        take_steps(analog, HwaRecipe(learn_output_scales=True))
        assert not caplog.messages
        with noisy_training(analog, HwaRecipe(learn_output_scales=True)):
            pass
    assert "Make the optimizer inside" in caplog.messages[0]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"learn_output_scales": True, "clip": LearnedClip(), "drop_connect": 0.01},
        {"noise": PcmNoise(), "per_sample": True},
    ],
    ids=str,
)
def test_a_loop_learns(settings: dict[str, Any]) -> None:
    first, last = (take_steps(twin(network()), HwaRecipe(**settings), steps=s) for s in (1, 60))
    assert last < 0.7 * first


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(4, 6, 3, bias=False),
        nn.ConvTranspose2d(4, 6, 3, stride=2, bias=False),
        nn.ConvTranspose1d(4, 6, 3, groups=2, bias=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("per_sample", [False, True])
def test_columns_are_outputs_in_every_kind_of_layer(layer: nn.Module, per_sample: bool) -> None:
    """One output has large weights; the noise of the others does not know."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d)
    weight.data.fill_(0.1).select(1 if transposed else 0, 0).fill_(10.0)
    analog = twin(layer, IDEAL)
    x = normal(5, 4, *[6] * (weight.dim() - 2))
    with noisy_training(analog, replace(LOUD, per_sample=per_sample), generator=generator()):
        noise = (analog(x) - layer(x)).detach()
    by_output = noise.movedim(1, 0).flatten(1).std(dim=1)
    groups = getattr(layer, "groups", 1)
    large = [group * (6 // groups) for group in range(groups)] if transposed else [0]
    for output, spread in enumerate(by_output):
        assert 0.0 < float(spread) < 1.0 or output in large


# --------------------------------------------------------------- training against the chip


def trained_and_programmed(
    hardware: Hardware, recipe: HwaRecipe, x: Tensor, scale: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs of one layer: exact, as training feels them, and on a chip with the weights' end."""
    layer = nn.Linear(x.shape[1], 16, bias=False)
    layer.weight.data = normal(16, x.shape[1], name="w") * scale
    analog = twin(layer, hardware)
    with torch.no_grad(), noisy_training(analog, recipe, generator=generator()):
        felt = analog(x)
        exact = analog.eval()(x)
        analog.train()
    program(analog, chips=1, generator=generator("chip"))
    with torch.no_grad():
        return exact, felt, analog(x)[0]


def test_the_adc_of_transformed_weights_is_scaled_by_what_the_cells_hold() -> None:
    hardware = replace(IDEAL, converters=ConverterConfig(output_noise=0.0))
    recipe = replace(QUIET, noise=DorefaNoise(bits=8))
    exact, felt, on_chip = trained_and_programmed(hardware, recipe, normal(200, 64), scale=0.02)
    for y in (felt, on_chip):
        assert (y - exact).norm() / exact.norm() < 0.05


@pytest.mark.parametrize("dac_bits", [8, None])
def test_a_constant_input_scale_clips_in_training_as_on_the_chip(dac_bits: int | None) -> None:
    hardware = replace(
        IDEAL,
        converters=ConverterConfig(dac_bits=dac_bits, adc_bits=8, output_noise=0.0),
        input_stage=InputStage(scaling="constant"),
    )
    exact, felt, on_chip = trained_and_programmed(hardware, QUIET, normal(200, 64) * 2)
    torch.testing.assert_close(felt, on_chip, rtol=1e-4, atol=1e-4)
    clips = float((felt - exact).norm() / exact.norm())
    assert clips > 0.15


def test_without_dac_training_and_chip_share_the_range_of_the_adc() -> None:
    converters = ConverterConfig(dac_bits=None, adc_bits=8, output_noise=0.0)
    _, felt, on_chip = trained_and_programmed(
        replace(IDEAL, converters=converters), QUIET, normal(200, 64)
    )
    torch.testing.assert_close(felt, on_chip, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("per_sample", [False, True])
def test_output_noise_follows_the_scaling_of_the_weights(per_sample: bool) -> None:
    """A column of small weights feels the noise of the largest one where a tile has one scale."""
    hardware = replace(
        IDEAL,
        converters=ConverterConfig(dac_bits=8, adc_bits=None, output_noise=0.1),
        mapping=ConductanceMapping(scaling="layer"),
    )
    layer = nn.Linear(20, 2, bias=False)
    layer.weight.data = normal(2, 20) * torch.tensor([[1.0], [0.01]])
    analog = twin(layer, hardware)
    x = normal(20_000, 20)
    recipe = replace(QUIET, output_noise=1.0, ramp_fraction=0.0, per_sample=per_sample)
    with torch.no_grad(), noisy_training(analog, recipe, generator=generator()):
        felt = analog(x)
        full = only_layer(analog).input_range.item()
        codes = (x / full * 127).round().clamp(-127, 127) / 127 * full
    error = (felt - codes @ layer.weight.T).detach()
    expected = 0.1 * full * layer.weight.abs().max().item()
    for column in range(2):
        assert float(error[:, column].std()) == pytest.approx(expected, rel=5 / math.sqrt(40_000))
