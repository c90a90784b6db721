import copy
import warnings
from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.nn.utils.parametrizations import weight_norm

from analognas.simulator import IDEAL, analog_layers, hardware_with, to_analog
from analognas.simulator.chip import (
    DIGITAL_KINDS,
    ChipSpec,
    DigitalWork,
    place,
    trace_layers,
    trace_network,
)
from analognas.simulator.chip.matrix_work import WORK
from analognas.simulator.layers.conversion_rules import TWINS


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


def test_the_model_is_left_as_it_was() -> None:
    model = Branches().train()
    model.norm.eval()
    before = copy.deepcopy(model.state_dict())
    trace_layers(model, (2, 9, 6))
    assert model.training
    assert not model.norm.training
    assert model.dropout.training
    assert all(not module._forward_hooks for module in model.modules())
    assert all(not module._forward_pre_hooks for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled()
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


class Sequence3(nn.Module):
    """Runs a recurrent layer or attention on a sequence; calls a cell at every step."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.part, nn.MultiheadAttention):
            y: Tensor = self.part(x, x, x)[0]
        elif isinstance(self.part, nn.RNNCellBase):
            state = None
            for step in x.unbind(1):
                state = self.part(step, state)
            y = state[0] if isinstance(state, tuple) else state  # type: ignore[assignment]
        elif isinstance(self.part, nn.RNNBase):
            y = self.part(x)[0]
        else:
            y = self.part(x)
        return y


PARTS = {
    "conv1d": nn.Conv1d(5, 4, 3, groups=1),
    "lstm": nn.LSTM(4, 3, num_layers=2, bidirectional=True, batch_first=True),
    "gru": nn.GRU(4, 3, batch_first=True),
    "rnn": nn.RNN(4, 3, batch_first=True, nonlinearity="relu"),
    "lstm cell": nn.LSTMCell(4, 3),
    "gru cell": nn.GRUCell(4, 3),
    "rnn cell": nn.RNNCell(4, 3),
    "attention": nn.MultiheadAttention(4, 2, batch_first=True),
    "wide attention": nn.MultiheadAttention(4, 2, batch_first=True, kdim=4, vdim=4),
    "transformer": nn.TransformerEncoderLayer(4, 2, 9, batch_first=True),
    "transposed": nn.ConvTranspose1d(5, 4, 3, stride=2),
}


def test_every_kind_that_becomes_analog_is_known() -> None:
    assert set(WORK) == set(TWINS)


@pytest.mark.parametrize("name", PARTS)
def test_matrices_are_those_of_the_analog_twin_and_lie_on_its_tiles(
    make_chip: Callable[..., ChipSpec], name: str
) -> None:
    model = Sequence3(PARTS[name])
    hardware = hardware_with(IDEAL, {"tile.rows": "5", "tile.columns": "4"})
    analog = dict(analog_layers(to_analog(model, hardware)))
    layers = trace_layers(model, (5, 4))
    assert [layer.name for layer in layers] == list(analog)
    chip = make_chip(5, 4, cores=200)
    placement = place(model, (5, 4), chip)
    assert placement.layers == layers
    for layer_name, blocks in placement.blocks().items():
        assert blocks == [tile.block for tile in analog[layer_name].tiles]
    assert {work.kind for work in placement.digital} <= set(DIGITAL_KINDS)


@pytest.mark.parametrize("convolution", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_convolution_is_used_at_every_output_position(
    convolution: type[nn.Conv1d], transposed: bool
) -> None:
    dims = int(convolution.__name__[4])
    kind = getattr(nn, f"ConvTranspose{dims}d") if transposed else convolution
    model = kind(4, 6, 3, stride=2, groups=2)
    (layer,) = trace_layers(nn.Sequential(model), (4, *[7] * dims))
    assert layer.kind == f"conv{'_transpose' if transposed else ''}{dims}d"
    assert layer.mvms == (15 if transposed else 3) ** dims
    assert (layer.rows, layer.columns, layer.weights) == (4 * 3**dims, 6, 4 * 6 * 3**dims // 2)


def test_a_lone_layer_has_the_name_that_its_twin_has() -> None:
    model = nn.LSTM(4, 3)
    names = [name for name, _ in analog_layers(to_analog(model, IDEAL))]
    assert [layer.name for layer in trace_layers(model, (5, 4))] == names


def test_recurrent_matrices_meet_every_step_and_gates_are_digital() -> None:
    trace = trace_network(Sequence3(PARTS["lstm"]), (5, 4))
    assert {layer.mvms for layer in trace.layers} == {5}
    assert trace.digital == (DigitalWork("part", "lstm", 5 * 3 * 4),)
    plain = trace_network(Sequence3(PARTS["rnn"]), (5, 4))
    assert plain.digital == (DigitalWork("part", "add", 15), DigitalWork("part", "relu", 15))
    assert trace_network(Sequence3(PARTS["gru cell"]), (5, 4)).digital == (
        DigitalWork("part", "gru", 15),
    )


class Cross(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True, add_zero_attn=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.attn(query=x[:, :2], key=x, value=x)[0]
        return y


def test_attention_projects_every_distinct_input_and_multiplies_activations_digitally() -> None:
    trace = trace_network(Cross(), (5, 8))
    assert [(layer.name, layer.mvms) for layer in trace.layers] == [
        ("attn.in_proj", 2 + 5),
        ("attn.out_proj", 2),
    ]
    assert trace.digital == (
        DigitalWork("attn", "attention", 2 * 2 * 6 * 8),
        DigitalWork("attn", "softmax", 2 * 2 * 6),
    )


class Residual(nn.Module):
    """Modules and functions of most kinds of digital work."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.folded = nn.BatchNorm2d(4)
        self.kept = nn.BatchNorm2d(4)
        self.late = nn.BatchNorm2d(4)
        self.gate = nn.Conv2d(4, 4, 1)
        self.norm = nn.RMSNorm(6)
        self.own = nn.Parameter(torch.zeros(5, 16))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.folded(self.conv(x)))
        x = F.max_pool2d(self.kept(x), 2) + 1
        x = self.late(F.relu(self.gate(x), inplace=True)) * torch.sigmoid(x)
        x = F.silu(F.interpolate(x, scale_factor=2))
        x = F.adaptive_avg_pool2d(self.norm(x), 2)
        return F.linear(x.flatten(1), self.own).softmax(-1)


def test_digital_work_is_found_in_modules_and_functions() -> None:
    digital = trace_network(Residual(), (2, 6, 6)).digital
    assert digital == (
        DigitalWork("relu", "relu", 4 * 36 + 4 * 9),
        DigitalWork("kept", "normalisation", 4 * 36),
        DigitalWork("max_pool2d_with_indices", "max_pool", 4 * 9),
        DigitalWork("add", "add", 4 * 9),
        DigitalWork("late", "normalisation", 4 * 9),
        DigitalWork("sigmoid", "sigmoid", 4 * 9),
        DigitalWork("mul", "multiply", 4 * 9),
        DigitalWork("silu", "activation", 4 * 36),
        DigitalWork("norm", "normalisation", 4 * 36),
        DigitalWork("adaptive_avg_pool2d", "pooling", 4 * 4),
        DigitalWork("own", "matrix", 5 * 16),
        DigitalWork("softmax", "softmax", 5),
    )


def test_names_kept_digital_are_those_of_to_analog() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(1, 2), nn.GRU(4, 2, batch_first=True)
    )
    kept: Sequence[str] = ("0", "3.weight_hh_l0")
    trace = trace_network(model, (1, 6, 6), keep_digital=kept)
    analog = to_analog(model, IDEAL, keep_digital=kept)
    assert [layer.name for layer in trace.layers] == [name for name, _ in analog_layers(analog)]
    assert trace.digital == (
        DigitalWork("0", "matrix", 16 * 9 * 4),
        DigitalWork("3.weight_hh_l0", "matrix", 16 * 2 * 6),
        DigitalWork("3", "gru", 16 * 2),
    )
    for name in ("conv", "3.weight_hh_l1", "3.weight"):
        with pytest.raises(ValueError, match="`keep_digital` must name modules of the model"):
            trace_network(model, (1, 6, 6), keep_digital=[name])


class Plain(nn.Linear):
    """A linear layer by another name."""


class Standardised(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight - self.weight.mean(1, keepdim=True), self.bias)


def test_what_cannot_be_placed_is_a_matrix_kept_digital() -> None:
    model = nn.Sequential(Plain(8, 6), Standardised(6, 5), weight_norm(nn.Linear(5, 4)))
    trace = trace_network(model, (8,))
    assert [layer.name for layer in trace.layers] == ["0"]
    assert trace.digital == (DigitalWork("1", "matrix", 30), DigitalWork("2", "matrix", 20))


class Scores(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x)


def test_products_of_activations_are_attention() -> None:
    digital = trace_network(Scores(), (2, 5, 6)).digital  # heads, steps, values
    assert [(work.kind, work.operations) for work in digital] == [
        ("attention", 2 * 5 * 5 * (6 + 6)),
        ("softmax", 2 * 5 * 5),
    ]


def test_an_embedding_gets_integers_and_is_digital() -> None:
    trace = trace_network(nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3)), (7,))
    assert [(layer.name, layer.mvms) for layer in trace.layers] == [("1", 7)]
    assert trace.digital == (DigitalWork("0", "embedding", 28),)


def test_a_tensor_program_is_looked_at_in_inference_mode_too() -> None:
    class Inference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own = nn.Parameter(torch.zeros(3, 4))

        @torch.inference_mode()
        def forward(self, x: Tensor) -> Tensor:
            return F.linear(x, self.own).relu()

    kinds = [work.kind for work in trace_network(Inference(), (4,)).digital]
    assert kinds == ["matrix", "relu"]


def test_pruned_and_compiled_models_are_refused() -> None:
    pruned = nn.Sequential(nn.Linear(4, 4))
    prune.random_unstructured(pruned[0], "weight", 0.5)  # type: ignore[no-untyped-call]
    with pytest.raises(ValueError, match="Weights must be parameters"):
        trace_network(pruned, (4,))
    with pytest.raises(ValueError, match="shape before it becomes analog"):
        trace_network(nn.Sequential(nn.LazyLinear(4)), (4,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.jit.script(nn.Sequential(nn.Linear(4, 4)))
    with pytest.raises(ValueError, match="compiled to TorchScript"):
        trace_network(compiled, (4,))
