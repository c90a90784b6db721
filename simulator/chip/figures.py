"""The tables of a chip file: given figures, each with its source."""

from typing import Annotated, Literal, Self, TypeAlias

from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict, Field, StrictInt, StrictStr, model_validator
from pydantic.dataclasses import dataclass

# published: read in the paper itself; second-hand: reported from it by others; derived: computed.
Trust: TypeAlias = Literal["published", "derived", "second-hand"]
STRICT = ConfigDict(extra="forbid")

Text: TypeAlias = Annotated[StrictStr, Field(min_length=1)]
PositiveFloat: TypeAlias = Annotated[float, Field(strict=True, allow_inf_nan=False), Gt(0)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Count:
    """A number of things, with its source."""

    value: Annotated[StrictInt, Ge(1), Le(1_000_000)]
    source: Text
    trust: Trust


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Bits:
    """The width of a converter, with its source."""

    value: Annotated[StrictInt, Ge(1), Le(32)]
    source: Text
    trust: Trust


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Quantity:
    """A positive number in the unit that ends its key, with its source."""

    value: PositiveFloat
    source: Text
    trust: Trust


Figure: TypeAlias = Count | Bits | Quantity


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Geometry:
    """Cores of `rows x columns` weights; a weight consists of one or more cells."""

    cores: Count
    rows: Count
    columns: Count
    cells_per_weight: Count
    area_mm2: Quantity | None = None  # all cores together; without it, it follows from a density


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Converters:
    """What the converters of the chip can do; what is simulated is said by `Hardware`."""

    dac_bits: Bits
    adc_bits: Bits
    clock_GHz: Quantity | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Performance:
    """Given figures of one read mode: time and energy, each in one of two forms, and checks."""

    peak_TOPS: Quantity | None = None  # all cores busy
    mvm_latency_ns: Quantity | None = None
    chip_mvm_energy_uJ: Quantity | None = None  # one MVM on every core
    core_mvm_energy_nJ: Quantity | None = None
    efficiency_TOPS_per_W: Quantity | None = None  # only compared with what follows
    density_TOPS_per_mm2: Quantity | None = None

    @model_validator(mode="after")
    def _says_time_and_energy_once(self) -> Self:
        for first, second in (
            ("peak_TOPS", "mvm_latency_ns"),
            ("chip_mvm_energy_uJ", "core_mvm_energy_nJ"),
        ):
            given = [name for name in (first, second) if getattr(self, name) is not None]
            if len(given) != 1:
                found = " and ".join(given) or "neither"
                raise ValueError(f"give either {first} or {second}, but got {found}.")
        return self
