"""A label set as a table to search in: every labelled network with all its metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analognas.errors import UserError
from analognas.search_spaces import Architecture, SearchSpace, make_space
from analognas.searching.objectives import TIMES_S
from analognas.searching.spaces import Space
from analognas.searching.table import TableEvaluator, TableSpace
from analognas.simulator.chip import load_chip
from analognas.surrogate_features import architecture_features
from analognas.surrogate_fitting import SPACE, read_labels
from analognas.surrogates import LabelTable

CHIP = "hermes"  # its tiles are those that the features speak of
# Known without any training: name here, column of the label set.
KNOWN = {
    "energy": "energy_nJ",
    "latency": "latency_us",
    "cores": "cores",
    "parameters": "parameters",
}
IDENTITY = ["key", "seed", "fidelity"]


class LabelEvaluator(TableEvaluator):
    """A table whose networks are described by their features, computed once."""

    def __init__(
        self, table: pd.DataFrame, space: Space, features: pd.DataFrame, known: pd.DataFrame
    ) -> None:
        super().__init__(table, space)
        self._features = features
        self._known = known

    def describe(self, archs: Sequence[Architecture]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Features of networks, and the metrics that are known without training."""
        keys = [arch.key for arch in archs]
        return self._features.loc[keys], self._known.loc[keys]


@dataclass(frozen=True, eq=False)
class LabelBench:
    """A label set, ready to be searched.

    Attributes:
        name: Of the label set.
        space: The whole space that its networks come from.
        rows: One row per network, training seed and fidelity: `key`, `seed` (from 0 on within a
            network), `fidelity`, `seconds`, then the metrics.
        archs: The networks by key.
        features: One row per network, indexed by key.
    """

    name: str
    space: SearchSpace
    rows: pd.DataFrame
    archs: Mapping[str, Architecture]
    features: pd.DataFrame

    @cached_property
    def truth(self) -> pd.DataFrame:
        """What a network is worth: mean metrics of its full trainings, indexed by key."""
        full = self.rows[self.rows["fidelity"] == 1.0]
        return full.drop(columns=["seed", "fidelity"]).groupby("key").mean()

    @property
    def fidelities(self) -> tuple[float, ...]:
        """Those that all networks have."""
        return tuple(sorted(self.rows["fidelity"].unique()))

    @cached_property
    def replicable(self) -> bool:
        """Whether every network was trained more than once."""
        return bool((self.rows.groupby("key")["seed"].nunique() > 1).all())

    @property
    def trainings(self) -> int:
        return len(self.rows[["key", "seed"]].drop_duplicates())

    @cached_property
    def digest(self) -> str:
        """Hash of all rows."""
        text = self.rows.round(9).to_csv(index=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def members(self) -> TableSpace:
        """The labelled networks as a space."""
        return TableSpace(self.space, list(self.archs.values()))

    def evaluator(self, turn: int) -> LabelEvaluator:
        """The table as a search meets it.

        Args:
            turn: Which training of a network comes first. Where not all networks have several, the
                others are left out: nobody can ask for a second training of most networks.
        """
        return _evaluator(self, turn % int(self.rows["seed"].max() + 1))


@lru_cache(maxsize=16)
def _evaluator(bench: LabelBench, turn: int) -> LabelEvaluator:
    rows = bench.rows
    counts = rows.groupby("key")["seed"].transform("nunique")
    rows = rows.assign(seed=(rows["seed"] - turn) % counts)
    if not bench.replicable:
        rows = rows[rows["seed"] == 0]
    rows = rows.assign(architecture=rows["key"].map(dict(bench.archs)))
    known = bench.truth[list(KNOWN)]
    return LabelEvaluator(rows, bench.members, bench.features, known)


@lru_cache(maxsize=8)
def load_bench(folder_or_name: str) -> LabelBench:
    """Read a label set, of a folder or of this name, and describe its networks.

    Raises:
        UserError: There is no such set, or it lacks one of the usual times.
    """
    table = read_labels(folder_or_name)
    missing = [word for word, t_s in TIMES_S.items() if t_s not in table.times_s]
    if missing:
        raise UserError(
            f"The label set {folder_or_name} must have accuracies after {', '.join(TIMES_S)}, but "
            f"{', '.join(missing)} is missing. Label with the usual times."
        )
    archs = {key: Architecture.from_dict(data) for key, data in table.architectures().items()}
    space = _space_of(table, archs)
    return LabelBench(
        name=Path(folder_or_name).name,
        space=space,
        rows=_rows(table),
        archs=archs,
        features=architecture_features(space, list(archs.values()), load_chip(CHIP)),
    )


def _space_of(table: LabelTable, archs: Mapping[str, Architecture]) -> SearchSpace:
    """The space of all families; parameters are linear in the number of classes, which it tells."""
    key, arch = next(iter(archs.items()))
    labelled = int(table.networks.set_index("key")["parameters"][[key]].iloc[0])
    two, three = (
        make_space(SPACE, input_shape=arch.input_shape, n_classes=n).parameters(arch)
        for n in (2, 3)
    )
    n_classes = 2 + (labelled - two) // (three - two)
    return make_space(SPACE, input_shape=arch.input_shape, n_classes=n_classes)


def _rows(table: LabelTable) -> pd.DataFrame:
    """Every training of every network, in full and, where all have it, on the way."""
    networks = table.networks.set_index(["key", "seed"])
    seconds = networks["training_seconds"] + networks["evaluation_seconds"]
    known = networks[list(KNOWN.values())].astype(np.float64)
    known.columns = pd.Index(list(KNOWN))
    full = _accuracies(table.labels, ["key", "seed"]).join(known)
    parts = [full.assign(fidelity=1.0, seconds=seconds).reset_index()]
    for fidelity, curve in _curves(table):
        spent = curve.groupby(["key", "seed"])["training_seconds"].first()
        # The measurement on the way had fewer chips and inputs, and is charged with as much less.
        share = _answers(curve) / _answers(table.labels)
        seconds = spent + networks["evaluation_seconds"] * share
        early = _accuracies(curve, ["key", "seed"]).join(known)
        parts.append(early.assign(fidelity=fidelity, seconds=seconds).reset_index())
    rows = pd.concat(parts, ignore_index=True)
    first = ["key", "seed", "fidelity", "seconds"]
    rows = rows[first + [name for name in rows.columns if name not in first]]
    rows["seed"] = rows.groupby("key")["seed"].rank(method="dense").astype(int) - 1
    return rows.sort_values(IDENTITY, ignore_index=True)


def _curves(table: LabelTable) -> list[tuple[float, pd.DataFrame]]:
    """States on the way, of the fidelities that every training has."""
    if table.curves is None:
        return []
    trainings = len(table.networks)
    groups = [(float(f), g) for f, g in table.curves.groupby("fidelity")]  # type: ignore[arg-type]
    return [(f, g) for f, g in groups if len(g[["key", "seed"]].drop_duplicates()) == trainings]


def _answers(labels: pd.DataFrame) -> pd.Series[Any]:
    """How many answers were counted, of all chips, per training."""
    return labels.groupby(["key", "seed"])["clips"].sum().astype(np.float64)


def _accuracies(labels: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Objectives that are accuracies, named as in the catalogue of objectives."""
    groups = labels.groupby([*by, "t_s"])["accuracy"]
    mean = groups.mean().unstack("t_s")
    sd = groups.std(ddof=1).fillna(0.0).unstack("t_s")
    columns: dict[str, Any] = {f"accuracy@{w}": mean[t_s] for w, t_s in TIMES_S.items()}
    columns |= {f"accuracy-low@{w}": mean[t_s] - 1.645 * sd[t_s] for w, t_s in TIMES_S.items()}
    columns["accuracy-worst"] = mean[list(TIMES_S.values())].min(axis=1)
    columns["drop"] = mean[TIMES_S["1s"]] - mean[TIMES_S["1month"]]
    return pd.DataFrame(columns)
