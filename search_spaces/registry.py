"""The list of search spaces."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from analognas.search_spaces.architecture import InputShape
from analognas.search_spaces.base import SearchSpace
from analognas.search_spaces.conv import ConvSpace
from analognas.search_spaces.resnet import ResNetSpace
from analognas.search_spaces.tinyml import TinyMLSpace

SpaceMaker: TypeAlias = Callable[[InputShape, int], SearchSpace]

SPACES: Mapping[str, type[ConvSpace] | type[ResNetSpace] | type[TinyMLSpace]] = {
    "conv": ConvSpace,
    "resnet": ResNetSpace,
    "tinyml": TinyMLSpace,
}


def make_space(name: str, *, input_shape: InputShape, n_classes: int) -> SearchSpace:
    """Make the space of this name for inputs `(channels, height, width)`.

    Raises:
        ValueError: An unknown name (the known ones are listed), or an input that is too small.
    """
    try:
        space = SPACES[name]
    except KeyError:
        known = ", ".join(SPACES)
        raise ValueError(f"Unknown search space {name!r}. Choose one of: {known}.") from None
    return space(input_shape, n_classes)
