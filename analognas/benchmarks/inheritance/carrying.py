"""Carry the weights of a trained network over to another one.

Where the new network is wider or deeper, or has larger kernels or more branches, it computes the
same function as the trained one: units are copied and their outgoing weights divided (Net2WiderNet,
Chen, Goodfellow & Shlens, ICLR 2016), new layers pass on what comes in (Net2DeeperNet), new
branches and new residual blocks end in a batch norm whose scale is zero. Where this is impossible,
as much as can be is kept: the units with the largest scales, the part of a kernel that fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from analognas.benchmarks.inheritance.alignment import Alignment, align_layers
from analognas.benchmarks.inheritance.channels import (
    Channels,
    FeatureMaps,
    FloatArray,
    IntArray,
    choose,
    seeded,
    shares,
)
from analognas.search_spaces import Architecture, Block, SearchSpace
from analognas.search_spaces.layers import HEAD, LayerSpec


def inherit(  # noqa: PLR0913
    space: SearchSpace,
    new: Architecture,
    trained: Architecture,
    weights: Mapping[str, Tensor],
    alignment: Alignment,
    *,
    inputs: Tensor,
    seed: int,
) -> nn.Sequential:
    """Build `new` with the weights of `trained`, in evaluation mode.

    Args:
        space: Of both.
        new: The network to build.
        trained: The network that the weights are of.
        weights: Its state; further entries are ignored.
        alignment: Of the blocks of both.
        inputs: `(B, channels, height, width)`, training inputs. The batch norm of a layer that is
            to pass on what comes in is set to the mean and spread of these.
        seed: Of copies and of new branches.

    Raises:
        ValueError: `weights` are those of another network.
    """
    generator = seeded(seed, new, trained)
    network = space.build(new, generator=generator).eval()
    carrier = _Carrier(space, network, trained, weights, generator)
    with torch.no_grad():
        carrier.carry(new, space.layers(new), alignment)
        _pass_on(network, carrier.identities, inputs)
    return network


class _Carrier:
    def __init__(
        self,
        space: SearchSpace,
        network: nn.Module,
        trained: Architecture,
        weights: Mapping[str, Tensor],
        generator: torch.Generator,
    ) -> None:
        self.identities: list[nn.BatchNorm2d] = []
        self._modules = dict(network.named_modules())
        self._trained = trained
        self._layers = space.layers(trained)
        self._maps = FeatureMaps.of(trained, self._layers)
        self._weights = weights
        self._generator = generator
        for layer in self._layers:
            rows = weights.get(f"{layer.name}.weight")
            if rows is None or rows.shape[0] != layer.out_channels:
                raise ValueError(
                    f"The weights must be those of {trained.key}, but layer {layer.name} is "
                    f"{'missing' if rows is None else 'of another width'}. Give the weights that "
                    "were stored beside this network."
                )
        self._importance = self._measure_importance()

    def carry(self, new: Architecture, layers: Sequence[LayerSpec], alignment: Alignment) -> None:
        channels = Channels("input", np.arange(new.input_shape[0]))
        for index, (block, partner) in enumerate(zip(new.choices, alignment.partners, strict=True)):
            inside = [layer for layer in layers if layer.block == index]
            channels = (
                self._insert_block(block, inside, channels)
                if partner is None
                else self._carry_block(block, inside, partner, channels)
            )
        self._carry_head(channels)

    # ---------------------------------------------------------------------------- blocks

    def _insert_block(self, block: Block, inside: Sequence[LayerSpec], into: Channels) -> Channels:
        """A block that the trained network does not have."""
        out = into
        if block.shortcut != "identity":
            out = self._choose(into.of, block.width, np.unique(into.source))
        for branch in _branches(inside):
            if block.shortcut == "none" or branch[0].branch == 0:
                self._carry_branch(branch, [], into, out)
            else:
                self._silence(branch)
        return out

    def _carry_block(
        self, block: Block, inside: Sequence[LayerSpec], partner: int, into: Channels
    ) -> Channels:
        old_block = self._trained.choices[partner]
        old = [layer for layer in self._layers if layer.block == partner]
        old_branches = sorted(
            (branch for branch in _branches(old) if branch[0].branch > 0),
            key=lambda branch: -float(self._scales(branch[-1]).square().sum()),
        )[: block.branches]
        old_branches.sort(key=lambda branch: branch[0].branch)
        out = self._out_of(block, self._maps.behind[old[-1].name], old[-1].out_channels, into)
        for branch in _branches(inside):
            number = branch[0].branch
            if number == 0:
                projections = [layer for layer in old if layer.branch == 0]
                if old_block.shortcut == "none":
                    self._silence(branch)
                else:
                    self._carry_branch(branch, projections, into, out)
            elif number <= len(old_branches):
                self._carry_branch(branch, old_branches[number - 1], into, out)
            else:
                self._silence(branch)
        return out

    def _out_of(self, block: Block, behind: str, width: int, into: Channels) -> Channels:
        """Channels behind a block whose partner ends in the feature map `behind`."""
        if behind != into.of:
            return self._choose(behind, block.width, np.arange(width))
        if block.shortcut == "identity":
            return into
        return self._choose(behind, block.width, np.unique(into.source))

    def _carry_branch(
        self,
        branch: Sequence[LayerSpec],
        old_branch: Sequence[LayerSpec],
        into: Channels,
        out: Channels,
    ) -> None:
        for layer, old in zip(branch, align_layers(branch, old_branch), strict=True):
            last = layer is branch[-1]
            if old is None:
                into = self._insert_layer(layer, into, out if last else None)
            else:
                into = self._carry_layer(layer, old, into, out if last else None)

    # ---------------------------------------------------------------------------- layers

    def _insert_layer(self, layer: LayerSpec, into: Channels, out: Channels | None) -> Channels:
        """A layer that passes on what comes in, at the places that its stride leaves."""
        weight = self._weight_of(layer)
        weight.zero_()
        row, column = layer.padding
        if layer.kind == "depthwise":
            weight[:, 0, row, column] = 1.0
            out = out or into
        else:
            if out is None:
                out = self._choose(into.of, layer.out_channels, np.unique(into.source))
            ours = out.source[:, None] == into.source[None, :]
            if out.of != into.of:
                ours = np.eye(len(out.source), len(into.source), dtype=np.bool_)
            shared = shares(into.source, self._generator)
            weight[:, :, row, column] = torch.from_numpy(ours).float() * shared
        self.identities.append(self._norm_of(layer))
        return out

    def _carry_layer(
        self, layer: LayerSpec, old: LayerSpec, into: Channels, out: Channels | None
    ) -> Channels:
        old_weight = self._weights[f"{old.name}.weight"].float()
        before, behind = self._maps.before[old.name], self._maps.behind[old.name]
        sources = into.within(before, old.in_channels)
        weight = self._weight_of(layer)
        if layer.kind == "depthwise":
            out = out or Channels(behind, sources)
            weight.copy_(_fit_kernel(old_weight[sources], old, layer))
        else:
            if out is None:
                out = self._choose(behind, layer.out_channels, np.arange(old.out_channels))
            rows = old_weight[out.within(behind, old.out_channels)]
            shared = shares(sources, self._generator)[:, None, None]
            weight.copy_(_fit_kernel(rows[:, sources] * shared, old, layer))
        norm = self._norm_of(layer)
        kept = out.within(behind, old.out_channels)
        for name, value in (*norm.named_parameters(), *norm.named_buffers()):
            if value.dim() == 1:
                value.copy_(self._weights[f"{old.name}_norm.{name}"][kept])
        return out

    def _carry_head(self, into: Channels) -> None:
        head = self._modules[HEAD]
        assert isinstance(head, nn.Linear)
        old = self._layers[-1]
        sources = into.within(self._maps.before[HEAD], old.in_channels)
        shared = shares(sources, self._generator)
        head.weight.copy_(self._weights[f"{HEAD}.weight"].float()[:, sources] * shared)
        head.bias.copy_(self._weights[f"{HEAD}.bias"])

    def _silence(self, branch: Sequence[LayerSpec]) -> None:
        """Let a new branch begin with nothing; its random weights are learned from there."""
        self._norm_of(branch[-1]).weight.zero_()

    # ---------------------------------------------------------------------------- pieces

    def _choose(self, feature_map: str, width: int, allowed: IntArray) -> Channels:
        importance = self._importance[feature_map]
        return Channels(feature_map, choose(width, allowed, importance, self._generator))

    def _measure_importance(self) -> dict[str, FloatArray]:
        """Sum of the squared batch-norm scales behind every channel of every feature map."""
        found: dict[str, FloatArray] = {}
        for layer in self._layers[:-1]:
            scales = self._scales(layer).square().numpy()
            name = self._maps.behind[layer.name]
            found[name] = found[name] + scales if name in found else scales
        return found

    def _scales(self, layer: LayerSpec) -> Tensor:
        return self._weights[f"{layer.name}_norm.weight"].float()

    def _weight_of(self, layer: LayerSpec) -> Tensor:
        module = self._modules[layer.name]
        assert isinstance(module, nn.Conv2d)
        return module.weight

    def _norm_of(self, layer: LayerSpec) -> nn.BatchNorm2d:
        module = self._modules[f"{layer.name}_norm"]
        assert isinstance(module, nn.BatchNorm2d)
        return module


def _branches(layers: Sequence[LayerSpec]) -> list[list[LayerSpec]]:
    """Layers of a block by branch; the projection of the shortcut is a branch too."""
    numbers = dict.fromkeys(layer.branch for layer in layers)
    return [[layer for layer in layers if layer.branch == number] for number in numbers]


def _fit_kernel(weight: Tensor, old: LayerSpec, new: LayerSpec) -> Tensor:
    """Crop kernels, or surround them by zeros, so that every tap stays at its place in the map."""
    fitted = weight.new_zeros((*weight.shape[:2], *new.kernel))
    ours, theirs = [], []
    for axis in (0, 1):
        shift = new.padding[axis] - old.padding[axis]
        first, stop = max(0, shift), min(new.kernel[axis], old.kernel[axis] + shift)
        ours.append(slice(first, stop))
        theirs.append(slice(first - shift, stop - shift))
    fitted[:, :, ours[0], ours[1]] = weight[:, :, theirs[0], theirs[1]]
    return fitted


def _pass_on(network: nn.Module, norms: Sequence[nn.BatchNorm2d], inputs: Tensor) -> None:
    """Set batch norms so that they change nothing, and would not if they saw `inputs` in training.

    They normalise by the mean and variance of what they see, and undo it by scale and shift.
    """

    def set_to_what_comes_in(norm: nn.BatchNorm2d, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        x = args[0]
        mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)

    hooks = [norm.register_forward_pre_hook(partial(set_to_what_comes_in, norm)) for norm in norms]
    try:
        network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
