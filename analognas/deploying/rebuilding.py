"""Turn an exported program back into a module whose matrices are layers that can be analog.

An exported program is a flat graph: `aten.linear(x, weight, bias)` where the model had a
`nn.Linear`. Every operator with constant weights becomes the module of that kind again, under the
name that its weights have; all other operators stay as they are, digital.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from analognas.deploying.constant_values import ConstantValues
from analognas.deploying.graph_checks import (
    SHOWN,
    find_ends,
    refuse_mutations,
    refuse_unsupported,
    shown,
)
from analognas.deploying.matrix_nodes import PRODUCTS, Made, make_module, operator_name
from analognas.errors import UserError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

TOLERANCE = 1e-3  # of the largest output, between the program and what was rebuilt


@dataclass(frozen=True, eq=False)
class RebuiltModel:
    """A module that computes what an exported program does.

    Args:
        network: Takes one batch, gives one tensor with the batch in front.
        input_shape: Of one input.
        batch: Inputs of a call; None if any number will do.
        sample_inputs: That were stored with the program.
    """

    network: nn.Module
    input_shape: tuple[int, ...]
    batch: int | None
    sample_inputs: Tensor | None


def rebuild(program: ExportedProgram, *, keep_digital: Sequence[str] = ()) -> RebuiltModel:
    """Make a module of an exported program.

    Args:
        program: Exported in evaluation mode, with one tensor in and one out.
        keep_digital: Names of weights or modules that may stay in operators that cannot be analog.

    Raises:
        UserError: An operator is not supported, or the program does not map one batch to one
            output.
    """
    module = program.module(check_guards=False)
    assert isinstance(module, fx.GraphModule)
    graph = module.graph
    refuse_mutations(program, module)
    x, y = find_ends(graph)
    refuse_unsupported(graph)
    graph.set_codegen(fx.graph.CodeGen())
    graph.output_node().args = (y,)
    for node in list(graph.nodes):  # shapes that were promised; other batch sizes are welcome
        if not node.users and node.op == "call_function":
            name = getattr(node.target, "__name__", "")
            if name.startswith(("_assert", "sym_constrain")):
                graph.erase_node(node)
    _replace_products(module, keep_digital)
    graph.eliminate_dead_code()
    graph.lint()
    network = fx.GraphModule(module, graph)
    network.requires_grad_(False)
    network.eval()
    first = x.meta["val"].shape[0]
    samples = _sample_inputs(program)
    rebuilt = RebuiltModel(
        network,
        tuple(int(size) for size in x.meta["val"].shape[1:]),
        first if isinstance(first, int) else None,
        samples,
    )
    _check_agreement(program, rebuilt)
    return rebuilt


def _replace_products(module: fx.GraphModule, keep_digital: Sequence[str]) -> None:
    graph = module.graph
    values = ConstantValues(module)
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    made: dict[tuple[Any, ...], str] = {}  # the same weights used twice are one matrix
    left: dict[str, set[str]] = {}
    for node in list(graph.nodes):
        if node.op != "call_function" or operator_name(node) not in PRODUCTS:
            continue
        new = make_module(node, values)
        if new is None:
            for name in _weights_of(node, values, parameters):
                if not _is_kept(name, keep_digital):
                    left.setdefault(str(node.target), set()).add(name)
            continue
        key = (*new.weights, repr(new.module))
        if key not in made:
            made[key] = _add(module, new, values)
        _substitute(graph, node, new, made[key])
    if left:
        operators = "; ".join(f"{shown(names)} in {name}" for name, names in sorted(left.items()))
        names = sorted(name for found in left.values() for name in found)
        raise UserError(
            f"These weights are used by operators that cannot be put on a chip: {operators}. "
            "Write them as linear, convolutional or recurrent layers, or leave them to the digital "
            f"part: {' '.join(f'--keep-digital {name}' for name in names[:SHOWN])}."
        )


def _weights_of(node: fx.Node, values: ConstantValues, parameters: set[str]) -> list[str]:
    """Trained matrices among the inputs of an operator."""
    found = []
    for other in node.all_input_nodes:
        tensor = values.tensor(other)
        if tensor is not None and tensor.dim() > 1:
            found += [name for name in values.sources(other) if name in parameters]
    return found


def _is_kept(name: str, keep_digital: Sequence[str]) -> bool:
    return any(name == kept or name.startswith(f"{kept}.") for kept in keep_digital)


def _add(module: fx.GraphModule, new: Made, values: ConstantValues) -> str:
    """Put a layer where its weights are, or beside, and return its name."""
    source = values.sources(new.weights[0])[0]
    owner, _, last = source.rpartition(".")
    stem = last.split("_l0")[0].removesuffix("weight_ih").removesuffix("weight")
    stem = stem.removesuffix("running_mean").strip("_")
    wanted = f"{owner}.{stem}".strip(".") or type(new.module).__name__.lower()
    name, number = wanted, 1
    while not _is_free(module, name):
        name = f"{wanted}_layer" if number == 1 else f"{wanted}_layer_{number}"
        number += 1
    before = module.get_submodule(name) if _has(module, name) else None
    if before is not None:  # other operators may still read weights from this place
        for key, tensor in [*before.named_parameters(), *before.named_buffers()]:
            if "." not in key and not hasattr(new.module, key):
                new.module.register_buffer(key, tensor)
    parent, _, last = name.rpartition(".")
    owner_module = module.get_submodule(parent) if _has(module, parent) else None
    if owner_module is None:
        module.add_submodule(name, new.module)
    else:
        setattr(owner_module, last, new.module)
    return name


def _has(module: nn.Module, name: str) -> bool:
    try:
        module.get_submodule(name)
    except AttributeError:
        return False
    return True


def _is_free(module: nn.Module, name: str) -> bool:
    """Whether a layer may have this name: it is unused, or that of a mere holder of weights."""
    if _has(module, name):
        found = module.get_submodule(name)
        return type(found) is nn.Module and not any(found.children())
    parent, _, last = name.rpartition(".")
    return not (_has(module, parent) and hasattr(module.get_submodule(parent), last))


def _substitute(graph: fx.Graph, node: fx.Node, new: Made, name: str) -> None:
    """Call the layer in the place of an operator."""
    with graph.inserting_before(node):
        call = graph.call_module(name, new.inputs)
        call.meta = dict(node.meta)
        if new.result == "tensor":
            node.replace_all_uses_with(call)
            graph.erase_node(node)
            return
        for user in list(node.users):
            assert user.target is operator.getitem
            place = user.args[1]
            assert isinstance(place, int)
            taken = _part(graph, call, new, place)
            user.replace_all_uses_with(taken)
            graph.erase_node(user)
    graph.erase_node(node)


def _part(graph: fx.Graph, call: fx.Node, new: Made, place: int) -> fx.Node:
    """One of the results that an operator gives side by side."""
    if new.result == "first":
        return call
    outer = graph.call_function(operator.getitem, (call, min(place, 1)))
    if place == 0 or not isinstance(new.module, nn.LSTM):
        return outer
    return graph.call_function(operator.getitem, (outer, place - 1))


def _sample_inputs(program: ExportedProgram) -> Tensor | None:
    """The tensor that was exported with, if it is stored and finite."""
    stored = torch.utils._pytree.tree_leaves(program.example_inputs)
    tensors = [one for one in stored if isinstance(one, Tensor)]
    if len(tensors) != 1 or not bool(tensors[0].isfinite().all()):
        return None
    return tensors[0].detach()


@torch.no_grad()
def _check_agreement(program: ExportedProgram, rebuilt: RebuiltModel) -> None:
    """Compare with the program itself on its own inputs."""
    x = rebuilt.sample_inputs
    if x is None:
        return
    expected = torch.utils._pytree.tree_leaves(program.module(check_guards=False)(x))[0]
    difference = (rebuilt.network(x) - expected).abs().max()
    if not bool(difference <= TOLERANCE * expected.abs().max().clamp_min(1e-6)):
        raise RuntimeError(f"The rebuilt network differs from the program by {difference:.1e}.")
