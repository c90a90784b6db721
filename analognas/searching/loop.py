"""The loop of a search: ask, decode, evaluate, write down, tell."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field

from analognas.errors import UserError
from analognas.searching.budget import Budget
from analognas.searching.candidates import (
    Candidate,
    EvaluationId,
    Proposal,
    Result,
    Trial,
    Verdict,
)
from analognas.searching.demands import Demand, violation
from analognas.searching.journal import Batch, Content, Journal
from analognas.searching.spaces import Decoder, Realised
from analognas.searching.strategies.base import Strategy, check_proposals
from analognas.searching.trials import TrialRunner

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]  # done, total, message
STALE_BATCHES = 20  # batches in a row without a new evaluation: the strategy has nothing left
HOPELESS_FAILURES = 20  # so many at the start, and not one success: nothing will come of it
REPORT_AFTER_S = 0.5  # progress is told within a batch if it takes so long
NOTE_AFTER_S = 1.0  # evaluations of a batch in progress are written down if it takes so long
ROUNDING = 1e-9  # of sums of fidelities


@dataclass
class SearchLoop:
    """A search in memory that writes every batch to its journal before it goes on.

    Args:
        strategy: Proposes genotypes.
        decoder: Genotype to a network within the limits.
        runner: Evaluates new networks.
        journal: Receives one line a batch; None keeps everything in memory only.
        demands: What networks must reach.
        follow: Called with every batch after it is journalled, replayed ones too.
        tells_seconds: Whether the strategy learns what evaluations were charged with. Measured
            seconds differ from run to run, and what is proposed with them.
    """

    strategy: Strategy
    decoder: Decoder
    runner: TrialRunner
    journal: Journal | None = None
    demands: tuple[Demand, ...] = ()
    follow: Callable[[Batch], None] | None = None
    tells_seconds: bool = False

    evaluations: dict[EvaluationId, Candidate] = field(default_factory=dict)  # in order
    networks: set[str] = field(default_factory=set)  # their keys
    failed: int = 0
    stopped_early: bool = False  # nothing new was proposed any more
    _unfinished: dict[EvaluationId, Candidate] = field(default_factory=dict)
    _spent: float = 0.0  # evaluations, in full ones
    _wall_s: float = 0.0
    _charged_s: float = 0.0
    _charges: bool = False  # whether the evaluator says what its evaluations take
    _over: bool = False
    _ended: Budget | None = None  # the budget that ended with the last batch
    _batches: int = 0
    _stale: int = 0
    _mark: float = 0.0

    @property
    def seconds(self) -> float:
        """What the evaluator charged, or what has passed if it charges nothing."""
        return self._charged_s if self._charges else self._wall_s

    @property
    def candidates(self) -> dict[str, Candidate]:
        """The first evaluation of every network that did not fail, by its key."""
        found: dict[str, Candidate] = {}
        for candidate in self.evaluations.values():
            if candidate.failure is None:
                found.setdefault(candidate.key, candidate)
        return found

    def take_known(self, known: Sequence[Candidate]) -> None:
        """Tell the strategy evaluations that cost this search nothing."""
        if not known:
            return
        self.strategy.replay(-1, [Proposal(one.codes, one.fidelity, one.seed) for one in known])
        for candidate in known:
            self._remember(candidate)
        self._charged_s, self._charges = 0.0, False
        self.strategy.tell([self._verdict(candidate.id) for candidate in known])

    def replay(self) -> int:
        """Go through the journal as if its batches were computed now; return how many there are."""
        content = Content() if self.journal is None else self.journal.read_all()
        for batch in content.batches:
            proposals = [
                Proposal(codes, *batch.trial(index)) for index, codes in enumerate(batch.codes)
            ]
            if proposals:
                self.strategy.replay(batch.index, proposals)
            self._learn(batch)
        self._unfinished = {candidate.id: candidate for candidate in content.unfinished}
        self._check_hope(self._unfinished.values())
        return self._batches

    def run(self, budget: Budget, progress: Progress | None = None) -> None:
        """Search until the budget is spent or nothing new is found any more.

        Raises:
            UserError: All of the first evaluations failed, or the first one takes longer than the
                budget.
        """
        self._mark = time.perf_counter()
        self._over = self._ended is not None and budget.is_within(self._ended)
        while not self._is_spent(budget):
            self._report(budget, progress)
            batch = self._next_batch(budget, progress)
            if self.journal is not None:
                self.journal.append(batch)
            self._learn(batch)
        self._report(budget, progress)

    def _is_spent(self, budget: Budget) -> bool:
        if self._stale >= STALE_BATCHES:
            logger.warning("stopped early: %d batches brought no new network", self._stale)
            self.stopped_early = True
            return True
        if self._over or (budget.seconds is not None and self.seconds >= budget.seconds):
            return True
        return budget.evaluations is not None and self._spent >= budget.evaluations - ROUNDING

    def _next_batch(self, budget: Budget, progress: Progress | None) -> Batch:
        proposals = list(self.strategy.ask(self._batches, self.strategy.batch_size))
        try:
            check_proposals(self.decoder.genes, proposals)
        except ValueError as error:
            raise UserError(f"The strategy proposed what is not in the space: {error}") from error
        new: dict[EvaluationId, tuple[int, Realised]] = {}
        keys: list[str | None] = []
        room = None if budget.evaluations is None else budget.evaluations - self._spent
        for index, proposal in enumerate(proposals):
            found = self.decoder.realise(proposal.codes)
            if found is not None:
                name = (found.key, proposal.fidelity, proposal.seed)
                if name not in self.evaluations and name not in new:
                    if room is not None and proposal.fidelity > room + ROUNDING:
                        self._over = True
                        break
                    room = None if room is None else room - proposal.fidelity
                    new[name] = (index, found)
            keys.append(None if found is None else found.key)
        candidates = self._evaluate(new, proposals, budget, progress)
        if len(candidates) < len(new):  # the time is over: what comes after is dropped
            keys = keys[: list(new.values())[len(candidates)][0]]
        before, self._mark = self._mark, time.perf_counter()
        trials = tuple((p.fidelity, p.seed) for p in proposals[: len(keys)])
        return Batch(
            index=self._batches,
            seconds=self._mark - before,  # telling the batch before this one included
            codes=tuple(dict(proposal.codes) for proposal in proposals[: len(keys)]),
            keys=tuple(keys),
            candidates=tuple(candidates),
            trials=trials if any(trial != (1.0, 0) for trial in trials) else (),
            ended=budget if self._over else None,
        )

    def _evaluate(
        self,
        new: dict[EvaluationId, tuple[int, Realised]],
        proposals: Sequence[Proposal],
        budget: Budget,
        progress: Progress | None,
    ) -> list[Candidate]:
        """Evaluate in order until the time is over; what the journal has already is taken."""
        fresh = self._fresh(
            {n: new[n] for n in new if n not in self._unfinished}, proposals, budget
        )
        candidates: list[Candidate] = []
        charged = self._charged_s
        told_at = time.perf_counter()
        for name in new:
            candidate = self._unfinished.get(name) or next(fresh, None)
            if candidate is None:
                self._over = True
                break
            charged += candidate.seconds or 0.0
            if self._is_too_late(candidate, charged, budget, first=not candidates):
                self._over = True
                break
            candidates.append(candidate)
            self._check_hope(candidates)
            if time.perf_counter() - told_at > REPORT_AFTER_S:
                told_at = time.perf_counter()
                self._report(budget, progress, candidates)
        fresh.close()
        self._unfinished = {}
        return candidates

    def _fresh(
        self,
        new: dict[EvaluationId, tuple[int, Realised]],
        proposals: Sequence[Proposal],
        budget: Budget,
    ) -> Generator[Candidate, None, None]:
        """Evaluations in order, slow ones noted, until the clock says that the budget is spent."""
        waiting = list(new.values())
        trials = [
            Trial(found.arch, proposals[index].fidelity, proposals[index].seed)
            for index, found in waiting
        ]
        started = noted_at = time.perf_counter()
        unwritten: list[Candidate] = []
        done = 0
        for chunk in self.runner.run(trials):
            some = [
                self._candidate(found, proposals[index], result)
                for (index, found), result in zip(waiting[done:], chunk, strict=False)
            ]
            done += len(chunk)
            unwritten += some
            now = time.perf_counter()
            if self.journal is not None and done < len(trials) and now - noted_at > NOTE_AFTER_S:
                self.journal.note(unwritten)
                unwritten, noted_at = [], now
            yield from some
            charges = self._charges or any(one.seconds is not None for one in chunk)
            passed = self._wall_s + now - started
            if budget.seconds is not None and not charges and passed >= budget.seconds:
                return

    def _is_too_late(
        self, candidate: Candidate, charged: float, budget: Budget, *, first: bool
    ) -> bool:
        """Whether an evaluation would have ended after the budget."""
        charges = self._charges or candidate.failure is None
        if budget.seconds is None or candidate.seconds is None or not charges:
            return False
        if charged <= budget.seconds:
            return False
        if first and not self.evaluations:
            raise UserError(
                f"The budget of {budget.seconds:g} s ends before the first evaluation, which takes "
                f"{candidate.seconds:g} s. Give more time."
            )
        return True

    def _candidate(self, found: Realised, proposal: Proposal, result: Result) -> Candidate:
        return Candidate(
            key=found.key,
            batch=self._batches,
            codes=found.codes,
            architecture=json.loads(json.dumps(found.arch.to_dict())),  # as if it had been read
            scores=result.metrics or {},
            fidelity=proposal.fidelity,
            seed=proposal.seed,
            seconds=result.seconds,
            failure=result.failure,
        )

    def _check_hope(self, running: Iterable[Candidate]) -> None:
        """Stop if nothing but failures came so far."""
        if len(self.evaluations) > self.failed:
            return
        failures = [one.failure for one in (*self.evaluations.values(), *running)]
        if len(failures) >= HOPELESS_FAILURES and None not in failures:
            raise UserError(
                f"All of the first {len(failures)} evaluations failed, the last one with: "
                f"{failures[-1]}. Mend the evaluator, and start again in a new folder."
            )

    def _learn(self, batch: Batch) -> None:
        for candidate in batch.candidates:
            self._remember(candidate)
            self._spent += candidate.fidelity
        if batch.keys or batch.ended is None:
            self.strategy.tell(
                [
                    None if key is None else self._verdict((key, *batch.trial(index)))
                    for index, key in enumerate(batch.keys)
                ]
            )
        self._ended = batch.ended
        self._wall_s += batch.seconds
        self._batches += 1
        self._stale = 0 if batch.candidates else self._stale + 1
        if self.follow is not None:
            self.follow(batch)

    def _remember(self, candidate: Candidate) -> None:
        self.evaluations[candidate.id] = candidate
        self.networks.add(candidate.key)
        if candidate.failure is not None:
            self.failed += 1
        self._charged_s += candidate.seconds or 0.0
        self._charges |= candidate.failure is None and candidate.seconds is not None

    def _verdict(self, name: EvaluationId) -> Verdict:
        candidate = self.evaluations[name]
        failed = candidate.failure is not None
        return Verdict(
            key=candidate.key,
            scores=candidate.scores,
            violation=0.0 if failed else violation(self.demands, candidate.scores),
            codes=candidate.codes,
            fidelity=candidate.fidelity,
            seed=candidate.seed,
            seconds=candidate.seconds if self.tells_seconds else None,
            failed=failed,
        )

    def _report(
        self, budget: Budget, progress: Progress | None, running: Sequence[Candidate] = ()
    ) -> None:
        """Tell how far the search is; `running` are evaluations of the batch in progress."""
        if progress is None:
            return
        message = f"{len(self.networks | {one.key for one in running})} networks"
        failed = self.failed + sum(one.failure is not None for one in running)
        if failed:
            message += f", {failed} evaluations failed"
        if budget.evaluations is not None:
            spent = self._spent + sum(one.fidelity for one in running)
            progress(int(spent + ROUNDING), int(budget.evaluations), message)
        else:
            assert budget.seconds is not None
            total = int(budget.seconds)
            seconds = self.seconds + sum(one.seconds or 0.0 for one in running)
            progress(min(int(seconds), total), total, message)


def feasible(candidates: Sequence[Candidate], demands: Sequence[Demand]) -> list[Candidate]:
    """Keep the candidates that did not fail and meet the demands."""
    return [
        candidate
        for candidate in candidates
        if candidate.failure is None and violation(demands, candidate.scores) <= 0
    ]
