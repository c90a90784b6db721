"""Networks and their hardware as one space, for any strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from analognas.searching.designs import Design, as_design

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.searching.candidates import Codes
    from analognas.searching.hardware_genes import HardwareGenes
    from analognas.searching.spaces import Genes
    from analognas.searching.workshop import Workshop


@dataclass(frozen=True, eq=False)
class JointSpace:
    """A `Space` of designs: the genes of the networks, then those of the hardware.

    Args:
        space: Of the networks.
        hardware: What is searched beside them.
        workshop: Knows which values are those that the search was started with.
    """

    space: SearchSpace
    hardware: HardwareGenes
    workshop: Workshop

    @property
    def genes(self) -> Genes:
        """Those of the networks first."""
        return {**self.space.genes, **self.hardware.values}

    def decode(self, codes: Codes, fits: Callable[[Any], bool] | None = None) -> Design | None:
        """The design of a genotype, its network made smaller on its own hardware until it fits."""
        choice = self.workshop.choice({gene: codes[gene] for gene in self.hardware.values})
        network = {gene: value for gene, value in codes.items() if gene in self.space.genes}

        def design_fits(arch: Architecture) -> bool:
            return fits is None or fits(Design(arch, choice))

        arch = self.space.decode(network, design_fits)
        return None if arch is None else Design(arch, choice)

    def codes(self, design: Design | Architecture, /) -> Mapping[str, int | str]:
        """The one genotype of a design."""
        design = as_design(design)
        found: dict[str, int | str] = self.space.codes(design.arch)
        values = self.workshop.values(design.choice)
        for gene in self.hardware.values:
            value = values[gene]
            assert value is not None  # a gene is searched only where there is one
            found[gene] = value
        return found

    def count(self) -> int:
        """How many designs there are."""
        return self.space.count() * prod(len(values) for values in self.hardware.values.values())
