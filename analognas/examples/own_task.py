"""A task of one's own: made data, and a search that trains every network on it."""

import numpy as np

from analognas import SearchOutcome, run_search
from analognas.evaluation import evaluate
from analognas.limits import make_fits
from analognas.search_spaces import Architecture, make_space
from analognas.simulator import HERMES_DEFAULT
from analognas.simulator.chip import load_chip
from analognas.tasks import Limits, Part, Task, TaskRequest
from analognas.training import TrainingRecipe

CHIP = load_chip("hermes")
LIMITS = Limits(max_cores=8, max_parameters=3_000, max_multiplications=100_000)


def make_part(count: int, seed: int) -> Part:
    """Noisy pictures of level (0) and of upright (1) stripes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    stripes = np.where(np.arange(8) % 2, 1.0, -1.0)
    pictures = np.where(labels[:, None, None], stripes[None, None, :], stripes[None, :, None])
    noisy = (pictures + rng.normal(size=(count, 8, 8))).astype(np.float32)
    return Part(noisy[:, None], labels.astype(np.int64))


def load_stripes(request: TaskRequest) -> Task:
    return Task(
        name="stripes",
        title="level or upright stripes",
        data_name="stripes",
        split="made",
        data_key="stripes-1",
        classes=("level", "upright"),
        limits=LIMITS,
        train=make_part(128, seed=0),
        validation=make_part(64, seed=1),
        test=make_part(64, seed=2),
        augment=lambda inputs, generator: inputs,
        provenance="made on the spot",
    )


def judge(arch: Architecture, seed: int) -> dict[str, float]:
    task, recipe, part = load_stripes(TaskRequest()), TrainingRecipe(epochs=10), "validation"
    found = evaluate(arch, task, HERMES_DEFAULT, CHIP, seed=seed, recipe=recipe, part=part, chips=4)
    return {"accuracy": found.analog.at(86_400.0), "energy": found.cost.energy_nJ}


def main() -> SearchOutcome:
    space = make_space("conv", input_shape=(1, 8, 8), n_classes=2)
    fits = make_fits(space, LIMITS, CHIP)
    return run_search(space, judge, ("max:accuracy", "energy"), budget=4, fits=fits)


if __name__ == "__main__":
    print(main().summary())  # noqa: T201
