"""An evaluator of one's own: batches, failures, seeds, fidelities, and seconds to be charged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analognas import Result, SearchOutcome, Trial, run_search
from analognas.search_spaces import make_space

SPACE = make_space("conv", input_shape=(1, 16, 16), n_classes=10)


class NoisyEvaluator:
    """Stands for trainings: longer ones are better, and every seed gives another accuracy."""

    fidelities = (0.25, 0.5, 1.0)  # shares of the epochs that a strategy may ask for

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        return [self._train(trial) for trial in trials]

    def _train(self, trial: Trial) -> Result:
        parameters = SPACE.parameters(trial.arch)
        seconds = 1e-4 * parameters * trial.fidelity
        if parameters > 400_000:
            return Result(None, seconds, failure="out of memory")
        rng = np.random.default_rng([int(trial.arch.key, 16), trial.seed])
        learned = 1.0 - 0.2 / trial.fidelity * np.exp(-parameters / 30_000)
        noise = 0.01 * rng.normal()
        metrics = {"accuracy": float(learned + noise), "parameters": float(parameters)}
        return Result(metrics, seconds)


def main() -> SearchOutcome:
    return run_search(
        SPACE,
        NoisyEvaluator(),
        ("max:accuracy", "parameters"),
        strategy="multi-fidelity",
        budget="10m",  # of the seconds that the evaluator charges
        reevaluate=3,
    )


if __name__ == "__main__":
    print(main().summary())  # noqa: T201
