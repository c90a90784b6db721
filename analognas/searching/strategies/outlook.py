"""What a strategy expects of networks that were not evaluated, from those that were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analognas.searching.objectives import Objective
from analognas.searching.strategies.base import Description, FloatArray
from analognas.searching.strategies.guesses import Guess, Process
from analognas.searching.strategies.improvement import directions, improvements, reach

DRAWS = 32
DIRECTIONS = 128
REFERENCE = 1.1  # where the worst evaluated value of every objective is 1
WIDE = 10.0  # positive values that span more than this factor are compared by their logarithms
TOLERATED = 0.05  # of the largest violation
FEWEST_TIMED = 8
THRIFT = 0.5  # gains are divided by this power of the expected seconds; see `Outlook.gains`


class Scales:
    """Every objective from 0, the best evaluated, to 1, the worst; wide ranges as logarithms."""

    def __init__(self, losses: FloatArray) -> None:
        self._wide = [
            bool(column.min() > 0 and column.max() > WIDE * column.min()) for column in losses.T
        ]
        bent = np.stack([self._bend(i, column) for i, column in enumerate(losses.T)], axis=-1)
        self._low = bent.min(axis=0)
        width = bent.max(axis=0) - self._low
        self._width = np.where(width > 0, width, 1.0)

    def apply(self, losses: FloatArray) -> FloatArray:
        """Scale `(..., D)` losses."""
        columns = [self.one(i, losses[..., i]) for i in range(losses.shape[-1])]
        return np.stack(columns, axis=-1)

    def one(self, index: int, losses: FloatArray) -> FloatArray:
        """Scale losses of one objective."""
        return np.asarray((self._bend(index, losses) - self._low[index]) / self._width[index])

    def _bend(self, index: int, losses: FloatArray) -> FloatArray:
        if not self._wide[index]:
            return losses
        return np.asarray(np.log(np.maximum(losses, np.finfo(np.float64).tiny)))


class Outlook:
    """Models of everything that costs an evaluation to know, fitted once.

    Args:
        objectives: `D` of them.
        evaluated: Features of `N` evaluated networks.
        losses: Their objectives `(N, D)`, smaller is better.
        violations: By how much they miss the demands, `(N,)`.
        seconds: What their evaluation took `(N,)`, NaN where nobody said.
        rng: For the models and the draws.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        evaluated: Description,
        losses: FloatArray,
        violations: FloatArray,
        seconds: FloatArray,
        rng: np.random.Generator,
    ) -> None:
        features = evaluated.features.to_numpy(dtype=np.float64)
        self._objectives = objectives
        self._scales = Scales(losses)
        scaled = self._scales.apply(losses)
        self._along = directions(losses.shape[1], DIRECTIONS, rng)
        self._luck = rng.standard_normal((losses.shape[1] + 1, DRAWS))
        seed = int(rng.integers(2**31))
        self._guesses: dict[int, Guess] = {}
        for index, objective in enumerate(objectives):
            if objective.name not in evaluated.known.columns:
                missed = scaled[:, index] - self._first_guess(index, evaluated)
                self._guesses[index] = Guess(features, missed, seed)
        self._demanding: Guess | None = None
        if (violations > 0).any():
            self._demanding = Guess(features, violations, seed)
            self._tolerated = TOLERATED * float(violations.max())
        self._usual = 0.0  # logarithm of seconds
        timed = np.isfinite(seconds) & (seconds > 0)
        self._timing: Process | None = None
        if timed.sum() >= FEWEST_TIMED:
            self._usual = float(np.log(seconds[timed]).mean())
            self._timing = Process(features[timed], np.log(seconds[timed]))
        feasible = violations <= 0
        self._front = scaled[feasible]

    def gains(
        self,
        described: Description,
        believed: FloatArray | None = None,
        thrift: float = THRIFT,
    ) -> tuple[FloatArray, FloatArray]:
        """Expected gain of hypervolume, less where evaluations are dear.

        The gain itself (`thrift` 0) favours large networks that leave no time for others, the gain
        per second (1) small ones whose gains are soon exhausted: a power between them is a
        compromise (Lee et al. 2020, arXiv:2003.10870, let it fall from 1 to 0 with the budget).

        Args:
            described: `M` networks.
            believed: Scaled losses `(K, D)` of networks that are taken as evaluated.
            thrift: The power of the expected seconds, relative to the usual ones, that divides.

        Returns:
            Gains `(M,)`, and the expected scaled losses `(M, D)`.
        """
        drawn = self._draw(described)  # (S, M, D)
        front = self._front
        if believed is not None:
            front = np.vstack([front, believed])
        reference = np.full(drawn.shape[-1], REFERENCE)
        reached = np.zeros(DIRECTIONS)
        if len(front):
            reached = reach(front, reference, self._along).max(axis=0)
        gains = np.mean(
            [improvements(reach(draw, reference, self._along), reached) for draw in drawn], axis=0
        )
        gains = gains * self._feasibility(described) / self._cost(described) ** thrift
        return gains, drawn.mean(axis=0)

    def share_per_minute(self, described: Description) -> float:
        """Expected widening of the front by the best of `M` networks, as a share of it, a minute.

        Where nobody says what evaluations take, one is a second.
        """
        reference = np.full(len(self._objectives), REFERENCE)
        if len(self._front) == 0:
            return float("inf")
        reached = reach(self._front, reference, self._along).max(axis=0).mean()
        gains, _ = self.gains(described, thrift=1.0)
        return float(gains.max() / reached * 60.0 / np.exp(self._usual))

    def _draw(self, described: Description) -> FloatArray:
        features = described.features.to_numpy(dtype=np.float64)
        columns = []
        for index, objective in enumerate(self._objectives):
            if index in self._guesses:
                drawn = self._guesses[index].draw(features, self._luck[index])
                columns.append(drawn + self._first_guess(index, described))
            else:
                known = -objective.sign * described.known[objective.name].to_numpy(np.float64)
                columns.append(np.tile(self._scales.one(index, known), (DRAWS, 1)))
        return np.stack(columns, axis=-1)

    def _feasibility(self, described: Description) -> FloatArray:
        """How likely the demands are met, never quite impossible."""
        if self._demanding is None:
            return np.ones(len(described.features))
        features = described.features.to_numpy(dtype=np.float64)
        drawn = self._demanding.draw(features, self._luck[-1])
        met: FloatArray = (drawn <= self._tolerated).mean(axis=0)
        return np.maximum(met, 1.0 / DRAWS)

    def _cost(self, described: Description) -> FloatArray:
        """Expected seconds, relative to the usual ones."""
        if self._timing is None:
            return np.ones(len(described.features))
        features = described.features.to_numpy(dtype=np.float64)
        return np.asarray(np.exp(self._timing.predict(features)[0] - self._usual))

    def _first_guess(self, index: int, described: Description) -> FloatArray:
        """Scaled losses that somebody else predicts, 0 where nobody does."""
        objective = self._objectives[index]
        if objective.name not in described.features.columns:
            return np.zeros(len(described.features))
        guess = -objective.sign * described.features[objective.name].to_numpy(np.float64)
        return self._scales.one(index, guess)
