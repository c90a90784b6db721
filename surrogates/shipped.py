"""The fitted surrogates and label tables that come with the package."""

from pathlib import Path

from analognas.surrogates.base import Surrogate
from analognas.surrogates.label_table import LabelTable
from analognas.surrogates.registry import read_surrogate

_HERE = Path(__file__).parent

FITTED: tuple[str, ...] = tuple(sorted(path.stem for path in _HERE.glob("fitted/*.json")))
LABEL_SETS: tuple[str, ...] = tuple(
    sorted(path.parent.name for path in _HERE.glob("labels/*/labels.parquet"))
)


def load_fitted(name: str) -> Surrogate:
    """Read a surrogate that comes with the package."""
    if name not in FITTED:
        raise ValueError(f"Unknown fitted surrogate {name!r}; choose one of {list(FITTED)}.")
    return read_surrogate((_HERE / "fitted" / f"{name}.json").read_text(encoding="utf-8"))


def load_labels(name: str) -> LabelTable:
    """Read a label set that comes with the package."""
    if name not in LABEL_SETS:
        raise ValueError(f"Unknown label set {name!r}; choose one of {list(LABEL_SETS)}.")
    return LabelTable.read(_HERE / "labels" / name)


def find_fitted(*, data_name: str, split: str, hardware_hash: str | None = None) -> str | None:
    """Name the shipped surrogate that was fitted on exactly this data and split, if there is one.

    Args:
        data_name: Name of the data set.
        split: How it was split; recordings or speakers.
        hardware_hash: Also asked for, if given.
    """
    for name in FITTED:
        described = load_fitted(name).description
        if (
            described is not None
            and (described.data_name, described.split) == (data_name, split)
            and hardware_hash in (None, described.hardware_hash)
        ):
            return name
    return None
