"""Hardware and chip of a design, made from those that a search was started with.

What a change costs follows the rules of chip variants (see `exploring.chip_variants`). A layer that
is kept digital is charged by its multiplications: each takes an operation of the chip's digital
unit and reads an 8-bit weight from its buffer. Where the file of the chip gives one of these two
figures not, that of the template `generic` is taken; all this is assumed, and said in the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, cast

from analognas.deploying.chip_hardware import hardware_of_chip
from analognas.exploring.chip_variants import ChipChoice, cells_of, variant
from analognas.hardware_choice import adc_bits_of
from analognas.searching.designs import PLAIN, HardwareChoice
from analognas.searching.hardware_names import (
    ADC_BITS,
    DEVICES,
    DIGITAL_LAYERS,
    NOISE,
    READ_MODE,
)
from analognas.simulator.chip import load_chip
from analognas.simulator.chip.figures import Quantity
from analognas.simulator.chip.units import DigitalUnits, Kinds
from analognas.simulator.devices import PcmHermes

if TYPE_CHECKING:
    from analognas.simulator import Hardware
    from analognas.simulator.chip import ChipSpec
    from analognas.training import TrainingRecipe

TEMPLATE = "generic"  # its figures stand for those that a chip file lacks
WEIGHT_BITS = 8  # of a layer kept digital
NO_LAYERS = "none"

GeneValues = Mapping[str, int | str]


@dataclass(frozen=True)
class Made:
    """What a design is trained for, measured on and charged for.

    Args:
        chip: For placement and cost.
        hardware: What is simulated.
        noise: Weight noise in the training, relative to that of the recipe.
    """

    chip: ChipSpec
    hardware: Hardware
    noise: float = 1.0

    def recipe(self, recipe: TrainingRecipe) -> TrainingRecipe:
        """The recipe with the weight noise of this design."""
        strength = self.noise * recipe.hwa.weight_noise
        return replace(recipe, hwa=replace(recipe.hwa, weight_noise=strength))


@dataclass(frozen=True)
class Workshop:
    """Makes what choices stand for.

    Args:
        chip: That the search was started with.
        hardware: Likewise.
    """

    chip: ChipSpec
    hardware: Hardware

    def made(self, choice: HardwareChoice) -> Made:
        """Chip and hardware of a choice."""
        return Made(self.chip, self.hardware) if choice == PLAIN else _made(self, choice)

    def values(self, choice: HardwareChoice = PLAIN) -> dict[str, int | str | None]:
        """What a choice comes to, by gene; None where the hardware has no such number."""
        mode = choice.read_mode or self.chip.default_read_mode
        device = self.hardware.device
        return {
            DIGITAL_LAYERS: choice.digital_layers or NO_LAYERS,
            DEVICES: choice.devices
            or (device.cells_per_polarity if isinstance(device, PcmHermes) else None),
            ADC_BITS: choice.adc_bits or self.on_read_mode(mode).converters.adc_bits,
            READ_MODE: mode,
            NOISE: f"{choice.noise or 1.0:g}",
        }

    def choice(self, values: GeneValues) -> HardwareChoice:
        """The one choice that stands for some values; genes that are left out are as they were."""
        mode = str(values.get(READ_MODE, self.chip.default_read_mode))
        devices, bits = values.get(DEVICES), values.get(ADC_BITS)
        digital = values.get(DIGITAL_LAYERS, NO_LAYERS)
        noise = float(values.get(NOISE, 1.0))
        as_before = devices == self.values()[DEVICES] and self._cells_agree
        own_bits = self.on_read_mode(mode).converters.adc_bits
        as_read = bits == own_bits == adc_bits_of(self.chip, mode)
        return HardwareChoice(
            digital_layers=None if digital == NO_LAYERS else cast(Any, digital),
            devices=None if devices is None or as_before else int(devices),
            adc_bits=None if bits is None or as_read else int(bits),
            read_mode=None if mode == self.chip.default_read_mode else mode,
            noise=None if noise == 1.0 else noise,
        )

    def on_read_mode(self, mode: str) -> Hardware:
        """The hardware in a read mode: one with bits of its own decides about the converters."""
        bits = self.chip.performance[mode].bits
        if mode == self.chip.default_read_mode or bits is None:
            return self.hardware
        if self._is_of_chip:
            return hardware_of_chip(self.chip, mode)
        converters = replace(self.hardware.converters, dac_bits=bits.value, adc_bits=bits.value)
        return replace(self.hardware, converters=converters)

    @property
    def _cells_agree(self) -> bool:
        """Whether hardware and chip speak of the same number of cells."""
        device = self.hardware.device
        return not isinstance(device, PcmHermes) or device.cells_per_polarity == cells_of(self.chip)

    @cached_property
    def _is_of_chip(self) -> bool:
        """Whether the hardware is what is simulated on this chip if nobody asks for another."""
        return self.hardware.hash == hardware_of_chip(self.chip).hash


@lru_cache(maxsize=512)
def _made(workshop: Workshop, choice: HardwareChoice) -> Made:
    chip, mode = workshop.chip, choice.read_mode or workshop.chip.default_read_mode
    hardware = workshop.on_read_mode(mode)
    words = []
    if choice.read_mode is not None:
        words.append(f"{mode} reads")
    if choice.devices is not None:
        device = replace(cast(Any, hardware.device), cells_per_polarity=choice.devices)
        hardware = replace(hardware, device=device)
        words.append("1 device" if choice.devices == 1 else f"{choice.devices} devices")
    if choice.adc_bits is not None:
        converters = replace(hardware.converters, adc_bits=choice.adc_bits)
        hardware = replace(hardware, converters=converters)
        words.append(f"{choice.adc_bits}-bit ADCs")
    if words:
        hardware = replace(hardware, name=", ".join([hardware.name, *words]))
        wanted = ChipChoice(
            rows=chip.rows,
            columns=chip.columns,
            cells=choice.devices or cells_of(chip),
            read_mode=mode,
            adc_bits=choice.adc_bits or adc_bits_of(chip, mode),
            compensation=hardware.compensation,
        )
        chip = variant(chip, wanted)
    if choice.digital_layers is not None:
        chip = with_multiplications(chip)
    return Made(chip, hardware, choice.noise or 1.0)


def with_multiplications(chip: ChipSpec) -> ChipSpec:
    """The chip with a figure for the layers that are kept digital; one that has it is returned."""
    own = chip.digital
    if own is not None and own.multiplication_pJ is not None:
        return chip
    template = load_chip(TEMPLATE)
    theirs = template.digital
    assert theirs is not None  # the template says what it takes
    actions, others = chip.read_mode().actions, template.read_mode().actions
    operation_nJ = actions.operation_nJ or others.operation_nJ
    bit_nJ = actions.buffer_bit_nJ or others.buffer_bit_nJ
    lent = not (actions.operation_nJ and actions.buffer_bit_nJ)
    per_ns = (own.operations_per_ns if own is not None else None) or theirs.operations_per_ns
    assert per_ns is not None
    source = f"an operation of the digital unit, and {WEIGHT_BITS} bits read from its buffer"
    energy = Quantity(
        value=1e3 * (operation_nJ + WEIGHT_BITS * bit_nJ),
        source=f"{source}, as on the template {TEMPLATE}" if lent else source,
        trust="assumed",
    )
    given = own or DigitalUnits(on_chip=Kinds(value=(), source="none given", trust="assumed"))
    on_chip = dict.fromkeys([*given.on_chip.value, "matrix"])
    off_chip = given.off_chip
    if off_chip is not None:
        kinds = tuple(kind for kind in off_chip.value if kind != "matrix")
        off_chip = replace(off_chip, value=kinds)
    digital = replace(
        given,
        on_chip=replace(given.on_chip, value=cast(Any, tuple(on_chip))),
        off_chip=off_chip,
        multiplication_pJ=energy,
        multiplications_per_ns=replace(per_ns, trust="assumed"),
    )
    return replace(chip, digital=digital)
