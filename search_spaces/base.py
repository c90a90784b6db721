"""What every search space can do, and how a genotype becomes a network that keeps to the limits."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from torch import nn

from analognas.search_spaces.architecture import Architecture, InputShape
from analognas.search_spaces.building import build_network
from analognas.search_spaces.features import FloatArray, encode_networks
from analognas.search_spaces.layers import (
    LayerSpec,
    count_multiplications,
    count_parameters,
    layer_specs,
)

Gene: TypeAlias = int | str
Codes: TypeAlias = Mapping[str, Gene]
Fits: TypeAlias = Callable[[Architecture], bool]


class SearchSpace(ABC):
    """A set of networks for one input shape and number of classes, with a categorical genotype.

    Every genotype decodes to a network. Genes that play no part in it (those of a stage that does
    not exist, the kernel of a 1x1 stage) are ignored, and a value that is impossible where it
    stands is replaced by the nearest possible one. What is left is canonical: active genotypes and
    networks are in bijection, so that every choice changes the network, `codes(decode(codes))` is
    stable, and `count()` is exact.
    """

    name: ClassVar[str]
    title: ClassVar[str]  # what the networks are, in a few words

    def __init__(self, input_shape: InputShape, n_classes: int) -> None:
        if len(input_shape) != 3 or min(input_shape) < 1:
            raise ValueError(
                "`input_shape` must be three positive integers (channels, height, width), "
                f"but got {input_shape!r}."
            )
        if n_classes < 2:
            raise ValueError(f"`n_classes` must be at least 2, but got {n_classes}.")
        channels, height, width = input_shape
        self.input_shape: InputShape = (channels, height, width)
        self.n_classes = n_classes

    @property
    @abstractmethod
    def genes(self) -> Mapping[str, tuple[Gene, ...]]:
        """Every gene with its possible values; the same for all networks, in a fixed order."""

    @property
    @abstractmethod
    def named(self) -> Mapping[str, Architecture]:
        """Well-known networks of this space, fitted to the input shape."""

    @property
    def families(self) -> tuple["SearchSpace", ...]:
        """The disjoint spaces of which this one is the union; a plain space is its own family."""
        return (self,)

    @abstractmethod
    def codes(self, architecture: Architecture) -> dict[str, Gene]:
        """The genotype of a network, inactive genes at their first value.

        Raises:
            ValueError: The network is not a member of this space.
        """

    @abstractmethod
    def count(self) -> int:
        """How many distinct networks the space holds (without any limits)."""

    @abstractmethod
    def decode(self, codes: Codes, fits: Fits | None = None) -> Architecture | None:
        """Make the network that a genotype describes.

        When `fits` says no, the network is shrunk, always in the same way: its widest layers are
        narrowed as little as is needed; if the narrowest network is still too much, it is also made
        shorter; last, the cheapest networks of the space are tried.

        Args:
            codes: A value for every active gene of `genes`.
            fits: Whether a network keeps to all limits.

        Returns:
            The network, or None if even the cheapest does not fit.

        Raises:
            ValueError: An unknown gene, an unknown value, or an active gene without value.
        """

    def sample(self, rng: np.random.Generator, fits: Fits | None = None) -> Architecture:
        """Draw a genotype with `random_codes` and decode it.

        Raises:
            ValueError: No network of the space fits.
        """
        network = self.decode(self.random_codes(rng), fits)
        if network is None:
            raise ValueError(
                f"Not even the smallest network of the space {self.name!r} fits the limits. "
                "Relax the tightest of them."
            )
        return network

    def random_codes(self, rng: np.random.Generator) -> dict[str, Gene]:
        """A value for every gene, drawn at random."""
        return {gene: values[int(rng.integers(len(values)))] for gene, values in self.genes.items()}

    def build(self, architecture: Architecture, *, generator: torch.Generator) -> nn.Sequential:
        """Build a network of `(B, *input_shape)` to logits `(B, n_classes)` with random weights."""
        self._check_input(architecture)
        return build_network(architecture, self.n_classes, generator=generator)

    def layers(self, architecture: Architecture) -> tuple[LayerSpec, ...]:
        """Every convolution and the head in order of execution, named as in `build`."""
        self._check_input(architecture)
        return layer_specs(architecture, self.n_classes)

    def parameters(self, architecture: Architecture) -> int:
        """Trainable numbers, batch norm included."""
        return count_parameters(self.layers(architecture))

    def multiplications(self, architecture: Architecture) -> int:
        """Multiplications of all convolutions and the head for one input."""
        return count_multiplications(self.layers(architecture))

    def encode(self, architectures: Sequence[Architecture]) -> tuple[tuple[str, ...], FloatArray]:
        """Named features of the realised networks: the names `(F,)` and a matrix `(N, F)`.

        The columns are the same for every space, so that one surrogate serves all of them.
        """
        return encode_networks([self.layers(network) for network in architectures], architectures)

    def _check_input(self, architecture: Architecture) -> None:
        if architecture.input_shape != self.input_shape:
            raise ValueError(
                f"The network must be made for inputs of {self.input_shape}, "
                f"but {architecture.key} takes {architecture.input_shape}. "
                "Use the task it was searched for."
            )

    def _check_codes(self, codes: Codes) -> dict[str, Gene]:
        genes = self.genes
        unknown = [gene for gene in codes if gene not in genes]
        if unknown:
            raise ValueError(
                f"Unknown genes {', '.join(map(repr, unknown))} in the space {self.name!r}. "
                f"Its genes are {', '.join(genes)}."
            )
        checked: dict[str, Gene] = {}
        for gene, value in codes.items():
            values = genes[gene]
            if isinstance(value, bool) or value not in values:
                raise ValueError(
                    f"Gene {gene!r} must be one of {', '.join(map(str, values))}, "
                    f"but got {value!r}."
                )
            checked[gene] = values[values.index(value)]
        return checked
