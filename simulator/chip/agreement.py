"""Figures of a chip file that say the same twice, or rule each other out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analognas.simulator.chip.read_mode import ReadMode
    from analognas.simulator.chip.spec import ChipSpec

# Figures that say the same twice may differ by this much: published ones are rounded.
AGREEMENT_FRACTION = 0.05


def check_agreement(chip: ChipSpec) -> None:
    """Compare every figure with the others.

    Raises:
        ValueError: If two figures contradict each other or one is missing.
    """
    if chip.default_read_mode not in chip.performance:
        raise ValueError(
            "default_read_mode must be one of the read modes under `performance` "
            f"({', '.join(chip.performance)}), but got {chip.default_read_mode!r}."
        )
    _check_area(chip)
    for mode in chip.read_modes.values():
        _check_published(chip, mode)
        _check_bits(chip, mode)
        _check_gating(chip, mode)


def _check_area(chip: ChipSpec) -> None:
    if chip.geometry.area_mm2 is None and chip.areas is None and not chip.areas_by_density:
        raise ValueError(
            "the area is missing: give geometry.area_mm2, a read mode's density_TOPS_per_mm2 or "
            "the table areas."
        )
    if chip.areas is not None:
        _agree("geometry.area_mm2", chip.area_mm2, chip.areas.sum_mm2)


def _check_published(chip: ChipSpec, mode: ReadMode) -> None:
    given = chip.performance[mode.name].efficiency_TOPS_per_W
    if given is not None:
        name = f"performance.{mode.name}.efficiency_TOPS_per_W"
        _agree(name, given.value, mode.efficiency_TOPS_per_W)
    if mode.area_mm2_by_density is not None:
        name = f"area by performance.{mode.name}.density_TOPS_per_mm2"
        _agree(name, mode.area_mm2_by_density, chip.area_mm2)


def _check_bits(chip: ChipSpec, mode: ReadMode) -> None:
    converters = chip.converters
    widest = min(converters.dac_bits.value, converters.adc_bits.value)
    if chip.performance[mode.name].bits is not None and mode.bits > widest:
        raise ValueError(
            f"performance.{mode.name}.bits must not exceed those of the converters, but got "
            f"{mode.bits} with dac_bits={converters.dac_bits.value}, "
            f"adc_bits={converters.adc_bits.value}."
        )
    if (
        converters.dac_kind is None
        or converters.dac_kind.value != "PWM"
        or converters.dac_lsb_ns is None
    ):
        return
    longest_ns = (2 ** (mode.bits - 1) - 1) * converters.dac_lsb_ns.value
    if mode.actions.conversion_ns < longest_ns:
        raise ValueError(
            f"a conversion in mode {mode.name} must last as long as the longest input pulse of "
            f"{mode.bits} bits, {longest_ns:.4g} ns by converters.dac_lsb_ns, but it lasts "
            f"{mode.actions.conversion_ns:.4g} ns. Check the units."
        )


def _check_gating(chip: ChipSpec, mode: ReadMode) -> None:
    if chip.gates_unused and mode.actions.core_nJ:
        raise ValueError(
            "geometry.gates_unused needs the energies of rows, columns and cells, but "
            f"performance.{mode.name} gives the energy of a whole core. Give "
            f"performance.{mode.name}.energies."
        )


def _agree(name: str, given: float, computed: float) -> None:
    if abs(given - computed) > AGREEMENT_FRACTION * computed:
        raise ValueError(
            f"{name} must agree with the other figures within {AGREEMENT_FRACTION:.0%}, but it is "
            f"{given:.4g} and they give {computed:.4g}. Check the units."
        )
