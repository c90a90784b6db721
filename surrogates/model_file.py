"""A fitted surrogate as one JSON text: schema, version, columns, origin, calibration, content."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version as installed_version
from typing import Any, Final, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from analognas.surrogates.calibration import Calibration
from analognas.surrogates.label_table import LabelDescription
from analognas.surrogates.regions import Ranges

SCHEMA: Final = "analognas-surrogate"
VERSION: Final = 3


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ModelFile:
    """What every surrogate stores; `content` is the surrogate's own."""

    schema: Literal["analognas-surrogate"] = SCHEMA
    version: Literal[3] = VERSION
    kind: str
    columns: tuple[str, ...]
    description: LabelDescription | None
    ranges: Ranges
    calibration: Calibration
    content: dict[str, Any]
    libraries: dict[str, str]

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False) + "\n"


def library_versions(*names: str) -> dict[str, str]:
    """Versions of the libraries that fitted a model, to be stored with it."""
    return {name: installed_version(name) for name in names}


def read_model_file(text: str, kind: str | None = None) -> ModelFile:
    """Check a text and take it apart.

    Args:
        text: What `to_json` of a surrogate gave.
        kind: The surrogate that reads it, if only that one can.

    Raises:
        ValueError: The text is no surrogate, incomplete, or of another version or kind.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueError(
            f"A surrogate file must be JSON, but this is not ({error}). "
            "Fit it again with `analognas surrogate fit`."
        ) from error
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        raise ValueError(
            f"A surrogate file must say `schema: {SCHEMA}`, but this one does not: it is JSON of "
            "something else. Point to a file written by `analognas surrogate fit`."
        )
    if data.get("version") != VERSION:
        raise ValueError(
            f"`version` must be {VERSION}, but got {data.get('version')!r}. "
            "Fit the surrogate again with this version of analognas."
        )
    try:
        file: ModelFile = TypeAdapter(ModelFile).validate_python(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise damaged(f"`{place}`: {first['msg']}") from error
    if kind is not None and file.kind != kind:
        raise ValueError(
            f"`kind` must be {kind!r}, but got {file.kind!r}. Read it with `read_surrogate`."
        )
    return file


def damaged(why: str) -> ValueError:
    """The error to raise when a surrogate file holds something else than was written."""
    why = why.splitlines()[0].rstrip(".")
    return ValueError(
        f"The surrogate file is damaged: {why}. Fit it again with `analognas surrogate fit`."
    )
