"""The tables of a chip file for everything around the arrays."""

from typing import Self

from pydantic import model_validator
from pydantic.dataclasses import dataclass

from analognas.simulator.chip.digital_work import DigitalKind
from analognas.simulator.chip.figures import STRICT, Count, Quantity, Text, Trust


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Kinds:
    """Kinds of digital work, with the source that says where they are done."""

    value: tuple[DigitalKind, ...]
    source: Text
    trust: Trust


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DigitalUnits:
    """What the chip computes beside its arrays, what it leaves to others, and what that costs.

    Work of a kind in neither list is taken as off chip.
    """

    on_chip: Kinds
    off_chip: Kinds | None = None
    operation_pJ: Quantity | None = None  # without it, on-chip work is named but not charged
    operations_per_ns: Quantity | None = None  # of all units together; without it, takes no time
    multiplication_pJ: Quantity | None = None  # of a layer kept digital; else as any operation
    multiplications_per_ns: Quantity | None = None  # likewise
    clock_GHz: Quantity | None = None
    units: Count | None = None

    @model_validator(mode="after")
    def _every_kind_has_one_place(self) -> Self:
        off_chip = self.off_chip.value if self.off_chip is not None else ()
        both = sorted(set(self.on_chip.value) & set(off_chip))
        if both:
            raise ValueError(
                f"a kind of work must be on chip or off chip, but on_chip and off_chip both list "
                f"{', '.join(both)}."
            )
        multiplies = self.multiplication_pJ or self.multiplications_per_ns
        if multiplies is not None and "matrix" not in self.on_chip.value:
            raise ValueError(
                'multiplication_pJ and multiplications_per_ns must come with "matrix" in on_chip, '
                "since they are those of layers kept digital on the chip. Add it, or leave them "
                "out."
            )
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Links:
    """Connections between cores: every word that a core puts out travels over one."""

    count: Count | None = None
    bit_pJ: Quantity | None = None  # without it, links are not charged


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Buffers:
    """Memories for activations: read for every input, written for every output of an MVM."""

    size_KiB: Quantity | None = None
    bit_pJ: Quantity | None = None  # without it, buffers are not charged


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Areas:
    """The area of the chip by component; the sum must agree with `geometry.area_mm2`."""

    array_mm2: Quantity
    dac_mm2: Quantity
    adc_mm2: Quantity
    digital_mm2: Quantity | None = None
    links_mm2: Quantity | None = None
    buffers_mm2: Quantity | None = None

    @property
    def sum_mm2(self) -> float:
        return sum(self.by_component_mm2.values())

    @property
    def by_component_mm2(self) -> dict[str, float]:
        """The given areas, by component."""
        given = {
            "array": self.array_mm2,
            "dac": self.dac_mm2,
            "adc": self.adc_mm2,
            "digital": self.digital_mm2,
            "links": self.links_mm2,
            "buffers": self.buffers_mm2,
        }
        return {name: area.value for name, area in given.items() if area is not None}


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Power:
    """What the chip takes whatever it does."""

    standby_uW: Quantity
