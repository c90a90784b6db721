"""The loop of a search: ask, decode, score, write down, tell."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from analognas.searching.candidates import Candidate, Codes, Verdict
from analognas.searching.config import Budget
from analognas.searching.journal import Batch, Journal
from analognas.searching.scoring import Scorer
from analognas.searching.strategies import Strategy

if TYPE_CHECKING:
    from analognas.search_spaces import Architecture

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]  # done, total, message
STALE_BATCHES = 20  # batches in a row without one new network: the sampler has nothing left


@dataclass(frozen=True)
class Demands:
    """What a network must reach in prediction, where the decoder cannot enforce it."""

    min_accuracy: float | None = None  # after one day
    max_drop: float | None = None  # from 1 s to 1 month

    def violation(self, candidate: Candidate) -> float:
        """By how much the predictions miss the demands, summed; 0 if they are met."""
        missing = 0.0
        if self.min_accuracy is not None:
            missing += max(0.0, self.min_accuracy - candidate.scores["accuracy@1day"])
        if self.max_drop is not None:
            missing += max(0.0, candidate.scores["drop"] - self.max_drop)
        return missing

    @property
    def any(self) -> bool:
        return self.min_accuracy is not None or self.max_drop is not None


@dataclass
class SearchLoop:
    """A search in memory that writes every batch to its journal before it goes on.

    Args:
        strategy: Proposes genotypes.
        decode: Genotype to a network within the limits; None if there is none.
        scorer: Predicts and costs new networks, a whole batch at once.
        journal: Receives one line a batch.
        demands: What predictions must reach.
        follow: Called with every batch after it is journalled, replayed ones too.
    """

    strategy: Strategy
    decode: Callable[[Codes], Architecture | None]
    scorer: Scorer
    journal: Journal
    demands: Demands = field(default_factory=Demands)
    follow: Callable[[Batch], None] | None = None

    candidates: dict[str, Candidate] = field(default_factory=dict)  # by key, in order
    seconds: float = 0.0
    _batches: int = 0
    _stale: int = 0
    _mark: float = 0.0

    def replay(self) -> int:
        """Go through the journal as if its batches were computed now; return how many there are."""
        for batch in self.journal.read():
            self.strategy.replay(batch.index, batch.codes)
            self._learn(batch)
        return self._batches

    def run(self, budget: Budget, progress: Progress | None = None) -> None:
        """Search until the budget is spent or nothing new is found any more."""
        self._mark = time.perf_counter()
        while not self._is_spent(budget):
            self._report(budget, progress)
            batch = self._next_batch(budget)
            self.journal.append(batch)
            self._learn(batch)
        self._report(budget, progress)

    def _is_spent(self, budget: Budget) -> bool:
        if self._stale >= STALE_BATCHES:
            logger.warning("stopped early: %d batches brought no new network", self._stale)
            return True
        if budget.candidates is not None and len(self.candidates) >= budget.candidates:
            return True
        return budget.seconds is not None and self.seconds >= budget.seconds

    def _next_batch(self, budget: Budget) -> Batch:
        proposals = self.strategy.ask(self._batches, self.strategy.batch_size)
        new: dict[str, tuple[int, Architecture]] = {}
        keys: list[str | None] = []
        for index, codes in enumerate(proposals):
            arch = self.decode(codes)
            if arch is not None and arch.key not in self.candidates and arch.key not in new:
                if self._room(budget) == len(new):
                    break
                new[arch.key] = (index, arch)
            keys.append(None if arch is None else arch.key)
        scores = self.scorer.score([arch for _, arch in new.values()]) if new else []
        before, self._mark = self._mark, time.perf_counter()
        return Batch(
            index=self._batches,
            seconds=self._mark - before,  # telling the batch before this one included
            codes=tuple(proposals[: len(keys)]),
            keys=tuple(keys),
            candidates=tuple(
                Candidate(
                    key=arch.key,
                    batch=self._batches,
                    codes=proposals[index],
                    architecture=arch.to_dict(),
                    scores=row,
                )
                for (index, arch), row in zip(new.values(), scores, strict=True)
            ),
        )

    def _room(self, budget: Budget) -> int | None:
        """How many new networks the budget still allows."""
        if budget.candidates is None:
            return None
        return budget.candidates - len(self.candidates)

    def _learn(self, batch: Batch) -> None:
        for candidate in batch.candidates:
            self.candidates[candidate.key] = candidate
        self.strategy.tell([self._verdict(key) for key in batch.keys])
        self.seconds += batch.seconds
        self._batches += 1
        self._stale = 0 if batch.candidates else self._stale + 1
        if self.follow is not None:
            self.follow(batch)

    def _verdict(self, key: str | None) -> Verdict | None:
        if key is None:
            return None
        candidate = self.candidates[key]
        return Verdict(key, candidate.scores, self.demands.violation(candidate))

    def _report(self, budget: Budget, progress: Progress | None) -> None:
        if progress is None:
            return
        done = len(self.candidates)
        if budget.candidates is not None:
            progress(done, budget.candidates, f"{done} networks")
        else:
            assert budget.seconds is not None
            total = int(budget.seconds)
            progress(min(int(self.seconds), total), total, f"{done} networks")


def feasible(candidates: Sequence[Candidate], demands: Demands) -> list[Candidate]:
    """Keep the candidates that meet the demands."""
    return [candidate for candidate in candidates if demands.violation(candidate) <= 0]
