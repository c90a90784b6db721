"""Label tables: the simulated accuracy of every chip of every labelled network at every time.

A label set is a folder. `labels.parquet` is long, one row per network, training seed, chip and
time; `networks.jsonl` (or `.parquet`) has one row per network and training seed; `card.md` tells
people how the labels were made.
"""

import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ConfigDict, PositiveInt
from pydantic.dataclasses import dataclass as checked_dataclass

LABEL_COLUMNS = ("key", "seed", "chip", "t_s", "accuracy")
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
# Labels of different hardware, data or physics must not be learned from as if they were one.
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
TEXT_COLUMNS = ("key", "architecture", "recipe", *COMMON_COLUMNS)
# A 5 % quantile needs chips; below this number it is `mean - 1.645 sd`.
MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE = 40


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

    def summary(self) -> str:
        """One line that names task, data, split and hardware."""
        return (
            f"task {self.task}, data {self.data_name}, split {self.split}, judged on the "
            f"{self.part} part, hardware {self.hardware} ({self.hardware_hash}), simulator "
            f"{self.simulator_version}, {self.architectures} architectures on {self.chips} chips"
        )


@dataclass(frozen=True, eq=False)
class LabelTable:
    """A checked label set. Accuracies are fractions; treat the frames as read-only."""

    labels: pd.DataFrame
    networks: pd.DataFrame
    card: str = ""

    def __post_init__(self) -> None:
        _require_columns(self.labels, LABEL_COLUMNS, "labels")
        _require_columns(self.networks, NETWORK_COLUMNS, "networks")
        _check_types(self.labels, self.networks)
        _check_labels(self.labels)
        _check_networks(self.networks)
        _check_links(self.labels, self.networks)

    @classmethod
    def read(cls, folder: Path | str) -> "LabelTable":
        """Read and check a label set.

        Raises:
            ValueError: The folder is not a label set, or its tables are corrupt or inconsistent.
        """
        folder = Path(folder)
        labels_path = folder / "labels.parquet"
        if not labels_path.is_file():
            raise ValueError(
                f"A label set must hold `labels.parquet`, but {folder} does not. "
                "Point to a folder written by `analognas label`."
            )
        networks_path = next(
            (p for p in (folder / "networks.jsonl", folder / "networks.parquet") if p.is_file()),
            None,
        )
        if networks_path is None:
            raise ValueError(
                f"A label set must hold `networks.jsonl` or `networks.parquet`, but {folder} has "
                "neither. Copy the whole folder that `analognas label` wrote."
            )
        card = folder / "card.md"
        try:
            return cls(
                labels=_read_frame(labels_path),
                networks=_read_frame(networks_path),
                card=card.read_text(encoding="utf-8") if card.is_file() else "",
            )
        except ValueError as error:
            raise ValueError(f"Label set {folder}: {error}") from error

    def write(self, folder: Path | str) -> None:
        """Write the three files, each complete or not at all; the order of rows is fixed."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        labels = self.labels.sort_values(["key", "seed", "chip", "t_s"], ignore_index=True)
        networks = self.networks.sort_values(["key", "seed"], ignore_index=True)
        buffer = io.BytesIO()
        labels.to_parquet(buffer, index=False)
        lines = [json.dumps(row) for row in json.loads(networks.to_json(orient="records"))]
        _replace(folder / "labels.parquet", buffer.getvalue())
        _replace(folder / "networks.jsonl", ("\n".join(lines) + "\n").encode())
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
        )

    def architectures(self) -> dict[str, dict[str, Any]]:
        """Map every key to its architecture as a JSON object, in the order of the keys."""
        unique = self.networks.drop_duplicates("key").sort_values("key")
        return {
            str(key): json.loads(text)
            for key, text in zip(unique["key"], unique["architecture"], strict=True)
        }

    def means(self) -> pd.DataFrame:
        """One row per network, seed and time: `mean`, `sd`, `low` over chips and `chips`.

        `low` is the 5 % quantile over chips, from below 40 chips on `mean - 1.645 sd` (which may be
        negative); a single chip has `sd` 0.
        """
        groups = self.labels.groupby(["key", "seed", "t_s"])["accuracy"]
        table = pd.DataFrame(
            {"mean": groups.mean(), "sd": groups.std(ddof=1).fillna(0.0), "chips": groups.size()}
        )
        normal = table["mean"] - 1.645 * table["sd"]
        enough = table["chips"] >= MINIMUM_CHIPS_FOR_EMPIRICAL_QUANTILE
        table["low"] = normal.where(~enough, groups.quantile(0.05))
        return table.reset_index()

    def targets(self) -> pd.DataFrame:
        """One row per network and time, averaged over training seeds, for fitting a surrogate.

        Returns:
            Columns `key`, `t_s`, `mean`, `low` (both within [0, 1]) and `seeds`, their number.
        """
        groups = self.means().groupby(["key", "t_s"])
        table = groups[["mean", "low"]].mean().clip(0.0, 1.0)
        return table.assign(seeds=groups.size()).reset_index()


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


def _require_columns(frame: pd.DataFrame, columns: tuple[str, ...], name: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"the {name} table must have the columns {list(columns)}, but {missing} are missing. "
            "It was not written by `analognas label`, or by another version."
        )
    if frame.empty:
        raise ValueError(f"the {name} table is empty. Label at least one network.")


def _check_types(labels: pd.DataFrame, networks: pd.DataFrame) -> None:
    for name, frame in (("labels", labels), ("networks", networks)):
        for column in frame.columns:
            if column in TEXT_COLUMNS:
                texts = frame[column].map(lambda value: isinstance(value, str) and value != "")
                if not texts.all():
                    raise ValueError(
                        f"`{column}` of the {name} table must be text in every row, but got "
                        f"{frame[column][~texts].iloc[0]!r}."
                    )
            elif column in LABEL_COLUMNS or column in NETWORK_COLUMNS:
                kind = frame[column].dtype.kind
                whole = column in ("seed", "chip", "chips", "parameters", "cores")
                if kind not in ("iu" if whole else "iuf"):
                    raise ValueError(
                        f"`{column}` of the {name} table must hold "
                        f"{'whole numbers' if whole else 'numbers'}, but its type is "
                        f"{frame[column].dtype}."
                    )


def _check_labels(labels: pd.DataFrame) -> None:
    for column, low, high in (("accuracy", 0.0, 1.0), ("t_s", 1e-9, np.inf)):
        inside = labels[column].between(low, high)
        if not inside.all():
            bad = labels.loc[~inside].iloc[0]
            rule = "a fraction from 0 to 1" if column == "accuracy" else "positive seconds"
            raise ValueError(
                f"`{column}` must be {rule}, but network {bad['key']} has {bad[column]}. "
                "Label this network again."
            )
    repeated = labels.duplicated(["key", "seed", "chip", "t_s"])
    if repeated.any():
        bad = labels.loc[repeated].iloc[0]
        raise ValueError(
            "every network, seed, chip and time must appear once, but network "
            f"{bad['key']}, seed {bad['seed']}, chip {bad['chip']}, t_s {bad['t_s']:g} appears "
            "more than once. Keep one of the rows."
        )
    times = labels.groupby(["key", "seed", "chip"])["t_s"].nunique()
    if times.min() != labels["t_s"].nunique():
        bad = times.reset_index().iloc[int(times.argmin())]
        raise ValueError(
            f"every chip must be measured at the same times, but network {bad['key']}, seed "
            f"{bad['seed']}, chip {bad['chip']} has {bad['t_s']} of {labels['t_s'].nunique()}. "
            "Label this network again."
        )


def _check_networks(networks: pd.DataFrame) -> None:
    repeated = networks.duplicated(["key", "seed"])
    if repeated.any():
        bad = networks.loc[repeated].iloc[0]
        raise ValueError(
            f"every network and seed must appear once, but network {bad['key']}, seed "
            f"{bad['seed']} appears more than once in the networks table. Keep one of the rows."
        )
    for column in COMMON_COLUMNS:
        values = sorted(networks[column].unique())
        if len(values) > 1:
            raise ValueError(
                f"a label table must hold one `{column}`, but got {values}. "
                "Make one label set for each."
            )
    for key, text in zip(networks["key"], networks["architecture"], strict=True):
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ValueError(
                f"`architecture` must be JSON, but that of network {key} is not ({error})."
            ) from error
        if not isinstance(content, Mapping):
            raise ValueError(f"`architecture` must be a JSON object, but that of {key} is not.")


def _check_links(labels: pd.DataFrame, networks: pd.DataFrame) -> None:
    labelled = set(labels[["key", "seed"]].itertuples(index=False, name=None))
    described = set(networks[["key", "seed"]].itertuples(index=False, name=None))
    if labelled != described:
        key, seed = sorted(labelled ^ described)[0]
        place = "labels but no row in networks" if (key, seed) in labelled else "no labels"
        raise ValueError(
            f"the labels and networks tables must hold the same networks, but network {key}, seed "
            f"{seed} has {place}. The two files do not belong together."
        )


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
