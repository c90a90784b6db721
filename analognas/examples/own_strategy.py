"""A strategy of one's own: ask and tell, without any random state between batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analognas import Problem, Proposal, SearchOutcome, Verdict, run_search
from analognas.examples.own_space import PerceptronSpace, evaluate


class HillClimber:
    """Changes one gene of the best network so far, and now and then draws a new one."""

    batch_size = 5

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed = problem, seed
        self.best: Verdict | None = None

    def ask(self, batch: int, count: int) -> list[Proposal]:
        rng = np.random.default_rng([self.seed, batch])  # all randomness follows from these
        return [self._propose(rng) for _ in range(count)]

    def _propose(self, rng: np.random.Generator) -> Proposal:
        genes = self.problem.genes
        drawn = {gene: values[int(rng.integers(len(values)))] for gene, values in genes.items()}
        if self.best is None or rng.random() < 0.2:
            return Proposal(drawn)
        gene = list(genes)[int(rng.integers(len(genes)))]
        return Proposal({**self.best.codes, gene: drawn[gene]})

    def replay(self, batch: int, proposals: Sequence[Proposal]) -> None:
        """Nothing is remembered of proposals: verdicts hold all that is needed."""

    def tell(self, verdicts: Sequence[Verdict | None]) -> None:
        for verdict in verdicts:
            if verdict is None or verdict.failed or verdict.violation > 0:
                continue
            if self.best is None or self._score(verdict) > self._score(self.best):
                self.best = verdict

    def _score(self, verdict: Verdict) -> float:
        objective = self.problem.objectives[0]
        return objective.sign * verdict.scores[objective.name]


def main() -> SearchOutcome:
    objectives = ("max:accuracy", "weights<=20000")
    return run_search(PerceptronSpace(), evaluate, objectives, strategy=HillClimber, budget=80)


if __name__ == "__main__":
    print(main().summary())  # noqa: T201
