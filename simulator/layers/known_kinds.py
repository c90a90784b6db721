"""Which kind of torch layer a module computes as, if it is a subclass of one."""

from collections.abc import Collection

from torch import Tensor, nn
from torch.nn.utils import parametrize

# Of a kind; whoever overrides one of them, in a class or on one module, computes something else.
METHODS = ("forward", "_conv_forward", "_output_padding")
# Attention keeps its last matrix in such a layer but never calls it.
NEVER_CALLED = nn.modules.linear.NonDynamicallyQuantizableLinear

Kind = type[nn.Module]


def base_kind(module: nn.Module, kinds: Collection[Kind]) -> Kind | None:
    """The nearest class of `kinds` that a module inherits from; None if there is none."""
    return next((base for base in type(module).__mro__ if base in kinds), None)


def known_kind(module: nn.Module, kinds: Collection[Kind]) -> Kind | None:
    """The class of `kinds` whose computation a module does; None if it does another one.

    A subclass counts as its kind unless it overrides what is computed. Weights that are computed
    before every use (weight norm, pruning, parametrisations) are no matrix to be programmed.

    Args:
        module: Any module.
        kinds: Torch's own classes.
    """
    kind = base_kind(module, kinds)
    if kind is None or isinstance(module, NEVER_CALLED) or parametrize.is_parametrized(module):
        return None
    own = vars(module)
    for name in METHODS:
        if name in own or getattr(type(module), name, None) is not getattr(kind, name, None):
            return None
    if any(isinstance(value, Tensor) for value in own.values()):
        return None
    return kind
