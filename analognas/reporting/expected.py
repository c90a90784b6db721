"""What was known of networks before they were trained in full, and how a page speaks of it.

A search either predicts its candidates (*predicted*) or trains them shorter and measures them on
the validation part (*found*). Both are compared with the test part at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from analognas.searching.config import SearchConfig


@dataclass(frozen=True)
class Words:
    """How a page speaks of what was known before; `kind` is the word beside the numbers."""

    kind: str
    in_figures: str  # beside a candidate in a figure
    best: str  # of the network that was picked for its accuracy
    picked: str
    every: str  # beginning of the sentence under the front
    line: str  # what the line in the front means
    gap_title: str
    gap: str
    meaning: str
    unknown: str  # while no winner is measured


PREDICTED = Words(
    kind="predicted",
    in_figures="predicted",
    best="predicted",
    picked="The networks were picked by predicted accuracy and modelled energy, before any of them "
    "was trained; none was chosen by its result on the test part.",
    every="Every scored network by its",
    line="no network was predicted to be better in every objective of the search",
    gap_title="Predicted against simulated: the optimism gap",
    gap="The surrogate spoke before the network was trained, from labels measured on a validation "
    "part after a shorter training; the simulation uses the full training and the test part. A "
    "negative gap means that the prediction was too optimistic.",
    meaning="Said by a surrogate that was fitted to other trained networks; this network had not "
    "been trained then.",
    unknown="No network has been trained and measured in this run yet, so every accuracy on this "
    "page is a prediction.",
)
FOUND = Words(
    kind="found",
    in_figures="found (simulated, validation part)",
    best="validation",
    picked="The networks were picked by the accuracy that the search found on the validation part "
    "(simulated, after a shorter training) and by modelled energy, and then trained anew under "
    "another seed; none was chosen by its result on the test part.",
    every="Every network that was trained furthest by its",
    line="no network was found to be better in every objective of the search",
    gap_title="Found against the test part: the optimism gap",
    gap="The search trained its candidates shorter, measured them on the validation part and kept "
    "the best, which flatters them; the winners were trained in full under another seed and "
    "measured on other simulated chips on the test part. A negative gap means that the search saw "
    "the network too good; a longer training works against it.",
    meaning="Simulated by the search itself on the validation part, after a shorter training than "
    "that of the winners.",
    unknown="No winner has been trained and measured on the test part in this run yet, so every "
    "accuracy on this page is that of a candidate on the validation part.",
)


def words_for(config: SearchConfig) -> Words:
    """The words of a search."""
    return FOUND if config.trains else PREDICTED
