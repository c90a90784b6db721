"""What a search needs of a space: genes, and a way between genotypes and networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from analognas.errors import UserError
from analognas.searching.candidates import Codes

Genes = Mapping[str, tuple[int | str, ...]]
REMEMBERED = 8192  # networks: what a strategy looked at is decoded once more by the loop


class Network(Protocol):
    """A member of a space. Equal networks have equal keys."""

    @property
    def key(self) -> str: ...

    def to_dict(self) -> Mapping[str, Any]:
        """The network as JSON types."""
        ...


class Space(Protocol):
    """A set of networks with a categorical genotype; every `SearchSpace` is one.

    `Any` stands for the space's own class of networks, which must be a `Network`.
    """

    @property
    def genes(self) -> Genes:
        """Every gene with its possible values, in a fixed order."""
        ...

    def decode(self, codes: Codes, fits: Callable[[Any], bool] | None = None) -> Any:
        """The network of a genotype, changed if need be until `fits` is true; None if it cannot."""
        ...

    def codes(self, architecture: Any, /) -> Mapping[str, int | str]:
        """The one genotype of a network that stands for all others."""
        ...


@dataclass(frozen=True)
class Realised:
    """The network that a genotype stands for, with its canonical genotype."""

    key: str
    codes: Codes
    arch: Any


class Decoder:
    """Turns genotypes into networks within the limits, the last ones from memory."""

    def __init__(self, space: Space, fits: Callable[[Any], bool] | None = None) -> None:
        self.genes = check_genes(space)
        self._space = space
        self._fits = fits
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._realise)

    def realise(self, codes: Codes) -> Realised | None:
        """The network of a genotype; None where not even the smallest fits."""
        return self._remembered(tuple(codes[gene] for gene in self.genes))

    def _realise(self, values: tuple[int | str, ...]) -> Realised | None:
        codes = dict(zip(self.genes, values, strict=True))
        arch = self._space.decode(codes, self._fits)
        if arch is None:
            return None
        return Realised(str(arch.key), dict(self._space.codes(arch)), arch)


def check_genes(space: Space) -> Genes:
    """The genes of a space, every value list as a tuple.

    Raises:
        UserError: It has none, or a gene without values, with repeated ones or of a wrong type.
    """
    missing = [name for name in ("genes", "decode", "codes") if not hasattr(space, name)]
    if missing:
        raise UserError(
            f"A search space must have `genes`, `decode(codes, fits)` and `codes(arch)`, but "
            f"{type(space).__name__} lacks {', '.join(missing)}."
        )
    genes = {str(gene): tuple(values) for gene, values in dict(space.genes).items()}
    if not genes:
        raise UserError("A search space must have at least one gene, but `genes` is empty.")
    for gene, values in genes.items():
        plain = all(isinstance(v, int | str) and not isinstance(v, bool) for v in values)
        if not values or len(set(values)) < len(values) or not plain:
            raise UserError(
                f"Gene {gene!r} must have one or more different whole numbers or words, but got "
                f"{values!r}."
            )
    return genes
