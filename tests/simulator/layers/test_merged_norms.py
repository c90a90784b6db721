"""Batch norms that layers compute along: the same numbers, and only where nothing else listens."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator import (
    HARDWARE,
    HERMES_DEFAULT,
    calibrate_input_ranges,
    program,
    recalibrate_batch_norm,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.layers import AnalogModel
from analognas.simulator.layers.folding import Inputs
from analognas.simulator.layers.merged_norms import find_norms_after

IDEAL = HARDWARE["ideal"]
# Noise, and converters only at the inputs of the layers: rounding cannot jump at the outputs.
NOISY = replace(
    HERMES_DEFAULT, converters=replace(HERMES_DEFAULT.converters, dac_bits=None, adc_bits=None)
)


def randomised(network: nn.Module) -> nn.Module:
    """Give every batch norm statistics and weights as after training."""
    generator = spawn_generator(0, "norms")
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for values in (module.weight, module.running_var):
                assert values is not None
                values.data.uniform_(0.5, 2.0, generator=generator)
            for values in (module.bias, module.running_mean):
                assert values is not None
                values.data.normal_(generator=generator)
    return network.eval()


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.BatchNorm2d(8, affine=True),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(8 * 16, 6),
        nn.BatchNorm1d(6),
    )


def pictures(count: int = 5) -> Tensor:
    return torch.empty(count, 3, 6, 6).normal_(generator=spawn_generator(0, "pictures"))


def on_chips(network: nn.Module, hardware: object = NOISY, *, chips: int = 2) -> AnalogModel:
    analog = to_analog(network, hardware)  # type: ignore[arg-type]
    calibrate_input_ranges(analog, pictures())
    program(analog, chips=chips, generator=spawn_generator(0, "chips"))
    set_time(analog, t_s=3600.0, generator=spawn_generator(0, "time"))
    return analog


def pairs_of(network: nn.Module, x: Tensor) -> dict[str, str]:
    """Batch norms that would be merged, and the layers before them."""
    analog = to_analog(network, IDEAL).eval()
    found = find_norms_after(analog.network, Inputs((x,)))
    return {name: layer.name for name, (_, layer) in found.items()}


def apart(analog: AnalogModel, x: Tensor) -> Tensor:
    """The same reads with every batch norm on its own: one that is watched computes itself."""
    hooks = [
        module.register_forward_hook(lambda *_: None)
        for module in analog.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    set_time(analog, t_s=3600.0, generator=spawn_generator(0, "time"))
    y: Tensor = analog(x)
    for hook in hooks:
        hook.remove()
    set_time(analog, t_s=3600.0, generator=spawn_generator(0, "time"))
    return y


def test_ideal_chips_compute_the_digital_network() -> None:
    network = randomised(convolutional()).double()
    x = pictures().double()
    analog = to_analog(network, IDEAL)
    calibrate_input_ranges(analog, x)
    program(analog, chips=2, generator=spawn_generator(0, "chips"))
    expected = network(x).detach()
    assert float((analog(x) - expected).abs().max() / expected.abs().max()) < 1e-12


@pytest.mark.parametrize("at_once", [False, True])
def test_merged_or_apart_the_numbers_are_the_same(at_once: bool) -> None:
    analog = on_chips(randomised(convolutional()))
    analog.chips_at_once = at_once
    expected = apart(analog, pictures())
    assert len(find_norms_after(analog.network, Inputs((pictures(),)))) == 3
    torch.testing.assert_close(analog(pictures()), expected, rtol=1e-4, atol=1e-4)


def test_layers_split_over_rows_add_the_shift_once() -> None:
    small = replace(NOISY, tile=replace(NOISY.tile, rows=16, columns=5))
    analog = on_chips(randomised(convolutional()), small)
    expected = apart(analog, pictures())
    torch.testing.assert_close(analog(pictures()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("at_once", [False, True])
def test_chips_keep_their_own_statistics(at_once: bool) -> None:
    analog = on_chips(randomised(convolutional()))
    analog.chips_at_once = at_once
    before = analog(pictures())
    recalibrate_batch_norm(analog, [pictures(8)])
    expected = apart(analog, pictures())
    found = analog(pictures())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert float((found - before).abs().max()) > 0.1


def test_a_batch_norm_that_changes_is_followed() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    analog = on_chips(randomised(network), IDEAL, chips=1)
    first = analog(pictures())
    norm = analog.network[1]  # type: ignore[index]
    norm.weight.data.mul_(2.0)
    norm.bias.data.mul_(2.0)
    torch.testing.assert_close(analog(pictures()), 2.0 * first, rtol=1e-4, atol=1e-4)


def test_hooks_see_what_their_module_computes() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    analog = on_chips(randomised(network), IDEAL, chips=1)
    analog(pictures())
    seen: list[Tensor] = []
    layer = analog.network[0]  # type: ignore[index]
    hook = layer.register_forward_hook(lambda _, args, y: seen.append(y))
    y = analog(pictures())
    hook.remove()
    torch.testing.assert_close(seen[0], network[0](pictures()), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(analog(pictures()), y, rtol=1e-4, atol=1e-4)


def test_a_sequence_of_layer_and_norm_is_merged() -> None:
    network = randomised(convolutional())
    assert pairs_of(network, pictures()) == {"1": "0", "4": "3", "8": "7"}


class Listening(nn.Module):
    """Something else uses the output of the convolution, too."""

    def __init__(self, use: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.norm, self.use = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), use

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.use(self.norm(y), y)


@pytest.mark.parametrize(
    "use",
    [lambda normed, raw: normed + raw, lambda normed, raw: normed * raw.mean().sigmoid()],
    ids=["added", "gate"],
)
def test_outputs_with_other_listeners_are_left_alone(
    use: Callable[[Tensor, Tensor], Tensor],
) -> None:
    network = randomised(Listening(use))
    assert pairs_of(network, pictures()) == {}
    assert pairs_of(randomised(Listening(lambda normed, raw: normed)), pictures()) == {
        "norm": "conv"
    }
    analog = on_chips(network, IDEAL, chips=1)
    torch.testing.assert_close(analog(pictures())[0], network(pictures()), rtol=1e-4, atol=1e-4)


def test_one_listener_does_not_keep_the_others_apart() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        Listening(lambda normed, raw: normed + raw),
    )
    assert pairs_of(randomised(network), pictures()) == {"1": "0"}


class Shared(nn.Module):
    """One batch norm behind two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.second(self.norm(self.first(x))))
        return y


class Sequences(nn.Module):
    """Normalises time steps, of which there are as many as channels."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(6, 6), nn.BatchNorm1d(6)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.linear(x.flatten(1, 2)[:, :6]))
        return y


@pytest.mark.parametrize("make", [Shared, Sequences], ids=["shared", "time steps"])
def test_norms_of_something_else_are_left_alone(make: Callable[[], nn.Module]) -> None:
    network = randomised(make())
    assert pairs_of(network, pictures()) == {}
    analog = on_chips(network, IDEAL, chips=1)
    torch.testing.assert_close(analog(pictures())[0], network(pictures()), rtol=1e-4, atol=1e-4)
