"""Work of a network that no crossbar does."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

DigitalKind: TypeAlias = Literal[
    "affine",  # scale and offset of the converters' words, biases and folded normalisation included
    "aggregation",  # sums of the partial sums of row parts
    "relu",
    "sigmoid",
    "tanh",
    "activation",  # any other function of single values
    "lstm",  # gates and state of a cell; its matrices are analog layers or of kind "matrix"
    "gru",
    "softmax",
    "add",  # of two branches
    "multiply",
    "pooling",  # averages
    "max_pool",
    "normalisation",  # that cannot be folded into the scales of a layer
    "embedding",
    "attention",  # products of activations, in multiply-accumulates
    "matrix",  # weights kept digital, in multiply-accumulates
]
DIGITAL_KINDS: tuple[str, ...] = get_args(DigitalKind)


@dataclass(frozen=True, slots=True)
class DigitalWork:
    """What one digital step of a network does per inference.

    An operation is a multiply-accumulate for "attention" and "matrix", otherwise one value
    computed, whatever that takes. "affine" and "aggregation" follow from the placement and are
    added by the cost model.
    """

    name: str  # of the module or function, as in the traced network
    kind: str  # one of `DIGITAL_KINDS`
    operations: int
