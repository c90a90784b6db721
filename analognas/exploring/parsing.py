"""Lists as they are typed on the command line."""

from __future__ import annotations

import re

from analognas.analyzing import parse_times
from analognas.errors import UserError

LARGEST_LIST = 20  # values of one kind: more would be a typing error


def read_list(option: str, text: str | None) -> tuple[str, ...] | None:
    """Read "a,b" as its parts; None stays None.

    Raises:
        UserError: It is empty or too long.
    """
    if text is None:
        return None
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not 1 <= len(parts) <= LARGEST_LIST:
        raise UserError(
            f"`{option}` must be 1 to {LARGEST_LIST} values separated by commas, but got {text!r}."
        )
    return parts


def read_whole(option: str, text: str | None) -> tuple[int, ...] | None:
    """Read "6,8" as whole numbers.

    Raises:
        UserError: A part is none.
    """
    parts = read_list(option, text)
    if parts is None:
        return None
    wrong = [part for part in parts if not part.isdecimal()]
    if wrong:
        raise UserError(f"`{option}` must be whole numbers such as 6,8, but got {wrong[0]!r}.")
    return tuple(int(part) for part in parts)


def read_sizes(text: str | None) -> tuple[tuple[int, int], ...] | None:
    """Read "256x256,512x512" as rows and columns; "256" is a square.

    Raises:
        UserError: A part is no size.
    """
    parts = read_list("--core-size", text)
    if parts is None:
        return None
    sizes = []
    for part in parts:
        match = re.fullmatch(r"(\d{1,6})(?:[xX*](\d{1,6}))?", part)
        if match is None:
            raise UserError(
                f"`--core-size` must be rows x columns such as 256x256,512x512, but got {part!r}."
            )
        rows, columns = match.groups()
        sizes.append((int(rows), int(columns or rows)))
    return tuple(sizes)


def read_time(text: str) -> float:
    """Read one time such as "1d".

    Raises:
        UserError: It is none, or several.
    """
    times = parse_times(text, "--after", "1h")
    if len(times) != 1:
        raise UserError(f"`--after` must be one time such as 1d, but got {text!r}.")
    return times[0]
