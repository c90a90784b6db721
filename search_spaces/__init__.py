"""Search spaces: architecture records, generators, encoders and builders of TinyML CNNs."""

from analognas.search_spaces.architecture import Architecture, Block, Convolution
from analognas.search_spaces.base import Fits, SearchSpace
from analognas.search_spaces.conv import ConvOptions, ConvSpace
from analognas.search_spaces.layers import LayerSpec, layer_specs
from analognas.search_spaces.registry import SPACES, make_space
from analognas.search_spaces.resnet import ResNetOptions, ResNetSpace
from analognas.search_spaces.spread import sample_spread
from analognas.search_spaces.tinyml import TinyMLSpace

__all__ = [
    "SPACES",
    "Architecture",
    "Block",
    "ConvOptions",
    "ConvSpace",
    "Convolution",
    "Fits",
    "LayerSpec",
    "ResNetOptions",
    "ResNetSpace",
    "SearchSpace",
    "TinyMLSpace",
    "layer_specs",
    "make_space",
    "sample_spread",
]
