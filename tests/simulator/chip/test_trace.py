import copy

import pytest
import torch
from torch import Tensor, nn

from analognas.simulator.chip import trace_layers


class Branches(nn.Module):
    """Executes its layers in another order than it declares them, one of them twice."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.shared = nn.Conv2d(6, 6, 3, padding=1, groups=6)
        self.unused = nn.Linear(5, 5)
        self.stem = nn.Conv2d(2, 6, (4, 2), stride=2, padding=(2, 1), padding_mode="circular")
        self.norm = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(self.norm(self.stem(x)))
        x = self.shared(self.shared(x).relu())
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits


def test_layers_come_in_the_order_of_execution_with_their_mvms() -> None:
    layers = trace_layers(Branches(), (2, 9, 6))
    assert [layer.name for layer in layers] == ["stem", "shared", "head"]
    assert [layer.mvms for layer in layers] == [5 * 4, 2 * 5 * 4, 1]
    assert [(layer.rows, layer.columns) for layer in layers] == [(16, 6), (54, 6), (6, 3)]
    assert [layer.groups for layer in layers] == [1, 6, 1]
    assert [layer.kind for layer in layers] == ["conv2d", "conv2d", "linear"]


def test_a_linear_layer_over_a_sequence_is_used_at_every_position() -> None:
    (layer,) = trace_layers(nn.Sequential(nn.Linear(4, 7)), (11, 4))
    assert layer.mvms == 11


def test_other_kinds_of_layers_are_digital() -> None:
    model = nn.Sequential(nn.Conv1d(3, 4, 3), nn.ConvTranspose1d(4, 4, 3), nn.Linear(10, 2))
    assert [layer.name for layer in trace_layers(model, (3, 10))] == ["2"]


def test_the_model_is_left_as_it_was() -> None:
    model = Branches().train()
    model.norm.eval()
    before = copy.deepcopy(model.state_dict())
    trace_layers(model, (2, 9, 6))
    assert model.training
    assert not model.norm.training
    assert model.dropout.training
    assert all(not module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_model_in_double_precision_is_traced() -> None:
    assert len(trace_layers(Branches().double(), (2, 9, 6))) == 3


def test_a_model_on_the_meta_device_is_traced() -> None:
    assert len(trace_layers(Branches().to("meta"), (2, 9, 6))) == 3


def test_an_input_that_the_model_does_not_take_is_refused_and_the_model_left_as_it_was() -> None:
    model = Branches().train()
    with pytest.raises(ValueError, match=r"must accept one input of shape \(3, 9, 6\)"):
        trace_layers(model, (3, 9, 6))
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("shape", [(), (1, 0, 10), (1, -1, 10)])
def test_an_impossible_input_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="`input_shape` must hold the positive sizes"):
        trace_layers(Branches(), shape)
