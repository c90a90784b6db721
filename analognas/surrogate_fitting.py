"""From label tables to fitted and judged surrogates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from analognas.errors import UserError, checking
from analognas.files import write_text, writing
from analognas.hardware_features import (
    CELL_COLUMNS,
    ERROR_COLUMNS,
    SETTING_COLUMNS,
    hardware_features,
)
from analognas.hardware_variants import HardwareVariant
from analognas.search_spaces import Architecture, SearchSpace, make_space
from analognas.simulator import HARDWARE, Hardware
from analognas.surrogate_features import (
    JOINT_COLUMNS,
    TILE_COLUMNS,
    architecture_features,
    join_hardware,
)
from analognas.surrogates import (
    LABEL_SETS,
    NOMINAL,
    SURROGATES,
    LabelTable,
    Surrogate,
    SurrogateEvaluation,
    evaluate_surrogates,
    load_labels,
)
from analognas.surrogates.feature_table import TIME_COLUMN

# The union of all families: its feature columns are those of every space.
SPACE = "tinyml"

Progress = Callable[[int, int, str], None]


def read_labels(folder_or_name: str) -> LabelTable:
    """Read a label set from a folder, or one that comes with the package by its name."""
    if folder_or_name not in LABEL_SETS and not Path(folder_or_name).is_dir():
        known = ", ".join(LABEL_SETS) or "none"
        raise UserError(
            f"There is no label set {folder_or_name!r}. Give a folder that `analognas label` made, "
            f"or one that comes with the package: {known}."
        )
    with checking("labels"):
        if folder_or_name in LABEL_SETS:
            return load_labels(folder_or_name)
        return LabelTable.read(folder_or_name)


def nominal_hardware(table: LabelTable) -> Hardware:
    """The hardware that the labelled networks were trained for, found by its hash.

    Raises:
        UserError: It is neither a preset nor in the label set.
    """
    wanted = table.description().hardware_hash
    known = {preset.hash: preset for preset in HARDWARE.values()}
    if table.hardware is not None:
        with checking("labels"):
            variants = map(HardwareVariant.from_dict, _records(table.hardware))
            known |= {variant.hardware.hash: variant.hardware for variant in variants}
    if wanted not in known:
        raise UserError(
            f"The hardware of the labels must be a preset, but {table.description().hardware} "
            f"({wanted}) is none ({', '.join(sorted(HARDWARE))}). Give its file with --hardware."
        )
    return known[wanted]


def label_features(table: LabelTable, hardware: Hardware | None = None) -> pd.DataFrame:
    """Compute the features of every row of `table.targets()`.

    Args:
        table: The labels.
        hardware: That the networks were trained for; None looks for it among the presets.
    """
    nominal = hardware if hardware is not None else nominal_hardware(table)
    described = table.description()
    if nominal.hash != described.hardware_hash:
        raise UserError(
            f"The hardware must be that of the labels, {described.hardware} "
            f"({described.hardware_hash}), but got {nominal.name} ({nominal.hash}). "
            "Give the file that the labels were made with."
        )
    with checking("labels"):
        archs = [_architecture(key, data) for key, data in table.architectures().items()]
        space = _space_of(table, archs)
        variants = {NOMINAL: HardwareVariant(nominal)}
        if table.hardware is not None:
            for record in _records(table.hardware):
                variants[str(record["variant"])] = HardwareVariant.from_dict(record)
        return _rows(space, archs, variants, table.targets())


def fit_surrogate(
    table: LabelTable, hardware: Hardware | None = None, kind: str = "xgboost"
) -> Surrogate:
    """Fit a surrogate on a whole label table."""
    features = label_features(table, hardware)
    with checking("labels"):
        return SURROGATES[kind]().fit(features, table.targets(), description=table.description())


def judge_surrogates(
    table: LabelTable,
    hardware: Hardware | None = None,
    *,
    seeds: int = 1,
    thorough: bool = False,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> SurrogateEvaluation:
    """Judge every surrogate on networks and hardware that it did not learn from.

    Args:
        table: The labels.
        hardware: That the networks were trained for; None looks for it among the presets.
        seeds: Cuts of the networks into folds.
        thorough: Also learn from fewer networks, and without groups of columns.
        folder: Where the predictions of every fit are kept; with the same one it goes on later.
        progress: Told (done, total, name) before each fit.
    """
    features = label_features(table, hardware)
    if folder is not None:
        _claim(folder, features, table)
    with checking("labels"):
        return evaluate_surrogates(
            table,
            features,
            rng=np.random.default_rng(0),
            seeds=seeds,
            groups=column_groups(features) if thorough else None,
            keep=None if folder is None else Kept(folder),
            progress=progress,
        )


def column_groups(features: pd.DataFrame) -> dict[str, list[str]]:
    """Columns by what they tell; those that are the same in all rows are left out."""
    varying = [name for name in features.columns if features[name].nunique() > 1]
    named: dict[str, tuple[str, ...]] = {
        "settings of the hardware": SETTING_COLUMNS,
        "moments of the cells": CELL_COLUMNS,
        "errors of products": ERROR_COLUMNS,
        "errors summed over layers": JOINT_COLUMNS,
        "errors of products, also summed": (*ERROR_COLUMNS, *JOINT_COLUMNS),
        "tiles": TILE_COLUMNS,
    }
    taken = {*SETTING_COLUMNS, *CELL_COLUMNS, *ERROR_COLUMNS, *JOINT_COLUMNS, *TILE_COLUMNS}
    others = tuple(name for name in features.columns if name not in {*taken, TIME_COLUMN})
    groups = {
        name: [column for column in columns if column in varying]
        for name, columns in (named | {"architecture": others}).items()
    }
    return {name: columns for name, columns in groups.items() if columns}


class Kept:
    """Predictions in a folder, one file for every fit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        path = self._folder / f"{name.replace('/', '__').replace(' ', '_')}.parquet"
        if not path.is_file():
            predictions = make()
            with writing(path) as temporary:
                predictions.to_parquet(temporary)
        return pd.read_parquet(path)


def _claim(folder: Path, features: pd.DataFrame, table: LabelTable) -> None:
    """Refuse a folder that keeps predictions about other labels or features."""
    from analognas.surrogates import XGBoostSurrogate

    digest = hashlib.sha256(pd.util.hash_pandas_object(features).to_numpy().tobytes())
    digest.update(pd.util.hash_pandas_object(table.conditions()).to_numpy().tobytes())
    digest.update(repr(XGBoostSurrogate().settings).encode())
    path, mark = folder / "labels.txt", digest.hexdigest() + "\n"
    if path.exists() and path.read_text() != mark:
        raise UserError(
            f"{folder} keeps predictions of other labels, or by other settings. "
            "Choose an empty folder with --folder."
        )
    write_text(path, mark)


def _rows(
    space: SearchSpace,
    archs: list[Architecture],
    variants: Mapping[str, HardwareVariant],
    targets: pd.DataFrame,
) -> pd.DataFrame:
    """Features row by row: the network on tiles of its hardware, the hardware, the time."""
    tiles = {name: variant.hardware.tile for name, variant in variants.items()}
    sizes = {(tile.rows, tile.columns): tile for tile in tiles.values()}
    placed = pd.concat(
        {size: architecture_features(space, archs, tile) for size, tile in sizes.items()}
    )
    times = sorted(targets["t_s"].unique().tolist())
    met = targets["variant"].unique().tolist()
    described = pd.concat(
        {
            name: hardware_features(
                variants[name].hardware, times, recalibrated=variants[name].recalibrated
            )
            for name in met
        }
    )
    names = zip(targets["variant"], targets["key"], strict=True)
    at = [(tiles[name].rows, tiles[name].columns, key) for name, key in names]
    rows = placed.loc[pd.MultiIndex.from_tuples(at)].reset_index(drop=True)
    rows[TIME_COLUMN] = np.log10(targets["t_s"].to_numpy(dtype=np.float64))
    on = described.loc[pd.MultiIndex.from_frame(targets[["variant", "t_s"]])]
    return join_hardware(rows, on)


def _records(frame: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _architecture(key: str, data: dict[str, object]) -> Architecture:
    arch = Architecture.from_dict(data)
    if arch.key != key:
        raise ValueError(
            f"the key of a network must be the hash of its architecture, but {key} holds "
            f"{arch.key}. The table is damaged or was made by another version; label again."
        )
    return arch


def _space_of(table: LabelTable, archs: list[Architecture]) -> SearchSpace:
    """Find the space of the labelled networks.

    The number of classes is not in an architecture, but it follows from the parameter count: the
    head has `(inputs + 1)` parameters per class, and nothing else depends on it.
    """
    parameters = table.networks.drop_duplicates("key").set_index("key")["parameters"]
    with_2 = make_space(SPACE, input_shape=archs[0].input_shape, n_classes=2)
    found = set()
    for arch in archs:
        per_class = with_2.layers(arch)[-1].in_channels + 1
        further, rest = divmod(int(parameters[arch.key]) - with_2.parameters(arch), per_class)
        found.add(2 + further if rest == 0 and further >= 0 else None)
    if len(found) != 1 or None in found:
        raise ValueError(
            "the parameter counts of the networks do not fit their architectures. "
            "The table is damaged or was made by another version; label again."
        )
    return make_space(SPACE, input_shape=archs[0].input_shape, n_classes=int(found.pop() or 2))
