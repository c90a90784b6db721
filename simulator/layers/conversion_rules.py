"""Which modules of a network become analog, on which hardware, and which are left out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from analognas.simulator.hardware import Hardware
from analognas.simulator.layers.analog_layer import AnalogLayer
from analognas.simulator.layers.attention import AnalogAttention
from analognas.simulator.layers.known_kinds import known_kind
from analognas.simulator.layers.matrices import HardwareOf
from analognas.simulator.layers.recurrent import AnalogRecurrent
from analognas.simulator.layers.recurrent_cell import AnalogRecurrentCell


def plain_twin(layer: nn.Module, hardware_of: HardwareOf, name: str) -> nn.Module:
    """Twin of a layer with a single matrix; the layer itself if it stays digital."""
    hardware = hardware_of(name)
    return layer if hardware is None else AnalogLayer(layer, hardware, name)


# How torch's own layers become analog; `known_kind` says which subclasses count as one of them.
TWINS: Mapping[type[nn.Module], Callable[[Any, HardwareOf, str], nn.Module]] = {
    nn.Linear: plain_twin,
    nn.Conv1d: plain_twin,
    nn.Conv2d: plain_twin,
    nn.Conv3d: plain_twin,
    nn.ConvTranspose1d: plain_twin,
    nn.ConvTranspose2d: plain_twin,
    nn.ConvTranspose3d: plain_twin,
    nn.RNN: AnalogRecurrent,
    nn.LSTM: AnalogRecurrent,
    nn.GRU: AnalogRecurrent,
    nn.RNNCell: AnalogRecurrentCell,
    nn.LSTMCell: AnalogRecurrentCell,
    nn.GRUCell: AnalogRecurrentCell,
    nn.MultiheadAttention: AnalogAttention,
}
# Twins of modules with several matrices.
COMPOUND_TWINS = (AnalogRecurrent, AnalogRecurrentCell, AnalogAttention)
SHOWN_NAMES = 5  # of each kind that stays digital, in the message
# Kinds whose weights, though of two dimensions or more, multiply no vector.
DIGITAL_BY_NATURE = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, nn.RMSNorm)


@dataclass(frozen=True)
class HardwareRules:
    """The user's choice of hardware for every matrix, by the names of modules.

    A name stands for all that lies inside of the module; of several, the longest counts. What is
    kept digital is digital whatever else is said.
    """

    default: Hardware
    keep_digital: Sequence[str]
    layer_hardware: Mapping[str, Hardware]

    def hardware_of(self, name: str) -> Hardware | None:
        if self.keeps_digital(name):
            return None
        matching = [rule for rule in self.layer_hardware if _is_inside(name, rule)]
        return self.layer_hardware[max(matching, key=len)] if matching else self.default

    def keeps_digital(self, name: str) -> bool:
        return any(_is_inside(name, kept) for kept in self.keep_digital)

    def check_names(self, known: set[str], convertible: Sequence[str]) -> None:
        """Refuse names that are neither modules nor matrices of the model.

        Raises:
            ValueError: A name is not in `known`.
        """
        for setting in ("keep_digital", "layer_hardware"):
            for name in getattr(self, setting):
                if name not in known:
                    raise ValueError(
                        f"`{setting}` must name modules of the model, but got {name!r}. "
                        f"Modules that can be analog: {sorted(convertible)}."
                    )


def kind_with_matrices(module: nn.Module) -> type[nn.Module] | None:
    """The kind in `TWINS` whose computation this module does; None if it does another one."""
    return known_kind(module, TWINS)


def modules_with_matrices(
    network: nn.Module, *, remove_duplicate: bool = True
) -> Iterator[tuple[str, nn.Module, type[nn.Module]]]:
    """Names and modules of known kinds with their kinds; nothing inside of them is looked at.

    Args:
        network: Looked through in the order of its modules.
        remove_duplicate: Whether a module with several names is given once only.
    """
    inside: set[nn.Module] = set()
    for name, module in network.named_modules(remove_duplicate=remove_duplicate):
        if module not in inside and (kind := kind_with_matrices(module)) is not None:
            inside.update(part for part in module.modules() if part is not module)
            yield name, module, kind


def check_convertible(model: nn.Module) -> None:
    """Refuse models that cannot be copied with their weights.

    Raises:
        ValueError: A module does not know its shape yet, or has weights with a history.
    """
    for name, module in model.named_modules():
        kind = type(module).__name__
        tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if any(is_lazy(tensor) for tensor in tensors):
            raise ValueError(
                f"Every layer must know its shape before it becomes analog, but {name!r} is a "
                f"{kind} without weights. Pass one batch through the model first."
            )
        made = [key for key, value in vars(module).items() if _has_history(value)]
        if made:
            raise ValueError(
                f"Weights must be parameters, but {made} of {name!r} ({kind}) come from others, as "
                "after pruning or weight norm. Make them permanent first, with `prune.remove` or "
                "`remove_weight_norm`."
            )


def digital_matrices(network: nn.Module, rules: HardwareRules) -> list[str]:
    """Describe what is left digital though it has a matrix and nobody asked to keep it.

    Returns:
        One text per kind of module: the kind, its matrices, and the names of some modules.
    """
    places: dict[str, list[str]] = {}
    for name, module in _outside_of_twins(network, ""):
        if rules.keeps_digital(name) or isinstance(module, DIGITAL_BY_NATURE):
            continue
        matrices = [
            parameter_name
            for parameter_name, parameter in module.named_parameters(recurse=False)
            if sum(size > 1 for size in parameter.shape) >= 2
        ]
        if not matrices and _is_quantised(module):
            matrices = ["weight"]
        if matrices:
            kind = f"{type(module).__name__} ({', '.join(matrices)})"
            places.setdefault(kind, []).append(name or "the model itself")
    return [f"{kind} at {_shortened(names)}" for kind, names in places.items()]


def _shortened(names: list[str]) -> str:
    rest = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _outside_of_twins(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, (AnalogLayer, *COMPOUND_TWINS)):
        return
    yield name, module
    for child_name, child in module.named_children():
        yield from _outside_of_twins(child, f"{name}.{child_name}" if name else child_name)


def _is_inside(name: str, module_name: str) -> bool:
    return module_name in ("", name) or name.startswith(f"{module_name}.")


def _has_history(value: object) -> bool:
    return isinstance(value, Tensor) and value.grad_fn is not None


def _is_quantised(module: nn.Module) -> bool:
    """Torch's quantised layers keep their weights in no parameter, behind a method."""
    return type(module).__module__.startswith("torch.ao.nn.") and callable(
        getattr(module, "weight", None)
    )
