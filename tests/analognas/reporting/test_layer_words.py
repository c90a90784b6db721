"""Matrices of every kind of layer are called by what they are."""

import pytest
from torch import nn

from analognas.reporting.layer_words import describe_layer
from analognas.simulator.chip import trace_layers
from analognas.simulator.mapping import LayerShape


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (LayerShape("c", "conv2d", 1, 8, (10, 4)), "10\u00d74 conv"),
        (LayerShape("c", "conv2d", 8, 8, (3, 3), groups=8), "3\u00d73 depthwise"),
        (LayerShape("c", "conv2d", 8, 8, (3, 3), groups=2), "3\u00d73 2 groups"),
        (LayerShape("c", "conv1d", 8, 8, (5,)), "5 conv1d"),
        (LayerShape("c", "conv1d", 8, 8, (5,), groups=8), "5 conv1d, depthwise"),
        (LayerShape("c", "conv3d", 1, 8, (3, 3, 2)), "3\u00d73\u00d72 conv3d"),
        (LayerShape("c", "conv_transpose2d", 1, 8, (3, 3)), "3\u00d73 conv transpose2d"),
        (LayerShape("head", "linear", 8, 8), "linear"),
        (LayerShape("out_proj", "linear", 8, 8), "linear"),
        (LayerShape("lstm.weight_hr_l1", "linear", 8, 8), "recurrent, projection of states"),
        (LayerShape("cell.weight_hh", "linear", 8, 8), "recurrent, of states"),
        (LayerShape("attn.k_proj", "linear", 8, 8), "attention, keys"),
    ],
)
def test_layers(shape: LayerShape, words: str) -> None:
    assert describe_layer(shape) == words


def test_matrices_of_recurrent_layers() -> None:
    layer = nn.LSTM(4, 6, bidirectional=True, batch_first=True)
    words = [describe_layer(shape) for shape in trace_layers(layer, (5, 4))]
    forwards = ["recurrent, of inputs", "recurrent, of states"]
    assert words == [*forwards, *(f"{text}, backwards" for text in forwards)]


def test_matrices_of_attention() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    words = [describe_layer(shape) for shape in trace_layers(model, (5, 8))]
    attention = ["attention, queries, keys, values", "attention, output"]
    assert words == [*attention, "linear", "linear"]
