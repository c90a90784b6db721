"""A family of networks: how its genotypes become networks that keep to the limits."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

from analognas.search_spaces.architecture import Architecture
from analognas.search_spaces.base import Codes, Fits, Gene, SearchSpace
from analognas.search_spaces.geometry import Choice, nearest


class FamilySpace(SearchSpace):
    """A space with one way from genotype to network, which can be walked with narrower layers."""

    @abstractmethod
    def _walk(self, codes: Codes, max_width: int | None = None) -> Architecture:
        """The network nearest to the codes whose layers are not wider than `max_width`."""

    @abstractmethod
    def _read(self, architecture: Architecture) -> dict[str, Gene]:
        """The codes of a network; for a network of another space anything, or a `KeyError`."""

    @abstractmethod
    def _shortened(self, codes: Codes) -> Iterator[Codes]:
        """The codes themselves, then those of ever shorter networks."""

    @abstractmethod
    def _smallest(self) -> Iterator[Codes]:
        """Codes among which the cheapest networks of the space are."""

    @property
    @abstractmethod
    def _width_caps(self) -> tuple[int, ...]:
        """Values of `max_width` to try, ascending."""

    def decode(self, codes: Codes, fits: Fits | None = None) -> Architecture | None:
        network = self._walk(self._check_codes(codes))
        if fits is None or fits(network):
            return network
        return self._shrink(self._read(network), fits)

    def codes(self, architecture: Architecture) -> dict[str, Gene]:
        try:
            codes = self._read(architecture)
            member = architecture.space == self.name and self.decode(codes) == architecture
        except (KeyError, ValueError):
            member = False
        if not member:
            raise ValueError(
                f"The network must be a member of the space {self.name!r} for inputs of "
                f"{self.input_shape}, but {architecture.key} ({architecture.space!r}, inputs of "
                f"{architecture.input_shape}) is not. Use the space that it comes from."
            )
        return codes

    def _shrink(self, codes: Codes, fits: Fits) -> Architecture | None:
        for shorter in self._shortened(codes):
            best = self._walk(shorter, self._width_caps[0])
            if not fits(best):
                continue
            fitting, failing = 0, len(self._width_caps)
            while failing - fitting > 1:
                middle = (fitting + failing) // 2
                network = self._walk(shorter, self._width_caps[middle])
                if fits(network):
                    best, fitting = network, middle
                else:
                    failing = middle
            return best
        return next((n for n in map(self._walk, self._smallest()) if fits(n)), None)


def pick(codes: Codes, gene: str, allowed: Sequence[Choice]) -> Choice:
    """The allowed value nearest to the one in the codes.

    Raises:
        ValueError: The codes have no value for this gene.
    """
    try:
        wanted = codes[gene]
    except KeyError:
        raise ValueError(
            f"Gene {gene!r} must have a value, because it is active, but it is missing. "
            f"Give one of {', '.join(map(str, allowed))}."
        ) from None
    return nearest(wanted, allowed)


def check_options(options: object) -> None:
    """Refuse options without values, with repeated values, or with impossible numbers.

    Raises:
        ValueError: Which option breaks which rule.
    """
    for name, values in vars(options).items():
        if not isinstance(values, tuple):
            continue
        if not values or len(set(values)) < len(values):
            raise ValueError(f"`{name}` must hold one or more different values, but got {values}.")
        if isinstance(values[0], int) and (min(values) < 1 or list(values) != sorted(values)):
            raise ValueError(f"`{name}` must be positive and ascending, but got {values}.")
        if name.endswith("widths") and min(values) < 2:
            raise ValueError(f"`{name}` must be at least 2 channels, but got {values}.")
        if name == "strides" and values not in {(1,), (1, 2)}:
            raise ValueError(f"`strides` must be (1,) or (1, 2), but got {values}.")
