"""From the settings of a search to everything it works with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analognas.errors import UserError, checking
from analognas.hardware_choice import hardware_for_chip, load_hardware
from analognas.limits import make_fits, tightest_limit
from analognas.search_spaces import make_space
from analognas.searching.config import SearchConfig
from analognas.searching.demands import Demand, predicted_demands
from analognas.searching.objectives import TIMES_S, Objective, select_objectives
from analognas.searching.scoring import SurrogateScorer
from analognas.searching.spaces import Decoder
from analognas.searching.strategies import Problem, Strategy, batch_generator
from analognas.searching.strategies.registry import find_strategy
from analognas.searching.surrogate_choice import ChosenSurrogate, choose_surrogate
from analognas.simulator import SIMULATOR_VERSION, Hardware
from analognas.simulator.chip import cost_scope, load_chip
from analognas.surrogate_features import architecture_features, candidate_rows
from analognas.tasks import Limits, Task, load_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from analognas.search_spaces import Architecture, SearchSpace
    from analognas.simulator.chip import ChipSpec

PUBLISHED_LARGEST_DROP = 0.10  # constraint on the accuracy drop in the published AnalogNAS code
FEASIBILITY_DRAWS = 20


@dataclass(frozen=True, eq=False)
class SearchSetup:
    """The loaded parts of a search; made by `prepare`."""

    config: SearchConfig
    task: Task
    space: SearchSpace
    chip: ChipSpec
    hardware: Hardware
    limits: Limits
    chosen: ChosenSurrogate
    max_drop: float | None

    @property
    def demands(self) -> tuple[Demand, ...]:
        """What predictions must reach."""
        return predicted_demands(self.config.min_accuracy, self.max_drop)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        return select_objectives(self.config.objectives)

    @property
    def fits(self) -> Callable[[Architecture], bool]:
        return make_fits(self.space, self.limits, self.chip, self.config.max_energy_nJ)

    @property
    def scorer(self) -> SurrogateScorer:
        return SurrogateScorer(
            self.space,
            self.chip,
            self.chosen.surrogate,
            self._features,
            self.config.min_accuracy,
        )

    def _features(self, archs: Sequence[Architecture]) -> pd.DataFrame:
        """What a surrogate sees of networks on the hardware of this search, at every time."""
        networks = architecture_features(self.space, archs, self.chip)
        return candidate_rows(networks, self.hardware, tuple(TIMES_S.values()))

    @property
    def scope(self) -> str:
        """What the modelled costs cover."""
        return cost_scope(self.chip)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be said beside the results, in whole sentences."""
        notes = [*self.chosen.warnings]
        bits, mode = self.hardware.converters.dac_bits, self.chip.read_mode()
        better = [other.name for other in self.chip.read_modes.values() if other.bits == bits]
        if bits != mode.bits and better:
            notes.append(
                f"The hardware {self.hardware.name} has {bits}-bit inputs, but energy and latency "
                f"are those of the {mode.bits}-bit read mode {mode.name!r} of the chip "
                f"{self.chip.name}. Copy the chip file and make {better[0]!r} its "
                "`default_read_mode`, so that both are the same."
            )
        if self.config.is_capped:
            notes.append(
                f"{self.config.sampler} searches {self.config.limit.evaluations:g} candidates "
                f"instead of {self.config.budget}: its time grows faster than their number. Use "
                "nsga2 then."
            )
        return tuple(notes)

    def strategy(self, decoder: Decoder) -> Strategy:
        """The strategy of the search, before its first batch.

        Raises:
            UserError: It needs what a surrogate cannot give.
        """
        problem = Problem(
            genes=decoder.genes,
            objectives=self.objectives,
            constrained=bool(self.demands),
            population=self.config.population,
            realise=decoder.realise,
        )
        return find_strategy(self.config.sampler)(problem, self.config.seed)

    def provenance(self) -> dict[str, Any]:
        """What the numbers of the run rest on; `resume` insists on the same."""
        return {
            "surrogate": self.chosen.to_dict(),
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
            "space_size": str(self.space.count()),
            "warnings": list(self.warnings),
        }


def prepare(config: SearchConfig, *, folder: Path | None = None) -> SearchSetup:
    """Load task, space, chip, hardware and surrogate.

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
        hardware = hardware_for_chip(config.hardware, config.overrides, chip)
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
    if max_drop is None and config.sampler == "analognas":
        max_drop = PUBLISHED_LARGEST_DROP
    return SearchSetup(
        config=config,
        task=task,
        space=space,
        chip=chip,
        hardware=hardware,
        limits=limits,
        chosen=choose_surrogate(task, hardware, config.surrogate),
        max_drop=max_drop,
    )


def check_feasible(setup: SearchSetup) -> None:
    """Make sure that some network keeps the limits.

    Raises:
        UserError: None does; the message names the tightest limit and the nearest feasible value.
    """
    rng = batch_generator(setup.config.seed, "feasibility")
    fits = setup.fits
    genes = setup.space.genes
    for _ in range(FEASIBILITY_DRAWS):
        codes = {gene: values[int(rng.integers(len(values)))] for gene, values in genes.items()}
        if setup.space.decode(codes, fits) is not None:
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
