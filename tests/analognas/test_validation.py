from typing import Annotated, Any

import pytest
from annotated_types import Gt
from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from analognas.validation import describe_validation_error

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Tile:
    rows: Annotated[int, Gt(0)] = 256
    columns: Annotated[int, Gt(0)] = 256

    @model_validator(mode="after")
    def check_shape(self) -> "Tile":
        if self.rows < self.columns:
            raise ValueError(f"`rows >= columns` must hold, but got {self.rows}, {self.columns}.")
        return self


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Machine:
    name: str
    tile: Annotated[Tile, "documented"] | None = None
    times_s: tuple[float, ...] = ()


def describe(content: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Machine).validate_python(content)
    return describe_validation_error(caught.value, "machine.toml", Machine)


def test_a_misspelt_key_is_answered_with_the_known_ones() -> None:
    assert describe({"name": "a", "tile": {"row": 3}}) == (
        "machine.toml: tile.row: unknown key. Did you mean 'rows'? Known keys: columns, rows."
    )
    assert "Known keys: name, tile, times_s." in describe({"name": "a", "xyz": 3})


def test_a_value_out_of_range_is_named_with_its_rule() -> None:
    assert describe({"name": "a", "tile": {"rows": 0}}) == (
        "machine.toml: tile.rows: must be greater than 0, but got 0."
    )


def test_a_wrong_type_deep_in_a_list_is_named_with_its_place() -> None:
    text = describe({"name": "a", "times_s": [1.0, "soon"]})
    assert text.startswith("machine.toml: times_s[1]: must be a valid number")
    assert text.endswith("but got 'soon'.")


def test_a_missing_key_is_named() -> None:
    assert describe({}) == "machine.toml: name: this key is required, but it is missing."


def test_a_rule_between_fields_speaks_for_itself() -> None:
    assert describe({"name": "a", "tile": {"rows": 1, "columns": 2}}) == (
        "machine.toml: tile: `rows >= columns` must hold, but got 1, 2."
    )


def test_every_problem_has_its_own_line_and_long_values_are_cut() -> None:
    text = describe({"name": ["x" * 500], "tile": {"rows": -1}})
    assert len(text.splitlines()) == 2
    assert max(len(line) for line in text.splitlines()) < 160
