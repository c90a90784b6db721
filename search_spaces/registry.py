"""The list of search spaces.

Other distributions add theirs behind entry points of the group `analognas.spaces`: makers
`(input_shape, n_classes) -> space`. They are looked for when a name is not one of ours.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
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


PLUGINS = "analognas.spaces"


def make_space(name: str, *, input_shape: InputShape, n_classes: int) -> SearchSpace:
    """Make the space of this name for inputs `(channels, height, width)`.

    Raises:
        ValueError: An unknown name (the known ones are listed), an input that is too small, or an
            installed space that cannot be loaded.
    """
    if name in SPACES:
        return SPACES[name](input_shape, n_classes)
    found = list(entry_points(group=PLUGINS, name=name))
    if not found:
        known = ", ".join((*SPACES, *sorted(entry_points(group=PLUGINS).names)))
        raise ValueError(f"Unknown search space {name!r}. Choose one of: {known}.")
    try:
        made: SearchSpace = found[0].load()(input_shape, n_classes)
    except Exception as error:
        raise ValueError(
            f"The installed search space {name!r} ({found[0].value}) cannot be used: "
            f"{type(error).__name__}: {error}."
        ) from error
    return made
