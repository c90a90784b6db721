"""A table of results of one's own: a search among the networks that it has."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from analognas import SearchOutcome, run_search
from analognas.search_spaces import make_space

SPACE = make_space("conv", input_shape=(1, 16, 16), n_classes=10)


def make_table() -> pd.DataFrame:
    """Stands for measurements: 60 networks, two seeds each."""
    rng = np.random.default_rng(0)
    rows = []
    for network in (SPACE.sample(rng) for _ in range(60)):
        parameters = SPACE.parameters(network)
        for seed in (0, 1):
            rows.append(
                {
                    "architecture": json.dumps(network.to_dict()),
                    "seed": seed,
                    "accuracy": 1.0 - 3.0 / parameters**0.3 + 0.01 * rng.normal(),
                    "parameters": parameters,
                    "seconds": 1e-4 * parameters,
                }
            )
    return pd.DataFrame(rows)


def main() -> SearchOutcome:
    return run_search(
        SPACE,
        make_table(),
        ("max:accuracy", "parameters"),
        strategy="local-search",
        budget=40,
        reevaluate=1,
    )


if __name__ == "__main__":
    print(main().summary())  # noqa: T201
