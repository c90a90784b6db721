"""Count the digital work of a network by watching torch's operations while it runs.

What only moves, selects or makes data is no work. Operations of no kind that is named here are
"activation", under torch's own name, so that nothing is hidden.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from analognas.simulator.chip.digital_work import DigitalWork
from analognas.simulator.chip.operation_kinds import BATCH_NORMS, KINDS, MOVES, VECTOR_PRODUCTS

REMEMBERED_OUTPUTS = 16  # kept alive, so that no other tensor gets their identity


class WorkMeter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside of it, operations become `DigitalWork`, except in modules that know their own work.

    A batch norm of what a matrix has just put out is folded into the scale and offset that every
    column has anyway.

    Args:
        model: Whose modules give the names; `enter` and `leave` say which of them is running.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: dict[tuple[str, str], int] = {}  # by name and kind
        self._owners = {_place(p): _owner(name) for name, p in model.named_parameters()}
        # Where data lies that does not depend on the input; kept alive to keep the place.
        self._constants = {_place(t): t for t in (*model.parameters(), *model.buffers())}
        self._running: list[tuple[str, nn.Module]] = []
        self._silent = 0
        self._from_matrix: dict[int, Tensor] = {}

    @property
    def digital(self) -> tuple[DigitalWork, ...]:
        """All work, in the order of execution, without what comes to nothing."""
        return tuple(DigitalWork(*key, count) for key, count in self.operations.items() if count)

    def enter(self, name: str, module: nn.Module, *, silent: bool = False) -> None:
        """A module starts; if `silent`, its operations are not looked at."""
        self._running.append((name, module))
        self._silent += silent

    def leave(self, output: Any, *, silent: bool = False, has_matrix: bool = False) -> None:
        self._running.pop()
        self._silent -= silent
        if has_matrix:
            self._remember(output)

    def add(self, work: Iterable[DigitalWork]) -> None:
        for part in work:
            self._count(part.name, part.kind, part.operations)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not self._silent and _is_composite(func):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        if not self._silent and not self._note_constant(func, args, kwargs, result):
            self._look_at(func, args, kwargs, result)
        if func._schema.is_mutable:
            for tensor in _tensors((args, kwargs)):
                self._from_matrix.pop(id(tensor), None)
        return result

    def _note_constant(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> bool:
        """Whether a result is the same for every input, so that it is computed beforehand."""
        inputs = list(_tensors((args, kwargs)))
        constant = all(_place(tensor) in self._constants for tensor in inputs)
        if constant:
            self._constants |= {_place(tensor): tensor for tensor in _tensors(result)}
        elif func._schema.is_mutable:
            self._constants.pop(_place(inputs[0]), None)
        return constant

    def _look_at(self, func: Any, args: tuple[Any, ...], kwargs: Any, result: Any) -> None:
        operation = func._schema.name.partition("::")[2]
        operation = operation.rstrip("_") or operation
        produced = next(_tensors(result), None)
        inputs = list(_tensors((args, kwargs)))
        if produced is None or operation in MOVES or _is_view(func):
            return
        if not (produced.is_floating_point() or produced.is_complex() or produced.is_quantized):
            return  # masks and indices
        packet = func.overloadpacket
        if "dot_product" in operation:
            query, key, value = (tensor.shape for tensor in inputs[:3])
            scores = math.prod(query[:-1]) * key[-2]
            self._count(self._name(operation), "attention", scores * (query[-1] + value[-1]))
            self._count(self._name("softmax"), "softmax", scores)
        elif packet in flop_registry:
            macs = flop_registry[packet](*args, **kwargs, out_val=result) // 2
            self._count_product(operation, inputs, macs, produced)
        elif operation in VECTOR_PRODUCTS:
            macs = max(tensor.numel() for tensor in inputs)
            self._count_product(operation, inputs, macs, produced)
        elif (weight := self._hidden_weight(func, inputs)) is not None:
            macs = produced.numel() // weight.shape[0] * weight.numel()
            self._count(self._name(operation), "matrix", macs)
        elif not (operation in BATCH_NORMS and id(inputs[0]) in self._from_matrix):
            kind = KINDS.get(operation, "activation")
            self._count(self._name(operation), kind, produced.numel())

    def _count_product(
        self, operation: str, inputs: list[Tensor], macs: int, produced: Tensor
    ) -> None:
        places = [_place(tensor) for tensor in inputs]
        if any(place in self._constants for place in places):
            owners = [self._owners[place] for place in places if place in self._owners]
            self._count(owners[0] if owners else self._name(operation), "matrix", macs)
            self._remember(produced)
            return
        self._count(self._name(operation), "attention", macs)

    def _hidden_weight(self, func: Any, inputs: list[Tensor]) -> Tensor | None:
        """Weights of products that torch does not count: bilinear and quantised ones."""
        if func._schema.name == "aten::_trilinear":
            return inputs[1]
        if func.namespace == "quantized" and self._running:
            weight = getattr(self._running[-1][1], "weight", None)
            return weight() if callable(weight) else None
        return None

    def _name(self, operation: str) -> str:
        """Of the running module, or of a function that it calls."""
        name, module = self._running[-1] if self._running else ("", None)
        function = operation.strip("_")
        if module is not None and not any(_is_layer(child) for child in module.children()):
            return name or function
        return f"{name}.{function}" if name else function

    def _count(self, name: str, kind: str, operations: int) -> None:
        self.operations[name, kind] = self.operations.get((name, kind), 0) + operations

    def _remember(self, output: Any) -> None:
        """Only the latest: what is normalised follows at once, or not much later."""
        if isinstance(output, Tensor):
            self._from_matrix[id(output)] = output
            while len(self._from_matrix) > REMEMBERED_OUTPUTS:
                del self._from_matrix[next(iter(self._from_matrix))]


def _is_layer(module: nn.Module) -> bool:
    """Not one of those in which torch keeps the packed weights of a layer."""
    return "PackedParams" not in type(module).__name__


def _owner(parameter_name: str) -> str:
    """Of a parameter: its module, or itself if the model holds it directly."""
    return parameter_name.rpartition(".")[0] or parameter_name


def _place(tensor: Tensor) -> int:
    """Where a tensor and its views lie."""
    if tensor.layout != torch.strided:
        return id(tensor)  # sparse data lie in several places
    return int(tensor.untyped_storage()._cdata)


def _tensors(values: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def _is_view(func: Any) -> bool:
    return any(
        result.alias_info is not None and not result.alias_info.is_write
        for result in func._schema.returns
    )


def _is_composite(func: Any) -> bool:
    """Operations of several, which arrive whole only in inference mode."""
    return torch.is_inference_mode_enabled() and torch._C._dispatch_has_kernel_for_dispatch_key(
        func.name(), torch._C.DispatchKey.CompositeImplicitAutograd
    )
