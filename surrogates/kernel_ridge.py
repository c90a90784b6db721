"""The smooth part of the main surrogate: kernel ridge regression of the log odds of the accuracy.

With a few hundred labelled networks a smooth law orders new ones better than trees do. The kernel
is a sum of Matern kernels (smoothness 3/2): of the network, of hardware and time, of the error that
the network meets on this hardware (the joint columns), and of the network with either of the two.
Their shares say how much of the accuracy each may explain: all networks are seen on all hardware,
so that the law of the hardware is known well, while that of the network rests on as many examples
as there are networks, and what training did to one of them is the same in all its rows. The law of
the error has most to say: it is the part that holds on hardware unlike any that was labelled. Rows
near a few hundred landmarks stand for all rows (Nystroem's method; Williams &
Seeger, NeurIPS 2000), so that the cost grows with the rows alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, logit

from analognas.surrogates.feature_table import (
    is_hardware_column,
    is_joint_column,
    is_network_column,
)

FloatArray = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]

# Accuracies nearer to 0 or 1 count as these: their log odds say little but noise.
BOUNDS = (0.02, 0.99)
ROWS_AT_ONCE = 512  # more would leave the caches
_JITTER = 1e-6


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class KernelSettings:
    """The kernel, in units of columns with mean 0 and spread 1.

    Lengths are multiples of the root of the number of columns. Shares are relative to `noise`, the
    variance that a row is taken to have about the law.
    """

    network_length: Positive = 2.2
    hardware_length: Positive = 1.4
    joint_length: Positive = 1.0
    network_share: Positive = 1.0
    hardware_share: Positive = 10.0
    joint_share: Positive = 30.0
    network_hardware_share: Positive = 5.0
    network_joint_share: Positive = 30.0
    noise: Positive = 3.0
    landmarks: Annotated[int, Field(ge=1)] = 800
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, eq=False)
class KernelRidge:
    """A fitted law. `margin` gives log odds."""

    columns: tuple[str, ...]
    settings: KernelSettings
    mean: FloatArray  # (F,)
    spread: FloatArray  # (F,), infinite where a column is constant
    landmarks: FloatArray  # (M, F), standardised
    weights: FloatArray  # (M,)
    level: float

    @classmethod
    def fit(
        cls,
        columns: tuple[str, ...],
        matrix: FloatArray,
        accuracy: FloatArray,
        weight: FloatArray,
        how: KernelSettings,
    ) -> tuple["KernelRidge", FloatArray]:
        """Fit the log odds of accuracies; returns the law, and what it says of these rows.

        Args:
            columns: Names of the columns, which say what they describe.
            matrix: Features `(N, F)`.
            accuracy: Fractions `(N,)`.
            weight: How much every row counts, `(N,)`, their mean 1.
            how: The kernel.
        """
        mean, spread = matrix.mean(axis=0), matrix.std(axis=0)
        spread = np.where(spread > 1e-9 * (1.0 + np.abs(mean)), spread, np.inf)
        chosen = np.random.default_rng(how.seed).permutation(len(matrix))[: how.landmarks]
        # Rounded, so that a stored law is the same to the last bit.
        landmarks = np.round((matrix[np.sort(chosen)] - mean) / spread, 4)
        odds = log_odds(accuracy)
        level = float(np.average(odds, weights=weight))
        law = cls(columns, how, mean, spread, landmarks, np.zeros(len(landmarks)), level)
        square = how.noise * law._kernel(landmarks)
        target = np.zeros(len(landmarks))
        kernels = []
        for start in range(0, len(matrix), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            kernel = law._kernel((matrix[part] - mean) / spread)
            kernels.append(kernel)
            weighted = kernel.T * weight[part]
            square += weighted @ kernel
            target += weighted @ (odds[part] - level)
        square[np.diag_indices_from(square)] *= 1.0 + _JITTER
        weights = cho_solve(cho_factor(square), target)
        law = cls(columns, how, mean, spread, landmarks, weights, level)
        return law, law._odds(kernels)

    def margin(self, matrix: FloatArray) -> FloatArray:
        """Log odds of every row of features `(N, F)`."""
        return self._odds(
            self._kernel((matrix[start : start + ROWS_AT_ONCE] - self.mean) / self.spread)
            for start in range(0, len(matrix), ROWS_AT_ONCE)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the columns are stored elsewhere."""
        return {
            "mean": self.mean.tolist(),
            "spread": [value if np.isfinite(value) else None for value in self.spread.tolist()],
            "landmarks": self.landmarks.tolist(),
            "weights": self.weights.tolist(),
            "level": self.level,
        }

    @classmethod
    def from_dict(
        cls, data: dict[str, Any], columns: tuple[str, ...], settings: KernelSettings
    ) -> "KernelRidge":
        """Read back `to_dict()`; a KeyError or ValueError says what is wrong with foreign data."""
        spread = [np.inf if value is None else value for value in data["spread"]]
        law = cls(
            columns,
            settings,
            np.array(data["mean"], dtype=np.float64),
            np.array(spread, dtype=np.float64),
            np.array(data["landmarks"], dtype=np.float64),
            np.array(data["weights"], dtype=np.float64),
            TypeAdapter(float).validate_python(data["level"]),
        )
        shapes = (law.mean.shape, law.spread.shape, law.landmarks.shape)
        size = (len(columns),)
        if shapes != (size, size, (len(law.weights), *size)):
            raise ValueError(f"the arrays of the smooth part do not fit {len(columns)} columns")
        return law

    def _odds(self, kernels: Iterable[FloatArray]) -> FloatArray:
        parts = [kernel @ self.weights for kernel in kernels]
        # Rounded: a product of matrices differs in the last bits with the number of its rows, and
        # a network must not be worth more or less for being predicted beside others.
        return np.round(self.level + np.concatenate(parts), 7) if parts else np.zeros(0)

    def _kernel(self, rows: FloatArray) -> FloatArray:
        """Kernel of standardised rows `(N, F)` with the landmarks, `(N, M)`."""
        how = self.settings
        of_network, of_hardware, of_both = (
            np.array([belongs(name) for name in self.columns]) & np.isfinite(self.spread)
            for belongs in (is_network_column, is_hardware_column, is_joint_column)
        )
        network = self._matern(rows, of_network, how.network_length)
        kernel = how.network_share * network
        for which, length, share, with_network in (
            (of_hardware, how.hardware_length, how.hardware_share, how.network_hardware_share),
            (of_both, how.joint_length, how.joint_share, how.network_joint_share),
        ):
            if which.any():
                part = self._matern(rows, which, length)
                kernel += share * part
                part *= network
                part *= with_network
                kernel += part
        return kernel

    def _matern(self, rows: FloatArray, which: NDArray[np.bool_], length: float) -> FloatArray:
        scale = np.sqrt(3.0) / (length * np.sqrt(max(int(which.sum()), 1)))
        a, b = rows[:, which] * scale, self.landmarks[:, which] * scale
        distance = a @ (-2.0 * b.T)
        distance += (a * a).sum(axis=1)[:, None]
        distance += (b * b).sum(axis=1)
        np.sqrt(np.maximum(distance, 0.0, out=distance), out=distance)
        kernel = np.exp(-distance)
        distance += 1.0
        kernel *= distance
        return np.asarray(kernel)


def log_odds(accuracy: FloatArray) -> FloatArray:
    """Log odds of accuracies, those near 0 and 1 taken as `BOUNDS`."""
    return np.asarray(logit(np.clip(accuracy, *BOUNDS)), dtype=np.float64)


def from_log_odds(odds: FloatArray) -> FloatArray:
    """The accuracies, strictly between 0 and 1."""
    return np.asarray(expit(odds), dtype=np.float64)
