"""The tables of a chip file: given figures, each with its source."""

from typing import Annotated, Literal, Self, TypeAlias

from annotated_types import Ge, Gt, Le
from pydantic import ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic.dataclasses import dataclass

Trust: TypeAlias = Literal["published", "derived", "second-hand", "fitted", "recalled", "assumed"]
TRUST_MEANING: dict[Trust, str] = {
    "published": "read in the paper itself",
    "second-hand": "reported from it by others",
    "derived": "computed from the given figures",
    "fitted": "chosen so that a model meets published figures",
    "recalled": "from memory of a paper, not verified",
    "assumed": "plausible, without a source for this chip",
}
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
    """The width of a converter or of a word, with its source."""

    value: Annotated[StrictInt, Ge(1), Le(32)]
    source: Text
    trust: Trust


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Quantity:
    """A positive number in the unit that ends its key, with its source."""

    value: PositiveFloat
    source: Text
    trust: Trust


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Flag:
    """Whether something is so, with its source."""

    value: StrictBool
    source: Text
    trust: Trust


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Word:
    """What something is called, with its source."""

    value: Text
    source: Text
    trust: Trust


Figure: TypeAlias = Count | Bits | Quantity | Flag | Word


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Geometry:
    """Cores of `rows x columns` weights; a weight consists of one or more cells."""

    cores: Count
    rows: Count
    columns: Count
    cells_per_weight: Count
    cells_per_polarity: Count | None = None  # all or half of the cells of a weight
    area_mm2: Quantity | None = None  # all cores together; without it, it follows from a density
    adcs_per_core: Count | None = None  # without it, every column has its own
    gates_unused: Flag | None = None  # rows and columns that a block does not use cost nothing
    packed: Flag | None = None  # several blocks may share a core

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.adcs_per_core is not None and self.adcs_per_core.value > self.columns.value:
            raise ValueError(
                "adcs_per_core must not exceed columns, since an ADC reads at least one column, "
                f"but got adcs_per_core={self.adcs_per_core.value}, columns={self.columns.value}."
            )
        weight, polarity = self.cells_per_weight, self.cells_per_polarity
        if polarity is not None and weight.value not in (polarity.value, 2 * polarity.value):
            raise ValueError(
                "cells_per_weight must be cells_per_polarity, or twice as many for a differential "
                f"pair, but got cells_per_weight={weight.value}, "
                f"cells_per_polarity={polarity.value}."
            )
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Converters:
    """What the converters of the chip can do; what is simulated is said by `Hardware`.

    An LSB is the time that a converter takes for one step of its full scale.
    """

    dac_bits: Bits
    adc_bits: Bits
    clock_GHz: Quantity | None = None
    dac_kind: Word | None = None  # "PWM": the input is the length of a pulse
    adc_kind: Word | None = None  # "CCO": counts the pulses of an oscillator
    dac_lsb_ns: Quantity | None = None
    adc_lsb_ns: Quantity | None = None
    global_adc_gain: Flag | None = None  # one gain for all layers, which training has to respect
    read_voltage_V: Quantity | None = None  # on the cells, for energies from real conductances


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ActionEnergies:
    """Energies of the analog actions of one read mode.

    A cell here is a weight with all its devices. An input is converted once per pass of the shared
    ADCs, a column once per multiplication.
    """

    cell_fJ: Quantity  # one weight in one MVM
    dac_pJ: Quantity  # one row in one pass
    adc_pJ: Quantity  # one column in one MVM


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Performance:
    """Given figures of one read mode: time and energy, each in one of its forms, and checks."""

    peak_TOPS: Quantity | None = None  # all cores busy
    mvm_latency_ns: Quantity | None = None  # of all columns
    chip_mvm_energy_uJ: Quantity | None = None  # one MVM on every core
    core_mvm_energy_nJ: Quantity | None = None
    efficiency_TOPS_per_W: Quantity | None = None  # only compared with what follows
    density_TOPS_per_mm2: Quantity | None = None
    bits: Bits | None = None  # of inputs and outputs; without it, the converters' inputs'
    conversion_ns: Quantity | None = None  # one pass: every ADC converts one column
    energies: ActionEnergies | None = None
    energy_scale: Quantity | None = None  # on all component energies of the chip in this mode

    @model_validator(mode="after")
    def _says_time_and_energy_once(self) -> Self:
        for names in (
            ("peak_TOPS", "mvm_latency_ns", "conversion_ns"),
            ("chip_mvm_energy_uJ", "core_mvm_energy_nJ", "energies"),
        ):
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) != 1:
                found = " and ".join(given) or "none of them"
                raise ValueError(f"give either {_either(names)}, but got {found}.")
        if self.energy_scale is not None and self.energies is None:
            raise ValueError(
                "energy_scale must come with energies, which it scales, but the energy is that of "
                "a whole core. Leave energy_scale out."
            )
        return self


def _either(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
