"""Which chips a sweep goes through, and what is simulated on each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import torch

from analognas.deploying.chip_hardware import compensated, hardware_of_chip, on_cores
from analognas.errors import UserError, checking
from analognas.exploring.chip_variants import (
    ChipChoice,
    cells_of,
    check_variable,
    is_split,
)
from analognas.hardware_choice import adc_bits_of
from analognas.records import ONE_DAY_S
from analognas.simulator import Hardware
from analognas.simulator.chip import ChipSpec
from analognas.simulator.devices import PcmHermes

DEFAULT_COMPENSATIONS = ("none", "gdc")
FEWER_BITS = 2  # of the ADCs, in the default sweep
SMALLEST_CORE = 16
SMALLER = (4, 2, 1)  # parts of the template's sides, in the default sweep


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """What is varied, and how it is measured; None takes the default of the template.

    Args:
        chip: The template.
        hardware: What is simulated; None: that of the template.
        core_sizes: Rows and columns.
        cells: Devices per polarity.
        adc_bits: Of the ADCs.
        read_modes: Of the template.
        compensations: Of drift.
        t_s: Seconds after programming.
        chips: Simulated per point.
        inputs: Of the data that are used.
        seed: Of the chips.
        device: Where the simulation computes.
    """

    chip: ChipSpec
    hardware: Hardware | None = None
    core_sizes: tuple[tuple[int, int], ...] | None = None
    cells: tuple[int, ...] | None = None
    adc_bits: tuple[int, ...] | None = None
    read_modes: tuple[str, ...] | None = None
    compensations: tuple[str, ...] = DEFAULT_COMPENSATIONS
    t_s: float = ONE_DAY_S
    chips: int = 5
    inputs: int = 300
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


def choices(settings: SweepSettings) -> list[ChipChoice]:
    """Every chip of the sweep, those with the same cells beside each other.

    Raises:
        UserError: Something cannot be varied on this template.
    """
    chip, own = settings.chip, (settings.chip.rows, settings.chip.columns)
    split = is_split(chip)
    sizes = settings.core_sizes or (_smaller(own) if split else (own,))
    cells = settings.cells or ((1, 2) if split and _may_vary(settings) else (cells_of(chip),))
    modes = settings.read_modes or tuple(chip.read_modes)
    with checking("--read-mode"):
        modes = tuple(chip.read_mode(name).name for name in modes)
    check_variable(chip, "--core-size", changes=any(size != own for size in sizes))
    check_variable(chip, "--cells", changes=any(count != cells_of(chip) for count in cells))
    for option, values, least, most in (
        ("--core-size", [side for size in sizes for side in size], SMALLEST_CORE, 65_536),
        ("--cells", cells, 1, 2),
        ("--adc-bits", settings.adc_bits or (), 2, 16),
    ):
        wrong = [value for value in values if not least <= value <= most]
        if wrong:
            raise UserError(f"`{option}` must be from {least} to {most}, but got {wrong[0]}.")
    if not _may_vary(settings) and any(count != _cells_simulated(settings) for count in cells):
        raise UserError(
            "`--cells` can be varied only for the cells of the 64-core chip (device pcm_hermes), "
            f"but the hardware has {settings.hardware and settings.hardware.device.kind!r}. Leave "
            "the option out."
        )
    for name in settings.compensations:
        compensated(hardware_of_chip(chip), name)
    found = []
    for size, count, mode in product(sizes, cells, modes):
        usual = adc_bits_of(chip, mode)
        wanted = settings.adc_bits or (_usual_bits(chip) if split else (usual,))
        check_variable(chip, "--adc-bits", changes=any(bits != usual for bits in wanted))
        for bits, compensation in product(wanted, settings.compensations):
            found.append(ChipChoice(*size, count, mode, bits, compensation))
    return list(dict.fromkeys(found))


def _smaller(size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    sizes = [
        (max(SMALLEST_CORE, size[0] // n), max(SMALLEST_CORE, size[1] // n)) for n in (4, 2, 1)
    ]
    return tuple(dict.fromkeys(sizes))


def _usual_bits(chip: ChipSpec) -> tuple[int, ...]:
    """Bits of the ADCs in any read mode; if they are the same in all, fewer as well."""
    usual = sorted({adc_bits_of(chip, name) for name in chip.read_modes})
    return tuple(usual) if len(usual) > 1 else (usual[0] - FEWER_BITS, usual[0])


def _may_vary(settings: SweepSettings) -> bool:
    hardware = settings.hardware or hardware_of_chip(settings.chip)
    return isinstance(hardware.device, PcmHermes)


def _cells_simulated(settings: SweepSettings) -> int:
    return cells_of(settings.chip)


def hardware_of(settings: SweepSettings, choice: ChipChoice, chip: ChipSpec) -> Hardware:
    """What is simulated for a choice, whose variant is `chip`."""
    hardware = settings.hardware or hardware_of_chip(settings.chip, choice.read_mode)
    device: Any = hardware.device
    if isinstance(device, PcmHermes):
        device = replace(device, cells_per_polarity=1 if choice.cells == 1 else 2)
    converters = replace(hardware.converters, adc_bits=choice.adc_bits)
    bits = settings.chip.performance[choice.read_mode].bits
    if bits is not None:
        converters = replace(converters, dac_bits=bits.value)
    changed = replace(hardware, device=device, converters=converters)
    return compensated(on_cores(changed, chip), choice.compensation)
