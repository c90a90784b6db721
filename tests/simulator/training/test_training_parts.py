"""What a network feels in hardware-aware training, against closed forms."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    HERMES_DEFAULT,
    PCM_2019,
    Hardware,
    HwaRecipe,
    analog_layers,
    clip_weights_,
    program,
    set_time,
    spawn_generator,
    start_hwa_training,
    to_analog,
)
from analognas.simulator.training import add_weight_noise, clip_to_range, noise_table

DAY_S = 86_400.0


def generator(name: str = "training") -> torch.Generator:
    return spawn_generator(0, name)


@pytest.mark.parametrize("hardware", [HERMES_DEFAULT, PCM_2019], ids=lambda h: h.name)
@pytest.mark.parametrize("r", [0.05, 0.3, 1.0])
def test_the_tabulated_noise_is_what_the_chip_does_to_a_weight(
    hardware: Hardware, r: float
) -> None:
    """Spread over cells after a day, drift's mean divided out, within a quarter of first order."""
    layer = nn.Linear(256, 200, bias=False)
    layer.weight.data.fill_(r)
    layer.weight.data[:, 0] = 1.0  # sets the scale of every column
    analog = to_analog(layer, replace(hardware, compensation="none"))
    for _, twin in analog_layers(analog):
        twin.input_range.data.fill_(1.0)
    program(analog, chips=2, generator=generator())
    set_time(analog, t_s=DAY_S, generator=generator("day"))
    _, twin = next(iter(analog_layers(analog)))
    weight = twin.tiles[0].weight
    assert isinstance(weight, Tensor)
    sample = weight[:, :, 1:]
    table = noise_table(hardware.device, t_s=DAY_S)
    expected = float(table[round(r * (len(table) - 1))])
    decayed = float(sample.mean()) / r
    assert float(sample.std()) / decayed == pytest.approx(expected, rel=0.25)


def test_weight_noise_follows_the_table_and_scales_with_strength() -> None:
    weight = torch.zeros(4, 50_001)
    weight[:, 1:] = 0.5
    weight[:, 0] = 2.0  # largest of its column: 0.5 is a quarter of it
    table = noise_table(HERMES_DEFAULT.device, t_s=DAY_S)
    for strength in (0.5, 2.0):
        noisy = add_weight_noise(weight, table, strength, generator=generator())
        sigma = float((noisy - weight)[:, 1:].std())
        expected = 2.0 * strength * float(table[64])
        assert sigma == pytest.approx(expected, rel=5 / math.sqrt(2 * 200_000))
        assert abs(float((noisy - weight)[:, 1:].mean())) < 5 * expected / math.sqrt(200_000)


def test_the_gradient_goes_to_the_clean_weights() -> None:
    weight = torch.ones(3, 5, requires_grad=True)
    table = noise_table(HERMES_DEFAULT.device, t_s=DAY_S)
    add_weight_noise(weight, table, 1.0, generator=generator()).sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones_like(weight))


def range_gradient(x: Tensor, bound: float, gradient: Tensor) -> tuple[float, Tensor]:
    x = x.clone().requires_grad_()
    limit = torch.tensor(bound, requires_grad=True)
    y = clip_to_range(x, limit)
    y.backward(gradient)  # type: ignore[no-untyped-call]
    assert torch.equal(y.detach(), x.detach().clamp(-bound, bound))
    assert x.grad is not None
    assert limit.grad is not None
    return float(limit.grad), x.grad


def test_the_range_grows_where_the_loss_wants_larger_inputs() -> None:
    x = torch.tensor([3.0, 3.0, -4.0, -4.0, 0.5])
    gradient = torch.tensor([-1.0, 2.0, 0.5, -3.0, 7.0])
    # Above: min(-1, 0) + min(2, 0) = -1; below: -max(0.5, 0) - max(-3, 0) = -0.5; relative: x 2.
    value, through = range_gradient(x, 2.0, gradient)
    assert value == pytest.approx(2.0 * (-1.0 - 0.5))
    assert torch.equal(through, gradient)  # straight through


def test_the_range_shrinks_slowly_while_nearly_everything_fits() -> None:
    x = torch.linspace(-1, 1, 100)
    value, _ = range_gradient(x, 2.0, torch.ones(100))
    assert value == pytest.approx(0.001 * 2.0)


def test_ranges_start_at_three_standard_deviations() -> None:
    analog = to_analog(nn.Linear(8, 4), HERMES_DEFAULT).train()
    recipe = HwaRecipe(range_batches=3)
    start_hwa_training(analog, recipe, generator=generator())
    seen = []
    for index in range(5):
        x = torch.empty(64, 8).normal_(0, 1 + index, generator=generator(f"x{index}"))
        analog(x)
        seen.append(3 * float(x.std()))
    _, layer = next(iter(analog_layers(analog)))
    assert float(layer.input_range.detach()) == pytest.approx(sum(seen[:3]) / 3, rel=1e-5)


def test_noise_ramps_up_with_progress() -> None:
    analog = to_analog(nn.Linear(64, 64, bias=False), HERMES_DEFAULT).train()
    start_hwa_training(analog, HwaRecipe(ramp_fraction=0.5), generator=generator())
    x = torch.empty(512, 64).normal_(generator=generator("x"))
    clean = analog.network(x)
    spread = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        analog.set_progress(progress)
        spread.append(float((analog(x) - clean).std().detach()))
    assert spread[1] == pytest.approx((spread[0] + spread[2]) / 2, rel=0.25)
    assert spread[0] < spread[1] < spread[2]
    assert spread[3] == pytest.approx(spread[2], rel=0.1)


def test_weights_are_clipped_to_their_standard_deviations() -> None:
    analog = to_analog(nn.Linear(100, 100), HERMES_DEFAULT)
    _, layer = next(iter(analog_layers(analog)))
    layer.digital.weight.data.normal_(generator=generator())
    before = layer.digital.weight.detach().clone()
    clip_weights_(analog, HwaRecipe(clip_sigma=None))
    assert torch.equal(layer.digital.weight, before)
    clip_weights_(analog, HwaRecipe(clip_sigma=1.5))
    bound = 1.5 * before.std()
    assert torch.equal(layer.digital.weight, before.clamp(-bound, bound))


def test_evaluation_mode_is_free_of_training_noise() -> None:
    analog = to_analog(nn.Linear(8, 4), HERMES_DEFAULT).train()
    start_hwa_training(analog, HwaRecipe(), generator=generator())
    x = torch.empty(16, 8).normal_(generator=generator("x"))
    analog(x)
    analog.eval()
    assert torch.equal(analog(x), analog.network(x))
