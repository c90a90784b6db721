"""Which channels of a trained network the channels of a new one stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from analognas.search_spaces import Architecture
from analognas.search_spaces.layers import HEAD, LayerSpec, block_name
from analognas.simulator import spawn_generator

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

UNEVENNESS = 0.5  # how far the shares of equal units are from even, as a fraction of them


@dataclass(frozen=True, eq=False)
class Channels:
    """The channels of a feature map of the new network.

    Attributes:
        of: Name of the trained network's feature map that they come from.
        source: `(W,)`, for each of them the channel there; units that are copied occur repeatedly.
    """

    of: str
    source: IntArray

    def within(self, feature_map: str, width: int) -> IntArray:
        """Sources in a given feature map of `width` channels; by place if it is another one."""
        if self.of == feature_map:
            return self.source
        return np.arange(len(self.source)) % width


@dataclass(frozen=True)
class FeatureMaps:
    """Names of the feature maps before and behind every layer of a network.

    Maps whose channels belong together one by one have one name: those before and behind a block
    with a plain skip, and those before and behind a depthwise layer.
    """

    before: Mapping[str, str]
    behind: Mapping[str, str]

    @classmethod
    def of(cls, network: Architecture, layers: tuple[LayerSpec, ...]) -> FeatureMaps:
        before, behind = {}, {}
        stream = "input"
        for index, block in enumerate(network.choices):
            end = stream if block.shortcut == "identity" else block_name(index)
            for branch in range(block.branches + 1):
                inside = [one for one in layers if (one.block, one.branch) == (index, branch)]
                at = stream
                for layer in inside:
                    before[layer.name] = at
                    if layer is inside[-1]:
                        at = end
                    elif layer.kind != "depthwise":
                        at = layer.name
                    behind[layer.name] = at
            stream = end
        before[HEAD], behind[HEAD] = stream, "output"
        return cls(before, behind)


def choose(
    width: int, allowed: IntArray, importance: FloatArray, generator: torch.Generator
) -> IntArray:
    """Choose `width` of the allowed channels: the most important ones, or all and copies of some.

    Copies are dealt out in rounds, so that no unit has two more than another.
    """
    if width <= len(allowed):
        best = allowed[np.argsort(-importance[allowed], kind="stable")[:width]]
        return np.sort(best)
    rounds = [allowed]
    while sum(map(len, rounds)) < width:
        rounds.append(allowed[torch.randperm(len(allowed), generator=generator).numpy()])
    return np.concatenate(rounds)[:width]


def shares(source: IntArray, generator: torch.Generator) -> torch.Tensor:
    """How a unit's outgoing weights are divided among its copies, `(W,)`; 1 without copies.

    The shares of a unit add up to 1 and are uneven, so that training can tell the copies apart.
    """
    uneven = 1 + UNEVENNESS * (2 * torch.rand(len(source), generator=generator) - 1)
    index = torch.from_numpy(source)
    total = torch.zeros(int(source.max()) + 1).index_add_(0, index, uneven)
    return uneven / total[index]


def seeded(seed: int, new: Architecture, trained: Architecture) -> torch.Generator:
    """The random stream of an inheritance."""
    return spawn_generator(seed, new.key, "inherits", trained.key)
