"""One way to read the cores of a chip, with all that follows from the given figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analognas.simulator.chip.actions import Actions
from analognas.simulator.chip.figures import Quantity

if TYPE_CHECKING:
    from analognas.simulator.chip.spec import ChipSpec


@dataclass(frozen=True)
class ReadMode:
    """One way to read the cores; all numbers follow from a chip's given figures."""

    name: str
    bits: int  # of inputs and outputs
    latency_ns: float  # of an MVM with all columns; all cores work in parallel
    energy_nJ_per_mvm: float  # of one core, all its rows and columns in use
    energy_pJ_per_mac: float  # in a fully used core
    peak_TOPS: float
    efficiency_TOPS_per_W: float
    power_W: float  # all cores busy
    density_TOPS_per_mm2: float
    area_mm2_by_density: float | None  # of the chip, if a density is given for this mode
    actions: Actions


def peak_TOPS(chip: ChipSpec, name: str) -> float:
    """Operations per second with all cores busy."""
    figures = chip.performance[name]
    if figures.peak_TOPS is not None:
        return figures.peak_TOPS.value
    if figures.mvm_latency_ns is not None:
        latency_ns = figures.mvm_latency_ns.value
    else:
        assert figures.conversion_ns is not None  # one of the three is given
        latency_ns = -(-chip.columns // chip.adcs_per_core) * figures.conversion_ns.value
    return chip.operations_per_mvm / latency_ns * 1e-3  # per ns to tera per s


def make_read_mode(chip: ChipSpec, name: str) -> ReadMode:
    """Compute everything about the read mode `name` of a chip."""
    throughput_TOPS = peak_TOPS(chip, name)
    latency_ns = chip.operations_per_mvm / throughput_TOPS * 1e-3
    actions = _actions(chip, name, latency_ns)
    energy_nJ = sum(actions.energies_nJ(chip.rows, chip.columns).values())
    power_W = energy_nJ * chip.cores / latency_ns
    density = chip.performance[name].density_TOPS_per_mm2
    return ReadMode(
        name=name,
        bits=actions.bits,
        latency_ns=latency_ns,
        energy_nJ_per_mvm=energy_nJ,
        energy_pJ_per_mac=energy_nJ * 1e3 / (chip.rows * chip.columns),
        peak_TOPS=throughput_TOPS,
        efficiency_TOPS_per_W=throughput_TOPS / power_W,
        power_W=power_W,
        density_TOPS_per_mm2=throughput_TOPS / chip.area_mm2,
        area_mm2_by_density=None if density is None else throughput_TOPS / density.value,
        actions=actions,
    )


def _actions(chip: ChipSpec, name: str, latency_ns: float) -> Actions:
    figures, digital = chip.performance[name], chip.digital
    links, buffers = chip.links, chip.buffers
    scale = 1.0 if figures.energy_scale is None else figures.energy_scale.value
    core_nJ = cell_fJ = dac_pJ = adc_pJ = 0.0
    if figures.core_mvm_energy_nJ is not None:
        core_nJ = figures.core_mvm_energy_nJ.value
    elif figures.chip_mvm_energy_uJ is not None:
        core_nJ = figures.chip_mvm_energy_uJ.value * 1e3 / chip.cores
    else:
        assert figures.energies is not None  # one of the three is given
        cell_fJ = figures.energies.cell_fJ.value
        dac_pJ = figures.energies.dac_pJ.value
        adc_pJ = figures.energies.adc_pJ.value
    on_chip = digital.on_chip.value if digital is not None else ()
    operation_nJ = scale * _number(digital.operation_pJ if digital is not None else None) * 1e-3
    return Actions(
        rows=chip.rows,
        columns=chip.columns,
        adcs=chip.adcs_per_core,
        bits=(figures.bits or chip.converters.dac_bits).value,
        conversion_ns=latency_ns / -(-chip.columns // chip.adcs_per_core),
        gates_unused=chip.gates_unused,
        core_nJ=core_nJ,
        cell_nJ=scale * cell_fJ * 1e-6,
        dac_nJ=scale * dac_pJ * 1e-3,
        adc_nJ=scale * adc_pJ * 1e-3,
        affine_nJ=operation_nJ if "affine" in on_chip else 0.0,
        aggregation_nJ=operation_nJ if "aggregation" in on_chip else 0.0,
        operation_nJ=operation_nJ,
        buffer_bit_nJ=scale * _number(buffers.bit_pJ if buffers is not None else None) * 1e-3,
        link_bit_nJ=scale * _number(links.bit_pJ if links is not None else None) * 1e-3,
    )


def _number(figure: Quantity | None) -> float:
    """The value of a figure; what is not given is free."""
    return 0.0 if figure is None else figure.value
