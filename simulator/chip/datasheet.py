"""All figures of a chip in one list, each with the word that says where it is from."""

from dataclasses import dataclass

from analognas.simulator.chip.figures import Figure, Trust
from analognas.simulator.chip.spec import ChipSpec
from analognas.simulator.chip.units import Kinds


@dataclass(frozen=True)
class Entry:
    """One figure."""

    part: str  # "geometry", "converters", "digital" ... or a read mode
    quantity: str
    value: float | int | str
    unit: str
    trust: Trust
    source: str  # a paper or file; the formula of a derived figure


def datasheet(chip: ChipSpec) -> tuple[Entry, ...]:
    """List the given figures of a chip, and those that follow from them as "derived"."""
    entries = [*_geometry(chip), *_converters(chip)]
    for name in chip.read_modes:
        entries += [*_given_of_mode(chip, name), *_derived_of_mode(chip, name)]
    return (*entries, *_units(chip), *_areas(chip))


def _geometry(chip: ChipSpec) -> list[Entry]:
    part, geometry = "geometry", chip.geometry
    entries = [
        *_given(part, "cores", "", geometry.cores),
        *_given(part, "rows of a core", "", geometry.rows),
        *_given(part, "columns of a core", "", geometry.columns),
        *_given(part, "cells per weight", "", geometry.cells_per_weight),
        *_given(part, "cells per weight and polarity", "", geometry.cells_per_polarity),
        *_given(part, "ADCs of a core", "", geometry.adcs_per_core),
        *_given(part, "unused rows and columns gated", "", geometry.gates_unused),
        *_given(part, "several blocks in a core", "", geometry.packed),
        *_given(part, "area of all cores", "mm2", geometry.area_mm2),
    ]
    if geometry.area_mm2 is None:
        formula = "peak throughput / density, of the densest read mode"
        if chip.areas is not None:
            formula = "sum over components"
        entries.append(Entry(part, "area of all cores", chip.area_mm2, "mm2", "derived", formula))
    return entries


def _converters(chip: ChipSpec) -> list[Entry]:
    part, converters = "converters", chip.converters
    return [
        *_given(part, "input converter", "", converters.dac_kind),
        *_given(part, "input resolution", "bits", converters.dac_bits),
        *_given(part, "input step", "ns", converters.dac_lsb_ns),
        *_given(part, "output converter", "", converters.adc_kind),
        *_given(part, "output resolution", "bits", converters.adc_bits),
        *_given(part, "output step", "ns", converters.adc_lsb_ns),
        *_given(part, "one output gain for all layers", "", converters.global_adc_gain),
        *_given(part, "clock", "GHz", converters.clock_GHz),
        *_given(part, "read voltage", "V", converters.read_voltage_V),
    ]


def _given_of_mode(chip: ChipSpec, name: str) -> list[Entry]:
    figures = chip.performance[name]
    energies = figures.energies
    entries = [
        *_given(name, "inputs and outputs", "bits", figures.bits),
        *_given(name, "peak throughput", "TOPS", figures.peak_TOPS),
        *_given(name, "latency of an MVM", "ns", figures.mvm_latency_ns),
        *_given(name, "conversion", "ns", figures.conversion_ns),
        *_given(name, "energy of an MVM on every core", "uJ", figures.chip_mvm_energy_uJ),
        *_given(name, "energy of an MVM on one core", "nJ", figures.core_mvm_energy_nJ),
        *_given(name, "energy efficiency", "TOPS/W", figures.efficiency_TOPS_per_W),
        *_given(name, "throughput density", "TOPS/mm2", figures.density_TOPS_per_mm2),
        *_given(name, "factor on all component energies", "", figures.energy_scale),
    ]
    if energies is not None:
        entries += [
            *_given(name, "energy of a weight per MVM", "fJ", energies.cell_fJ),
            *_given(name, "energy of an input per conversion", "pJ", energies.dac_pJ),
            *_given(name, "energy of an output per MVM", "pJ", energies.adc_pJ),
        ]
    return entries


def _derived_of_mode(chip: ChipSpec, name: str) -> list[Entry]:
    mode, figures = chip.read_modes[name], chip.performance[name]
    derived = []
    if figures.peak_TOPS is None:
        formula = "operations / latency"
        derived.append(("peak throughput", mode.peak_TOPS, "TOPS", formula))
    if figures.mvm_latency_ns is None:
        formula = "operations / peak throughput"
        if figures.conversion_ns is not None:
            formula = "conversion x ceil(columns / ADCs)"
        derived.append(("latency of an MVM", mode.latency_ns, "ns", formula))
    if figures.core_mvm_energy_nJ is None:
        formula = "on every core / cores" if figures.energies is None else "sum over actions"
        derived.append(("energy of an MVM on one core", mode.energy_nJ_per_mvm, "nJ", formula))
    derived += [
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


def _units(chip: ChipSpec) -> list[Entry]:
    entries = []
    if (digital := chip.digital) is not None:
        entries += [
            *_given("digital", "on chip", "", digital.on_chip),
            *_given("digital", "off chip", "", digital.off_chip),
            *_given("digital", "units", "", digital.units),
            *_given("digital", "clock", "GHz", digital.clock_GHz),
            *_given("digital", "throughput", "operations/ns", digital.operations_per_ns),
            *_given("digital", "energy of an operation", "pJ", digital.operation_pJ),
            *_given("digital", "energy of a multiplication", "pJ", digital.multiplication_pJ),
            *_given(
                "digital",
                "throughput of multiplications",
                "multiplications/ns",
                digital.multiplications_per_ns,
            ),
        ]
    if (links := chip.links) is not None:
        entries += _given("links", "links", "", links.count)
        entries += _given("links", "energy of a bit", "pJ", links.bit_pJ)
    if (buffers := chip.buffers) is not None:
        entries += _given("buffers", "size", "KiB", buffers.size_KiB)
        entries += _given("buffers", "energy of a bit", "pJ", buffers.bit_pJ)
    if chip.power is not None:
        entries += _given("power", "standby", "uW", chip.power.standby_uW)
    return entries


def _areas(chip: ChipSpec) -> list[Entry]:
    if (areas := chip.areas) is None:
        return []
    return [
        entry
        for name in areas.by_component_mm2
        for entry in _given("areas", name, "mm2", getattr(areas, f"{name}_mm2"))
    ]


def _given(part: str, quantity: str, unit: str, figure: Figure | Kinds | None) -> list[Entry]:
    """The entry of a given figure, or none if it is not given."""
    if figure is None:
        return []
    value = figure.value
    if isinstance(value, tuple):
        value = ", ".join(value)
    elif isinstance(value, bool):
        value = "yes" if value else "no"
    return [Entry(part, quantity, value, unit, figure.trust, figure.source)]
