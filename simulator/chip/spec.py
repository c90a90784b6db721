"""What a chip consists of and what one matrix-vector multiplication (MVM) costs on it.

A chip file holds given figures, each with its source. What follows from them is computed here:

    operations of a full-chip MVM = 2 cores rows columns     (multiply and add in every cell)
    latency of an MVM             = operations / peak throughput
                                    or conversion time x ceil(columns / ADCs of a core)
    energy of one core's MVM      = energy of a full-chip MVM / cores, or the sum of its actions
    efficiency                    = operations / energy of a full-chip MVM
    area                          = as given, or peak throughput / density
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import tomli_w
from pydantic import Field, StrictStr, model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.chip.agreement import check_agreement
from analognas.simulator.chip.figures import STRICT, Converters, Geometry, Performance, Text
from analognas.simulator.chip.identity import chip_hash
from analognas.simulator.chip.read_mode import ReadMode, make_read_mode, peak_TOPS
from analognas.simulator.chip.units import Areas, Buffers, DigitalUnits, Links, Power
from analognas.simulator.chip.validation import validate


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ChipSpec:
    """A chip of equal cores, each of which holds blocks of layers.

    Sources of the figures are kept, so that every number shown can say where it is from.
    """

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
    title: Text
    default_read_mode: Text
    geometry: Geometry
    converters: Converters
    performance: Annotated[dict[Text, Performance], Field(min_length=1)]  # by read mode
    references: tuple[Text, ...] = ()
    digital: DigitalUnits | None = None
    links: Links | None = None
    buffers: Buffers | None = None
    areas: Areas | None = None
    power: Power | None = None

    @model_validator(mode="after")
    def _figures_agree(self) -> Self:
        check_agreement(self)
        return self

    @property
    def cores(self) -> int:
        return self.geometry.cores.value

    @property
    def rows(self) -> int:
        """Inputs of a core."""
        return self.geometry.rows.value

    @property
    def columns(self) -> int:
        """Outputs of a core."""
        return self.geometry.columns.value

    @property
    def adcs_per_core(self) -> int:
        """ADCs that share the columns of a core; one per column unless the file says otherwise."""
        adcs = self.geometry.adcs_per_core
        return self.columns if adcs is None else adcs.value

    @property
    def packed(self) -> bool:
        """Whether several blocks may share a core, which reads them one after another."""
        packed = self.geometry.packed
        return packed is not None and packed.value

    @property
    def gates_unused(self) -> bool:
        """Whether rows and columns that a block does not use take no energy."""
        gates = self.geometry.gates_unused
        return gates is not None and gates.value

    @property
    def operations_per_mvm(self) -> int:
        """Multiplications and additions of one MVM on every core."""
        return 2 * self.cores * self.rows * self.columns

    @cached_property
    def area_mm2(self) -> float:
        """Area of all cores.

        If neither it nor its parts are given: throughput / density of the densest mode, which is
        rounded least.
        """
        if self.geometry.area_mm2 is not None:
            return self.geometry.area_mm2.value
        if self.areas is not None:
            return self.areas.sum_mm2
        return max(self.areas_by_density)[1]

    @property
    def area_mm2_per_core(self) -> float:
        return self.area_mm2 / self.cores

    @property
    def areas_by_density(self) -> list[tuple[float, float]]:
        """Density and implied area of every read mode that gives a density."""
        return [
            (density.value, peak_TOPS(self, name) / density.value)
            for name, figures in self.performance.items()
            if (density := figures.density_TOPS_per_mm2) is not None
        ]

    @cached_property
    def read_modes(self) -> Mapping[str, ReadMode]:
        """The read modes by name, with latency, energy and what follows from them."""
        return {name: make_read_mode(self, name) for name in self.performance}

    def read_mode(self, name: str | None = None) -> ReadMode:
        """Return the named or, without a name, the default read mode."""
        try:
            return self.read_modes[name or self.default_read_mode]
        except KeyError:
            known = ", ".join(self.read_modes)
            raise ValueError(
                f"Unknown read mode {name!r} of chip {self.name!r}. Choose one of: {known}."
            ) from None

    @cached_property
    def hash(self) -> str:
        """Twelve hex digits that change with every number that a result depends on."""
        return chip_hash(self)

    def __hash__(self) -> int:
        return hash(self.hash)

    @classmethod
    def from_toml(cls, path: str | Path) -> Self:
        """Read a chip file; anything wrong in it is one `ValueError` that names file and key."""
        path = Path(path)
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(
                f"The chip file {str(path)!r} does not exist. Give the path of a TOML file or the "
                f"name of a chip ({', '.join(CHIPS)})."
            ) from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ValueError(
                f"{path} cannot be read as a TOML file: {error}. Mend the file or give another one."
            ) from error
        return validate(cls, data, source=str(path))

    def to_toml(self) -> str:
        """The chip file, without its comments."""
        return tomli_w.dumps(_without_absent(asdict(self)))


def load_chip(name_or_path: str | Path) -> ChipSpec:
    """Return a known chip by its name, or read the chip file at a path.

    Raises:
        ValueError: If there is no such chip or file, or the file is wrong.
    """
    text = str(name_or_path)
    if text in CHIPS:
        return CHIPS[text]()
    path = Path(name_or_path)
    if path.suffix == ".toml" or len(path.parts) > 1 or path.exists():
        return ChipSpec.from_toml(path)
    known = ", ".join(sorted(CHIPS))
    raise ValueError(
        f"Unknown chip {text!r}. Choose one of: {known}; or give the path of a chip file (.toml)."
    )


def chip_file(name: str) -> Path:
    """The file of a known chip, to be copied and edited."""
    if name not in CHIPS:
        raise ValueError(f"Unknown chip {name!r}. Choose one of: {', '.join(sorted(CHIPS))}.")
    return Path(__file__).parent / "chips" / f"{name}.toml"


@cache
def _shipped(name: str) -> ChipSpec:
    return ChipSpec.from_toml(chip_file(name))


CHIPS: Mapping[str, Callable[[], ChipSpec]] = {
    "hermes": lambda: _shipped("hermes"),
    "aon-cim": lambda: _shipped("aon-cim"),
    "generic": lambda: _shipped("generic"),
}


def _without_absent(value: Any) -> Any:
    """TOML has no null: what is absent is left out."""
    if isinstance(value, dict):
        return {key: _without_absent(item) for key, item in value.items() if item is not None}
    return value
