"""All figures of a chip in one list, each with the word that says where it is from."""

from dataclasses import dataclass

from analognas.simulator.chip.figures import Figure, Trust
from analognas.simulator.chip.spec import ChipSpec


@dataclass(frozen=True)
class Entry:
    """One figure."""

    part: str  # "geometry", "converters" or a read mode
    quantity: str
    value: float | int
    unit: str
    trust: Trust
    source: str  # a paper or file; the formula of a derived figure


def datasheet(chip: ChipSpec) -> tuple[Entry, ...]:
    """List the given figures of a chip, and those that follow from them as "derived"."""
    geometry, converters = chip.geometry, chip.converters
    entries = [
        *_given("geometry", "cores", "", geometry.cores),
        *_given("geometry", "rows of a core", "", geometry.rows),
        *_given("geometry", "columns of a core", "", geometry.columns),
        *_given("geometry", "cells per weight", "", geometry.cells_per_weight),
        *_given("geometry", "area of all cores", "mm2", geometry.area_mm2),
    ]
    if geometry.area_mm2 is None:
        formula = "peak throughput / density, of the densest read mode"
        entries.append(
            Entry("geometry", "area of all cores", chip.area_mm2, "mm2", "derived", formula)
        )
    entries += [
        *_given("converters", "input resolution", "bits", converters.dac_bits),
        *_given("converters", "output resolution", "bits", converters.adc_bits),
        *_given("converters", "clock", "GHz", converters.clock_GHz),
    ]
    for name in chip.read_modes:
        entries += [*_given_of_mode(chip, name), *_derived_of_mode(chip, name)]
    return tuple(entries)


def _given_of_mode(chip: ChipSpec, name: str) -> list[Entry]:
    figures = chip.performance[name]
    return [
        *_given(name, "peak throughput", "TOPS", figures.peak_TOPS),
        *_given(name, "latency of an MVM", "ns", figures.mvm_latency_ns),
        *_given(name, "energy of an MVM on every core", "uJ", figures.chip_mvm_energy_uJ),
        *_given(name, "energy of an MVM on one core", "nJ", figures.core_mvm_energy_nJ),
        *_given(name, "energy efficiency", "TOPS/W", figures.efficiency_TOPS_per_W),
        *_given(name, "throughput density", "TOPS/mm2", figures.density_TOPS_per_mm2),
    ]


def _derived_of_mode(chip: ChipSpec, name: str) -> list[Entry]:
    mode, figures = chip.read_modes[name], chip.performance[name]
    throughput = ("peak throughput", mode.peak_TOPS, "TOPS", "operations / latency")
    latency = ("latency of an MVM", mode.latency_ns, "ns", "operations / peak throughput")
    energy = ("energy of an MVM on one core", mode.energy_nJ_per_mvm, "nJ", "on every core / cores")
    derived = [
        latency if figures.mvm_latency_ns is None else throughput,
        *([energy] if figures.core_mvm_energy_nJ is None else []),
        ("energy per MAC", mode.energy_pJ_per_mac, "pJ", "energy on one core / (rows x columns)"),
        ("energy efficiency", mode.efficiency_TOPS_per_W, "TOPS/W", "operations / energy"),
        ("power, all cores busy", mode.power_W, "W", "energy / latency"),
        ("throughput density", mode.density_TOPS_per_mm2, "TOPS/mm2", "peak throughput / area"),
    ]
    if mode.area_mm2_by_density is not None:
        area = mode.area_mm2_by_density
        derived.append(("area by this density", area, "mm2", "peak throughput / density"))
    return [
        Entry(name, quantity, value, unit, "derived", formula)
        for quantity, value, unit, formula in derived
    ]


def _given(part: str, quantity: str, unit: str, figure: Figure | None) -> list[Entry]:
    """The entry of a given figure, or none if it is not given."""
    if figure is None:
        return []
    return [Entry(part, quantity, figure.value, unit, figure.trust, figure.source)]
