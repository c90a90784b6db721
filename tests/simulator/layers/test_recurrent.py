"""LSTM, GRU and RNN, layers and cells, as twins."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

from analognas.simulator import (
    HERMES_DEFAULT,
    IDEAL,
    AnalogModel,
    Hardware,
    HwaRecipe,
    TileConfig,
    analog_layers,
    calibrate_input_ranges,
    noisy_training,
    program,
    set_time,
    spawn_generator,
    to_analog,
    to_digital,
)
from analognas.simulator.training import AdditiveNoise

QUIET = HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=None)
LOUD = HwaRecipe(
    noise=AdditiveNoise(sigma=0.1), ramp_fraction=0.0, clip_sigma=None, output_noise=0.0
)
# torch's own layer says so.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")

PRECISIONS = [
    pytest.param(torch.float64, 1e-12, id="float64"),
    pytest.param(torch.float32, 1e-5, id="float32"),
]
SMALL = replace(IDEAL, tile=TileConfig(rows=7, columns=5))
IN, HIDDEN, BATCH, TIMES = 6, 9, 4, 5

KINDS: dict[str, Callable[..., nn.Module]] = {
    "lstm": lambda **more: nn.LSTM(IN, HIDDEN, **more),
    "gru": lambda **more: nn.GRU(IN, HIDDEN, **more),
    "rnn tanh": lambda **more: nn.RNN(IN, HIDDEN, **more),
    "rnn relu": lambda **more: nn.RNN(IN, HIDDEN, nonlinearity="relu", **more),
}
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch first": {"batch_first": True},
    "without bias": {"bias": False},
    "bidirectional": {"bidirectional": True},
    "three layers, both ways": {"num_layers": 3, "bidirectional": True, "batch_first": True},
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    f"{kind}, {variant}": lambda make=make, options=options: make(**options)
    for kind, make in KINDS.items()
    for variant, options in VARIANTS.items()
} | {
    "lstm, projected": lambda: nn.LSTM(IN, HIDDEN, proj_size=4),
    "lstm, projected, two layers, both ways": lambda: nn.LSTM(
        IN, HIDDEN, num_layers=2, bidirectional=True, proj_size=4
    ),
    "lstm, all dropped between layers": lambda: nn.LSTM(IN, HIDDEN, num_layers=2, dropout=1.0),
}
CELLS: dict[str, Callable[[], nn.Module]] = {
    "lstm cell": lambda: nn.LSTMCell(IN, HIDDEN),
    "gru cell": lambda: nn.GRUCell(IN, HIDDEN),
    "rnn cell tanh": lambda: nn.RNNCell(IN, HIDDEN),
    "rnn cell relu": lambda: nn.RNNCell(IN, HIDDEN, nonlinearity="relu"),
    "gru cell without bias": lambda: nn.GRUCell(IN, HIDDEN, bias=False),
}


def generator(name: str = "recurrent") -> torch.Generator:
    return spawn_generator(0, name)


def ideal_twin(layer: nn.Module, hardware: Hardware = SMALL) -> nn.Module:
    """On one programmed chip, with the signature of the layer."""
    analog = to_analog(layer, hardware)
    program(analog, chips=1, generator=generator())
    twin: nn.Module = analog.network.get_submodule("0")
    return twin


def flat(result: Any) -> list[Tensor]:
    """All tensors of nested tuples, in order."""
    if isinstance(result, PackedSequence):
        return [result.data]
    if isinstance(result, Tensor):
        return [result]
    return [tensor for part in result for tensor in flat(part)]


def initial(layer: Any, normal: Any, batch: int, dtype: torch.dtype) -> Any:
    outer = layer.num_layers * (2 if layer.bidirectional else 1)
    h = normal(outer, batch, layer.proj_size or HIDDEN, dtype=dtype, name="h")
    return (h, normal(outer, batch, HIDDEN, dtype=dtype, name="c")) if layer.mode == "LSTM" else h


# ------------------------------------------------------------------ the same numbers


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_ideal_crossbars_compute_the_layer(
    kind: str, dtype: torch.dtype, tolerance: float, filled: Any, normal: Any, assert_close: Any
) -> None:
    layer: Any = filled(LAYERS[kind]().to(dtype)).eval()
    twin = ideal_twin(layer)
    x = normal(BATCH, TIMES, IN, dtype=dtype)
    batch = BATCH if layer.batch_first else TIMES
    with torch.no_grad():
        for hx in (None, initial(layer, normal, batch, dtype)):
            for ours, theirs in zip(flat(twin(x, hx)), flat(layer(x, hx)), strict=True):
                assert_close(ours, theirs, tolerance)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_sequence_without_batch(kind: str, filled: Any, normal: Any, assert_close: Any) -> None:
    layer: Any = filled(LAYERS[kind]().double()).eval()
    twin = ideal_twin(layer)
    x = normal(TIMES, IN)
    started = initial(layer, normal, 1, torch.float64)
    hx = tuple(h[:, 0] for h in started) if layer.mode == "LSTM" else started[:, 0]
    with torch.no_grad():
        for start in (None, hx):
            for ours, theirs in zip(flat(twin(x, start)), flat(layer(x, start)), strict=True):
                assert_close(ours, theirs, 1e-12)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("enforce_sorted", [True, False])
def test_packed_sequences(
    kind: str, enforce_sorted: bool, filled: Any, normal: Any, assert_close: Any
) -> None:
    layer: Any = filled(LAYERS[kind]().double()).eval()
    twin = ideal_twin(layer)
    lengths = [5, 4, 4, 1] if enforce_sorted else [2, 5, 1, 4]
    sequences = [normal(length, IN, name=str(index)) for index, length in enumerate(lengths)]
    packed = pack_sequence(sequences, enforce_sorted=enforce_sorted)
    with torch.no_grad():
        for hx in (None, initial(layer, normal, len(lengths), torch.float64)):
            ours, theirs = twin(packed, hx), layer(packed, hx)
            for actual, expected in zip(flat(ours), flat(theirs), strict=True):
                assert_close(actual, expected, 1e-12)
            padded, padded_lengths = pad_packed_sequence(ours[0])
            assert padded_lengths.tolist() == lengths
            assert_close(padded, pad_packed_sequence(theirs[0])[0], 1e-12)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_ideal_crossbars_compute_the_cell(
    kind: str, dtype: torch.dtype, tolerance: float, filled: Any, normal: Any, assert_close: Any
) -> None:
    cell = filled(CELLS[kind]().to(dtype))
    twin = ideal_twin(cell)
    for outer in ((BATCH,), ()):
        x, h = normal(*outer, IN, dtype=dtype), normal(*outer, HIDDEN, dtype=dtype, name="h")
        hx = (h, normal(*outer, HIDDEN, dtype=dtype, name="c")) if "lstm" in kind else h
        with torch.no_grad():
            for start in (None, hx):
                for ours, theirs in zip(flat(twin(x, start)), flat(cell(x, start)), strict=True):
                    assert_close(ours, theirs, tolerance)


# ------------------------------------------------------------------ training


def gradients(layer: nn.Module, inputs: list[Tensor], hx: Any) -> list[Tensor]:
    """Of a loss that weights every output differently, with respect to the inputs."""
    outputs = flat(layer(inputs[0], hx))
    loss = sum((torch.arange(y.numel(), dtype=y.dtype).view_as(y).cos() * y).sum() for y in outputs)
    assert isinstance(loss, Tensor)
    return list(torch.autograd.grad(loss, inputs))


@pytest.mark.parametrize("kind", [*LAYERS, *CELLS])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_training_without_noise_has_the_gradients_of_the_layer(
    kind: str, dtype: torch.dtype, tolerance: float, filled: Any, normal: Any, assert_close: Any
) -> None:
    is_cell = kind in CELLS
    layer: Any = filled((CELLS if is_cell else LAYERS)[kind]().to(dtype)).train()
    analog = to_analog(layer, SMALL)
    x = normal(BATCH, IN, dtype=dtype) if is_cell else normal(BATCH, TIMES, IN, dtype=dtype)
    if is_cell:
        h = normal(BATCH, HIDDEN, dtype=dtype, name="h")
        hx: Any = (h, h + 1) if "lstm" in kind else h
    else:
        hx = initial(layer, normal, BATCH if layer.batch_first else TIMES, dtype)
    for tensor in (x, *flat(hx)):
        tensor.requires_grad_()
    expected = gradients(layer, [x, *flat(hx), *layer.parameters()], hx)
    with noisy_training(analog, QUIET, generator=generator()):
        parameters = dict(analog.named_parameters())
        own = []
        for name, _ in layer.named_parameters():
            matrix, kind_of_parameter = name.replace("bias", "weight"), name.partition("_")[0]
            own.append(parameters[f"network.0.{matrix}.digital.{kind_of_parameter}"])
        actual = gradients(analog.network.get_submodule("0"), [x, *flat(hx), *own], hx)
    for ours, theirs in zip(actual, expected, strict=True):
        assert_close(ours, theirs, tolerance)


def memory() -> nn.Module:
    """`h_t = relu(0.9 h_(t-1) + 1)`: the weight of each step can be read off the outputs."""
    layer = nn.RNN(1, 1, nonlinearity="relu", batch_first=True)
    values = {"weight_ih_l0": 0.0, "bias_ih_l0": 1.0, "weight_hh_l0": 0.9, "bias_hh_l0": 0.0}
    for name, parameter in layer.named_parameters():
        parameter.data.fill_(values[name])
    return layer


def recurrent_weights(analog: AnalogModel) -> Tensor:
    """`(B, steps)`, the weights that the states were multiplied by."""
    states = analog(torch.zeros(3, 8, 1))[0].detach().squeeze(-1)
    weights: Tensor = (states[:, 1:] - 1) / states[:, :-1]
    return weights


@pytest.mark.parametrize("per_sample", [False, True])
def test_a_sequence_meets_the_same_cells_at_every_step(per_sample: bool) -> None:
    analog = to_analog(memory(), IDEAL)
    recipe = replace(LOUD, per_sample=per_sample)
    with noisy_training(analog, recipe, generator=generator()):
        first, second = recurrent_weights(analog), recurrent_weights(analog)
    for weights in (first, second):
        torch.testing.assert_close(weights, weights[:, :1].expand_as(weights))
        assert weights[0, 0] != 0.9
    assert abs(float(first[0, 0] - second[0, 0])) > 1e-3
    assert bool((first[0, 0] - first[1:, 0]).abs().min() > 1e-3) == per_sample


def test_the_input_range_of_the_state_follows_all_steps(filled: Any, normal: Any) -> None:
    layer = filled(nn.LSTM(IN, HIDDEN, batch_first=True, dtype=torch.float64))
    analog = to_analog(layer, HERMES_DEFAULT)
    recipe = replace(QUIET, range_batches=2)
    deviations = []
    with noisy_training(analog, recipe, generator=generator()):
        matrix = dict(analog_layers(analog))["0.weight_hh_l0"]
        for index in range(3):
            outputs = analog((1 + index) * normal(BATCH, TIMES, IN))[0]
            outputs.sum().backward()
            before = torch.zeros_like(outputs[:, :1])
            states = torch.cat([before, outputs.detach()[:, :-1]], dim=1)
            deviations.append(float(states.std()))
            first_two = deviations[:2]
            expected = 3 * sum(first_two) / len(first_two)
            assert float(matrix.input_range.detach()) == pytest.approx(expected, rel=1e-6)


def test_packed_sequences_train_with_noise_per_batch_only(filled: Any, normal: Any) -> None:
    analog = to_analog(filled(nn.GRU(IN, HIDDEN)), HERMES_DEFAULT)
    packed = pack_sequence([normal(n, IN, dtype=torch.float32) for n in (4, 2, 1)])
    with noisy_training(analog, LOUD, generator=generator()):
        analog.network(packed)[0].data.sum().backward()
        without = [name for name, p in analog.named_parameters() if p.grad is None]
        assert set(without) <= {"network.0.weight_ih_l0.input_range"}
    recipe = replace(LOUD, per_sample=True)
    with (
        noisy_training(analog, recipe, generator=generator()),
        pytest.raises(ValueError, match="per_sample"),
    ):
        analog.network(packed)


@pytest.mark.parametrize("kind", ["lstm, bidirectional", "gru, plain", "gru cell"])
def test_training_on_the_default_hardware_lowers_the_loss(
    kind: str, filled: Any, normal: Any
) -> None:
    make = LAYERS.get(kind) or CELLS[kind]
    layer = filled(make())
    analog = to_analog(layer, HERMES_DEFAULT)
    x = normal(16, 5, IN, dtype=torch.float32) if kind in LAYERS else normal(16, IN).float()
    losses = []
    with noisy_training(analog, HwaRecipe(ramp_fraction=0.5), generator=generator()) as session:
        optimizer = torch.optim.Adam(analog.parameters(), lr=0.02)
        for step in range(30):
            optimizer.zero_grad()
            y = flat(analog(x))[0]
            loss = (y[..., 0] - x[..., 0].tanh()).square().mean()
            loss.backward()
            optimizer.step()
            session.step(progress=(step + 1) / 30)
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


# ------------------------------------------------------------------ the whole way


class Tagger(nn.Module):
    """Embedding, two recurrent layers, a head: as a user writes it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, IN)
        self.lstm = nn.LSTM(IN, HIDDEN, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(2 * HIDDEN, HIDDEN, batch_first=True)
        self.cell = nn.GRUCell(HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        self.lstm.flatten_parameters()
        start = torch.zeros(2, len(tokens), self.lstm.hidden_size)
        y, _ = self.lstm(self.embedding(tokens), (start, start))
        _, h = self.gru(y)
        result: Tensor = self.head(self.cell(h[0]))
        return result


def tokens() -> Tensor:
    return torch.randint(0, 20, (BATCH, TIMES), generator=generator("tokens"))


def programmed_tagger(filled: Any) -> tuple[nn.Module, AnalogModel]:
    model = filled(Tagger())
    analog = to_analog(model, HERMES_DEFAULT)
    calibrate_input_ranges(analog, tokens())
    program(analog, chips=2, generator=generator())
    set_time(analog, t_s=86_400.0, generator=generator("later"))
    return model, analog


def test_a_tagger_goes_the_whole_way(filled: Any) -> None:
    model, analog = programmed_tagger(filled)
    assert [name for name, _ in analog_layers(analog)] == [
        "lstm.weight_ih_l0",
        "lstm.weight_hh_l0",
        "lstm.weight_ih_l0_reverse",
        "lstm.weight_hh_l0_reverse",
        "gru.weight_ih_l0",
        "gru.weight_hh_l0",
        "cell.weight_ih",
        "cell.weight_hh",
        "head",
    ]
    with torch.no_grad():
        expected, actual = model(tokens()), analog(tokens())
    assert actual.shape == (2, BATCH, 3)
    assert not torch.equal(actual[0], actual[1])
    error = (actual - expected).norm() / expected.norm() / 2**0.5
    assert 1e-3 < error < 0.5


def test_the_chips_survive_a_state_dict(filled: Any) -> None:
    _, analog = programmed_tagger(filled)
    other = to_analog(Tagger(), HERMES_DEFAULT)
    other.load_state_dict(analog.state_dict())
    for (_, ours), (_, theirs) in zip(analog_layers(analog), analog_layers(other), strict=True):
        for mine, yours in zip(ours.crossbar_tiles(), theirs.crossbar_tiles(), strict=True):
            assert torch.equal(mine.weight, yours.weight)
    for name, value in to_digital(other).state_dict().items():
        assert torch.equal(value, to_digital(analog).state_dict()[name])


@pytest.mark.parametrize("kind", [*LAYERS, *CELLS])
def test_the_layer_is_left_untouched_and_comes_back(kind: str, filled: Any) -> None:
    layer = filled((CELLS | LAYERS)[kind]())
    before = copy.deepcopy(layer.state_dict())
    analog = to_analog(layer, IDEAL)
    program(analog, chips=1, generator=generator())
    back = to_digital(analog).get_submodule("0")
    assert type(back) is type(layer)
    assert back.extra_repr() == layer.extra_repr()
    assert layer.state_dict().keys() == back.state_dict().keys() == before.keys()
    for name, value in back.state_dict().items():
        assert torch.equal(value, before[name])
        assert torch.equal(layer.state_dict()[name], before[name])
        assert value.data_ptr() != layer.state_dict()[name].data_ptr()


def test_trained_weights_come_back(filled: Any, normal: Any) -> None:
    layer = filled(nn.LSTM(IN, HIDDEN, batch_first=True))
    analog = to_analog(layer, IDEAL)
    with torch.no_grad():
        for parameter in analog.parameters():
            if parameter.dim() > 0:
                parameter.add_(0.1)
    x = normal(BATCH, TIMES, IN, dtype=torch.float32)
    with torch.no_grad():
        back = to_digital(analog).eval()
        torch.testing.assert_close(back(x)[0], analog.eval()(x)[0])
        assert not torch.allclose(back(x)[0], layer(x)[0], atol=0.01)


def test_a_digital_copy_with_clipped_inputs(filled: Any, normal: Any) -> None:
    layer = filled(nn.RNN(IN, HIDDEN, batch_first=True))
    analog = to_analog(layer, HERMES_DEFAULT)
    for name, matrix in analog_layers(analog):
        matrix.input_range.data.fill_(0.2 if name.endswith("ih_l0") else 100.0)
    x = normal(BATCH, TIMES, IN, dtype=torch.float32)
    with torch.no_grad():
        clipped = to_digital(analog, clip_inputs=True)(x)[0]
        torch.testing.assert_close(clipped, layer(x.clamp(-0.2, 0.2))[0])


def test_single_matrices_can_stay_digital_or_have_their_own_tiles() -> None:
    layer = nn.LSTM(IN, HIDDEN, num_layers=2)
    analog = to_analog(
        nn.Sequential(layer),
        IDEAL,
        keep_digital=["0.weight_ih_l0"],
        layer_hardware={"0": HERMES_DEFAULT, "0.weight_hh_l1": SMALL},
    )
    assert {name: layer.hardware.name for name, layer in analog_layers(analog)} == {
        "0.weight_hh_l0": "hermes",
        "0.weight_ih_l1": "hermes",
        "0.weight_hh_l1": SMALL.name,
    }
    assert dict(analog_layers(analog))["0.weight_hh_l1"].hardware == SMALL


def test_wrong_shapes_are_refused(normal: Any) -> None:
    twin = to_analog(nn.LSTM(IN, HIDDEN), IDEAL).network.get_submodule("0")
    x = normal(TIMES, BATCH, IN, dtype=torch.float32)
    with pytest.raises(ValueError, match="3 dimensions"):
        twin(x[None])
    h = torch.zeros(1, 1, HIDDEN)
    with pytest.raises(ValueError, match="initial states"):
        twin(x, (h, h))
    cell = to_analog(nn.GRUCell(IN, HIDDEN), IDEAL).network.get_submodule("0")
    with pytest.raises(ValueError, match="2 dimensions"):
        cell(x)
    with pytest.raises(ValueError, match="must have shape"):
        cell(x[0], h[0])
