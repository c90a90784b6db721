"""What every test may use: a device, golden files, quiet threads, steady property tests."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import torch

GOLDEN_FOLDER = Path(__file__).parent / "golden"
# Bit-exact floats differ between processors and versions of torch.
GOLDEN_DIGITS = 6
TOLERANCE = 1e-5

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the files in tests/golden"
    )


def pytest_configure() -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def device() -> "torch.device":
    """A CUDA device where there is one: tests that use it cover both kinds of machine."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Golden:
    """Compares records with committed ones; `--update-golden` rewrites them."""

    def __init__(self, folder: Path, *, update: bool) -> None:
        self._folder = folder
        self._update = update

    def check(self, name: str, content: Mapping[str, object]) -> None:
        """Fail unless `content`, with rounded numbers, is what `name` holds."""
        path = self._folder / name
        text = json.dumps(_rounded(content), indent=2, sort_keys=True) + "\n"
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.is_file(), f"{path} is missing; make it with pytest --update-golden"
        expected = {
            place: pytest.approx(leaf, rel=TOLERANCE) if isinstance(leaf, float) else leaf
            for place, leaf in _flat(json.loads(path.read_text())).items()
        }
        assert _flat(json.loads(text)) == expected


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(GOLDEN_FOLDER, update=bool(request.config.getoption("--update-golden")))


def _flat(value: object, path: str = "") -> dict[str, object]:
    """Every number and text by its path, so that a difference names its place."""
    if isinstance(value, dict):
        items = [_flat(item, f"{path}.{key}") for key, item in value.items()]
    elif isinstance(value, list):
        items = [_flat(item, f"{path}[{index}]") for index, item in enumerate(value)]
    else:
        return {path: value}
    return {f"{path}#": len(value)} | {key: leaf for item in items for key, leaf in item.items()}


def _rounded(value: object) -> object:
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return float(f"{value:.{GOLDEN_DIGITS}g}")
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    to_plain: Callable[[], object] | None = getattr(value, "tolist", None)  # numpy, torch
    if to_plain is None:
        raise TypeError(f"A golden file holds numbers and text, but got {value!r}.")
    return _rounded(to_plain())
