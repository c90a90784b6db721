"""The space `tinyml`: the union of `conv` and `resnet`, and the default of a search."""

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

import numpy as np

from analognas.search_spaces.architecture import Architecture, InputShape
from analognas.search_spaces.base import Codes, Fits, Gene, SearchSpace
from analognas.search_spaces.conv import ConvOptions, ConvSpace
from analognas.search_spaces.family import pick
from analognas.search_spaces.resnet import ResNetOptions, ResNetSpace

FAMILY = "family"


class TinyMLSpace(SearchSpace):
    """Stacks of stages and residual networks together.

    The gene `family` chooses between them, the other genes are those of both, named `conv.stages`,
    `resnet.stem_width` and so on. Networks keep the name and the key of their family. The families
    are disjoint: a `conv` network has no projections, and a `resnet` always has one, or a residual
    block that no single stage can be.
    """

    name: ClassVar[str] = "tinyml"
    title: ClassVar[str] = "conv and resnet together (default)"

    def __init__(
        self,
        input_shape: InputShape,
        n_classes: int,
        conv: ConvOptions | None = None,
        resnet: ResNetOptions | None = None,
    ) -> None:
        super().__init__(input_shape, n_classes)
        self._members: dict[str, SearchSpace] = {
            ConvSpace.name: ConvSpace(input_shape, n_classes, conv),
            ResNetSpace.name: ResNetSpace(input_shape, n_classes, resnet),
        }

    @property
    def families(self) -> tuple[SearchSpace, ...]:
        return tuple(self._members.values())

    @cached_property
    def genes(self) -> Mapping[str, tuple[Gene, ...]]:
        genes: dict[str, tuple[Gene, ...]] = {FAMILY: tuple(self._members)}
        for name, space in self._members.items():
            genes |= {f"{name}.{gene}": values for gene, values in space.genes.items()}
        return genes

    def decode(self, codes: Codes, fits: Fits | None = None) -> Architecture | None:
        checked = self._check_codes(codes)
        family = pick(checked, FAMILY, tuple(self._members))
        prefix = f"{family}."
        return self._members[family].decode(
            {
                gene.removeprefix(prefix): v
                for gene, v in checked.items()
                if gene.startswith(prefix)
            },
            fits,
        )

    def codes(self, architecture: Architecture) -> dict[str, Gene]:
        if architecture.space not in self._members:
            raise ValueError(
                f"The network must be of one of the families {', '.join(self._members)}, but "
                f"{architecture.key} is of {architecture.space!r}."
            )
        codes = {gene: values[0] for gene, values in self.genes.items()}
        codes[FAMILY] = architecture.space
        member = self._members[architecture.space]
        for gene, value in member.codes(architecture).items():
            codes[f"{architecture.space}.{gene}"] = value
        return codes

    def random_codes(self, rng: np.random.Generator) -> dict[str, Gene]:
        families = self.genes[FAMILY]
        codes: dict[str, Gene] = {FAMILY: families[int(rng.integers(len(families)))]}
        for name, space in self._members.items():
            codes |= {f"{name}.{gene}": value for gene, value in space.random_codes(rng).items()}
        return codes

    def count(self) -> int:
        return sum(space.count() for space in self.families)

    @cached_property
    def named(self) -> Mapping[str, Architecture]:
        return {name: network for space in self.families for name, network in space.named.items()}
