from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.conftest import Golden

CONTENT: dict[str, object] = {
    "accuracy": [0.9123456789, 1],
    "name": "a",
    "chips": {"used": 3, "none": None},
}


@pytest.fixture
def stored(golden: "Golden", tmp_path: Path) -> "Golden":
    """A golden folder that holds `CONTENT`."""
    type(golden)(tmp_path / "new", update=True).check("a.json", CONTENT)
    return type(golden)(tmp_path / "new", update=False)


def test_the_same_record_passes_whatever_its_last_digits(stored: "Golden") -> None:
    stored.check("a.json", CONTENT)
    stored.check("a.json", CONTENT | {"accuracy": np.array([0.9123457, 1.0])})


@pytest.mark.parametrize(
    "change", [{"accuracy": [0.9124, 1]}, {"name": "b"}, {"accuracy": [0.9123456789]}, {"more": 1}]
)
def test_another_record_fails(stored: "Golden", change: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        stored.check("a.json", CONTENT | change)


def test_a_missing_file_says_how_to_make_it(stored: "Golden") -> None:
    with pytest.raises(AssertionError, match="--update-golden"):
        stored.check("b.json", CONTENT)


def test_only_numbers_and_text_are_stored(stored: "Golden") -> None:
    with pytest.raises(TypeError, match="numbers and text"):
        stored.check("a.json", {"what": object()})
