"""What an inference costs on a chip, by layer, component and digital step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from analognas.simulator.chip.provenance import provenance

if TYPE_CHECKING:
    from analognas.simulator.chip.spec import ChipSpec

# Belongs under every table that shows a cost on a chip with published whole-core energies.
COST_SCOPE = (
    "Energy, latency and area are modelled from published peak figures, not measured. The "
    "published energy covers crossbar array, ADC and PWM input only; digital units, links, buffers "
    "and off-chip parts are not in it. A whole core is charged per matrix-vector multiplication, "
    "however little of it is used. The area is that of the cores."
)

Where: TypeAlias = Literal["on chip", "off chip"]


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer costs per inference."""

    layer: str
    rows: int  # of its whole matrix
    columns: int
    cores: int  # that hold a part of it, replicas included
    mvms: int
    energy_nJ: float
    latency_us: float
    area_mm2: float  # of its cores; of a shared core, its share of what is occupied
    utilisation_fraction: float  # weights per weight position of its cores
    row_parts: int  # partial sums to be added digitally for every output


@dataclass(frozen=True, slots=True)
class DigitalCost:
    """What one digital step costs per inference."""

    name: str
    kind: str
    operations: int
    where: Where
    energy_nJ: float | None  # None: not known, and not in the sum
    latency_us: float


@dataclass(frozen=True)
class Cost:
    """Modelled cost of one inference."""

    chip: str
    read_mode: str
    energy_nJ: float
    latency_us: float  # layers and digital steps one after another
    area_mm2: float  # of the cores in use
    utilisation_fraction: float  # of the cores in use
    cores: int  # in use
    chip_area_mm2: float  # of all cores
    layers: tuple[LayerCost, ...]
    digital: tuple[DigitalCost, ...]
    components_nJ: dict[str, float]  # the energy by component, see `actions.COMPONENTS`
    layer_components_nJ: dict[str, dict[str, float]]  # the same of every layer
    interval_us: float  # between inferences in a pipeline: the busiest core or digital step
    standby_uW: float | None  # power without inferences; None if the chip does not say
    scope: str  # what the numbers cover
    kind: str = "modelled"

    @property
    def serial_inferences_per_s(self) -> float | None:
        """Throughput if an inference ends before the next begins; None if nothing takes time."""
        return 1e6 / self.latency_us if self.latency_us else None

    @property
    def pipelined_inferences_per_s(self) -> float | None:
        """Throughput if every layer is a stage of a pipeline; None if nothing takes time."""
        return 1e6 / self.interval_us if self.interval_us else None

    @property
    def off_chip(self) -> tuple[str, ...]:
        """Names of the steps that the chip leaves to others; they are in none of the sums."""
        return tuple(step.name for step in self.digital if step.where == "off chip")

    @property
    def not_charged(self) -> tuple[str, ...]:
        """Names of the steps on the chip whose energy is not known."""
        on_chip = (step for step in self.digital if step.where == "on chip")
        return tuple(step.name for step in on_chip if step.energy_nJ is None)

    def power_uW(self, inferences_per_s: float) -> float:
        """Mean power at a duty cycle, standby included as far as it is known.

        Raises:
            ValueError: If the chip cannot do so many inferences.
        """
        most = self.pipelined_inferences_per_s
        if inferences_per_s < 0 or (most is not None and inferences_per_s > most):
            highest = "any number" if most is None else f"{most:,.4g}"
            raise ValueError(
                f"`inferences_per_s` must be from 0 to {highest} on chip {self.chip!r} in mode "
                f"{self.read_mode!r}, but got {inferences_per_s:,.6g}."
            )
        return self.energy_nJ * inferences_per_s * 1e-3 + (self.standby_uW or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON, with what they cover."""
        return {
            **asdict(self),
            "serial_inferences_per_s": self.serial_inferences_per_s,
            "pipelined_inferences_per_s": self.pipelined_inferences_per_s,
            "off_chip": list(self.off_chip),
            "not_charged": list(self.not_charged),
        }


@lru_cache(maxsize=64)
def cost_scope(chip: ChipSpec, read_mode: str | None = None) -> str:
    """Say what energy, latency and area of a cost on this chip cover, and what they rest on."""
    mode = chip.read_mode(read_mode)
    actions = mode.actions
    if actions.core_nJ and not actions.operation_nJ + actions.link_bit_nJ + actions.buffer_bit_nJ:
        return COST_SCOPE + _multiplications(chip)
    charged = {
        "whole cores": actions.core_nJ,
        "arrays": actions.cell_nJ,
        "DACs": actions.dac_nJ,
        "ADCs": actions.adc_nJ,
        "digital units": actions.operation_nJ,
        "links": actions.link_bit_nJ,
        "buffers": actions.buffer_bit_nJ,
    }
    apart = ("digital units", "links", "buffers")
    covered = ", ".join(name for name, energy_nJ in charged.items() if energy_nJ)
    free = ", ".join([*(name for name in apart if not charged[name]), "off-chip parts"])
    rows = "the rows and columns in use" if actions.gates_unused else "whole cores"
    return (
        f"Energy, latency and area are modelled from action counts times energies of {rows}, not "
        f"measured. The energy covers {covered}; not in it: {free}. The area is that of the cores. "
        f"The figures behind it are {', '.join(provenance(chip, mode.name))}."
        f"{_multiplications(chip)}"
    )


def _multiplications(chip: ChipSpec) -> str:
    """What a layer that is kept digital is charged, if the chip says it."""
    each = None if chip.digital is None else chip.digital.multiplication_pJ
    if each is None:
        return ""
    return (
        f" Layers kept digital are charged {each.value:.3g} pJ per multiplication ({each.trust}: "
        f"{each.source})."
    )
