"""Everything that decides the outcome of a search, as one frozen record."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic.dataclasses import dataclass

from analognas.errors import UserError
from analognas.searching.objectives import DEFAULT_OBJECTIVES, select_objectives
from analognas.validation import describe_validation_error

FORMAT = "analognas-search"
FORMAT_VERSION = 1
TPE_LARGEST_BUDGET = 300  # the time of a TPE draw grows with the number of trials

SamplerName = Literal["nsga2", "tpe", "random", "analognas"]
DeviceName = Literal["auto", "cpu", "cuda"]
PositiveInt = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class SearchConfig:
    """The settings of a search; stored as `config.json` in the run folder.

    `budget` counts different networks (a network that is proposed again costs nothing), or, written
    `"10m"`, gives minutes of searching. Limits that are `None` are those of the task.
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

    objectives: tuple[str, ...] = DEFAULT_OBJECTIVES
    max_cores: PositiveInt | None = None
    max_parameters: PositiveInt | None = None
    max_energy_nJ: PositiveFloat | None = None
    min_accuracy: Fraction | None = None  # predicted, after one day
    max_drop: Fraction | None = None  # predicted accuracy lost from 1 s to 1 month

    sampler: SamplerName = "nsga2"
    budget: int | str = 2000
    population: Annotated[int, Field(ge=4)] | None = None  # None: the sampler's own
    seed: Annotated[int, Field(ge=0)] = 0

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

    @field_validator("budget")
    @classmethod
    def _positive_budget(cls, budget: int | str) -> int | str:
        parse_budget(budget)
        return int(budget) if str(budget).isdigit() else budget

    @property
    def limit(self) -> Budget:
        """The budget as a record, TPE's cap applied."""
        budget = parse_budget(self.budget)
        if self.sampler != "tpe":
            return budget
        return Budget(
            candidates=min(budget.candidates or TPE_LARGEST_BUDGET, TPE_LARGEST_BUDGET),
            seconds=budget.seconds,
        )

    @property
    def tpe_is_capped(self) -> bool:
        """Whether fewer candidates are drawn than were asked for."""
        asked = parse_budget(self.budget).candidates
        return self.sampler == "tpe" and asked is not None and asked > TPE_LARGEST_BUDGET

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


@dataclass(frozen=True)
class Budget:
    """When a search ends: after so many different networks or seconds; None is no limit."""

    candidates: int | None = None
    seconds: float | None = None


def parse_budget(budget: int | str) -> Budget:
    """Read `2000` as candidates and `"10m"` as minutes."""
    text = str(budget)
    match = re.fullmatch(r"(\d+(?:\.\d+)?)m", text)
    if match and float(match[1]) > 0:
        return Budget(seconds=60.0 * float(match[1]))
    if text.isdigit() and int(text) > 0:
        return Budget(candidates=int(text))
    raise UserError(
        f"The budget must be a number of candidates (2000) or minutes (10m), but got {text!r}."
    )


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
