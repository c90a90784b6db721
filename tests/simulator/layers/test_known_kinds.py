"""Subclasses of torch's layers: analog if they compute the same, for `to_analog` and for a chip."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from analognas.simulator import IDEAL, analog_layers, spawn_generator, to_analog, to_digital
from analognas.simulator.chip import trace_network
from analognas.simulator.layers.conversion_rules import TWINS, kind_with_matrices


class Tagged(nn.Linear):
    """Computes what a linear layer computes, and has something to say besides."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.tag = "kept"

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, tag={self.tag}"


class Twice(Tagged):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class SameConv(nn.Conv2d):
    """A convolution by another name."""


class Padded(nn.Conv2d):
    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y: Tensor = super()._conv_forward(input.abs(), weight, bias)
        return y


class Attention(nn.MultiheadAttention):
    """Attention by another name."""


class ScaledAttention(nn.MultiheadAttention):
    def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        y, weights = super().forward(*args, **kwargs)
        return 2 * y, weights


class Gates(nn.GRU):
    """Recurrent by another name."""


class Model(nn.Module):
    def __init__(self, conv: nn.Module, linear: nn.Module) -> None:
        super().__init__()
        self.conv = conv
        self.linear = linear
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.linear(self.conv(x).mean((-2, -1))))
        return y


def fixed(module: nn.Module) -> nn.Module:
    """The same forward, but put on the module itself."""
    module.forward = module.forward
    return module


def symmetric(module: nn.Module) -> nn.Module:
    parametrize.register_parametrization(module, "weight", nn.Tanh())
    return module


KNOWN = [
    (Tagged(3, 4), nn.Linear),
    (SameConv(3, 4, 2), nn.Conv2d),
    (Gates(3, 4), nn.GRU),
    (Attention(4, 2), nn.MultiheadAttention),
]
FOREIGN: list[Callable[[], nn.Module]] = [
    lambda: Twice(3, 4),
    lambda: Padded(3, 4, 2),
    lambda: ScaledAttention(4, 2),
    lambda: fixed(nn.Linear(3, 4)),
    lambda: symmetric(nn.Linear(3, 4)),
    lambda: nn.Embedding(3, 4),
    lambda: nn.MultiheadAttention(4, 2).out_proj,
]


@pytest.mark.parametrize("kind", TWINS)
def test_every_torch_layer_is_its_own_kind(kind: type[nn.Module]) -> None:
    sizes = (4, 2, 1) if issubclass(kind, nn.modules.conv._ConvNd) else (4, 2)
    assert kind_with_matrices(kind(*sizes)) is kind


@pytest.mark.parametrize(
    ("module", "kind"), KNOWN, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_subclass_that_overrides_nothing_is_of_its_kind(
    module: nn.Module, kind: type[nn.Module]
) -> None:
    assert kind_with_matrices(module) is kind


@pytest.mark.parametrize("make", FOREIGN)
def test_who_computes_something_else_is_of_no_kind(make: Callable[[], nn.Module]) -> None:
    assert kind_with_matrices(make()) is None


def test_subclasses_become_analog_and_come_back() -> None:
    model = Model(SameConv(1, 3, 2, padding=1), Tagged(3, 4)).double().eval()
    x = torch.empty(5, 1, 6, 6).double().normal_(generator=spawn_generator(0, "x"))
    analog = to_analog(model, IDEAL)
    assert [name for name, _ in analog_layers(analog)] == ["conv", "linear", "head"]
    torch.testing.assert_close(analog(x), model(x))
    back = to_digital(analog)
    linear = back.get_submodule("linear")
    assert type(linear) is Tagged
    assert linear.tag == "kept"
    assert type(back.get_submodule("conv")) is SameConv
    assert torch.equal(back(x), model(x))


@pytest.mark.parametrize("part", [Gates(3, 4), Attention(4, 2)], ids=["recurrent", "attention"])
def test_subclasses_of_several_matrices_come_back(part: nn.Module) -> None:
    model = nn.ModuleDict({"part": part})
    analog = to_analog(model, IDEAL)
    assert len(list(analog_layers(analog))) == 2
    back = to_digital(analog).get_submodule("part")
    assert type(back) is type(part)
    assert all(torch.equal(p, q) for p, q in zip(back.parameters(), part.parameters(), strict=True))


@pytest.mark.parametrize("name", ["conv", "linear"])
def test_an_override_stays_digital_and_is_named(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = Model(SameConv(1, 3, 2), Tagged(3, 4))
    model.set_submodule(name, Padded(1, 3, 2) if name == "conv" else Twice(3, 4))
    analog = to_analog(model, IDEAL)
    assert name not in [layer for layer, _ in analog_layers(analog)]
    assert f"{type(model.get_submodule(name)).__name__} (weight" in caplog.text


def test_overridden_attention_keeps_its_last_matrix() -> None:
    model = nn.ModuleDict({"part": ScaledAttention(4, 2), "head": nn.Linear(4, 2)})
    analog = to_analog(copy.deepcopy(model), IDEAL)
    assert [name for name, _ in analog_layers(analog)] == ["head"]


def test_a_chip_places_what_becomes_analog() -> None:
    model = Model(SameConv(1, 3, 2), Twice(3, 4))
    trace = trace_network(model, (1, 6, 6))
    assert [shape.name for shape in trace.layers] == [
        name for name, _ in analog_layers(to_analog(model, IDEAL))
    ]
    assert trace.layers[0].kind == "conv2d"
