"""What a question can change about hardware, and under which names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from analognas.errors import UserError
from analognas.hardware_variants import HardwareVariant
from analognas.simulator import hardware_with

Change = Callable[[HardwareVariant, str], HardwareVariant]

# Values as they reach a change: numbers as digits, "x2" for a factor, "none" for a lack.
FACTOR = re.compile(r"x(\d+(?:\.\d*)?(?:e[+-]?\d+)?)")
NUMBER = re.compile(r"\d+(?:\.\d*)?(?:e[+-]?\d+)?")
SIZE = re.compile(r"(\d{1,6})x(\d{1,6})")
NONE, ON, OFF = "none", "on", "off"
COMPENSATIONS = ("none", "gdc", "adabs", "gdc+adabs")


@dataclass(frozen=True)
class Quantity:
    """Something about hardware that a question can change.

    Args:
        names: The first is shown; all are understood, in any order of their words.
        takes: Which values, in words.
        example: A change as it can be typed.
        change: The hardware with a value in place of its own; a ValueError says what is wrong.
    """

    names: tuple[str, ...]
    takes: str
    example: str
    change: Change

    @property
    def name(self) -> str:
        return self.names[0]

    def refuse(self, value: str) -> UserError:
        """The answer to a value that it cannot take."""
        return UserError(
            f"`{self.name}` must be {self.takes}, but got {value!r}. For example: {self.example!r}."
        )


def _with(variant: HardwareVariant, **settings: str) -> HardwareVariant:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    return replace(variant, hardware=hardware_with(variant.hardware, dotted))


def _number(*keys: str, whole: bool) -> Change:
    """Put a number, or none, in place of settings."""

    def change(variant: HardwareVariant, value: str) -> HardwareVariant:
        if value != NONE and not (value.isdecimal() if whole else NUMBER.fullmatch(value)):
            raise ValueError(value)
        return _with(variant, **{key.replace(".", "__"): value for key in keys})

    return change


def _tiles(variant: HardwareVariant, value: str) -> HardwareVariant:
    size = SIZE.fullmatch(value)
    rows, columns = size.groups() if size else (value, value)
    if not rows.isdecimal():
        raise ValueError(value)
    return _with(variant, tile__rows=rows, tile__columns=columns)


def _scaled(*names: str, also_reads: bool = False) -> Change:
    """Multiply how strong something is; the cells must have a setting for it."""

    def change(variant: HardwareVariant, value: str) -> HardwareVariant:
        found = FACTOR.fullmatch(value)
        if found is None and value not in (NONE, OFF):
            raise ValueError(value)
        factor = float(found[1]) if found else 0.0
        hardware = variant.hardware
        known = [name for name in names if hasattr(hardware.device, name)]
        if not known:
            raise UserError(
                f"The cells of {hardware.name}, {hardware.device.kind!r}, have no setting "
                f"{names[0]!r} to scale. Ask about another quantity, or other --hardware."
            )
        changed = {f"device__{known[0]}": factor * float(getattr(hardware.device, known[0]))}
        if also_reads:
            changed["weight_read_noise"] = factor * hardware.weight_read_noise
        return _with(variant, **{name: f"{number:.6g}" for name, number in changed.items()})

    return change


def _cells(variant: HardwareVariant, value: str) -> HardwareVariant:
    if value not in ("1", "2"):
        raise ValueError(value)
    if not hasattr(variant.hardware.device, "cells_per_polarity"):
        raise UserError(
            f"The number of cells of {variant.hardware.name}, {variant.hardware.device.kind!r}, "
            "cannot be changed. Ask about another quantity, or other --hardware."
        )
    return _with(variant, device__cells_per_polarity=value)


def _compensation(variant: HardwareVariant, value: str) -> HardwareVariant:
    value = NONE if value == OFF else value
    if value not in COMPENSATIONS:
        raise ValueError(value)
    changed = _with(variant, compensation="gdc" if "gdc" in value else "none")
    return replace(changed, recalibrated="adabs" in value)


def _wires(variant: HardwareVariant, value: str) -> HardwareVariant:
    factor = FACTOR.fullmatch(value)
    strength = {ON: "1", OFF: "0", NONE: "0"}.get(value, factor[1] if factor else value)
    if not NUMBER.fullmatch(strength):
        raise ValueError(value)
    return _with(variant, ir_drop__strength=strength)


BITS = "2 to 16, or none"
TIMES = "a factor such as x2, or off"
QUANTITIES: tuple[Quantity, ...] = (
    Quantity(
        ("adc bits", "adc", "adc resolution"),
        BITS,
        "adc bits 5",
        _number("converters.adc_bits", whole=True),
    ),
    Quantity(
        ("dac bits", "dac", "dac resolution"),
        BITS,
        "dac bits 6",
        _number("converters.dac_bits", whole=True),
    ),
    Quantity(
        ("bits", "adc and dac bits", "converter bits"),
        f"{BITS}, of both converters",
        "bits 6",
        _number("converters.adc_bits", "converters.dac_bits", whole=True),
    ),
    Quantity(
        ("adc range", "output bound"),
        "a number, the largest output of a column",
        "adc range 5",
        _number("converters.output_bound", whole=False),
    ),
    Quantity(
        ("output noise", "adc noise"),
        "a number, in the units of an output",
        "output noise 0.08",
        _number("converters.output_noise", whole=False),
    ),
    Quantity(
        ("tiles", "tile size", "cores", "core size", "crossbar size"),
        "rows x columns, or one number for both",
        "tiles 128x128",
        _tiles,
    ),
    Quantity(
        ("tile rows", "core rows", "rows"),
        "a number",
        "tile rows 128",
        _number("tile.rows", whole=True),
    ),
    Quantity(
        ("tile columns", "core columns", "columns"),
        "a number",
        "tile columns 128",
        _number("tile.columns", whole=True),
    ),
    Quantity(
        ("programming noise", "programming error", "write noise"),
        TIMES,
        "programming noise x2",
        _scaled("programming_noise_scale"),
    ),
    Quantity(("read noise",), TIMES, "read noise x2", _scaled("read_noise_scale", also_reads=True)),
    Quantity(("drift",), TIMES, "drift x1.5", _scaled("drift_scale")),
    Quantity(
        ("cells", "cells per polarity", "devices", "devices per polarity"),
        "1 or 2, of each polarity of a weight",
        "one cell",
        _cells,
    ),
    Quantity(
        ("compensation", "drift compensation"),
        "none, gdc, adabs or gdc+adabs",
        "compensation adabs",
        _compensation,
    ),
    Quantity(
        ("ir drop", "wire resistance", "wires"),
        "on, off, or a factor on the physical strength",
        "ir drop x5",
        _wires,
    ),
)
