"""The matrices of a torch layer, how often a call uses each, and what the layer does besides.

Matrices have the names that `to_analog` gives them: "conv1", "lstm.weight_hh_l0", "attn.in_proj".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from analognas.simulator.chip.digital_work import DigitalWork
from analognas.simulator.mapping import LayerShape, layer_shape

INPUTS = ("query", "key", "value")  # of attention, in torch's order


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a layer: what went in and what came out."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Any

    def input(self, index: int, name: str) -> Any:
        return self.args[index] if index < len(self.args) else self.kwargs[name]


@dataclass(frozen=True, slots=True)
class CallWork:
    """What one call takes: matrix-vector multiplications and digital steps."""

    matrices: tuple[LayerShape, ...]
    digital: tuple[DigitalWork, ...] = ()


def matrix_names(name: str, module: nn.Module) -> Iterator[str]:
    """Names of all matrices of a module of a known kind."""
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        for weight, _ in _recurrent_weights(module):
            yield f"{name}.{weight}"
    elif isinstance(module, nn.MultiheadAttention):
        yield from (f"{name}.{part}" for part in (*_projections(module), "out_proj"))
    else:
        yield name


def work_of_call(kind: type[nn.Module], name: str, module: Any, call: Call) -> CallWork:
    """What a call of a module takes.

    Args:
        kind: One of `WORK`, as `known_kind` finds it.
        name: Of the module.
        module: Of this kind.
        call: Its inputs and output.
    """
    return WORK[kind](name, module, call)


def _plain(name: str, module: nn.Linear | nn.Conv2d, call: Call) -> CallWork:
    outputs = module.out_features if isinstance(module, nn.Linear) else module.out_channels
    return CallWork((layer_shape(name, module, mvms=call.output.numel() // outputs),))


def _recurrent(name: str, module: nn.RNNBase, call: Call) -> CallWork:
    """Every matrix meets every time step once."""
    given = call.input(0, "input")
    data: Tensor = given if isinstance(given, Tensor) else given.data  # a packed sequence
    steps = data.numel() // module.input_size
    matrices = _matrices(name, module, steps)
    values = steps * module.hidden_size * module.num_layers * (1 + module.bidirectional)
    return CallWork(matrices, _gates(name, module.mode, values))


def _cell(name: str, module: nn.RNNCellBase, call: Call) -> CallWork:
    steps = call.input(0, "input").numel() // module.input_size
    mode = type(module).__name__.removesuffix("Cell")
    if isinstance(module, nn.RNNCell):
        mode = f"RNN_{module.nonlinearity.upper()}"
    elif isinstance(module, nn.LSTMCell | nn.GRUCell):
        mode = "LSTM" if isinstance(module, nn.LSTMCell) else "GRU"
    return CallWork(_matrices(name, module, steps), _gates(name, mode, steps * module.hidden_size))


def _attention(name: str, module: nn.MultiheadAttention, call: Call) -> CallWork:
    """Projections on crossbars; scores, softmax and the weighted sum of values are digital.

    A tensor that is only one of queries, keys and values still goes through all of `in_proj`.
    """
    inputs = [call.input(index, part) for index, part in enumerate(INPUTS)]
    vectors = [x.numel() // x.shape[-1] for x in inputs]
    width = module.embed_dim
    if module._qkv_same_embed_dim:
        mvms = sum({id(x): count for x, count in zip(inputs, vectors, strict=True)}.values())
        matrices = [LayerShape(f"{name}.in_proj", "linear", width, 3 * width, mvms=mvms)]
    else:
        matrices = [
            LayerShape(f"{name}.{part}", "linear", x.shape[-1], width, mvms=count)
            for part, x, count in zip(_projections(module), inputs, vectors, strict=True)
        ]
    matrices.append(LayerShape(f"{name}.out_proj", "linear", width, width, mvms=vectors[0]))
    key = inputs[1]
    axis = 1 if module.batch_first and key.dim() == 3 else 0
    keys = key.shape[axis] + (module.bias_k is not None) + module.add_zero_attn
    scores = vectors[0] * keys
    return CallWork(
        tuple(matrices),
        (
            DigitalWork(name, "attention", 2 * scores * width),
            DigitalWork(name, "softmax", scores * module.num_heads),
        ),
    )


WORK: Mapping[type[nn.Module], Callable[[str, Any, Call], CallWork]] = {
    nn.Linear: _plain,
    nn.Conv1d: _plain,
    nn.Conv2d: _plain,
    nn.Conv3d: _plain,
    nn.ConvTranspose1d: _plain,
    nn.ConvTranspose2d: _plain,
    nn.ConvTranspose3d: _plain,
    nn.RNN: _recurrent,
    nn.LSTM: _recurrent,
    nn.GRU: _recurrent,
    nn.RNNCell: _cell,
    nn.LSTMCell: _cell,
    nn.GRUCell: _cell,
    nn.MultiheadAttention: _attention,
}


def _recurrent_weights(module: nn.Module) -> list[tuple[str, tuple[int, int]]]:
    return [
        (name, (weight.shape[0], weight.shape[1]))
        for name, weight in module.named_parameters(recurse=False)
        if name.startswith("weight_")
    ]


def _matrices(name: str, module: nn.Module, steps: int) -> tuple[LayerShape, ...]:
    return tuple(
        LayerShape(f"{name}.{weight}", "linear", rows, columns, mvms=steps)
        for weight, (columns, rows) in _recurrent_weights(module)
    )


def _gates(name: str, mode: str, values: int) -> tuple[DigitalWork, ...]:
    """Digital work for so many elements of new states."""
    if mode in ("LSTM", "GRU"):
        return (DigitalWork(name, mode.lower(), values),)
    activation = mode.removeprefix("RNN_").lower()
    return (DigitalWork(name, "add", values), DigitalWork(name, activation, values))


def _projections(module: nn.MultiheadAttention) -> tuple[str, ...]:
    return ("in_proj",) if module._qkv_same_embed_dim else ("q_proj", "k_proj", "v_proj")
