"""Several chips in one pass of a network: their inputs become one batch, chips varying slowest.

That is right only for networks in which no sample depends on another one, and in which every analog
layer meets the samples in their order as its first dimension: then the first `B` of `K B` samples
are those of the first chip wherever they are read. A trial with the network's digital weights
decides: of two samples alone, and of the same two between two others, all analog layers must get
the same inputs, and the outputs must be the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map

from analognas.simulator.layers.analog_layer import AnalogLayer

TOLERANCE = 1e-2  # of the largest magnitude: batches of other sizes are rounded in other ways
# Tensors of the size of a layer's inputs and outputs that exist at one time: drives, their squares,
# products, noise, and what the network keeps beside them.
COPIES = 8


class NotFoldable(Exception):
    """The network must see one chip at a time; says why."""


@dataclass(frozen=True)
class Inputs:
    """The arguments of a network.

    What has as many rows as the first argument belongs to the samples.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> Any:
        return next(iter((*self.args, *self.kwargs.values())), None)

    @property
    def samples(self) -> int:
        """Length of the first argument; 0 if it is not a tensor with rows."""
        first = self.first
        return len(first) if isinstance(first, Tensor) and first.dim() > 0 else 0

    @property
    def can_tell(self) -> bool:
        """Whether a trial with these values would find out anything: samples must differ."""
        if self.samples == 0:
            return True  # the trial will refuse them
        before, one, other, after = self.trial(4).first
        return not (torch.equal(before, one) or torch.equal(after, other))

    @property
    def form(self) -> Any:
        """All but the values of the tensors and the number of samples."""
        samples = self.samples
        leaves, spec = tree_flatten((self.args, self.kwargs))
        parts: list[Any] = [repr(spec)]
        for leaf in leaves:
            if isinstance(leaf, Tensor):
                whole = not _belongs(leaf, samples)
                parts.append((whole, leaf.shape if whole else leaf.shape[1:], leaf.dtype))
            else:
                simple = isinstance(leaf, bool | int | float | str | None)
                parts.append(leaf if simple else type(leaf))
        return tuple(parts)

    def call(self, network: nn.Module, times: int = 1) -> Any:
        """Call `network` with every sample repeated, the whole batch `times` times."""
        samples = self.samples

        def repeat(leaf: Any) -> Any:
            return torch.cat([leaf] * times) if _belongs(leaf, samples) else leaf

        args, kwargs = tree_map(repeat, (self.args, self.kwargs))
        return network(*args, **kwargs)

    def trial(self, count: int) -> "Inputs":
        """Two samples, or four with these two in the middle."""
        samples = self.samples

        def choose(leaf: Any) -> Any:
            if not _belongs(leaf, samples):
                return leaf
            first, last = leaf[:1], leaf[-1:]
            if count == 2:
                return torch.cat([first, last])
            dims = list(range(1, leaf.dim()))[-1:]  # mirrored: other values of the same kind
            return torch.cat([last.flip(dims), first, last, first.flip(dims)])

        args, kwargs = tree_map(choose, (self.args, self.kwargs))
        return Inputs(args, kwargs)


def _belongs(leaf: Any, samples: int) -> bool:
    """Whether a value has one row per sample."""
    return isinstance(leaf, Tensor) and leaf.dim() > 0 and len(leaf) == samples


@dataclass(frozen=True)
class Folding:
    """What the trial of a network has told.

    Args:
        output_dims: Dimension of the samples in every tensor of the output, None where there is
            none.
        numbers_per_sample: Estimate of what a sample takes on its way through the network.
    """

    output_dims: tuple[int | None, ...]
    numbers_per_sample: int

    @classmethod
    @torch.no_grad()
    def of(cls, network: nn.Module, inputs: Inputs) -> "Folding":
        """Try `network`, in evaluation mode, with inputs of this form.

        Raises:
            NotFoldable: It fails, or computes something else when a batch grows.
        """
        if inputs.samples == 0:
            raise NotFoldable("the first argument is not a tensor with a batch as first dimension.")
        try:
            alone, between = (_run(network, inputs.trial(count)) for count in (2, 4))
        except Exception as error:
            raise NotFoldable(f"the network fails on a batch of another size: {error}") from error
        if [call.layer for call in alone.calls] != [call.layer for call in between.calls]:
            raise NotFoldable(
                "the number of samples decides how often a layer is used, as where time comes "
                "before the batch."
            )
        for few, many in zip(alone.calls, between.calls, strict=True):
            what = f"the inputs of layer {few.layer!r}"
            if _dim_of_samples(few.x, many.x, what) != 0:
                raise NotFoldable(f"{what} do not have the samples as first dimension.")
        pairs = zip(alone.outputs, between.outputs, strict=True)
        largest = max((call.x.numel() + call.outputs) // 2 for call in alone.calls)
        dims = [_dim_of_samples(few, many, "the network's outputs") for few, many in pairs]
        return cls(tuple(dims), COPIES * largest)

    def unfold(self, output: Any, chips: int) -> Any:
        """The output of a batch `(K B, ...)` with the chips as first axis of every tensor."""
        dims = iter(self.output_dims)

        def split(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            dim = next(dims)
            if dim is None:
                return leaf.expand(chips, *leaf.shape)
            return torch.unflatten(leaf, dim, (chips, -1)).movedim(dim, 0)

        return tree_map(split, output)


@dataclass(frozen=True)
class _Call:
    """One use of an analog layer."""

    layer: str
    x: Tensor
    outputs: int  # numbers


@dataclass(frozen=True)
class _Run:
    calls: list[_Call]
    outputs: list[Tensor]


def _run(network: nn.Module, inputs: Inputs) -> _Run:
    calls: list[_Call] = []

    def record(layer: nn.Module, args: tuple[Tensor, ...], y: Tensor) -> None:
        assert isinstance(layer, AnalogLayer)
        calls.append(_Call(layer.name, args[0], y.numel()))

    layers = [layer for layer in network.modules() if isinstance(layer, AnalogLayer)]
    hooks = [layer.register_forward_hook(record) for layer in layers]
    try:
        with digital_weights(layers):
            output = inputs.call(network)
    finally:
        for hook in hooks:
            hook.remove()
    return _Run(calls, [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)])


@contextmanager
def digital_weights(layers: list[AnalogLayer]) -> Iterator[None]:
    """Let layers compute their digital weights, though they are programmed."""
    try:
        for layer in layers:
            layer.active = None
        yield
    finally:
        for layer in layers:
            layer.active = 0


def _dim_of_samples(few: Tensor, many: Tensor, what: str) -> int | None:
    """Dimension along which `many` has `few` in its middle; None if both are the same.

    Raises:
        NotFoldable: Neither is true.
    """
    if few.shape == many.shape and _close(few, many):
        return None
    if few.dim() == many.dim():
        dims = [dim for dim in range(few.dim()) if few.shape[dim] != many.shape[dim]]
        if len(dims) == 1 and many.shape[dims[0]] == 2 * few.shape[dims[0]]:
            (dim,) = dims
            length = few.shape[dim]
            if _close(few, many.narrow(dim, length // 2, length)):
                return dim
    raise NotFoldable(
        f"{what} mix samples or change their order, as where time comes before the batch."
    )


def _close(a: Tensor, b: Tensor) -> bool:
    if a.numel() == 0:
        return True
    if not a.is_floating_point() and not a.is_complex():
        return torch.equal(a, b)
    return bool((a - b).abs().max() <= TOLERANCE * a.abs().max())
