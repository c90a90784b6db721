"""Variations of a template chip, with costs that follow from what is changed.

What a figure becomes is assumed, and said in its source; the rules are those by which the figures
of the template `generic` were made:

- the chip keeps its number of weights, so that smaller cores are more cores;
- columns share ADCs as on the template;
- the driver of a row takes energy in proportion to its columns;
- a weight takes energy and area in proportion to its cells;
- an ADC that counts takes twice the energy per bit, and twice the time per bit beyond those of the
  input's pulses;
- drivers take area by row, ADCs by their number, digital units by core.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from analognas.errors import UserError
from analognas.hardware_choice import adc_bits_of
from analognas.simulator.chip import ChipSpec
from analognas.simulator.chip.figures import Count, Performance, Quantity
from analognas.simulator.chip.units import Areas


@dataclass(frozen=True, order=True)
class ChipChoice:
    """One chip of a sweep.

    Args:
        rows: Of a core.
        columns: Of a core.
        cells: Devices per polarity of a weight.
        read_mode: Of the template.
        adc_bits: Of every ADC.
        compensation: Of drift.
    """

    rows: int
    columns: int
    cells: int
    read_mode: str
    adc_bits: int
    compensation: str

    @property
    def core_size(self) -> str:
        return f"{self.rows}x{self.columns}"


def cells_of(chip: ChipSpec) -> int:
    """Devices per polarity of a weight on this chip."""
    given = chip.geometry.cells_per_polarity
    return 1 if given is None else given.value


def is_split(chip: ChipSpec) -> bool:
    """Whether the energy of a core is known by component, so that it can follow a change."""
    return all(figures.energies is not None for figures in chip.performance.values())


def check_variable(chip: ChipSpec, option: str, *, changes: bool) -> None:
    """Refuse changes whose cost the template does not tell.

    Raises:
        UserError: The energy of its cores is one number.
    """
    if changes and not is_split(chip):
        raise UserError(
            f"`{option}` must be that of chip {chip.name!r}, because its file gives the energy of "
            "whole cores and not by component. Leave the option out, or sweep a chip that splits "
            "it, such as generic or aon-cim."
        )


def variant(chip: ChipSpec, choice: ChipChoice) -> ChipSpec:
    """The chip that a choice stands for; its default read mode is the chosen one."""
    weights = chip.cores * chip.rows * chip.columns
    cores = -(-weights // (choice.rows * choice.columns))
    sharing = chip.columns / chip.adcs_per_core
    adcs = max(1, round(choice.columns / sharing))
    cell_ratio = choice.cells / cells_of(chip)
    geometry, mode = chip.geometry, chip.read_mode(choice.read_mode)
    both = geometry.cells_per_weight.value // cells_of(chip)
    changed = replace(
        geometry,
        cores=_count(cores),
        rows=_count(choice.rows),
        columns=_count(choice.columns),
        cells_per_weight=_count(both * choice.cells),
        cells_per_polarity=_count(choice.cells),
        adcs_per_core=_count(adcs),
        area_mm2=None if chip.areas is not None else geometry.area_mm2,
    )
    if (changed.rows.value, changed.columns.value, choice.cells) == (
        chip.rows,
        chip.columns,
        cells_of(chip),
    ) and choice.adc_bits == adc_bits_of(chip, choice.read_mode):
        return replace(chip, default_read_mode=choice.read_mode)
    figures = _performance(
        chip.performance[mode.name],
        columns=choice.columns / chip.columns,
        cells=cell_ratio,
        more_bits=choice.adc_bits - adc_bits_of(chip, mode.name),
        conversion_ns=mode.actions.conversion_ns,
    )
    areas = chip.areas and _areas(
        chip.areas,
        array=cores * choice.rows * choice.columns / weights * cell_ratio,
        rows=cores * choice.rows / (chip.cores * chip.rows),
        adcs=cores * adcs / (chip.cores * chip.adcs_per_core),
        cores=cores / chip.cores,
    )
    return replace(
        chip,
        title=f"{chip.title}, varied",
        default_read_mode=mode.name,
        geometry=changed,
        performance={mode.name: figures},
        areas=areas,
    )


def _performance(
    figures: Performance,
    *,
    columns: float,
    cells: float,
    more_bits: int,
    conversion_ns: float,
) -> Performance:
    energies = figures.energies
    assert energies is not None  # as `check_variable` makes sure
    counting = 2.0**more_bits
    return replace(
        figures,
        peak_TOPS=None,
        mvm_latency_ns=None,
        conversion_ns=_quantity(conversion_ns * max(1.0, counting)),
        efficiency_TOPS_per_W=None,
        density_TOPS_per_mm2=None,
        energies=replace(
            energies,
            cell_fJ=_scaled(energies.cell_fJ, cells),
            dac_pJ=_scaled(energies.dac_pJ, columns),
            adc_pJ=_scaled(energies.adc_pJ, counting),
        ),
    )


def _areas(areas: Areas, *, array: float, rows: float, adcs: float, cores: float) -> Areas:
    digital = areas.digital_mm2
    return replace(
        areas,
        array_mm2=_scaled(areas.array_mm2, array),
        dac_mm2=_scaled(areas.dac_mm2, rows),
        adc_mm2=_scaled(areas.adc_mm2, adcs),
        digital_mm2=None if digital is None else _scaled(digital, cores),
    )


def _scaled(figure: Quantity, factor: float) -> Quantity:
    return figure if factor == 1 else _quantity(figure.value * factor)


def _quantity(value: float) -> Quantity:
    return Quantity(value=value, source="varied from the template", trust="assumed")


def _count(value: int) -> Count:
    return Count(value=value, source="varied from the template", trust="assumed")
