"""Models of few and noisy evaluations: a Gaussian process and randomised trees, as one ensemble.

A Gaussian process is the better of the two once it has seen a few dozen networks, trees are before.
Neither is trusted alone: half of the drawn values come from each.
"""

from __future__ import annotations

import warnings

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

FloatArray = NDArray[np.float64]

TREES = 24
MOST_FOR_PROCESS = 200  # its time grows with the cube of the evaluations


class Guess:
    """What networks might be worth, given what others were.

    Args:
        features: `(N, F)` of evaluated networks.
        values: Their worth `(N,)`.
        seed: Of the trees.
    """

    def __init__(self, features: FloatArray, values: FloatArray, seed: int) -> None:
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            self._forest = ExtraTreesRegressor(
                n_estimators=TREES, max_features=0.5, bootstrap=True, random_state=seed
            ).fit(features, values)
        self._process = None
        if 1 < len(values) <= MOST_FOR_PROCESS:
            self._process = Process(features, values)

    def draw(self, features: FloatArray, luck: FloatArray) -> FloatArray:
        """Draw values of networks.

        Args:
            features: `(M, F)`.
            luck: `(S,)`; in one draw all networks are equally lucky, by so many standard
                deviations, so that networks are compared and not their noise.

        Returns:
            `(S, M)`; the first half from the process, the second from the trees.
        """
        single = features.astype(np.float32)  # what a tree compares
        each = np.stack([tree.tree_.predict(single)[:, 0] for tree in self._forest.estimators_])
        mean, deviation = each.mean(axis=0), each.std(axis=0)
        if self._process is None:
            return np.asarray(mean + deviation * luck[:, None])
        half = len(luck) // 2
        from_trees = mean + deviation * luck[half:, None]
        mean, deviation = self._process.predict(features)
        return np.concatenate([mean + deviation * luck[:half, None], from_trees])


class Process:
    """A Gaussian process on standardised features; its length is common to all of them."""

    def __init__(self, features: FloatArray, values: FloatArray) -> None:
        deviation = features.std(axis=0)
        self._moving = deviation > 0
        self._centre = features.mean(axis=0)[self._moving]
        self._scale = deviation[self._moving]
        # Distances grow with the square root of the number of features, and so do lengths.
        size = float(np.sqrt(max(1, int(self._moving.sum()))))
        kernel = ConstantKernel(1.0, (0.1, 10.0)) * Matern(size, (0.2 * size, 10.0 * size), nu=2.5)
        self._model = GaussianProcessRegressor(
            kernel + WhiteKernel(0.05, (1e-4, 0.5)), normalize_y=True
        )
        with warnings.catch_warnings():
            # A length or a noise at its bound is an answer like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._standardised(features), values)

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, `(M,)` each."""
        mean, deviation = self._model.predict(self._standardised(features), return_std=True)
        return np.asarray(mean), np.asarray(deviation)

    def _standardised(self, features: FloatArray) -> FloatArray:
        if not self._moving.any():
            return np.zeros((len(features), 1))
        return np.asarray((features[:, self._moving] - self._centre) / self._scale)
