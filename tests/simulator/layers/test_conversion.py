"""What becomes analog, on which tiles, what does not, and what a user is told."""

import copy
import logging
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from analognas.simulator import (
    HERMES_DEFAULT,
    IDEAL,
    PCM_2019,
    HwaRecipe,
    analog_layers,
    noisy_training,
    program,
    spawn_generator,
    to_analog,
    to_digital,
)
from analognas.simulator.layers.conversion_rules import TWINS

LOGGER = "analognas.simulator.convert"


def generator(name: str = "conversion") -> torch.Generator:
    return spawn_generator(0, name)


class Branches(nn.Module):
    """Two branches of one kind, and a head whose name begins like a branch's."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        self.right = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        self.left_head = nn.Linear(4, 2)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.attention(*[(self.left(x) + self.right(x))[:, None]] * 3)[0]
        result: Tensor = self.left_head(y[:, 0])
        return result


def warnings_of(caplog: pytest.LogCaptureFixture, model: nn.Module, **more: Any) -> str:
    with caplog.at_level(logging.WARNING, logger=LOGGER):
        to_analog(model, IDEAL, **more)
    return caplog.text


# ------------------------------------------------------------------ rules


def test_layers_can_have_hardware_of_their_own() -> None:
    rules = {"left": HERMES_DEFAULT, "left.2": PCM_2019, "attention.out_proj": PCM_2019}
    analog = to_analog(Branches(), IDEAL, layer_hardware=rules)
    assert {name: layer.hardware.name for name, layer in analog_layers(analog)} == {
        "left.0": "hermes",
        "left.2": "pcm_2019",
        "right.0": "ideal",
        "right.2": "ideal",
        "left_head": "ideal",
        "attention.in_proj": "ideal",
        "attention.out_proj": "pcm_2019",
    }


def test_what_is_kept_digital_is_digital_whatever_its_hardware() -> None:
    analog = to_analog(
        Branches(), IDEAL, keep_digital=["left", "attention"], layer_hardware={"left.0": PCM_2019}
    )
    assert [name for name, _ in analog_layers(analog)] == ["right.0", "right.2", "left_head"]
    assert type(analog.network.get_submodule("attention")) is nn.MultiheadAttention


@pytest.mark.parametrize("name", ["lef", "left.0.digital", "attention.weight", "left.1.tiles"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="`layer_hardware` must name modules"):
        to_analog(Branches(), IDEAL, layer_hardware={name: PCM_2019})
    with pytest.raises(ValueError, match="`keep_digital` must name modules"):
        to_analog(Branches(), IDEAL, keep_digital=[name])


def test_chips_of_mixed_hardware_compute() -> None:
    model = Branches().eval()
    noisy = replace(HERMES_DEFAULT, converters=IDEAL.converters, compensation="none")
    x = torch.randn(5, 4, generator=generator())
    analog = to_analog(model, IDEAL, layer_hardware={"left_head": noisy})
    program(analog, chips=2, generator=generator())
    with torch.no_grad():
        torch.testing.assert_close(
            analog.network.get_submodule("left")(x), model.left(x), rtol=1e-5, atol=1e-5
        )
        y = analog(x)
    assert not torch.equal(y[0], y[1])


# ------------------------------------------------------------------ what stays digital


def test_modules_with_matrices_that_stay_digital_are_named(caplog: Any) -> None:
    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.Parameter(torch.zeros(3, 4, 5))
            self.token = nn.Parameter(torch.zeros(1, 1, 5))
            self.scale = nn.Parameter(torch.zeros(5, 1, 1))

    class Scaled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    model = nn.ModuleDict(
        {
            "fc": nn.Linear(4, 2),
            "bilinear": nn.Bilinear(3, 4, 5),
            "mixture": Mixture(),
            "scaled": Scaled(4, 2),
            "embedding": nn.Embedding(10, 4),
            "norm": nn.LayerNorm([3, 4]),
            "batch_norm": nn.BatchNorm1d(4),
            "lstm": nn.LSTM(3, 4),
            "attention": nn.MultiheadAttention(4, 2),
        }
    )
    text = warnings_of(caplog, model)
    for expected in (
        "Bilinear (weight) at bilinear",
        "Mixture (experts) at mixture",
        "Scaled (weight) at scaled.",
    ):
        assert expected in text
    for silent in ("fc", "embedding", "norm", "lstm", "attention", "token", "scale)"):
        assert silent not in text
    caplog.clear()
    assert warnings_of(caplog, model, keep_digital=["bilinear", "mixture", "scaled"]) == ""


def test_long_lists_are_shortened(caplog: Any) -> None:
    model = nn.Sequential(nn.Linear(3, 3), *[nn.Bilinear(3, 3, 3) for _ in range(8)])
    assert "Bilinear (weight) at 1, 2, 3, 4, 5 and 3 more." in warnings_of(caplog, model)


def test_weights_that_are_made_from_others_stay_digital(caplog: Any) -> None:
    parametrized = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    pruned = prune.l1_unstructured(nn.Linear(4, 3), "weight", amount=2)  # type: ignore[no-untyped-call]
    model = nn.Sequential(parametrized, pruned, nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"\['weight'\] of '1' \(Linear\).*prune.remove"):
        to_analog(model, IDEAL)
    pruned.weight = pruned.weight.detach()
    text = warnings_of(caplog, model)
    assert "at 0.parametrizations.weight" in text
    assert "Linear (weight_orig) at 1" in text
    assert [name for name, _ in analog_layers(to_analog(model, IDEAL))] == ["2"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_layers_stay_digital(caplog: Any) -> None:
    quantised = torch.ao.nn.quantized.Linear(4, 3)  # type: ignore[no-untyped-call]
    text = warnings_of(caplog, nn.Sequential(nn.Linear(4, 4), quantised))
    assert "Linear (weight) at 1" in text


@pytest.mark.parametrize(
    "lazy", [nn.LazyLinear(3), nn.LazyConv2d(3, 3), nn.Sequential(nn.LazyBatchNorm1d())]
)
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_lazy_modules_are_refused_with_the_remedy(lazy: nn.Module) -> None:
    model = nn.Sequential(nn.Linear(3, 3), lazy)
    with pytest.raises(ValueError, match=r"'1(\.0)?' is a Lazy.*one batch"):
        to_analog(model, IDEAL)


def test_a_lazy_module_that_has_seen_a_batch_is_an_ordinary_one() -> None:
    model = nn.Sequential(nn.LazyLinear(3))
    model(torch.zeros(2, 5))
    assert [name for name, _ in analog_layers(to_analog(model, IDEAL))] == ["0"]


def test_a_model_without_analog_layers_is_refused() -> None:
    for model, kept in ((nn.Embedding(3, 4), []), (Branches(), ["left", "right", "left_head"])):
        keep = [*kept, "attention"] if kept else []
        with pytest.raises(ValueError, match="it has none"):
            to_analog(model, IDEAL, keep_digital=keep)


# ------------------------------------------------------------------ shared parts


class Shared(nn.Module):
    """One layer under two names, and an output layer that shares the embedding's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.first = nn.Linear(4, 4)
        self.again = self.first
        self.output = nn.Linear(4, 7, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        result: Tensor = self.output(self.again(self.first(x).tanh()).tanh())
        return result


def test_a_layer_under_two_names_is_one_matrix() -> None:
    analog = to_analog(Shared(), IDEAL)
    assert [name for name, _ in analog_layers(analog)] == ["first", "output"]
    assert analog.network.get_submodule("again") is analog.network.get_submodule("first")


def test_a_layer_under_two_names_can_be_digital_under_one() -> None:
    network = to_analog(Shared(), IDEAL, keep_digital=["again"]).network
    assert type(network.get_submodule("again")) is nn.Linear
    assert network.get_submodule("first").weight is network.get_submodule("again").weight


@pytest.mark.parametrize("clip_inputs", [False, True])
def test_tied_weights_stay_tied(clip_inputs: bool) -> None:
    model = Shared()
    analog = to_analog(model, HERMES_DEFAULT)
    for network in (analog.network, copy.deepcopy(analog).network):
        output, embedding = network.get_submodule("output"), network.get_submodule("embedding")
        assert output.weight is embedding.weight
        assert embedding.weight is not model.embedding.weight
    back = to_digital(analog, clip_inputs=clip_inputs)
    assert back.get_submodule("output").weight is back.get_submodule("embedding").weight
    assert back.get_submodule("first") is back.get_submodule("again")
    assert back.state_dict().keys() == model.state_dict().keys()
    for name, value in back.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_a_layer_that_is_used_twice_can_be_trained() -> None:
    # Its input range moves between the two uses, and before the gradient is taken.
    model = Shared()
    analog = to_analog(model, HERMES_DEFAULT)
    tokens = torch.arange(7)
    before = model.first.weight.detach().clone()
    recipe = HwaRecipe(ramp_fraction=0.0, range_batches=100)
    with noisy_training(analog, recipe, generator=generator()) as session:
        optimizer = torch.optim.SGD(analog.parameters(), lr=0.1)
        for step in range(5):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(analog(tokens), tokens)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            session.step(progress=(step + 1) / 5)
    assert not torch.equal(to_digital(analog).state_dict()["first.weight"], before)
    program(analog, chips=2, generator=generator())
    with torch.no_grad():
        assert torch.isfinite(analog(tokens)).all()


# ------------------------------------------------------------------ the table of twins

EXAMPLES: dict[type[nn.Module], nn.Module] = {
    nn.Linear: nn.Linear(3, 4),
    nn.Conv1d: nn.Conv1d(3, 4, 2),
    nn.Conv2d: nn.Conv2d(3, 4, 2),
    nn.Conv3d: nn.Conv3d(3, 4, 2),
    nn.ConvTranspose1d: nn.ConvTranspose1d(3, 4, 2),
    nn.ConvTranspose2d: nn.ConvTranspose2d(3, 4, 2),
    nn.ConvTranspose3d: nn.ConvTranspose3d(3, 4, 2),
    nn.RNN: nn.RNN(3, 4),
    nn.LSTM: nn.LSTM(3, 4),
    nn.GRU: nn.GRU(3, 4),
    nn.RNNCell: nn.RNNCell(3, 4),
    nn.LSTMCell: nn.LSTMCell(3, 4),
    nn.GRUCell: nn.GRUCell(3, 4),
    nn.MultiheadAttention: nn.MultiheadAttention(4, 2),
}


@pytest.mark.parametrize("kind", TWINS)
def test_every_kind_comes_back_bit_for_bit(kind: type[nn.Module]) -> None:
    model = nn.ModuleDict({"part": EXAMPLES[kind], "head": nn.Linear(2, 2)})
    analog = to_analog(model, IDEAL)
    assert any(name.startswith("part") for name, _ in analog_layers(analog))
    back = to_digital(analog)
    assert type(back.get_submodule("part")) is kind
    assert back.state_dict().keys() == model.state_dict().keys()
    for name, value in back.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


@pytest.mark.parametrize("kind", TWINS)
def test_every_kind_can_be_kept_digital(kind: type[nn.Module]) -> None:
    model = nn.ModuleDict({"part": EXAMPLES[kind], "head": nn.Linear(2, 2)})
    analog = to_analog(model, IDEAL, keep_digital=["part"])
    assert [name for name, _ in analog_layers(analog)] == ["head"]
    assert type(analog.network.get_submodule("part")) is kind


@pytest.mark.parametrize("kind", TWINS)
def test_every_kind_moves_to_another_precision(kind: type[nn.Module]) -> None:
    model = nn.Sequential(EXAMPLES[kind])
    back = to_digital(to_analog(model, IDEAL).double())
    for name, value in back.state_dict().items():
        assert value.dtype == torch.float64
        assert torch.equal(value, model.state_dict()[name].double())
