"""Turn the content of a file into a record; what is wrong is one message with file and key."""

import difflib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
LONGEST_VALUE = 60


def validate(record: type[T], data: object, *, source: str) -> T:
    """Make a record of plain dicts, lists and numbers.

    Args:
        record: A pydantic dataclass.
        data: What a TOML or JSON file holds.
        source: The file, for the message.

    Raises:
        ValueError: With one line per problem: source, key, what is allowed and what was found.
    """
    try:
        return TypeAdapter(record).validate_python(data)
    except ValidationError as error:
        lines = [_describe(dict(problem), record, source) for problem in error.errors()]
        raise ValueError("\n".join(lines)) from error


def _describe(problem: dict[str, Any], record: object, source: str) -> str:
    location = tuple(problem["loc"])
    where = f"{source}: {'.'.join(str(part) for part in location)}".removesuffix(": ")
    if problem["type"] == "unexpected_keyword_argument":
        names = _keys(_type_at(record, location[:-1]))
        close = difflib.get_close_matches(str(location[-1]), names, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        return f"{where}: unknown key.{meant} Known keys: {', '.join(names)}."
    if problem["type"] == "missing":
        return f"{where}: this key is required, but it is missing."
    if problem["type"] == "value_error":  # our own rules bring their own words
        return f"{where}: {problem['ctx']['error']}"
    rule = str(problem["msg"]).replace("Input should be", "must be").removesuffix(".")
    if problem["type"] == "dataclass_type":
        rule = f"must be a table with the keys {', '.join(_keys(_type_at(record, location)))}"
    return f"{where}: {rule}, but got {repr(problem['input'])[:LONGEST_VALUE]}."


def _keys(owner: object) -> list[str]:
    if not isinstance(owner, type) or not is_dataclass(owner):
        return []
    return [field.name for field in fields(owner)]


def _type_at(owner: object, location: tuple[int | str, ...]) -> object:
    """Follow a path of keys through the types that records, mappings and sequences declare."""
    for part in location:
        if isinstance(owner, type) and is_dataclass(owner):
            owner = get_type_hints(owner).get(str(part))
        else:
            owner = get_args(owner)[get_origin(owner) in (dict, Mapping)]
        records = [item for item in get_args(owner) if is_dataclass(item)]
        if records and get_origin(owner) not in (dict, Mapping, list, tuple):  # a `Record | None`
            owner = records[0]
    return owner
