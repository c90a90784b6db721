"""A small language for questions about hardware: "ADC bits 5, drift x2 at 1 month".

    question  change, change, ... [at TIME [and TIME ...]]
    change    the name of a quantity and one value, in either order, or a setting's key=value
    value     a number, a factor (x2, double, half), on, off, none, or a word of the quantity

Small words ("what if the ADC had 5 bits") are passed over. Whatever else is not understood is an
error: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from types import MappingProxyType

from analognas.asking.quantities import (
    COMPENSATIONS,
    FACTOR,
    NONE,
    NUMBER,
    OFF,
    ON,
    QUANTITIES,
    SIZE,
    Quantity,
)
from analognas.errors import UserError, checking
from analognas.hardware_variants import HardwareVariant
from analognas.simulator import Hardware, hardware_with

# Passed over, wherever they stand.
SMALL_WORDS = frozenset(
    re.findall(
        r"\w+", "what if the a an of to is are was were had has with be would and its only this"
    )
)
SPOKEN: Mapping[str, str] = MappingProxyType(
    {
        "one": "1",
        "two": "2",
        "four": "4",
        "eight": "8",
        "half": "x0.5",
        "halved": "x0.5",
        "twice": "x2",
        "double": "x2",
        "doubled": "x2",
        "no": NONE,
        "without": NONE,
        "none": NONE,
        "off": OFF,
        "on": ON,
    }
)
UNITS_S: Mapping[str, float] = MappingProxyType(
    {
        **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
        **dict.fromkeys(("min", "minute", "minutes"), 60.0),
        **dict.fromkeys(("h", "hour", "hours"), 3600.0),
        **dict.fromkeys(("d", "day", "days"), 86_400.0),
        **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400.0),
        **dict.fromkeys(("mo", "month", "months"), 30 * 86_400.0),
        **dict.fromkeys(("y", "year", "years"), 365 * 86_400.0),
    }
)
TIME_OF_A_YEAR = re.compile(r"(?:(\d+(?:\.\d*)?)|an?|one)?\s*([a-z]+)")
WHEN = re.compile(r"\s+(?:at|after)\s+")


@dataclass(frozen=True)
class Question:
    """What would be if.

    Args:
        text: As it was asked.
        changes: What is changed, and to which value, in the order of the question.
        times_s: Seconds after programming that are asked about; empty means the usual ones.
    """

    text: str
    changes: tuple[tuple[Quantity, str], ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)  # by their dotted keys
    times_s: tuple[float, ...] = ()

    def apply(self, variant: HardwareVariant) -> HardwareVariant:
        """Change hardware as the question says.

        Raises:
            UserError: The hardware cannot have such a value.
        """
        with checking(f"{self.text!r}"):
            for quantity, value in self.changes:
                try:
                    variant = quantity.change(variant, value)
                except UserError:
                    raise
                except ValueError as error:
                    if str(error) == value:
                        raise quantity.refuse(value) from error
                    raise
            hardware = hardware_with(variant.hardware, self.settings)
        return HardwareVariant(hardware, variant.recalibrated)


def read_question(text: str) -> Question:
    """Read one question.

    Raises:
        UserError: Something in it is not understood; the message lists what can be said.
    """
    plain = text.strip().rstrip("?").strip().lower().replace("\u00d7", "x")
    said, *when = WHEN.split(f" {plain} ")
    if len(when) > 1:
        raise UserError(f"A question has its times once, at its end, but got {text!r}.")
    times_s = tuple(_time(part, text) for part in re.split(r"\band\b|,", when[0])) if when else ()
    changes: list[tuple[Quantity, str]] = []
    settings: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in said.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if equals and _is_setting(key):
            if key in settings or not value:
                raise UserError(f"{key!r} must get one value, but got {text!r}.")
            settings[key] = value
        else:
            change = _change(part)
            if change[0] in (quantity for quantity, _ in changes):
                raise UserError(f"`{change[0].name}` must be said once, but got {text!r}.")
            changes.append(change)
    if not changes and not settings:
        raise UserError(f"A question must say what changes, but got {text!r}. {can_be_said()}")
    return Question(text.strip(), tuple(changes), settings, times_s)


def can_be_said() -> str:
    """Everything that a question can change, in one sentence for people."""
    quantities = "; ".join(f"{quantity.name} ({quantity.takes})" for quantity in QUANTITIES)
    return (
        f"What can be said: {quantities}; and every hardware setting as key=value, such as "
        "converters.adc_bits=5. Several changes are separated by commas, and 'at 1 month' may "
        "stand at the end."
    )


def _is_setting(key: str) -> bool:
    """Whether a key is one of `--set`; those without a dot may also be names of quantities."""
    top = {one.name for one in fields(Hardware)}
    return "." in key or (key in top and not _find(key.replace("_", " ").split()))


def _change(text: str) -> tuple[Quantity, str]:
    """Read a name and a value in either order."""
    spaced = re.sub(r"(\d)-?(bits?)\b", r"\1 \2", text.replace("=", " "))
    spaced = re.sub(r"(?<=[a-z0-9])[-_](?=[a-z])", " ", spaced)
    spaced = re.sub(r"\b(\d+(?:\.\d*)?)x(?!\w|\s*\d)", r"x\1", spaced)
    spaced = re.sub(r"\b(x|times)\s+(?=\d)", "x", spaced)
    spaced = re.sub(r"(\d)\s*x\s*(?=\d)", r"\1x", spaced)
    tokens = [SPOKEN.get(token, token) for token in spaced.split()]
    values = [token for token in tokens if _is_value(token)]
    words = [token for token in tokens if not _is_value(token)]
    quantity = _find(words)
    if quantity is None:
        named = " ".join(word for word in words if word not in SMALL_WORDS) or text
        raise UserError(f"{text!r} is not understood{_nearest(named)}. {can_be_said()}")
    if len(values) != 1:
        raise UserError(
            f"`{quantity.name}` must get one value, {quantity.takes}, but got {text!r}. For "
            f"example: {quantity.example!r}."
        )
    return quantity, values[0]


def _is_value(token: str) -> bool:
    patterns = (FACTOR, NUMBER, SIZE)
    return token in (*COMPENSATIONS, ON, OFF) or any(p.fullmatch(token) for p in patterns)


def _find(words: list[str]) -> Quantity | None:
    """The quantity of a name, whatever the order and number of its words."""
    wanted = _stems(words)
    for quantity in QUANTITIES:
        if any(_stems(name.split()) == wanted for name in quantity.names):
            return quantity
    return None


def _stems(words: list[str]) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in words if word not in SMALL_WORDS)


def _nearest(named: str) -> str:
    names = [name for quantity in QUANTITIES for name in quantity.names]
    near = get_close_matches(named, names, n=1, cutoff=0.5)
    return f"; is `{near[0]}` meant" if near else ""


def _time(text: str, question: str) -> float:
    found = TIME_OF_A_YEAR.fullmatch(text.strip())
    unit = UNITS_S.get(found[2]) if found else None
    seconds = float(found[1] or 1) * unit if found and unit else 0.0
    if seconds <= 0:
        raise UserError(
            f"A time must be a number and a unit, such as 1 month, 12 h or 1 year, but got "
            f"{text.strip()!r} in {question!r}. Times stand at the end of a question."
        )
    return seconds
