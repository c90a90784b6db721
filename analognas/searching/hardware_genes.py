"""Which genes of the hardware a search decides about, and which it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from analognas.errors import UserError
from analognas.exploring.chip_variants import is_split
from analognas.hardware_choice import adc_bits_of
from analognas.searching.hardware_names import (
    ADC_BITS,
    ALL,
    DEVICES,
    DIGITAL_LAYERS,
    NAMES,
    NOISE,
    READ_MODE,
    TITLES,
    check_names,
)
from analognas.searching.workshop import NO_LAYERS, Workshop
from analognas.simulator.devices import PcmHermes

Values = tuple[int | str, ...]

ADC_RANGE = (5, 6, 7, 8)
NOISES = ("0.5", "1", "1.5", "2")


@dataclass(frozen=True)
class HardwareGenes:
    """What is searched about the hardware.

    Args:
        values: Of every gene that is searched.
        left_out: Why others are not, in whole sentences.
    """

    values: Mapping[str, Values]
    left_out: tuple[str, ...] = ()


class _ImpossibleError(Exception):
    """Why a gene cannot be searched, in a sentence, and what would help."""


def hardware_genes(names: Sequence[str], workshop: Workshop, *, trained: bool) -> HardwareGenes:
    """Values of the genes that are to be searched.

    Args:
        names: Of genes as they are typed; `all` leaves out what cannot be searched.
        workshop: With the chip and the hardware to start from.
        trained: Whether candidates are trained, so that the noise in the training counts.

    Raises:
        UserError: One that was named cannot be searched, or of all of them none can.
    """
    check_names(names)
    found: dict[str, Values] = {}
    reasons: dict[str, list[str]] = {}
    for gene, name in zip(TITLES, NAMES, strict=True):
        if name not in names and ALL not in names:
            continue
        try:
            found[gene] = _VALUES[gene](workshop, trained)
        except _ImpossibleError as reason:
            if ALL not in names:
                raise UserError(
                    f"`--search-hardware {name}` cannot be searched: {reason}"
                ) from None
            reasons.setdefault(str(reason), []).append(f"`{name}`")
    left_out = tuple(
        f"{' and '.join(left)} {'is' if len(left) == 1 else 'are'} not searched: {reason}"
        for reason, left in reasons.items()
    )
    if not found:
        raise UserError(f"`--search-hardware` has nothing to search. {' '.join(left_out)}")
    return HardwareGenes(found, left_out)


def words_of(genes: HardwareGenes) -> dict[str, str]:
    """The values that are searched, by the titles of the genes."""
    return {
        TITLES[gene]: ", ".join(str(value) for value in values)
        for gene, values in genes.values.items()
    }


def _digital_layers(_workshop: Workshop, _trained: bool) -> Values:
    return (NO_LAYERS, "first", "last", "both")


def _devices(workshop: Workshop, _trained: bool) -> Values:
    device = workshop.hardware.device
    if not isinstance(device, PcmHermes):
        raise _ImpossibleError(
            "only cells of the 64-core chip (pcm_hermes) are known singly and in pairs, but the "
            f"hardware has {device.kind}. Choose other --hardware."
        )
    _check_split(workshop)
    return (1, 2)


def _adc_bits(workshop: Workshop, _trained: bool) -> Values:
    _check_split(workshop)
    chip, hardware = workshop.chip, workshop.hardware
    if hardware.converters.adc_bits is None:
        raise _ImpossibleError(f"{hardware.name} has ADCs without steps. Give them bits.")
    own = {adc_bits_of(chip, mode) for mode in chip.read_modes}
    own |= {workshop.on_read_mode(mode).converters.adc_bits or 0 for mode in chip.read_modes}
    return tuple(sorted({*ADC_RANGE, *own}))


def _read_mode(workshop: Workshop, _trained: bool) -> Values:
    modes = tuple(workshop.chip.read_modes)
    if len(modes) < 2:
        raise _ImpossibleError(f"{workshop.chip.name} has one read mode only, {modes[0]}.")
    return modes


def _noise(_workshop: Workshop, trained: bool) -> Values:
    if not trained:
        raise _ImpossibleError(
            "the surrogate's labels were trained with one strength of noise, so that it cannot "
            "tell what another one does. Search with --evaluator training."
        )
    return NOISES


def _check_split(workshop: Workshop) -> None:
    chip = workshop.chip
    if not is_split(chip):
        raise _ImpossibleError(
            f"the file of chip {chip.name} gives the energy of whole cores and not by component, "
            "so that nobody knows what a change would cost. Choose a chip that splits it, such as "
            "generic or aon-cim."
        )


_VALUES: Mapping[str, Callable[[Workshop, bool], Values]] = {
    DIGITAL_LAYERS: _digital_layers,
    DEVICES: _devices,
    ADC_BITS: _adc_bits,
    READ_MODE: _read_mode,
    NOISE: _noise,
}
