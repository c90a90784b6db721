"""What a label set must hold: columns, types and values, and that its tables belong together.

Every problem names the table, the row (counted from 1, as the lines of a JSON Lines file are) and
the remedy, so that one bad row of a large set can be found.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MEASURED = ("chip", "t_s", "accuracy", "clips", "sampling_sd")
LABEL_COLUMNS = ("key", "seed", *MEASURED)
VARIANT_COLUMNS = ("key", "seed", "variant", *MEASURED)
CURVE_COLUMNS = ("key", "seed", "fidelity", "training_seconds", *MEASURED)
HARDWARE_COLUMNS = ("variant", "hardware", "hardware_hash", "recalibrated", "hardware_toml")
NETWORK_COLUMNS = (
    "key",
    "seed",
    "architecture",
    "digital_accuracy",
    "parameters",
    "multiplications",
    "cores",
    "energy_nJ",
    "latency_us",
    "training_seconds",
    "evaluation_seconds",
    "hardware",
    "hardware_hash",
    "simulator_version",
    "task",
    "data_name",
    "data_key",
    "split",
    "part",
    "chips",
    "recipe",
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "labels": LABEL_COLUMNS,
    "networks": NETWORK_COLUMNS,
    "variants": VARIANT_COLUMNS,
    "hardware": HARDWARE_COLUMNS,
    "curves": CURVE_COLUMNS,
}
# What names one row of a table.
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "labels": ("key", "seed", "chip", "t_s"),
    "networks": ("key", "seed"),
    "variants": ("key", "seed", "variant", "chip", "t_s"),
    "hardware": ("variant",),
    "curves": ("key", "seed", "fidelity", "chip", "t_s"),
}
# Labels of different data, hardware or physics must not be learned from as if they were one.
COMMON_COLUMNS = (
    "task",
    "data_name",
    "data_key",
    "split",
    "part",
    "hardware",
    "hardware_hash",
    "simulator_version",
)
_TEXT = ("key", "architecture", "recipe", "variant", "hardware_toml", *COMMON_COLUMNS)
_WHOLE = ("seed", "chip", "chips", "clips", "parameters", "cores")
_FLAGS = ("recalibrated",)
_FRACTIONS = ("accuracy", "digital_accuracy", "fidelity")
_POSITIVE = ("t_s", "clips", "chips")

Tables = Mapping[str, pd.DataFrame]
Reason = Callable[[pd.Series], str]  # of a row


@dataclass(frozen=True)
class Problem:
    """A row that breaks a rule."""

    table: str
    row: int  # counted from 1
    key: str
    seed: int | None
    reason: str

    def __str__(self) -> str:
        return f"{self.table}, row {self.row}, network {self.key}: {self.reason}"


def check_tables(tables: Tables) -> None:
    """Raise a ValueError for the first thing that is wrong with a label set."""
    check_columns(tables)
    for problem in find_problems(tables):
        raise ValueError(f"{problem}")
    check_common(tables["networks"])


def check_columns(tables: Tables) -> None:
    """Columns that are missing or of the wrong type are no matter of single rows."""
    for name, frame in tables.items():
        missing = [column for column in COLUMNS[name] if column not in frame.columns]
        if missing:
            raise ValueError(
                f"the {name} table must have the columns {list(COLUMNS[name])}, but {missing} are "
                "missing. It was not written by `analognas label`, or by another version."
            )
        if frame.empty:
            raise ValueError(f"the {name} table is empty. Label at least one network.")
        for column in COLUMNS[name]:
            kind = frame[column].dtype.kind
            if column not in _TEXT and kind not in _kinds(column):
                words = "true or false" if column in _FLAGS else "numbers"
                raise ValueError(
                    f"`{column}` of the {name} table must hold "
                    f"{'whole numbers' if column in _WHOLE else words}, but its type is "
                    f"{frame[column].dtype}."
                )


def check_common(networks: pd.DataFrame) -> None:
    """A label set speaks of one task, one data set and one nominal hardware."""
    for column in COMMON_COLUMNS:
        values = sorted(networks[column].unique())
        if len(values) > 1:
            raise ValueError(
                f"a label table must hold one `{column}`, but got {values}. "
                "Make one label set for each."
            )


def find_problems(tables: Tables) -> Iterator[Problem]:
    """Every row that breaks a rule of its own table or does not belong to the others."""
    for name, frame in tables.items():
        yield from _find_bad_values(name, frame)
        yield from _problems(
            name,
            frame,
            frame.duplicated(list(IDENTITY[name])).to_numpy(),
            lambda row, name=name: (  # type: ignore[misc]
                f"the same {', '.join(IDENTITY[name])} appears more than once. Keep one of the rows"
            ),
        )
    networks = tables["networks"]
    yield from _find_bad_architectures(networks)
    trained = _pairs(networks)
    for name in ("labels", "variants", "curves"):
        if name in tables:
            yield from _find_missing_times(name, tables[name])
            yield from _problems(
                name,
                tables[name],
                ~_pairs(tables[name]).isin(trained),
                lambda row: "the networks table lacks it. The files do not belong together",
            )
    yield from _problems(
        "networks",
        networks,
        ~trained.isin(_pairs(tables["labels"])),
        lambda row: "it has no labels. The files do not belong together",
    )
    if "variants" in tables:
        known = tables["hardware"]["variant"] if "hardware" in tables else pd.Series(dtype=str)
        yield from _problems(
            "variants",
            tables["variants"],
            ~tables["variants"]["variant"].isin(known).to_numpy(),
            lambda row: f"the hardware table lacks the variant {row['variant']}",
        )


def _find_bad_values(name: str, frame: pd.DataFrame) -> Iterator[Problem]:
    for column in COLUMNS[name]:
        values = frame[column]
        if column in _TEXT:
            good = values.map(lambda value: isinstance(value, str) and value != "").to_numpy()
            rule = "text"
        elif column in _FLAGS:
            continue
        else:
            low = 0.0
            high = 1.0 if column in _FRACTIONS else np.finfo(np.float64).max
            numbers = values.to_numpy(dtype=np.float64)
            good = (numbers >= low) & (numbers <= high)
            rule = "a fraction from 0 to 1" if column in _FRACTIONS else "finite and not negative"
            if column in _POSITIVE:
                good &= numbers > 0
                rule = "positive"
        yield from _problems(
            name,
            frame,
            ~good,
            lambda row, column=column, rule=rule: (  # type: ignore[misc]
                f"`{column}` must be {rule}, but got {row[column]!r}. Label this network again"
            ),
        )


def _find_bad_architectures(networks: pd.DataFrame) -> Iterator[Problem]:
    for place, text in enumerate(networks["architecture"]):
        try:
            content = json.loads(text)
            reason = None if isinstance(content, Mapping) else "it is none"
        except (TypeError, ValueError) as error:
            reason = str(error)
        if reason is not None:
            yield _problem(
                "networks", networks, place, f"`architecture` must be a JSON object, but {reason}"
            )


def _find_missing_times(name: str, frame: pd.DataFrame) -> Iterator[Problem]:
    """Every chip must be measured at the same times."""
    group = [column for column in IDENTITY[name] if column != "t_s"]
    times = frame["t_s"].nunique()
    found = frame.groupby(group)["t_s"].transform("nunique").to_numpy()
    yield from _problems(
        name,
        frame,
        found < times,
        lambda row: (
            f"every chip must be measured at the same times, but chip {row['chip']} was measured "
            f"at fewer than {times}. Label this network again"
        ),
    )


def _problems(
    name: str, frame: pd.DataFrame, bad: NDArray[np.bool_], reason: Reason
) -> Iterator[Problem]:
    for place in np.flatnonzero(bad).tolist():
        yield _problem(name, frame, place, reason(frame.iloc[place]))


def _problem(name: str, frame: pd.DataFrame, place: int, reason: str) -> Problem:
    row = frame.iloc[place]
    seed = int(row["seed"]) if "seed" in frame.columns else None
    key = str(row["key"] if "key" in frame.columns else row.iloc[0])
    return Problem(name, place + 1, key, seed, reason.rstrip(".") + ".")


def _pairs(frame: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[["key", "seed"]])


def _kinds(column: str) -> str:
    if column in _FLAGS:
        return "b"
    return "iu" if column in _WHOLE else "iuf"
