"""Operators of an exported graph that multiply by weights, as torch modules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from analognas.deploying.constant_values import ConstantValues

CONVOLUTIONS: Mapping[tuple[int, bool], type[nn.Module]] = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
    (3, True): nn.ConvTranspose3d,
}
NORMS: Mapping[int, type[nn.Module]] = {
    2: nn.BatchNorm1d,
    3: nn.BatchNorm1d,
    4: nn.BatchNorm2d,
    5: nn.BatchNorm3d,
}
RECURRENT = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
CELLS = {
    "lstm_cell": nn.LSTMCell,
    "gru_cell": nn.GRUCell,
    "rnn_tanh_cell": nn.RNNCell,
    "rnn_relu_cell": nn.RNNCell,
}


@dataclass(frozen=True, eq=False)
class Made:
    """A module that replaces a node.

    Args:
        module: With the weights of the graph.
        inputs: Arguments of the call.
        weights: Nodes of the weights, the matrix first; the module is named after it.
        result: "tensor"; "states" of a recurrent layer `(y, (h, c))`, which the graph has flat; or
            "first" of several, of which the graph uses the first alone.
    """

    module: nn.Module
    inputs: tuple[Any, ...]
    weights: tuple[fx.Node, ...]
    result: str = "tensor"


def make_module(node: fx.Node, values: ConstantValues) -> Made | None:
    """Make the module for a node; None if it has no constant matrix that a module could take."""
    maker = MAKERS.get(operator_name(node))
    return None if maker is None else maker(node, values, _arguments(node))


def operator_name(node: fx.Node) -> str:
    """`conv2d` for `aten.conv2d.default`; an empty text for what is not torch's own."""
    if isinstance(node.target, torch._ops.OpOverload) and node.target.namespace == "aten":
        return str(node.target._schema.name).removeprefix("aten::")
    return ""


def _arguments(node: fx.Node) -> dict[str, Any]:
    """All arguments of a call by their names in the operator's schema."""
    assert isinstance(node.target, torch._ops.OpOverload)
    schema = node.target._schema.arguments
    given = {argument.name: argument.default_value for argument in schema}
    given.update({one.name: value for one, value in zip(schema, node.args, strict=False)})
    given.update(node.kwargs)
    return given


def _linear(node: fx.Node, values: ConstantValues, given: dict[str, Any]) -> Made | None:
    return _make_linear(given["input"], given["weight"], given["bias"], values, transposed=False)


def _product(node: fx.Node, values: ConstantValues, given: dict[str, Any]) -> Made | None:
    left = given.get("self")
    right = given.get("mat2", given.get("other"))
    if values.is_constant(left):
        return None
    return _make_linear(left, right, None, values, transposed=True)


def _product_of_batches(
    node: fx.Node, values: ConstantValues, given: dict[str, Any]
) -> Made | None:
    """A linear layer of inputs `(A, B, I)`, taken apart: one matrix, repeated A times."""
    right = given["mat2"]
    if not isinstance(right, fx.Node) or values.is_constant(given["self"]):
        return None
    size = tuple(right.meta["val"].shape[-2:])
    while isinstance(right, fx.Node) and operator_name(right) in ("expand", "view", "_unsafe_view"):
        right = right.args[0]
    matrix = values.tensor(right)
    if matrix is None or tuple(matrix.shape[-2:]) != size or matrix.numel() != math.prod(size):
        return None
    matrix = matrix.reshape(size)
    layer = nn.Linear(size[0], size[1], bias=False, device="meta")
    _give(layer, {"weight": matrix.t()})
    return Made(layer, (given["self"],), _nodes(right))


def _sum_of_product(node: fx.Node, values: ConstantValues, given: dict[str, Any]) -> Made | None:
    bias = values.tensor(given["self"])
    if (given["alpha"], given["beta"]) != (1, 1) or bias is None or bias.dim() != 1:
        return None
    if values.is_constant(given["mat1"]):
        return None
    return _make_linear(given["mat1"], given["mat2"], given["self"], values, transposed=True)


def _make_linear(
    x: Any, weight_node: Any, bias_node: Any, values: ConstantValues, *, transposed: bool
) -> Made | None:
    weight = values.tensor(weight_node)
    bias = None if bias_node is None else values.tensor(bias_node)
    if weight is None or weight.dim() != 2 or (bias_node is not None and bias is None):
        return None
    if values.is_constant(x):
        return None
    weight = weight.t() if transposed else weight
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    _give(layer, {"weight": weight, "bias": bias})
    return Made(layer, (x,), _nodes(weight_node, bias_node))


def _convolution(node: fx.Node, values: ConstantValues, given: dict[str, Any]) -> Made | None:
    weight, bias = values.tensor(given["weight"]), values.tensor(given["bias"])
    if weight is None or (given["bias"] is not None and bias is None):
        return None
    axes, groups = weight.dim() - 2, given["groups"]
    transposed = given.get("transposed", "transpose" in operator_name(node))
    settings: dict[str, Any] = {
        name: value if isinstance(value, str) else tuple(value) * (axes if len(value) == 1 else 1)
        for name in ("stride", "padding", "dilation")
        for value in (given[name],)
    }
    channels = (weight.shape[1] * groups, weight.shape[0])
    if transposed:
        output = tuple(given["output_padding"])
        settings["output_padding"] = output * (axes if len(output) == 1 else 1)
        channels = (weight.shape[0], weight.shape[1] * groups)
    layer = CONVOLUTIONS[axes, transposed](
        *channels,
        tuple(weight.shape[2:]),
        groups=groups,
        bias=bias is not None,
        device="meta",
        **settings,
    )
    _give(layer, {"weight": weight, "bias": bias})
    return Made(layer, (given["input"],), _nodes(given["weight"], given["bias"]))


def _recurrent(node: fx.Node, values: ConstantValues, given: dict[str, Any]) -> Made | None:
    if "params" not in given or "input" not in given:
        return None  # packed sequences
    weights = [values.tensor(one) for one in given["params"]]
    if any(one is None for one in weights):
        return None
    name = operator_name(node)
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[RECURRENT[name]]
    on_input, on_state = weights[0], weights[1]
    assert on_input is not None
    assert on_state is not None
    hidden = on_state.shape[0] // gates
    kind: Any = getattr(nn, RECURRENT[name])
    settings: dict[str, Any] = {
        "num_layers": given["num_layers"],
        "bias": given["has_biases"],
        "batch_first": given["batch_first"],
        "bidirectional": given["bidirectional"],
        "device": "meta",
    }
    if name == "rnn_relu":
        settings["nonlinearity"] = "relu"
    if on_state.shape[1] != hidden:
        settings["proj_size"] = on_state.shape[1]
    layer = kind(on_input.shape[1], hidden, **settings)
    names = [one for of_layer in layer._all_weights for one in of_layer]
    _give(layer, dict(zip(names, weights, strict=True)))
    layer.flatten_parameters()
    states = given["hx"]
    start = tuple(states) if isinstance(states, Sequence) else states
    return Made(layer, (given["input"], start), tuple(given["params"]), "states")


def _cell(node: fx.Node, values: ConstantValues, given: dict[str, Any]) -> Made | None:
    names = ("w_ih", "w_hh", "b_ih", "b_hh")
    weights = [values.tensor(given[name]) for name in names]
    on_input, on_state = weights[0], weights[1]
    if on_input is None or on_state is None or (weights[2] is None) != (weights[3] is None):
        return None
    settings: dict[str, Any] = {"bias": weights[2] is not None, "device": "meta"}
    if operator_name(node) == "rnn_relu_cell":
        settings["nonlinearity"] = "relu"
    layer = CELLS[operator_name(node)](on_input.shape[1], on_state.shape[1], **settings)
    _give(
        layer,
        dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True)),
    )
    state = given["hx"]
    start = tuple(state) if isinstance(state, Sequence) else state
    return Made(layer, (given["input"], start), _nodes(*(given[name] for name in names)))


def _batch_norm(node: fx.Node, values: ConstantValues, given: dict[str, Any]) -> Made | None:
    mean, variance = values.tensor(given["running_mean"]), values.tensor(given["running_var"])
    shape = node.args[0].meta["val"].shape if isinstance(node.args[0], fx.Node) else ()
    if mean is None or variance is None or len(shape) not in NORMS:
        return None
    weight, bias = values.tensor(given["weight"]), values.tensor(given["bias"])
    if weight is None and bias is None:
        layer = NORMS[len(shape)](len(mean), eps=given["eps"], affine=False)
    else:
        layer = NORMS[len(shape)](len(mean), eps=given["eps"])
        weight = torch.ones_like(mean) if weight is None else weight
        bias = torch.zeros_like(mean) if bias is None else bias
        _give(layer, {"weight": weight, "bias": bias})
    layer.register_buffer("running_mean", mean.detach().clone())
    layer.register_buffer("running_var", variance.detach().clone())
    named_after = given["weight"] if given["weight"] is not None else given["running_mean"]
    several = operator_name(node) != "batch_norm"
    return Made(layer, (given["input"],), (named_after,), "first" if several else "tensor")


def _give(layer: nn.Module, tensors: Mapping[str, Tensor | None]) -> None:
    """Set parameters that were made without memory."""
    for name, tensor in tensors.items():
        if tensor is not None:
            setattr(layer, name, nn.Parameter(tensor.detach().clone(), requires_grad=False))


def _nodes(*arguments: Any) -> tuple[fx.Node, ...]:
    return tuple(one for one in arguments if isinstance(one, fx.Node))


Maker = Callable[[fx.Node, ConstantValues, dict[str, Any]], Made | None]
MAKERS: Mapping[str, Maker] = {
    "linear": _linear,
    "mm": _product,
    "matmul": _product,
    "bmm": _product_of_batches,
    "addmm": _sum_of_product,
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv3d": _convolution,
    "conv_transpose1d": _convolution,
    "conv_transpose2d": _convolution,
    "conv_transpose3d": _convolution,
    "convolution": _convolution,
    **dict.fromkeys(RECURRENT, _recurrent),
    **dict.fromkeys(CELLS, _cell),
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
}
# Operators that multiply matrices: weights in one of them that is not in `MAKERS`, or in a form
# that no module has, cannot be put on a crossbar.
PRODUCTS = frozenset(
    (
        *MAKERS,
        *("baddbmm", "addbmm", "mv", "addmv", "einsum", "tensordot", "bilinear", "inner"),
        *("outer", "kron", "chain_matmul", "linalg_multi_dot", "conv_tbc", "_trilinear", "dot"),
    )
)
