"""Everything that decides the outcome of a search, as one frozen record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from analognas.errors import UserError
from analognas.searching.budget import Budget, parse_budget
from analognas.searching.hardware_names import check_names
from analognas.searching.objectives import (
    DEFAULT_OBJECTIVES,
    OBJECTIVES,
    SIMULATED_OBJECTIVES,
    Objective,
    check_min_accuracy,
    select_objectives,
)
from analognas.searching.strategies.registry import LARGEST_BUDGETS, find_strategy
from analognas.validation import describe_validation_error

FORMAT = "analognas-search"
FORMAT_VERSION = 1

DeviceName = Literal["auto", "cpu", "cuda"]
PositiveInt = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]

EvaluatorName = Literal["surrogate", "training"]
DEFAULT_SAMPLERS: Mapping[EvaluatorName, str] = {
    "surrogate": "nsga2",
    "training": "surrogate-assisted",
}
DEFAULT_BUDGETS: Mapping[EvaluatorName, int | str] = {"surrogate": 2000, "training": "30m"}
DEFAULT_REEVALUATIONS = 1


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchConfig:
    """The settings of a search; stored as `config.json` in the run folder.

    `evaluator` says how networks are judged: predicted by a surrogate, or trained and measured on
    the validation part. `budget` counts different networks (a network that is proposed again costs
    nothing; a training for a quarter of the epochs counts as a quarter), or, written `"10m"`, gives
    minutes of searching, or of training and measuring on one core. `min_accuracy` is demanded of
    the accuracy after one day, predicted or simulated, and is the accuracy that is enough for
    `service-life` and `yield@...`. Limits that are `None` are those of the task.
    """

    task: str
    data: str | None = None  # folder of recordings; None: the data that comes with the task
    words: tuple[str, ...] | None = None
    split: str | None = None
    space: str = "tinyml"
    chip: str = "hermes"  # name or TOML file
    hardware: str | None = None  # name or TOML file; None: the default hardware
    surrogate: str | None = None  # name or JSON file; None: the nearest of those that are shipped
    overrides: dict[str, str] = Field(default_factory=dict)  # hardware settings, "--set key=value"

    evaluator: EvaluatorName = "surrogate"
    epochs: PositiveInt | None = None  # of a full training of a candidate; None: those of labels
    reevaluate: Annotated[int, Field(ge=0)] | None = None  # fresh trainings of the trained front

    search_hardware: tuple[str, ...] = ()  # what is decided beside the network: names, or "all"

    objectives: tuple[str, ...] = DEFAULT_OBJECTIVES
    max_cores: PositiveInt | None = None
    max_parameters: PositiveInt | None = None
    max_energy_nJ: PositiveFloat | None = None
    min_accuracy: Fraction | None = None
    max_drop: Fraction | None = None  # predicted accuracy lost from 1 s to 1 month

    sampler: str | None = None  # name of a strategy; None: that of the evaluator
    budget: int | str | None = None  # None: that of the evaluator
    population: Annotated[int, Field(ge=4)] | None = None  # None: the sampler's own
    seed: Annotated[int, Field(ge=0)] = 0

    label_budget: str | None = None  # time to label networks first, "30m"; None: no labelling
    winners: Annotated[int, Field(ge=0)] = 3
    baselines: bool = False
    device: DeviceName = "auto"
    workers: PositiveInt | None = None
    storage: str | None = None  # URL of an Optuna storage that follows the search live

    @field_validator("objectives")
    @classmethod
    def _known_objectives(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        select_objectives(names)
        return names

    @field_validator("search_hardware")
    @classmethod
    def _known_hardware_genes(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_names(names)
        return names

    @field_validator("budget")
    @classmethod
    def _positive_budget(cls, budget: int | str | None) -> int | str | None:
        if budget is None:
            return None
        parse_budget(budget)
        return int(budget) if str(budget).isdigit() else budget

    @field_validator("label_budget")
    @classmethod
    def _time_to_label(cls, budget: str | None) -> str | None:
        if budget is not None and parse_budget(budget).seconds is None:
            raise UserError(
                f"`label_budget` must be a time, 30m or 2h for example, but got {budget!r}."
            )
        return budget

    @field_validator("sampler")
    @classmethod
    def _known_sampler(cls, name: str | None) -> str | None:
        if name is not None:
            find_strategy(name)
        return name

    @model_validator(mode="after")
    def _objectives_know_what_is_enough(self) -> Self:
        check_min_accuracy(self.objectives, self.min_accuracy)
        return self

    @model_validator(mode="after")
    def _settings_that_do_something(self) -> Self:
        useless: dict[str, int | str | None]
        if self.trains:
            useless = {"surrogate": self.surrogate, "label_budget": self.label_budget}
            why = "networks are trained here, and nothing is predicted"
        else:
            useless = {"epochs": self.epochs, "reevaluate": self.reevaluate}
            why = "networks are predicted here, and only winners are trained"
        for name, value in useless.items():
            if value is not None:
                raise UserError(
                    f"`{name} = {value}` does not go with `evaluator = {self.evaluator}`: {why}. "
                    "Leave it out, or choose the other evaluator."
                )
        return self

    @property
    def trains(self) -> bool:
        """Whether candidates are trained and measured instead of predicted."""
        return self.evaluator == "training"

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self.sampler or DEFAULT_SAMPLERS[self.evaluator]

    @property
    def asked_budget(self) -> int | str:
        """The budget as it was written."""
        return DEFAULT_BUDGETS[self.evaluator] if self.budget is None else self.budget

    @property
    def reevaluations(self) -> int:
        """Fresh trainings of every member of a front that was trained."""
        if not self.trains:
            return 0
        return DEFAULT_REEVALUATIONS if self.reevaluate is None else self.reevaluate

    @property
    def catalogue(self) -> Mapping[str, Objective]:
        """Every objective with the origin that it has in this search."""
        return SIMULATED_OBJECTIVES if self.trains else OBJECTIVES

    @property
    def limit(self) -> Budget:
        """The budget as a record, capped for strategies that take ever longer."""
        budget = parse_budget(self.asked_budget)
        largest = LARGEST_BUDGETS.get(self.strategy)
        if largest is None:
            return budget
        return Budget(min(budget.evaluations or largest, largest), budget.seconds)

    @property
    def label_seconds(self) -> float | None:
        """How long networks are labelled before the search, if at all."""
        return None if self.label_budget is None else parse_budget(self.label_budget).seconds

    @property
    def is_capped(self) -> bool:
        """Whether fewer candidates are drawn than were asked for."""
        asked = parse_budget(self.asked_budget).evaluations
        return asked is not None and self.limit.evaluations != asked

    def to_json(self) -> str:
        content = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> SearchConfig:
        """Read back `to_json()`.

        Raises:
            UserError: The text is not a search configuration of this version.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"The configuration is not JSON: {error}.") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UserError("The configuration was not written by `analognas search`.")
        if content.get("format_version") != FORMAT_VERSION:
            raise UserError(
                f"`format_version` must be {FORMAT_VERSION}, but got "
                f"{content.get('format_version')!r}. Use the analognas that made the run."
            )
        del content["format"], content["format_version"]
        return make_config(content)


def with_absolute_paths(config: SearchConfig) -> SearchConfig:
    """Let a run be continued from any folder: data and surrogate are named by absolute paths."""
    surrogate = config.surrogate
    if surrogate is not None and Path(surrogate).is_file():
        surrogate = str(Path(surrogate).resolve())
    data = None if config.data is None else str(Path(config.data).resolve())
    return replace(config, data=data, surrogate=surrogate)


def make_config(values: Mapping[str, Any]) -> SearchConfig:
    """Validate settings from outside; what is wrong is one message that names every setting."""
    try:
        return TypeAdapter(SearchConfig).validate_python(dict(values))
    except ValidationError as error:
        raise UserError(
            describe_validation_error(error, "search settings", SearchConfig)
        ) from error
