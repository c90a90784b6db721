"""How far the figures behind a cost can be trusted."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from analognas.simulator.chip.figures import TRUST_MEANING, Trust

if TYPE_CHECKING:
    from analognas.simulator.chip.spec import ChipSpec


@lru_cache(maxsize=64)
def provenance(chip: ChipSpec, read_mode: str) -> tuple[Trust, ...]:
    """List the words for the figures that time, energy and area of a read mode rest on."""
    geometry, figures, energies = (
        chip.geometry,
        chip.performance[read_mode],
        chip.performance[read_mode].energies,
    )
    rests_on = [
        geometry.cores,
        geometry.rows,
        geometry.columns,
        geometry.adcs_per_core,
        geometry.area_mm2,
        figures.peak_TOPS,
        figures.mvm_latency_ns,
        figures.conversion_ns,
        figures.chip_mvm_energy_uJ,
        figures.core_mvm_energy_nJ,
        figures.energy_scale,
        *((energies.cell_fJ, energies.dac_pJ, energies.adc_pJ) if energies is not None else ()),
    ]
    if geometry.area_mm2 is None and chip.areas is None:
        rests_on += [mode.density_TOPS_per_mm2 for mode in chip.performance.values()]
    if geometry.area_mm2 is None and chip.areas is not None:
        rests_on += [chip.areas.array_mm2, chip.areas.dac_mm2, chip.areas.adc_mm2]
    if chip.digital is not None:
        rests_on += [
            chip.digital.operation_pJ,
            chip.digital.operations_per_ns,
            chip.digital.multiplication_pJ,
            chip.digital.multiplications_per_ns,
        ]
    rests_on += [chip.links and chip.links.bit_pJ, chip.buffers and chip.buffers.bit_pJ]
    found = {figure.trust for figure in rests_on if figure is not None}
    return tuple(word for word in TRUST_MEANING if word in found)
