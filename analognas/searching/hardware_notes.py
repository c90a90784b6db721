"""What must be said beside the results of a search that decides about its hardware."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analognas.searching.hardware_names import (
    ADC_BITS,
    DEVICES,
    DIGITAL_LAYERS,
    READ_MODE,
    TITLES,
)
from analognas.searching.surrogate_choice import ChosenSurrogate, hardware_warning
from analognas.searching.workshop import NO_LAYERS, Workshop, with_multiplications

if TYPE_CHECKING:
    from analognas.searching.candidates import Candidate
    from analognas.searching.hardware_genes import HardwareGenes


def hardware_notes(
    genes: HardwareGenes, workshop: Workshop, predictor: ChosenSurrogate | None
) -> list[str]:
    """Assumptions and blind spots of what is searched, in whole sentences."""
    chip, notes = workshop.chip, [*genes.left_out]
    if DIGITAL_LAYERS in genes.values:
        digital = with_multiplications(chip).digital
        assert digital is not None
        assert digital.multiplication_pJ is not None
        each = digital.multiplication_pJ
        notes.append(
            f"A multiplication of a layer kept digital is charged {each.value:.3g} pJ "
            f"({each.trust}: {each.source}); the area of the unit that does it is not counted."
        )
        if predictor is not None:
            notes.append(
                "No label has layers kept digital: that they lose no accuracy to the hardware is "
                "predicted by leaving them out of the errors that are summed over layers, a guess."
            )
    alike = [name for name, figures in chip.performance.items() if figures.bits is None]
    if READ_MODE in genes.values and len(alike) > 1:
        notes.append(
            f"{' and '.join(alike)} reads of {chip.name} are simulated alike: what a faster read "
            "loses in precision is not modelled, so that it looks better here than it is."
        )
    blind = [gene for gene in (DEVICES, ADC_BITS) if gene in genes.values]
    if predictor is not None and blind and not _knows_hardware(predictor):
        notes.append(
            f"The surrogate {predictor.name} has learned from one hardware: its predictions do "
            f"not follow {' and '.join(TITLES[gene] for gene in blind)}, so that the cheapest "
            "looks best. Give one that was fitted on labels with variants of the hardware, or "
            "search with --evaluator training."
        )
    return notes


def guessed_designs(
    candidates: Sequence[Candidate],
    genes: HardwareGenes,
    workshop: Workshop,
    chosen: ChosenSurrogate,
) -> list[str]:
    """How many candidates are on hardware, or with digital layers, that no label has.

    Args:
        candidates: All that were predicted.
        genes: What was searched.
        workshop: Makes the hardware.
        chosen: What predicted them.
    """
    start = workshop.hardware
    warnings = {start.hash: hardware_warning(chosen.surrogate, start)}
    said = warnings[start.hash] is not None  # a guess from the start, which the run says already
    unseen, digital, example = 0, 0, ""
    for candidate in candidates:
        choice = workshop.choice({gene: candidate.codes[gene] for gene in genes.values})
        hardware = workshop.made(choice).hardware
        if hardware.hash not in warnings:
            warnings[hardware.hash] = hardware_warning(chosen.surrogate, hardware)
        warning = warnings[hardware.hash]
        if warning is not None:
            unseen += 1
            example = example or f" For example: {warning}"
        digital += candidate.codes.get(DIGITAL_LAYERS, NO_LAYERS) != NO_LAYERS
    notes = []
    if unseen:
        notes.append(
            f"{unseen} of {len(candidates)} designs are on hardware that the surrogate has not "
            f"seen.{'' if said else example}"
        )
    if digital:
        notes.append(
            f"{digital} of {len(candidates)} designs keep layers digital, as no label does."
        )
    return notes


def _knows_hardware(chosen: ChosenSurrogate) -> bool:
    """Whether its labels have variants of the hardware, as far as it says."""
    description = chosen.surrogate.description
    return description is None or bool(description.variants)
