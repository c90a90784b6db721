"""Exported graphs that cannot be deployed are told apart here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from analognas.deploying.constant_values import ConstantValues, changes_its_input
from analognas.errors import UserError

SHOWN = 5  # names in a message
NAMESPACES = ("aten", "prims")
TRAINING_FLAGS = ("training", "train")


def refuse_mutations(program: ExportedProgram, module: fx.GraphModule) -> None:
    """Refuse a program that changes its own state.

    Raises:
        UserError: It does.
    """
    signature = program.graph_signature
    changed = [*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()]
    values = ConstantValues(module)
    for node in module.graph.nodes:
        if changes_its_input(node) and values.is_constant(node.args[0]):
            changed += values.sources(node.args[0])
    if changed:
        raise UserError(
            "An exported program must leave its state as it is, but this one changes "
            f"{', '.join(changed[:SHOWN])}. Export `model.eval()`."
        )


def find_ends(graph: fx.Graph) -> tuple[fx.Node, fx.Node]:
    """The one input and the one output, both with the batch as first axis."""
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    for node in [node for node in inputs if not node.users]:
        inputs.remove(node)
        graph.erase_node(node)
    outputs: list[Any] = torch.utils._pytree.tree_leaves(graph.output_node().args)
    if len(inputs) != 1 or len(outputs) != 1 or not isinstance(outputs[0], fx.Node):
        raise UserError(
            "An exported program must map one tensor to one tensor, but this one has "
            f"{len(inputs)} inputs and {len(outputs)} outputs. Export a module that does."
        )
    x, y = inputs[0], outputs[0]
    shapes: list[tuple[Any, ...]] = [
        tuple(getattr(node.meta.get("val"), "shape", ())) for node in (x, y)
    ]
    if any(len(shape) < 2 for shape in shapes) or str(shapes[0][0]) != str(shapes[1][0]):
        raise UserError(
            "Input and output of an exported program must have the batch as their first axis, but "
            f"their shapes are {shapes[0]} and {shapes[1]}. Export a module that "
            "takes `(batch, ...)` and gives `(batch, outputs)`."
        )
    if any(not isinstance(size, int) for size in shapes[0][1:]):
        raise UserError(
            f"Only the batch of an exported program may vary, but its input is {shapes[0]}. "
            "Export it with the other sizes fixed."
        )
    return x, y


def refuse_unsupported(graph: fx.Graph) -> None:
    unknown, training = set(), set()
    for node in graph.nodes:
        if node.op == "call_module" and node.target != "_guards_fn":
            unknown.add(str(node.target))
        if node.op != "call_function":
            continue
        if isinstance(node.target, torch._ops.HigherOrderOperator):
            unknown.add(str(node.target))
        elif isinstance(node.target, torch._ops.OpOverload):
            if node.target.namespace not in NAMESPACES:
                unknown.add(str(node.target))
            if _trains(node):
                training.add(str(node.target))
    if unknown:
        raise UserError(
            f"These operators of the exported program are not supported: {shown(unknown)}. "
            "Only torch's own operators in a graph without branches and loops are. Export the "
            "model without them, or only the part between them."
        )
    if training:
        raise UserError(
            f"These operators were exported as in training: {shown(training)}. Export "
            "`model.eval()`."
        )


def _trains(node: fx.Node) -> bool:
    assert isinstance(node.target, torch._ops.OpOverload)
    for place, argument in enumerate(node.target._schema.arguments):
        if argument.name in TRAINING_FLAGS:
            value = node.args[place] if place < len(node.args) else argument.default_value
            return bool(node.kwargs.get(argument.name, value))
    return False


def shown(names: Iterable[str]) -> str:
    """The first names of a list, and how many there are more."""
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
