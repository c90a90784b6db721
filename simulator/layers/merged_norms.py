"""Batch norms that are computed along with the read-out of the layer before them.

In evaluation a batch norm is a factor and a shift per channel, and so is the last step of a
read-out: where the output of an analog layer goes to a batch norm and nowhere else, one pass over
the activations does both, as the digital unit behind the converters of a chip would. A trial with
the network's digital weights decides whether that is so.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from analognas.simulator.layers.analog_layer import AnalogLayer
from analognas.simulator.layers.chip_norms import batch_norms, computed_by, factor_and_shift
from analognas.simulator.layers.folding import Inputs, digital_weights
from analognas.simulator.layers.layer_readings import FactorAndShift

CHANNEL_DIM = 1  # of what a batch norm gets
TOLERANCE = 1e-4  # of the largest magnitude: the two ways are rounded differently

# By name of the batch norm: itself, and the layer before it.
NormsAfter = dict[str, tuple[nn.Module, AnalogLayer]]


@torch.no_grad()
def find_norms_after(network: nn.Module, inputs: Inputs) -> NormsAfter:
    """Find the batch norms that have the output of an analog layer to themselves.

    Args:
        network: In evaluation mode.
        inputs: Two samples of them are tried.
    """
    if inputs.samples == 0 or not batch_norms(network):
        return {}
    layers = [layer for layer in network.modules() if isinstance(layer, AnalogLayer)]
    trial = inputs.trial(2)
    with digital_weights(layers):
        try:
            found = _pairs(network, layers, trial)
            expected = _outcome(network, layers, trial)
            if _agrees(expected, _merged_outcome(network, layers, trial, found)):
                return found
            return {
                name: pair
                for name, pair in found.items()
                if _agrees(expected, _merged_outcome(network, layers, trial, {name: pair}))
            }
        except Exception:  # whatever stops the network will stop it again, outside of a trial
            return {}


@contextmanager
def merged(norms: NormsAfter, statistics: Mapping[str, Tensor]) -> Iterator[None]:
    """Let layers compute the batch norms after them.

    A batch norm in training mode computes itself, and so does one that is watched by hooks, or
    whose layer is.

    Args:
        norms: From `find_norms_after`.
        statistics: Those of the chips that compute, `(C,)` or `(K, C)` by name of the buffer; the
            batch norm's own where there are none.
    """
    usable = {
        name: (norm, layer)
        for name, (norm, layer) in norms.items()
        if not norm.training and not _is_watched(norm) and not _is_watched(layer)
    }
    try:
        for name, (norm, layer) in usable.items():
            layer.norm_after = _numbers(name, norm, statistics)
        with computed_by(_pass_on, {name: norm for name, (norm, _) in usable.items()}):
            yield
    finally:
        for _, layer in usable.values():
            layer.norm_after = None


def _numbers(name: str, norm: nn.Module, statistics: Mapping[str, Tensor]) -> FactorAndShift:
    own = dict(norm.named_buffers())
    mean, variance = (
        statistics.get(f"{name}.{kind}", own[kind]) for kind in ("running_mean", "running_var")
    )
    return factor_and_shift(norm, mean, variance)


def _pass_on(name: str, norm: nn.Module, x: Tensor) -> Tensor:
    return x


def _is_watched(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _pairs(network: nn.Module, layers: list[AnalogLayer], inputs: Inputs) -> NormsAfter:
    """Batch norms that are called once, with the very output of a layer that is called once."""
    outputs: list[tuple[AnalogLayer, Tensor]] = []
    met: list[tuple[str, Tensor]] = []
    norms = batch_norms(network)
    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(
                layer.register_forward_hook(
                    lambda layer, args, y: outputs.append((layer, y))
                ).remove
            )
        for name, norm in norms.items():
            hooks.callback(
                norm.register_forward_pre_hook(
                    lambda _, args, name=name: met.append((name, args[0]))
                ).remove
            )
        inputs.call(network)
    by_tensor = {
        id(y): layer for layer, y in outputs if layer.product.column_dim % y.dim() == CHANNEL_DIM
    }
    names, used = [name for name, _ in met], [layer for layer, _ in outputs]
    return {
        name: (norms[name], by_tensor[id(x)])
        for name, x in met
        if id(x) in by_tensor
        and names.count(name) == 1
        and used.count(by_tensor[id(x)]) == 1
        and not norms[name].training
    }


def _outcome(network: nn.Module, layers: list[AnalogLayer], inputs: Inputs) -> list[Tensor]:
    """Inputs of all layers, then the outputs of the network."""
    seen: list[Tensor] = []
    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(
                layer.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone())).remove
            )
        output = inputs.call(network)
    return seen + [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]


def _merged_outcome(
    network: nn.Module, layers: list[AnalogLayer], inputs: Inputs, norms: NormsAfter
) -> list[Tensor]:
    def normalise(numbers: FactorAndShift, layer: nn.Module, args: Any, y: Tensor) -> Tensor:
        factor, shift = (part.view(-1, *[1] * (y.dim() - 2)) for part in numbers)
        return y * factor + shift

    with ExitStack() as stack:
        for name, (norm, layer) in norms.items():
            hook = layer.register_forward_hook(partial(normalise, _numbers(name, norm, {})))
            stack.callback(hook.remove)
        stack.enter_context(
            computed_by(_pass_on, {name: norm for name, (norm, _) in norms.items()})
        )
        return _outcome(network, layers, inputs)


def _agrees(expected: list[Tensor], found: list[Tensor]) -> bool:
    return len(expected) == len(found) and all(
        a.shape == b.shape
        and (a.numel() == 0 or bool((a - b).abs().max() <= TOLERANCE * a.abs().max()))
        for a, b in zip(expected, found, strict=True)
    )
