"""What every surrogate promises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analognas.surrogates.label_table import LabelDescription
from analognas.surrogates.regions import Ranges

FloatArray: TypeAlias = NDArray[np.float64]
T = TypeVar("T")

DEFAULT_LEVEL = 0.8
SIGMAS_TO_LOW = 1.645  # of a normal law, from its mean to its 5 % quantile


@dataclass(frozen=True)
class Prediction:
    """Predicted accuracy (fractions) of `N` rows, each a network on a hardware at a time.

    `lower` to `upper` is the calibrated band: a new network, trained once, on hardware like that of
    the labels, lies within it at every time with the probability asked for. Where `beyond` is true
    hardware or size lie outside of what was learned from: the band is wider there, and a guess.
    `rank_score` orders networks on the same hardware at the same time, higher is better; it is not
    an accuracy.
    """

    mean: FloatArray  # (N,), over simulated chips
    lower: FloatArray  # (N,)
    upper: FloatArray  # (N,)
    quantile_05: FloatArray  # (N,), 5 % quantile over simulated chips
    rank_score: FloatArray  # (N,)
    beyond: NDArray[np.bool_]  # (N,)


class Surrogate(Protocol):
    """Predicts accuracy under analog noise from a table of named features."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The feature columns it was fitted on."""

    @property
    def description(self) -> LabelDescription | None:
        """The labels it was fitted on."""

    @property
    def ranges(self) -> Ranges | None:
        """From where to where hardware and sizes reach in them."""

    def fit(
        self,
        features: pd.DataFrame,
        targets: pd.DataFrame,
        *,
        description: LabelDescription | None = None,
    ) -> Self:
        """Learn from labelled networks and calibrate the intervals by network.

        Args:
            features: One row per network, hardware and time; numeric columns, `log10_t_s` among
                them. The columns of the hardware are those that begin with `hardware_`.
            targets: The same rows in the same order, columns as `LabelTable.targets` gives them.
            description: Where the labels come from; stored with the model.
        """

    def predict(self, features: pd.DataFrame, *, level: float = DEFAULT_LEVEL) -> Prediction:
        """Predict rows of a table that has the fitted columns, in any order."""

    def to_json(self) -> str:
        """Write the fitted model as JSON text."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back `to_json()`; a corrupt or foreign text is a `ValueError`."""


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """Return `table[name]`; an unknown name is answered with the known ones."""
    try:
        return table[name]
    except KeyError:
        raise ValueError(f"Unknown {kind} {name!r}; choose one of {sorted(table)}.") from None
