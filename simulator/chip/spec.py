"""What a chip consists of and what one matrix-vector multiplication (MVM) costs on it.

A chip file holds given figures, each with its source. What follows from them is computed here:

    operations of a full-chip MVM = 2 cores rows columns     (multiply and add in every cell)
    latency of an MVM             = operations / peak throughput
    energy of one core's MVM      = energy of a full-chip MVM / cores
    efficiency                    = operations / energy of a full-chip MVM
    area                          = peak throughput / density
"""

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import tomli_w
from pydantic import Field, StrictStr, model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.chip.figures import STRICT, Converters, Geometry, Performance, Text
from analognas.simulator.chip.validation import validate

# Figures that say the same twice may differ by this much: published ones are rounded.
AGREEMENT_FRACTION = 0.05


@dataclass(frozen=True)
class ReadMode:
    """One way to read the cores; all numbers follow from a chip's given figures."""

    name: str
    latency_ns: float  # of an MVM; all cores work in parallel
    energy_nJ_per_mvm: float  # of one core
    energy_pJ_per_mac: float  # in a fully used core
    peak_TOPS: float
    efficiency_TOPS_per_W: float
    power_W: float  # all cores busy
    density_TOPS_per_mm2: float
    area_mm2_by_density: float | None  # of the chip, if a density is given for this mode


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ChipSpec:
    """A chip of equal cores, each of which holds one block of one layer.

    Sources of the figures are kept, so that every number shown can say where it is from.
    """

    name: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
    title: Text
    default_read_mode: Text
    geometry: Geometry
    converters: Converters
    performance: Annotated[dict[Text, Performance], Field(min_length=1)]  # by read mode
    references: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _figures_agree(self) -> Self:
        if self.default_read_mode not in self.performance:
            raise ValueError(
                "default_read_mode must be one of the read modes under `performance` "
                f"({', '.join(self.performance)}), but got {self.default_read_mode!r}."
            )
        if self.geometry.area_mm2 is None and not self._areas_by_density():
            raise ValueError(
                "the area is missing: give geometry.area_mm2 or a read mode's density_TOPS_per_mm2."
            )
        for name, mode in self.read_modes.items():
            given = self.performance[name].efficiency_TOPS_per_W
            if given is not None:
                _agree(
                    f"performance.{name}.efficiency_TOPS_per_W",
                    given.value,
                    mode.efficiency_TOPS_per_W,
                )
            if mode.area_mm2_by_density is not None:
                _agree(
                    f"area by performance.{name}.density_TOPS_per_mm2",
                    mode.area_mm2_by_density,
                    self.area_mm2,
                )
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
    def operations_per_mvm(self) -> int:
        """Multiplications and additions of one MVM on every core."""
        return 2 * self.cores * self.rows * self.columns

    @cached_property
    def area_mm2(self) -> float:
        """Area of all cores.

        If it is not given: throughput / density of the densest mode, which is rounded least.
        """
        if self.geometry.area_mm2 is not None:
            return self.geometry.area_mm2.value
        return max(self._areas_by_density())[1]

    @property
    def area_mm2_per_core(self) -> float:
        return self.area_mm2 / self.cores

    @cached_property
    def read_modes(self) -> Mapping[str, ReadMode]:
        """The read modes by name, with latency, energy and what follows from them."""
        return {name: self._read_mode(name) for name in self.performance}

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
        """Twelve hex digits that change with every number (names and sources are not hashed)."""
        content = [asdict(part) for part in (self.geometry, self.converters)]
        content.append({name: asdict(figures) for name, figures in self.performance.items()})
        canonical = json.dumps([_numbers(content), self.default_read_mode], sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

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

    def _areas_by_density(self) -> list[tuple[float, float]]:
        """Density and implied area of every read mode that gives a density."""
        return [
            (
                figures.density_TOPS_per_mm2.value,
                self._peak_TOPS(figures) / figures.density_TOPS_per_mm2.value,
            )
            for figures in self.performance.values()
            if figures.density_TOPS_per_mm2 is not None
        ]

    def _peak_TOPS(self, figures: Performance) -> float:
        if figures.peak_TOPS is not None:
            return figures.peak_TOPS.value
        assert figures.mvm_latency_ns is not None  # one of the two is given
        return self.operations_per_mvm / figures.mvm_latency_ns.value * 1e-3  # per ns to tera per s

    def _read_mode(self, name: str) -> ReadMode:
        figures = self.performance[name]
        peak_TOPS = self._peak_TOPS(figures)
        latency_ns = self.operations_per_mvm / peak_TOPS * 1e-3
        if figures.core_mvm_energy_nJ is not None:
            energy_nJ = figures.core_mvm_energy_nJ.value
        else:
            assert figures.chip_mvm_energy_uJ is not None  # one of the two is given
            energy_nJ = figures.chip_mvm_energy_uJ.value * 1e3 / self.cores
        power_W = energy_nJ * self.cores / latency_ns
        density = figures.density_TOPS_per_mm2
        return ReadMode(
            name=name,
            latency_ns=latency_ns,
            energy_nJ_per_mvm=energy_nJ,
            energy_pJ_per_mac=energy_nJ * 1e3 / (self.rows * self.columns),
            peak_TOPS=peak_TOPS,
            efficiency_TOPS_per_W=peak_TOPS / power_W,
            power_W=power_W,
            density_TOPS_per_mm2=peak_TOPS / self.area_mm2,
            area_mm2_by_density=None if density is None else peak_TOPS / density.value,
        )


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


@cache
def _shipped(file: str) -> ChipSpec:
    return ChipSpec.from_toml(Path(__file__).parent / "chips" / file)


def _hermes() -> ChipSpec:
    return _shipped("hermes.toml")


CHIPS: Mapping[str, Callable[[], ChipSpec]] = {"hermes": _hermes}


def _agree(name: str, given: float, computed: float) -> None:
    if abs(given - computed) > AGREEMENT_FRACTION * computed:
        raise ValueError(
            f"{name} must agree with the other figures within {AGREEMENT_FRACTION:.0%}, but it is "
            f"{given:.4g} and they give {computed:.4g}. Check the units."
        )


def _numbers(value: Any) -> Any:
    """Every figure without its source."""
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, dict):
        if "trust" in value:
            return value["value"]
        return {key: _numbers(item) for key, item in value.items()}
    return value


def _without_absent(value: Any) -> Any:
    """TOML has no null: what is absent is left out."""
    if isinstance(value, dict):
        return {key: _without_absent(item) for key, item in value.items() if item is not None}
    return value
