"""Exported programs become modules again whose matrices can be analog."""

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from analognas.deploying.placing_source import trace
from analognas.deploying.rebuilding import RebuiltModel, rebuild
from analognas.errors import UserError
from analognas.simulator import HERMES_DEFAULT, analog_layers, to_analog


def exported(
    model: nn.Module, x: Tensor, *, dynamic: bool = True, decomposed: bool = False
) -> torch.export.ExportedProgram:
    shapes = ({0: torch.export.Dim.AUTO},) if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (x,), dynamic_shapes=shapes)
        return program.run_decompositions() if decomposed else program


def weighted(model: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


class Recurrent(nn.Module):
    def __init__(self, kind: Any, **settings: Any) -> None:
        super().__init__()
        self.rnn = kind(4, 6, batch_first=True, **settings)
        width = settings.get("proj_size", 6) * (2 if settings.get("bidirectional") else 1)
        self.out = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs, states = self.rnn(x)
        last = states[1] if isinstance(states, tuple) else states
        y: Tensor = self.out(outputs[:, -1]) + last.mean()
        return y


class Cell(nn.Module):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.cell = kind(4, 6)
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], state)
        assert state is not None
        y: Tensor = self.out(state[0] if isinstance(state, tuple) else state)
        return y


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(4, 2, batch_first=True)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(self.attend(x, x, x, need_weights=False)[0].mean(dim=1))
        return y


class Functional(nn.Module):
    """Weights without modules of their own, one of them used twice, one scaled before its use."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(4, 5))
        self.square = nn.Parameter(torch.empty(5, 5))
        self.bias = nn.Parameter(torch.empty(5))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.addmm(self.bias, x.mean(dim=1), self.w)
        x = torch.relu(x @ self.square) @ self.square
        return nn.functional.linear(x, 2 * self.square)


class Embedded(nn.Module):
    """The output layer has the weights of the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(7, 4)
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(self.words(x).mean(dim=1))
        return y


def sequential(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))


MODELS: dict[str, tuple[Any, Tensor, list[str]]] = {
    "lstm": (lambda: Recurrent(nn.LSTM), random(5, 7, 4), ["rnn.weight_ih_l0", "rnn.weight_hh_l0"]),
    "bidirectional": (
        lambda: Recurrent(nn.LSTM, bidirectional=True, num_layers=2),
        random(5, 7, 4),
        ["rnn.weight_hh_l1_reverse"],
    ),
    "projected": (lambda: Recurrent(nn.LSTM, proj_size=2), random(5, 7, 4), ["rnn.weight_hr_l0"]),
    "gru": (lambda: Recurrent(nn.GRU, bias=False), random(5, 7, 4), ["rnn.weight_hh_l0"]),
    "rnn": (lambda: Recurrent(nn.RNN, nonlinearity="relu"), random(5, 7, 4), ["rnn.weight_ih_l0"]),
    "lstm cell": (lambda: Cell(nn.LSTMCell), random(5, 3, 4), ["cell.weight_ih", "cell.weight_hh"]),
    "gru cell": (lambda: Cell(nn.GRUCell), random(5, 3, 4), ["cell.weight_ih"]),
    "attention": (Attention, random(5, 7, 4), ["attend.in_proj", "attend.out_proj", "out"]),
    "functional": (Functional, random(5, 7, 4), ["w_layer", "square_layer"]),
    "tied": (Embedded, torch.arange(15).reshape(5, 3) % 7, []),
    "transposed": (
        lambda: nn.Sequential(nn.ConvTranspose2d(2, 4, 3, stride=2, groups=2), nn.Flatten()),
        random(5, 2, 4, 4),
        ["0"],
    ),
    "same": (
        lambda: nn.Sequential(nn.Conv1d(4, 6, 3, padding="same", groups=2), nn.Flatten()),
        random(5, 4, 7),
        ["0"],
    ),
    "alone": (lambda: nn.Linear(4, 3), random(5, 4), []),
}


def model_of(name: str) -> tuple[nn.Module, Tensor, list[str]]:
    make, x, names = MODELS[name]
    return weighted(make()), x, names


def same(rebuilt: RebuiltModel, model: nn.Module, x: Tensor) -> bool:
    with torch.no_grad():
        return torch.allclose(rebuilt.network(x), model(x), atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_a_rebuilt_model_computes_the_same_for_other_inputs(name: str) -> None:
    model, x, _ = model_of(name)
    rebuilt = rebuild(exported(model, x))
    assert rebuilt.batch is None
    assert rebuilt.input_shape == tuple(x.shape[1:])
    assert same(rebuilt, model, x.flip(0)[:3])


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tied"])
def test_matrices_keep_their_names_and_shapes(name: str) -> None:
    model, x, names = model_of(name)
    rebuilt = rebuild(exported(model, x))
    found = trace(rebuilt.network, rebuilt.input_shape, batch=rebuilt.batch)
    assert set(names) <= {layer.name for layer in found.layers}
    if name not in ("functional", "alone"):
        before = trace(model, tuple(x.shape[1:]), batch=None)
        weights = sorted((layer.rows, layer.columns, layer.mvms) for layer in before.layers)
        assert sorted((one.rows, one.columns, one.mvms) for one in found.layers) == weights


@pytest.mark.parametrize("name", ["functional", "attention", "lstm cell", "transposed", "same"])
def test_a_decomposed_program_is_rebuilt_as_well(name: str) -> None:
    model, x, _ = model_of(name)
    rebuilt = rebuild(exported(model, x, decomposed=True))
    assert same(rebuilt, model, x)
    assert dict(analog_layers(to_analog(rebuilt.network, HERMES_DEFAULT)))


def test_weights_that_are_used_twice_are_one_matrix() -> None:
    model, x, _ = model_of("functional")
    rebuilt = rebuild(exported(model, x))
    found = trace(rebuilt.network, rebuilt.input_shape, batch=None)
    assert {layer.name: layer.mvms for layer in found.layers} == {
        "w_layer": 1,
        "square_layer": 2,
        "square_layer_2": 1,  # the scaled one
    }


def test_batch_norms_come_back() -> None:
    model = weighted(nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten()))
    for decomposed in (False, True):
        rebuilt = rebuild(exported(model, random(4, 1, 6, 6), decomposed=decomposed))
        assert [type(one) for one in rebuilt.network.modules()].count(nn.BatchNorm2d) == 1


def test_a_program_for_a_fixed_batch_tells_so_and_costs_per_inference() -> None:
    model, x, _ = model_of("attention")
    rebuilt = rebuild(exported(model, x, dynamic=False))
    assert rebuilt.batch == len(x)
    free = rebuild(exported(model, x))
    fixed = trace(rebuilt.network, rebuilt.input_shape, batch=rebuilt.batch)
    assert fixed.layers == trace(free.network, free.input_shape, batch=None).layers


class Einsum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.zeros(3, 4, 5))
        self.out = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.out(torch.einsum("bti,tio->bo", x, self.mix))
        return y


def test_weights_in_other_products_are_refused_by_name() -> None:
    program = exported(weighted(Einsum()), random(5, 3, 4))
    with pytest.raises(UserError, match=r"mix in aten.*--keep-digital mix"):
        rebuild(program)
    kept = rebuild(program, keep_digital=["mix"])
    assert [layer.name for layer in trace(kept.network, (3, 4), batch=None).layers] == ["out"]


class Two(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, x * 2


class Branch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))
        return y


class Counts(nn.Module):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls.add_(1)
        return x + self.calls


class TimeFirst(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Two(), "1 inputs and 2 outputs"),
        (Branch(), "cond.*branches"),
        (Counts(), "calls"),
        (TimeFirst(), "batch as their first axis"),
        (nn.Sequential(nn.Linear(4, 4), nn.Dropout()).train(), r"dropout.*model.eval"),
    ],
)
def test_what_is_not_supported_is_named(model: nn.Module, message: str) -> None:
    program = exported(model, random(5, 3, 4), dynamic=not isinstance(model, TimeFirst))
    with pytest.raises(UserError, match=message):
        rebuild(program)
