"""Say in one line per problem what is wrong with a file that became no valid record."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
MISSING_KEY = ("missing", "missing_argument", "missing_keyword_only_argument")
LONGEST_VALUE = 60


def describe_validation_error(
    error: ValidationError, source: str, record: type | None = None
) -> str:
    """Describe every problem of a pydantic error: key path, what is allowed, what was got.

    Args:
        error: What pydantic raised.
        source: Where the values came from: a file name, `--set`, ...
        record: The pydantic dataclass that was to be made; if given, unknown keys are answered with
            the known ones.

    Returns:
        One line per problem, ready for the message of a `UserError`.
    """
    lines = []
    for problem in error.errors(include_url=False):
        location = tuple(problem["loc"])
        where = f"{source}: {_key_path(location)}" if location else source
        lines.append(f"{where}: {_describe(dict(problem), location, record)}")
    return "\n".join(lines)


def _describe(problem: dict[str, Any], location: tuple[int | str, ...], record: type | None) -> str:
    if problem["type"] in UNKNOWN_KEY:
        return "unknown key." + _known_keys(location, record)
    if problem["type"] in MISSING_KEY:
        return "this key is required, but it is missing."
    if problem["type"] in ("value_error", "assertion_error"):  # our own validators: rule and values
        return str(problem["ctx"]["error"])
    rule = str(problem["msg"]).replace("Input should be", "must be").removesuffix(".")
    got = repr(problem["input"])
    if len(got) > LONGEST_VALUE:
        got = got[:LONGEST_VALUE] + "..."
    return f"{rule}, but got {got}."


def _known_keys(location: tuple[int | str, ...], record: type | None) -> str:
    owner = record
    for part in location[:-1]:
        owner = _field_type(owner, str(part))
    if owner is None or not dataclasses.is_dataclass(owner):
        return ""
    names = sorted(field.name for field in dataclasses.fields(owner))
    close = difflib.get_close_matches(str(location[-1]), names, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return f"{meant} Known keys: {', '.join(names)}."


def _field_type(owner: type | None, name: str) -> type | None:
    """The record type of one field, if it has one; unions and `Annotated` are looked through."""
    if owner is None:
        return None
    hint = typing.get_type_hints(owner).get(name)
    for candidate in (hint, *typing.get_args(hint)):
        if isinstance(candidate, type) and dataclasses.is_dataclass(candidate):
            return candidate
    return None


def _key_path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")
