"""Weights for a network from those of another one: an arm of the benchmark of cheaper labels.

Labels of networks that inherit order them worse than short trainings of new weights do (see
`results/cheaper_labels.md`), so no label run inherits.
"""

from analognas.benchmarks.inheritance.alignment import Alignment, align_networks, nearest
from analognas.benchmarks.inheritance.carrying import inherit

__all__ = ["Alignment", "align_networks", "inherit", "nearest"]
