"""What a matrix on a chip belongs to, in a few words."""

from __future__ import annotations

import re

from analognas.reporting.wording import TIMES
from analognas.simulator.mapping import LayerShape

RECURRENT = re.compile(r"weight_(ih|hh|hr)(_l\d+)?(_reverse)?$")
OF_RECURRENT = {"ih": "of inputs", "hh": "of states", "hr": "projection of states"}
OF_ATTENTION = {
    "in_proj": "queries, keys, values",
    "q_proj": "queries",
    "k_proj": "keys",
    "v_proj": "values",
    "out_proj": "output",
}


def describe_layer(shape: LayerShape) -> str:
    """Say what a layer is: "3\u00d73 conv", "3 conv1d", "linear", "recurrent, of states" ..."""
    if shape.kind != "linear":
        return _convolution(shape)
    parent, _, last = shape.name.rpartition(".")
    if parent and (found := RECURRENT.match(last)):
        backwards = ", backwards" if found[3] else ""
        return f"recurrent, {OF_RECURRENT[found[1]]}{backwards}"
    if parent and last in OF_ATTENTION:
        return f"attention, {OF_ATTENTION[last]}"
    return "linear"


def _convolution(shape: LayerShape) -> str:
    kernel = TIMES.join(map(str, shape.kernel))
    what = shape.kind.replace("_", " ")
    kind = "conv" if what == "conv2d" else what  # in two dimensions the kernel says it all
    if shape.groups == 1:
        return f"{kernel} {kind}"
    grouping = "depthwise" if shape.groups == shape.in_channels else f"{shape.groups} groups"
    return f"{kernel} {grouping}" if kind == "conv" else f"{kernel} {kind}, {grouping}"
