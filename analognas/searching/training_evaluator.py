"""Evaluate networks for real: train them hardware-aware, measure them on simulated chips."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from analognas.errors import UserError
from analognas.files import write_text
from analognas.labelling.job import PART, TaskChoice
from analognas.records import Evaluation
from analognas.searching.candidates import Result, Trial
from analognas.searching.designs import Design, as_design
from analognas.searching.measured import measured_scores
from analognas.searching.objectives import TIMES_S

if TYPE_CHECKING:
    import pandas as pd

    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.searching.workshop import Made, Workshop
    from analognas.simulator import Hardware
    from analognas.simulator.chip import ChipSpec
    from analognas.tasks import Task

CHIPS = 8
LEAST_CHIPS = 3  # that tell a mean and a spread


@dataclass(frozen=True, kw_only=True)
class TrainingEvaluator:
    """An `Evaluator`: trains each network on the training part, measures it on the validation part.

    A fidelity is the share of the epochs, each with a whole schedule of its own, and of the chips.
    Another seed is another training on other chips. Everything is computed on one thread, so that a
    result does not depend on how many processes there are.

    Args:
        task: What the networks are for.
        space: Name of the search space.
        hardware: Felt in the training, and measured on.
        chip: For placement and cost.
        epochs: Of a full training.
        chips: Simulated chips of a full training; shorter ones are measured on their share of
            them, at least on LEAST_CHIPS.
        times: Words for the times after programming that are measured (keys of TIMES_S); fewer take
            less, and leave out the objectives that look at the others.
        min_accuracy: Which accuracy is enough, for service life and yield.
        device: "cpu" or "cuda".
        first_seed: Stands for seed 0 of a trial, so that labels which are joined differ in it.
        cache: Folder of evaluations that searches share; a search is charged the seconds that an
            evaluation took when it was made. None shares nothing.
    """

    fidelities: ClassVar[tuple[float, ...]] = (0.25, 0.5, 1.0)
    replicable: ClassVar[bool] = True

    task: TaskChoice
    space: str
    hardware: Hardware
    chip: ChipSpec
    epochs: int
    chips: int = CHIPS
    times: tuple[str, ...] = tuple(TIMES_S)
    min_accuracy: float | None = None
    device: str = "cpu"
    first_seed: int = 0
    cache: Path | None = None

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        """Train and measure every network; see `Evaluator.evaluate`."""
        return [self._result(self.measure(t.arch, t.fidelity, t.seed)) for t in trials]

    def measure(self, network: Architecture | Design, fidelity: float, seed: int) -> Evaluation:
        """Train and measure one network, on hardware of its own if it has any, or look it up."""
        from analognas.searching.design_scoring import kept_digital
        from analognas.training import LABEL_RECIPE

        task, space = _load(self.task, self.space)
        design, made = as_design(network), self._made(network)
        seed += self.first_seed
        epochs = max(1, round(fidelity * self.epochs))
        recipe = made.recipe(replace(LABEL_RECIPE, epochs=epochs))
        chips = max(min(LEAST_CHIPS, self.chips), round(fidelity * self.chips))
        path = None
        if self.cache is not None:
            path = self.cache / f"{self._name(network, task, recipe.to_dict(), seed, chips)}.json"
            if path.is_file():
                return _read(path)
        from analognas.allocator import keep_freed_memory
        from analognas.evaluation import evaluate

        keep_freed_memory()
        with one_thread():
            evaluation = evaluate(
                design.arch,
                task,
                made.hardware,
                made.chip,
                seed=seed,
                recipe=recipe,
                part=PART,
                chips=chips,
                times_s=self._times_s,
                device=self.device,
                keep_digital=kept_digital(space, design),
                clock=time.process_time if self.device == "cpu" else time.perf_counter,
            )
        evaluation = replace(evaluation, key=design.key)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(evaluation.to_dict()) + "\n")
        return evaluation

    def describe(
        self, networks: Sequence[Architecture | Design]
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Features of networks, and what is known of them without training: costs and size."""
        import pandas as pd

        from analognas.searching.design_scoring import design_cost, design_features

        _, space = _load(self.task, self.space)
        workshop = self._workshop
        features = design_features(space, workshop, networks)
        rows = []
        for network in networks:
            cost = design_cost(space, workshop, network)
            rows.append(
                {
                    "energy": cost.energy_nJ,
                    "latency": cost.latency_us,
                    "cores": float(cost.cores),
                    "area": cost.area_mm2,
                    "parameters": float(space.parameters(as_design(network).arch)),
                }
            )
        return features, pd.DataFrame(rows, index=features.index)

    @property
    def _times_s(self) -> tuple[float, ...]:
        return tuple(TIMES_S[word] for word in self.times)

    @property
    def _workshop(self) -> Workshop:
        from analognas.searching.workshop import Workshop

        return Workshop(self.chip, self.hardware)

    def _made(self, network: Architecture | Design) -> Made:
        """What a network is trained for and measured on."""
        return self._workshop.made(as_design(network).choice)

    def _result(self, evaluation: Evaluation) -> Result:
        seconds = evaluation.training_seconds + evaluation.evaluation_seconds
        return Result(measured_scores(evaluation, self.min_accuracy), seconds)

    def _name(
        self,
        network: Architecture | Design,
        task: Task,
        recipe: Mapping[str, Any],
        seed: int,
        chips: int,
    ) -> str:
        """Hash of everything that decides an evaluation."""
        from analognas.simulator import SIMULATOR_VERSION

        made = self._made(network)
        content = {
            "key": network.key,
            "seed": seed,
            "recipe": recipe,
            "hardware": made.hardware.hash,
            "simulator_version": SIMULATOR_VERSION,
            "chip": hashlib.sha256(made.chip.to_toml().encode()).hexdigest(),
            "chips": chips,
            "times_s": self._times_s,
            "data_key": task.data_key,
            "part": PART,
            "device": self.device,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


@lru_cache(maxsize=2)
def _load(choice: TaskChoice, space: str) -> tuple[Task, SearchSpace]:
    from analognas.search_spaces import make_space

    task = choice.load()
    return task, make_space(space, input_shape=task.input_shape, n_classes=task.n_classes)


def _read(path: Path) -> Evaluation:
    try:
        return Evaluation.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} holds no evaluation ({error}). Delete this file: it is made again."
        ) from error


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread for a while."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
