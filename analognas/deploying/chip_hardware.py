"""The analog hardware that stands for a chip in simulations, unless the user names another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from analognas.errors import UserError, checking
from analognas.hardware_choice import hardware_for_chip, parse_settings
from analognas.simulator import HARDWARE, Hardware, TileConfig, hardware_with
from analognas.simulator.chip import ChipSpec

# What drift is compensated by: a factor per tile, batch norms calibrated anew, or both.
COMPENSATIONS = ("none", "gdc", "adabs", "gdc+adabs")


def hardware_of_chip(
    chip: ChipSpec,
    read_mode: str | None = None,
    *,
    name: str | None = None,
    settings: Sequence[str] = (),
) -> Hardware:
    """What is simulated on a chip.

    Args:
        chip: Its cores are the tiles.
        read_mode: Without a name, a read mode that has bits of its own decides about the
            converters.
        name: Preset or file that the user asks for.
        settings: On top, as "converters.adc_bits=6".

    Raises:
        UserError: The hardware is unknown or contradicts the chip.
    """
    with checking("--read-mode"):
        mode = chip.read_mode(read_mode)
    variant = f"{chip.name.replace('-', '_')}_{mode.bits}bit"
    if name is None and variant in HARDWARE:
        name = variant
    hardware = hardware_for_chip(name, (), chip)
    if name is None and chip.performance[mode.name].bits is not None:
        converters = replace(hardware.converters, dac_bits=mode.bits, adc_bits=mode.bits)
        hardware = replace(hardware, converters=converters)
    with checking("--set"):
        changed = hardware_with(hardware, parse_settings(settings))
    if changed.tile != hardware.tile:
        raise UserError(
            f"`tile` must be the size of a core of chip {chip.name!r}, {chip.rows} x "
            f"{chip.columns}, but --set changes it. Choose another --chip."
        )
    return changed


def on_cores(hardware: Hardware, chip: ChipSpec) -> Hardware:
    """The same hardware on tiles that are the cores of a chip."""
    name = hardware.name
    if (hardware.tile.rows, hardware.tile.columns) != (chip.rows, chip.columns):
        name = f"{name} on {chip.rows} x {chip.columns}"
    return replace(
        hardware,
        name=name,
        tile=TileConfig(rows=chip.rows, columns=chip.columns),
        mapping=replace(hardware.mapping, split="balanced"),
    )


def compensated(hardware: Hardware, compensation: str) -> Hardware:
    """The same hardware with or without its global drift compensation.

    Raises:
        UserError: There is no such compensation.
    """
    if compensation not in COMPENSATIONS:
        raise UserError(
            f"Unknown compensation {compensation!r}. Choose one of: {', '.join(COMPENSATIONS)}."
        )
    if "gdc" not in compensation:
        return replace(hardware, compensation="none")
    kind = "gdc" if hardware.compensation == "none" else hardware.compensation
    return replace(hardware, compensation=cast(Any, kind))


def recalibrates(compensation: str) -> bool:
    """Whether batch norms are calibrated anew on the aged chip."""
    return "adabs" in compensation
