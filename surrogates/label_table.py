"""Label tables: the simulated accuracy of every chip of every labelled network at every time.

A label set is a folder:

    labels.parquet    long: one row per network, training seed, chip and time, on the hardware that
                      the networks were trained for, over all inputs of the part that judges
    networks.jsonl    one row per network and training seed (or networks.parquet)
    variants.parquet  like the labels, on other hardware, with fewer chips and inputs
    hardware.jsonl    one row per variant of the hardware
    curves.parquet    like the labels, of states on the way of a training (fidelities below 1)
    card.md           tells people how the labels were made

The third to fifth are there if they were measured.
"""

import io
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ConfigDict, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass as checked_dataclass

from analognas.surrogates.label_checks import COLUMNS, COMMON_COLUMNS, IDENTITY, check_tables

# The file of every table; a second name is read, but never written.
FILES = {
    "labels": ("labels.parquet",),
    "networks": ("networks.jsonl", "networks.parquet"),
    "variants": ("variants.parquet",),
    "hardware": ("hardware.jsonl",),
    "curves": ("curves.parquet",),
}
# A 5 % quantile needs chips; below this number it is `mean - 1.645 sd`.
MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE = 40
# Stands for the nominal hardware among the ids of its variants.
NOMINAL = "nominal"


@checked_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class LabelDescription:
    """What a label table, and a surrogate fitted on it, speaks about."""

    task: str
    data_name: str
    data_key: str
    split: str
    part: str
    hardware: str
    hardware_hash: str
    simulator_version: str
    architectures: PositiveInt
    chips: PositiveInt
    times_s: tuple[float, ...]
    variants: NonNegativeInt = 0  # of the hardware, besides the nominal one

    def summary(self) -> str:
        """One line that names task, data, split and hardware."""
        return (
            f"task {self.task}, data {self.data_name}, split {self.split}, judged on the "
            f"{self.part} part, hardware {self.hardware} ({self.hardware_hash}), simulator "
            f"{self.simulator_version}, {self.architectures} architectures on {self.chips} chips"
            + (f" and on {self.variants} variants of the hardware" if self.variants else "")
        )


@dataclass(frozen=True, eq=False)
class LabelTable:
    """A checked label set. Accuracies are fractions; treat the frames as read-only."""

    labels: pd.DataFrame
    networks: pd.DataFrame
    card: str = ""
    variants: pd.DataFrame | None = None
    hardware: pd.DataFrame | None = None
    curves: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        check_tables(self.tables)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables that are there, by name."""
        named = {name: getattr(self, name) for name in COLUMNS}
        return {name: frame for name, frame in named.items() if frame is not None}

    @classmethod
    def read(cls, folder: Path | str) -> "LabelTable":
        """Read and check a label set.

        Raises:
            ValueError: The folder is not a label set, or its tables are corrupt or inconsistent.
        """
        folder = Path(folder)
        card = folder / "card.md"
        try:
            return cls(
                **read_tables(folder),
                card=card.read_text(encoding="utf-8") if card.is_file() else "",
            )
        except ValueError as error:
            raise ValueError(f"Label set {folder}: {error}") from error

    def write(self, folder: Path | str) -> None:
        """Write the files, each complete or not at all; the order of rows is fixed."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in self.tables.items():
            ordered = frame.sort_values(list(IDENTITY[name]), ignore_index=True)
            _replace(folder / FILES[name][0], _to_bytes(ordered, FILES[name][0]))
        if self.card:
            _replace(folder / "card.md", self.card.encode())

    @property
    def times_s(self) -> tuple[float, ...]:
        return tuple(sorted(float(t) for t in self.labels["t_s"].unique()))

    @property
    def chips(self) -> int:
        """Fewest simulated chips that any network was measured on."""
        return int(self.labels.groupby(["key", "seed", "t_s"]).size().min())

    @property
    def low_name(self) -> str:
        """How `low` was computed, the words to print beside it."""
        empirical = self.chips >= MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE
        return "5 % quantile" if empirical else "mean - 1.645 sd"

    def description(self) -> LabelDescription:
        first = self.networks.iloc[0]
        return LabelDescription(
            **{name: str(first[name]) for name in COMMON_COLUMNS},
            architectures=int(self.networks["key"].nunique()),
            chips=self.chips,
            times_s=self.times_s,
            variants=0 if self.variants is None else self.variants["variant"].nunique(),
        )

    def architectures(self) -> dict[str, dict[str, Any]]:
        """Map every key to its architecture as a JSON object, in the order of the keys."""
        unique = self.networks.drop_duplicates("key").sort_values("key")
        return {
            str(key): json.loads(text)
            for key, text in zip(unique["key"], unique["architecture"], strict=True)
        }

    def means(self) -> pd.DataFrame:
        """One row per network, seed and time on the nominal hardware.

        Returns:
            Columns `key`, `seed`, `t_s`, then over the chips `mean`, `sd`, `low`, their number
            `chips`, and `clips`, the inputs that were classified. `low` is the 5 % quantile, from
            below 40 chips on `mean - 1.645 sd` (which may be negative); a single chip has `sd` 0.
        """
        return _over_chips(self.labels, ["key", "seed", "t_s"])

    def conditions(self) -> pd.DataFrame:
        """Like `means`, on all hardware: the column `variant` says which, `nominal` or an id."""
        nominal = self.means().assign(variant=NOMINAL)
        if self.variants is None:
            return nominal
        varied = _over_chips(self.variants, ["key", "seed", "variant", "t_s"])
        return pd.concat([nominal, varied], ignore_index=True)

    def targets(self) -> pd.DataFrame:
        """One row per network, hardware and time, averaged over training seeds, to learn from.

        Returns:
            Columns `key`, `variant` (see `conditions`), `t_s`, `mean`, `sd` over chips, `chips`,
            `clips`, and `seeds`, the number of trainings.
        """
        conditions = self.conditions()
        conditions["sd"] = conditions["sd"] ** 2
        groups = conditions.groupby(["key", "variant", "t_s"])
        table = groups[["mean", "sd", "chips", "clips"]].mean().assign(seeds=groups.size())
        return table.assign(sd=np.sqrt(table["sd"])).reset_index()


def _over_chips(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    groups = frame.groupby(names)
    accuracy = groups["accuracy"]
    table = pd.DataFrame(
        {
            "mean": accuracy.mean(),
            "sd": accuracy.std(ddof=1).fillna(0.0),
            "chips": accuracy.size(),
            "clips": groups["clips"].first(),
        }
    )
    normal = table["mean"] - 1.645 * table["sd"]
    enough = table["chips"] >= MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE
    table["low"] = normal.where(~enough, accuracy.quantile(0.05))
    return table.reset_index()


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Read the tables of a label set without checking what they say.

    Raises:
        ValueError: There are no labels or networks, or a file cannot be read.
    """
    tables = {}
    for name, files in FILES.items():
        path = next((folder / file for file in files if (folder / file).is_file()), None)
        if path is not None:
            tables[name] = _read_frame(path)
        elif name in ("labels", "networks"):
            raise ValueError(
                f"it must hold `{'` or `'.join(files)}`, but does not. Point to a whole folder "
                "that `analognas label` wrote."
            )
    return tables


def _read_frame(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        with path.open(encoding="utf-8") as lines:
            return pd.DataFrame([json.loads(line) for line in lines if line.strip()])
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"`{path.name}` cannot be read ({error}). Restore it from where it was made."
        ) from error


def _to_bytes(frame: pd.DataFrame, file: str) -> bytes:
    if file.endswith(".parquet"):
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return buffer.getvalue()
    lines = [json.dumps(row) for row in json.loads(frame.to_json(orient="records"))]
    return ("\n".join(lines) + "\n").encode()


def _replace(path: Path, data: bytes) -> None:
    """Write a file completely or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
