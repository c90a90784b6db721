"""Multi-head attention as a twin, alone and inside of torch's transformer layers."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

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

# torch says so when a fused kernel of its own takes padded batches apart.
pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")

QUIET = HwaRecipe(weight_noise=0.0, output_noise=0.0, clip_sigma=None)
PRECISIONS = [
    pytest.param(torch.float64, 1e-12, id="float64"),
    pytest.param(torch.float32, 1e-5, id="float32"),
]
SMALL = replace(IDEAL, tile=TileConfig(rows=7, columns=5))
E, HEADS, BATCH, QUERIES, KEYS = 12, 4, 3, 5, 6
WIDTHS = {"separate": {"kdim": 7, "vdim": 10}}

LAYERS: dict[str, Callable[[], nn.MultiheadAttention]] = {
    "plain": lambda: nn.MultiheadAttention(E, HEADS),
    "batch first": lambda: nn.MultiheadAttention(E, HEADS, batch_first=True),
    "without bias": lambda: nn.MultiheadAttention(E, HEADS, bias=False, batch_first=True),
    "added keys": lambda: nn.MultiheadAttention(E, HEADS, add_bias_kv=True, add_zero_attn=True),
    "separate": lambda: nn.MultiheadAttention(E, HEADS, **WIDTHS["separate"], batch_first=True),
    "separate without bias": lambda: nn.MultiheadAttention(
        E, HEADS, kdim=7, vdim=7, bias=False, add_zero_attn=True
    ),
    "odd heads": lambda: nn.MultiheadAttention(E, 3, batch_first=True),
}
CAUSAL = torch.ones(QUERIES, KEYS, dtype=torch.bool).triu(2)
PADDING = torch.arange(KEYS).expand(BATCH, KEYS) >= torch.tensor([[6], [4], [2]])
MASKS: dict[str, dict[str, Any]] = {
    "no mask": {},
    "mask": {"attn_mask": CAUSAL},
    "causal": {"attn_mask": CAUSAL, "is_causal": False},
    "padding": {"key_padding_mask": PADDING},
    "additive": {"attn_mask": torch.linspace(-2, 2, QUERIES * KEYS).view(QUERIES, KEYS)},
    "both": {"attn_mask": CAUSAL, "key_padding_mask": PADDING},
}
WEIGHTS: list[dict[str, bool]] = [
    {"need_weights": False},
    {"need_weights": True},
    {"need_weights": True, "average_attn_weights": False},
]


def generator(name: str = "attention") -> torch.Generator:
    return spawn_generator(0, name)


def on_one_chip(model: nn.Module, hardware: Hardware = SMALL) -> nn.Module:
    analog = to_analog(model, hardware)
    program(analog, chips=1, generator=generator())
    twin: nn.Module = analog.network
    return twin


def query_key_value(layer: nn.MultiheadAttention, normal: Any, dtype: torch.dtype) -> list[Tensor]:
    shapes = [(QUERIES, E), (KEYS, layer.kdim), (KEYS, layer.vdim)]
    inputs: list[Tensor] = [
        normal(BATCH, times, width, dtype=dtype, name=str(index))
        for index, (times, width) in enumerate(shapes)
    ]
    return inputs if layer.batch_first else [x.transpose(0, 1) for x in inputs]


def options(mask: str, dtype: torch.dtype) -> dict[str, Any]:
    return {
        name: value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in MASKS[mask].items()
    }


# ------------------------------------------------------------------ the same numbers


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_ideal_crossbars_compute_the_layer(  # noqa: PLR0913
    kind: str,
    mask: str,
    dtype: torch.dtype,
    tolerance: float,
    filled: Any,
    normal: Any,
    assert_close: Any,
) -> None:
    layer = filled(LAYERS[kind]().to(dtype))
    twin = on_one_chip(layer)
    inputs = query_key_value(layer, normal, dtype)
    for weights in WEIGHTS:
        settings = options(mask, dtype) | weights
        with torch.no_grad():
            expected, actual = (
                layer(*inputs, **settings),
                twin.get_submodule("0")(*inputs, **settings),
            )
        assert_close(actual[0], expected[0], tolerance)
        assert (actual[1] is None) == (not weights["need_weights"])
        if actual[1] is not None:
            assert_close(actual[1], expected[1], tolerance)


@pytest.mark.parametrize("kind", [kind for kind in LAYERS if "separate" not in kind])
@pytest.mark.parametrize("shared", ["all", "keys and values", "queries and values"])
def test_inputs_that_are_one_tensor(
    kind: str, shared: str, filled: Any, normal: Any, assert_close: Any
) -> None:
    layer = filled(LAYERS[kind]().double())
    twin = on_one_chip(layer)
    one, other = normal(BATCH, QUERIES, E), normal(BATCH, QUERIES, E, name="other")
    inputs = {
        "all": (one, one, one),
        "keys and values": (one, other, other),
        "queries and values": (one, other, one),
    }[shared]
    with torch.no_grad():
        assert_close(twin.get_submodule("0")(*inputs)[0], layer(*inputs)[0], 1e-12)


def test_self_attention_reads_the_packed_projection_once(filled: Any, normal: Any) -> None:
    analog = to_analog(filled(LAYERS["plain"]().double()), IDEAL)
    reads: list[int] = []
    matrix = dict(analog_layers(analog))["0.in_proj"]
    matrix.register_forward_pre_hook(lambda *_: reads.append(1))
    x, memory = normal(5, 2, E), normal(6, 2, E, name="memory")
    for inputs, expected in (((x, x, x), 1), ((x, memory, memory), 2)):
        reads.clear()
        analog.network.get_submodule("0")(*inputs)
        assert len(reads) == expected


@pytest.mark.parametrize("kind", LAYERS)
def test_an_input_without_batch(kind: str, filled: Any, normal: Any, assert_close: Any) -> None:
    layer = filled(LAYERS[kind]().double())
    twin = on_one_chip(layer)
    inputs = [normal(QUERIES, E), normal(KEYS, layer.kdim), normal(KEYS, layer.vdim)]
    settings = {"key_padding_mask": PADDING[1], "attn_mask": CAUSAL}
    with torch.no_grad():
        expected = layer(*inputs, **settings)
        actual = twin.get_submodule("0")(*inputs, **settings)
    assert_close(actual[0], expected[0], 1e-12)
    assert_close(actual[1], expected[1], 1e-12)


def test_a_mask_per_head(filled: Any, normal: Any, assert_close: Any) -> None:
    layer = filled(LAYERS["batch first"]().double())
    twin = on_one_chip(layer)
    inputs = query_key_value(layer, normal, torch.float64)
    mask = normal(BATCH * HEADS, QUERIES, KEYS, name="mask")
    with torch.no_grad():
        for settings in WEIGHTS:
            expected = layer(*inputs, attn_mask=mask, **settings)
            actual = twin.get_submodule("0")(*inputs, attn_mask=mask, **settings)
            assert_close(actual[0], expected[0], 1e-12)


def test_impossible_calls_are_refused(normal: Any) -> None:
    twin = to_analog(LAYERS["batch first"](), IDEAL).network.get_submodule("0")
    x = normal(BATCH, QUERIES, E, dtype=torch.float32)
    with pytest.raises(ValueError, match="is_causal"):
        twin(x, x, x, is_causal=True)


# ------------------------------------------------------------------ training


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("need_weights", [True, False])
def test_training_without_noise_has_the_gradients_of_the_layer(
    kind: str, need_weights: bool, filled: Any, normal: Any, assert_close: Any
) -> None:
    layer = filled(LAYERS[kind]().double()).train()
    analog = to_analog(layer, SMALL)
    inputs = query_key_value(layer, normal, torch.float64)
    for x in inputs:
        x.requires_grad_()
    settings = {"need_weights": need_weights, "attn_mask": CAUSAL}

    def gradients(attention: nn.Module) -> list[Tensor]:
        y = attention(*inputs, **settings)[0]
        loss = (torch.arange(y.numel(), dtype=y.dtype).view_as(y).cos() * y).sum()
        parameters = [p for p in attention.parameters() if p.dim() > 0]
        found = list(torch.autograd.grad(loss, [*inputs, *parameters]))
        # The parameters come in another order; each is recognised by its shape and size.
        return found[:3] + sorted(found[3:], key=lambda g: (tuple(g.shape), float(g.abs().sum())))

    expected = gradients(layer)
    with noisy_training(analog, QUIET, generator=generator()):
        actual = gradients(analog.network.get_submodule("0"))
    for ours, theirs in zip(actual, expected, strict=True):
        assert_close(ours, theirs, 1e-12)


def test_dropout_acts_on_the_weights_in_training_alone(filled: Any, normal: Any) -> None:
    layer = filled(nn.MultiheadAttention(E, HEADS, dropout=1.0, bias=False, batch_first=True))
    analog = to_analog(layer, IDEAL)
    attention = analog.network.get_submodule("0")
    x = normal(BATCH, QUERIES, E, dtype=torch.float32)
    for need_weights in (True, False):
        with noisy_training(analog, QUIET, generator=generator()):
            assert attention(x, x, x, need_weights=need_weights)[0].abs().max() == 0
        analog.eval()
        assert attention(x, x, x, need_weights=need_weights)[0].abs().max() > 0


# ------------------------------------------------------------------ transformers


class Encoder(nn.Module):
    def __init__(self, **more: Any) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(E, HEADS, 20, dropout=0.0, batch_first=True, **more)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=not more)
        self.padding: Tensor | None = None
        self.mask: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.encoder(x, mask=self.mask, src_key_padding_mask=self.padding)
        return y


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerDecoderLayer(E, HEADS, 20, dropout=0.0, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, 2)
        self.memory = nn.Parameter(torch.zeros(1, KEYS, E), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)
        memory = self.memory.expand(len(x), -1, -1)
        y: Tensor = self.decoder(x, memory, tgt_mask=mask, tgt_is_causal=True)
        return y


MODELS: dict[str, Callable[[], nn.Module]] = {
    "encoder": Encoder,
    "norm first, gelu": lambda: Encoder(norm_first=True, activation="gelu"),
    "decoder": Decoder,
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_transformers_on_ideal_crossbars(
    kind: str,
    dtype: torch.dtype,
    tolerance: float,
    filled: Any,
    normal: Any,
    assert_close: Any,
) -> None:
    # Without gradients, torch's own layers would take a kernel that asks no submodule.
    model = filled(MODELS[kind]().to(dtype)).eval()
    analog = to_analog(model, SMALL)
    program(analog, chips=1, generator=generator())
    x = normal(BATCH, QUERIES, E, dtype=dtype)
    with torch.no_grad():
        assert_close(analog(x)[0], model(x), tolerance)


def spy(analog: AnalogModel) -> list[str]:
    """Names of the analog layers, as they are called."""
    called: list[str] = []
    for name, layer in analog_layers(analog):
        layer.register_forward_pre_hook(lambda *_, name=name: called.append(name))
    return called


@pytest.mark.parametrize("keep", [[], ["encoder.layers.0.self_attn", "encoder.layers.1.self_attn"]])
@pytest.mark.parametrize("padded", [True, False])
def test_no_fused_kernel_reads_past_the_crossbars(
    keep: list[str], padded: bool, filled: Any, normal: Any
) -> None:
    model = filled(Encoder()).eval()
    model.padding = PADDING[:, :QUERIES] if padded else None
    analog = to_analog(model, HERMES_DEFAULT, keep_digital=keep)
    for _, layer in analog_layers(analog):
        layer.input_range.data.fill_(3.0)
    program(analog, chips=2, generator=generator())
    x = normal(BATCH, QUERIES, E, dtype=torch.float32)
    with torch.no_grad():
        exact, y = model(x), analog(x)
    assert not torch.equal(y[0], y[1])
    for chip in y:
        seen = ~PADDING[:, :QUERIES] if padded else torch.ones(BATCH, QUERIES, dtype=torch.bool)
        error = (chip - exact)[seen].norm() / exact[seen].norm()
        assert 1e-3 < error < 0.5
    called = spy(analog)
    with torch.no_grad():
        analog(x)
    assert called == 2 * [name for name, _ in analog_layers(analog)]


def test_the_digital_copy_may_use_the_fused_kernels_again(filled: Any, normal: Any) -> None:
    model = filled(Encoder()).eval()
    model.padding = PADDING[:, :QUERIES]
    back = to_digital(to_analog(model, HERMES_DEFAULT))
    x = normal(BATCH, QUERIES, E, dtype=torch.float32)
    for name, module in model.named_modules():
        if isinstance(module, nn.TransformerEncoder | nn.TransformerEncoderLayer):
            assert vars(back.get_submodule(name)).keys() == vars(module).keys()
    with torch.no_grad():
        assert torch.equal(back(x), model(x))  # zeros at the padding: nested tensors
        assert back(x)[2, 2:].abs().max() == 0


def test_an_encoder_that_stays_digital_keeps_its_kernels(filled: Any) -> None:
    model = nn.Sequential(filled(Encoder()), nn.Linear(E, 2)).eval()
    analog = to_analog(model, IDEAL, keep_digital=["0"])
    encoder: Any = analog.network.get_submodule("0.encoder")
    assert encoder.use_nested_tensor is True
    assert encoder.layers[0].activation_relu_or_gelu == 1


def test_a_whole_transformer_learns_and_goes_onto_chips(filled: Any, normal: Any) -> None:
    model = filled(Encoder())
    analog = to_analog(model, HERMES_DEFAULT)
    x = normal(16, QUERIES, E, dtype=torch.float32)
    losses = []
    with noisy_training(analog, HwaRecipe(ramp_fraction=0.5), generator=generator()) as session:
        optimizer = torch.optim.Adam(analog.parameters(), lr=0.01)
        for step in range(25):
            optimizer.zero_grad()
            loss = (analog(x) - x.flip(1)).square().mean()
            loss.backward()
            optimizer.step()
            session.step(progress=(step + 1) / 25)
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    program(analog, chips=2, generator=generator())
    set_time(analog, t_s=86_400.0, generator=generator())
    with torch.no_grad():
        y = analog(x)
    assert torch.isfinite(y).all()
    assert not torch.equal(y[0], y[1])


# ------------------------------------------------------------------ there and back


@pytest.mark.parametrize("kind", LAYERS)
def test_the_layer_is_left_untouched_and_comes_back(kind: str, filled: Any) -> None:
    layer = filled(LAYERS[kind]())
    before = copy.deepcopy(layer.state_dict())
    analog = to_analog(layer, IDEAL)
    program(analog, chips=1, generator=generator())
    back = to_digital(analog).get_submodule("0")
    assert type(back) is type(layer)
    assert type(back.out_proj) is type(layer.out_proj)
    assert layer.state_dict().keys() == back.state_dict().keys() == before.keys()
    for name, value in back.state_dict().items():
        assert torch.equal(value, before[name])
        assert torch.equal(layer.state_dict()[name], before[name])
        assert value.data_ptr() != layer.state_dict()[name].data_ptr()


@pytest.mark.parametrize("kind", LAYERS)
def test_trained_weights_come_back(kind: str, filled: Any, normal: Any) -> None:
    layer = filled(LAYERS[kind]())
    analog = to_analog(layer, IDEAL)
    with torch.no_grad():
        for parameter in analog.parameters():
            parameter.add_(0.1)
    inputs = query_key_value(layer, normal, torch.float32)
    back = to_digital(analog).get_submodule("0")
    with torch.no_grad():
        twin = analog.network.get_submodule("0")(*inputs)[0]
        torch.testing.assert_close(back(*inputs)[0], twin)
        assert not torch.allclose(layer(*inputs)[0], twin, atol=0.01)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("plain", ["0.in_proj", "0.out_proj"]),
        ("separate", ["0.q_proj", "0.k_proj", "0.v_proj", "0.out_proj"]),
    ],
)
def test_the_chips_survive_a_state_dict(
    kind: str, names: list[str], filled: Any, normal: Any
) -> None:
    layer = filled(LAYERS[kind]())
    analog = to_analog(layer, HERMES_DEFAULT)
    assert [name for name, _ in analog_layers(analog)] == names
    for _, matrix in analog_layers(analog):
        matrix.input_range.data.fill_(2.0)
    program(analog, chips=2, generator=generator())
    other = to_analog(LAYERS[kind](), HERMES_DEFAULT)
    other.load_state_dict(analog.state_dict())
    for (_, ours), (_, theirs) in zip(analog_layers(analog), analog_layers(other), strict=True):
        for mine, yours in zip(ours.crossbar_tiles(), theirs.crossbar_tiles(), strict=True):
            assert torch.equal(mine.weight, yours.weight)
    for name, value in to_digital(other).state_dict().items():
        assert torch.equal(value, layer.state_dict()[name.removeprefix("0.")])


def test_ranges_of_a_transformer_are_calibrated(filled: Any, normal: Any) -> None:
    analog = to_analog(filled(Decoder()).eval(), HERMES_DEFAULT)
    calibrate_input_ranges(analog, normal(BATCH, QUERIES, E, dtype=torch.float32))
    assert all(torch.isfinite(layer.input_range) for _, layer in analog_layers(analog))


def test_single_projections_can_stay_digital(filled: Any, normal: Any) -> None:
    layer = filled(LAYERS["batch first"]())
    analog = to_analog(layer, HERMES_DEFAULT, keep_digital=["0.in_proj"])
    assert [name for name, _ in analog_layers(analog)] == ["0.out_proj"]
    analog = to_analog(nn.Sequential(layer), HERMES_DEFAULT, keep_digital=["0.out_proj"])
    assert [name for name, _ in analog_layers(analog)] == ["0.in_proj"]
    back = to_digital(analog).get_submodule("0")
    for name, value in back.state_dict().items():
        assert torch.equal(value, layer.state_dict()[name])
