"""Values in an exported graph that do not depend on its input."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

RANDOM = (
    "rand",
    "randn",
    "bernoulli",
    "normal",
    "dropout",
    "multinomial",
    "uniform",
    "exponential",
)


@dataclass(eq=False)
class ConstantValues:
    """Evaluates nodes that follow from weights alone: transposed, scaled or joined matrices.

    Args:
        module: The graph's module, for its weights.
    """

    module: fx.GraphModule
    _known: dict[fx.Node, Any] = field(default_factory=dict)
    _constant: dict[fx.Node, bool] = field(default_factory=dict)

    def is_constant(self, node: object) -> bool:
        """Whether a node follows from weights and numbers alone."""
        if not isinstance(node, fx.Node):
            return True
        if node not in self._constant:
            if node.op == "get_attr":
                self._constant[node] = True
            elif node.op != "call_function" or _is_random(node) or changes_its_input(node):
                self._constant[node] = False
            else:
                self._constant[node] = all(map(self.is_constant, node.all_input_nodes))
        return self._constant[node]

    def value(self, node: fx.Node) -> Any:
        """The value of a constant node."""
        if node not in self._known:
            if node.op == "get_attr":
                owner, _, name = str(node.target).rpartition(".")
                self._known[node] = getattr(self.module.get_submodule(owner), name)
            else:
                assert callable(node.target)
                args = fx.map_arg(node.args, self.value)
                kwargs = fx.map_arg(node.kwargs, self.value)
                with torch.no_grad():
                    self._known[node] = node.target(*args, **kwargs)
        return self._known[node]

    def tensor(self, node: object) -> Tensor | None:
        """The value of a node if it is a constant tensor."""
        if not isinstance(node, fx.Node) or not self.is_constant(node):
            return None
        value = self.value(node)
        return value if isinstance(value, Tensor) else None

    def sources(self, node: fx.Node) -> list[str]:
        """Names of the stored tensors that a constant node is made of, the nearest first."""
        if node.op == "get_attr":
            return [str(node.target)]
        found: dict[str, None] = {}
        for other in node.all_input_nodes:
            found.update(dict.fromkeys(self.sources(other)))
        return list(found)


def changes_its_input(node: fx.Node) -> bool:
    """Whether an operator writes into what it is given."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _is_random(node: fx.Node) -> bool:
    name = getattr(node.target, "__name__", "")
    return name.split(".")[0].rstrip("_") in RANDOM
