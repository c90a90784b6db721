"""From the settings of a search to everything it works with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.errors import UserError, checking
from analognas.hardware_choice import (
    check_ages,
    cost_notes,
    hardware_for_chip,
    load_hardware,
)
from analognas.limits import tightest_limit
from analognas.search_spaces import make_space
from analognas.searching.by_training import make_trainer, training_basis, training_provenance
from analognas.searching.config import SearchConfig
from analognas.searching.demands import Demand, predicted_demands
from analognas.searching.design_scoring import design_cost, design_fits, design_rows
from analognas.searching.hardware_genes import HardwareGenes, hardware_genes, words_of
from analognas.searching.hardware_names import DIGITAL_LAYERS
from analognas.searching.hardware_notes import hardware_notes
from analognas.searching.joint_space import JointSpace
from analognas.searching.objectives import NEED_MIN_ACCURACY, TIMES_S, Objective
from analognas.searching.problems import make_problem
from analognas.searching.scoring import Network, SurrogateScorer
from analognas.searching.spaces import Decoder
from analognas.searching.strategies import Problem, Strategy, batch_generator
from analognas.searching.strategies.registry import find_strategy
from analognas.searching.surrogate_choice import ChosenSurrogate, choose_surrogate
from analognas.searching.training_evaluator import TrainingEvaluator
from analognas.searching.workshop import Workshop, with_multiplications
from analognas.simulator import SIMULATOR_VERSION, Hardware
from analognas.simulator.chip import cost_scope, load_chip
from analognas.tasks import Limits, Task, load_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from analognas.search_spaces import SearchSpace
    from analognas.simulator.chip import ChipSpec

PUBLISHED_LARGEST_DROP = 0.10  # constraint on the accuracy drop in the published AnalogNAS code
FEASIBILITY_DRAWS = 20


@dataclass(frozen=True, eq=False)
class SearchSetup:
    """The loaded parts of a search; made by `prepare`.

    `predictor` is the surrogate that judges networks, or None where they are trained.
    """

    config: SearchConfig
    task: Task
    space: SearchSpace
    chip: ChipSpec
    hardware: Hardware
    limits: Limits
    predictor: ChosenSurrogate | None
    max_drop: float | None
    hardware_genes: HardwareGenes | None = None  # what is searched beside the network, if anything

    @property
    def chosen(self) -> ChosenSurrogate:
        """The surrogate.

        Raises:
            UserError: Networks are trained in this search, and nothing predicts them.
        """
        if self.predictor is None:
            raise UserError(
                "This search trains its networks (`evaluator = training`), so it has no surrogate."
            )
        return self.predictor

    @property
    def demands(self) -> tuple[Demand, ...]:
        """What networks must reach, in prediction or in simulation."""
        return predicted_demands(self.config.min_accuracy, self.max_drop)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return tuple(self.config.catalogue[name] for name in self.config.objectives)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is known of every network that was judged."""
        needy = () if self.config.min_accuracy is not None else NEED_MIN_ACCURACY
        return tuple(name for name in self.config.catalogue if name not in needy)

    @property
    def basis(self) -> str:
        """One sentence on where the accuracies of candidates come from."""
        return training_basis(self.config) if self.config.trains else self.chosen.basis

    @property
    def workshop(self) -> Workshop:
        """Makes the hardware that a search chooses beside a network."""
        return Workshop(self.chip, self.hardware)

    @property
    def searched(self) -> SearchSpace | JointSpace:
        """What is searched: the space of the networks, or of networks and their hardware."""
        if self.hardware_genes is None:
            return self.space
        return JointSpace(self.space, self.hardware_genes, self.workshop)

    @property
    def fits(self) -> Callable[[Network], bool]:
        return design_fits(self.space, self.limits, self.workshop, self.config.max_energy_nJ)

    @property
    def scorer(self) -> SurrogateScorer:
        return SurrogateScorer(
            self.space,
            partial(design_cost, self.space, self.workshop),
            self.chosen.surrogate,
            self._features,
            self.config.min_accuracy,
        )

    def trainer(self, cache: Path | None = None) -> TrainingEvaluator:
        """Trains and measures networks on the validation part; a cache keeps what it made."""
        return make_trainer(self.config, self.hardware, self.chip, cache)

    def _features(self, networks: Sequence[Network]) -> pd.DataFrame:
        """What a surrogate sees of networks on the hardware of this search, at every time."""
        return design_rows(self.space, self.workshop, networks, tuple(TIMES_S.values()))

    @property
    def scope(self) -> str:
        """What the modelled costs cover."""
        digital = self.hardware_genes is not None and DIGITAL_LAYERS in self.hardware_genes.values
        return cost_scope(with_multiplications(self.chip) if digital else self.chip)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be said beside the results, in whole sentences."""
        notes = [] if self.predictor is None else [*self.predictor.warnings]
        notes += cost_notes(self.hardware, self.chip)
        if self.config.is_capped:
            notes.append(
                f"{self.config.strategy} searches {self.config.limit.evaluations:g} candidates "
                f"instead of {self.config.asked_budget}: its time grows faster than their number. "
                "Use nsga2 then."
            )
        if self.hardware_genes is not None:
            notes += hardware_notes(self.hardware_genes, self.workshop, self.predictor)
        return tuple(notes)

    def strategy(self, decoder: Decoder) -> Strategy:
        """The strategy of the search, before its first batch.

        Raises:
            UserError: It needs what the evaluator cannot give.
        """
        if self.config.trains:
            problem = make_problem(
                self.searched,
                decoder,
                self.trainer(),
                self.objectives,
                self.demands,
                self.config.population,
            )
        else:
            problem = Problem(
                genes=decoder.genes,
                objectives=self.objectives,
                constrained=bool(self.demands),
                population=self.config.population,
                realise=decoder.realise,
            )
        return find_strategy(self.config.strategy)(problem, self.config.seed)

    def provenance(self) -> dict[str, Any]:
        """What the numbers of the run rest on; `resume` insists on the same."""
        return {
            **(
                {"training": training_provenance(self.config)}
                if self.predictor is None
                else {"surrogate": self.predictor.to_dict()}
            ),
            "hardware": self.hardware.name,
            "hardware_hash": self.hardware.hash,
            "simulator_version": SIMULATOR_VERSION,
            "chip": self.chip.name,
            "chip_hash": self.chip.hash,
            "task_title": self.task.title,
            "data_name": self.task.data_name,
            "data_key": self.task.data_key,
            "split": self.task.split,
            "limits": {
                "max_cores": min(self.limits.max_cores, self.chip.cores),
                "max_parameters": self.limits.max_parameters,
                "max_multiplications": self.limits.max_multiplications,
                "max_energy_nJ": self.config.max_energy_nJ,
                "min_accuracy": self.config.min_accuracy,
                "max_drop": self.max_drop,
            },
            **(
                {}
                if self.hardware_genes is None
                else {
                    "searched_hardware": words_of(self.hardware_genes),
                    "costs": self.scope,
                }
            ),
            "space_size": str(self.searched.count()),
            "warnings": list(self.warnings),
        }


def prepare(config: SearchConfig, *, folder: Path | None = None) -> SearchSetup:
    """Load task, space, chip, hardware and, unless networks are trained, a surrogate.

    Args:
        config: The settings.
        folder: Of an earlier run: its stored hardware and chip are used, whatever became of the
            files they were read from.

    Raises:
        UserError: A setting names something that does not exist or cannot be used.
    """
    chip_source = config.chip if folder is None else str(folder / "chip.toml")
    with checking("chip"):
        chip = load_chip(chip_source)
    if folder is None:
        hardware = check_ages(hardware_for_chip(config.hardware, config.overrides, chip))
    else:
        hardware = load_hardware(str(folder / "hardware.toml"))
    task = load_task(config.task, split=config.split, data=config.data, words=config.words)
    with checking("space"):
        space = make_space(config.space, input_shape=task.input_shape, n_classes=task.n_classes)
    limits = replace(
        task.limits,
        max_cores=config.max_cores or task.limits.max_cores,
        max_parameters=config.max_parameters or task.limits.max_parameters,
    )
    max_drop = config.max_drop
    if max_drop is None and config.strategy == "analognas":
        max_drop = PUBLISHED_LARGEST_DROP
    return SearchSetup(
        config=config,
        task=task,
        space=space,
        chip=chip,
        hardware=hardware,
        limits=limits,
        predictor=None if config.trains else choose_surrogate(task, hardware, config.surrogate),
        max_drop=max_drop,
        hardware_genes=hardware_genes(
            config.search_hardware, Workshop(chip, hardware), trained=config.trains
        )
        if config.search_hardware
        else None,
    )


def check_feasible(setup: SearchSetup) -> None:
    """Make sure that some network keeps the limits.

    Raises:
        UserError: None does; the message names the tightest limit and the nearest feasible value.
    """
    rng = batch_generator(setup.config.seed, "feasibility")
    fits, searched = setup.fits, setup.searched
    genes = searched.genes
    for _ in range(FEASIBILITY_DRAWS):
        codes = {gene: values[int(rng.integers(len(values)))] for gene, values in genes.items()}
        if searched.decode(codes, fits) is not None:
            return
    raise UserError(
        tightest_limit(
            setup.space,
            setup.limits,
            setup.chip,
            rng=rng,
            max_energy_nJ=setup.config.max_energy_nJ,
        )
    )
