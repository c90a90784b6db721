"""From label tables to fitted and judged surrogates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from analognas.errors import UserError, checking
from analognas.search_spaces import Architecture, SearchSpace, make_space
from analognas.simulator.chip import ChipSpec
from analognas.surrogate_features import architecture_features
from analognas.surrogates import (
    LABEL_SETS,
    SURROGATES,
    LabelTable,
    Surrogate,
    SurrogateEvaluation,
    evaluate_surrogates,
    load_labels,
    rows_of,
)

# The union of all families: its feature columns are those of every space.
SPACE = "tinyml"


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


def label_features(table: LabelTable, chip: ChipSpec) -> pd.DataFrame:
    """Compute the features of every labelled network, one row each, indexed by key."""
    with checking("labels"):
        archs = [_architecture(key, data) for key, data in table.architectures().items()]
        space = _space_of(table, archs)
        return architecture_features(space, archs, chip)


def fit_surrogate(table: LabelTable, chip: ChipSpec, kind: str = "xgboost") -> Surrogate:
    """Fit a surrogate on a whole label table."""
    features, targets = label_features(table, chip), table.targets()
    with checking("labels"):
        return SURROGATES[kind]().fit(
            rows_of(features, targets), targets, description=table.description()
        )


def judge_surrogates(
    table: LabelTable,
    chip: ChipSpec,
    *,
    seed: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> SurrogateEvaluation:
    """Cross-validate every surrogate on a label table; the seed is that of the noise ceiling."""
    features = label_features(table, chip)
    with checking("labels"):
        return evaluate_surrogates(
            table, features, rng=np.random.default_rng(seed), progress=progress
        )


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
