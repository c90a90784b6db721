"""A table of results as an evaluator, and the space of the networks that it has.

A table has one row per evaluation: the network, its metrics, and, where they are known, `fidelity`,
`seed` and `seconds`. A network is given as `architecture` (what its `to_dict()` gives, as a mapping
or as JSON text) or by one column for every gene of the space. Trial seed 0 stands for the lowest
seed that the table has of a network, 1 for the next, and so on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analognas.errors import UserError
from analognas.search_spaces import Architecture
from analognas.searching.candidates import Codes, Result, Trial
from analognas.searching.spaces import Genes, Space, check_genes
from analognas.searching.strategies.base import FloatArray

ARCHITECTURE, KEY = "architecture", "key"
FIDELITY, SEED, SECONDS = "fidelity", "seed", "seconds"
NOT_METRICS = (ARCHITECTURE, KEY, FIDELITY, SEED, SECONDS)
Table = pd.DataFrame | str | Path | Mapping[Any, Mapping[str, float]]


@dataclass(frozen=True)
class _Row:
    fidelity: float
    seed: int
    metrics: Mapping[str, float]
    seconds: float | None


class TableEvaluator:
    """Looks results up.

    Args:
        table: A data frame, a CSV or Parquet file, or a mapping from networks to their metrics.
        space: The space that the networks are members of.

    Raises:
        UserError: A row that cannot be used; the message names the row and the rule.
    """

    def __init__(self, table: Table, space: Space) -> None:
        genes = check_genes(space)
        frame, given = _as_frame(table)
        self.metrics = _metrics_of(frame, genes)
        self.architectures: dict[str, Any] = {}
        self._rows: dict[str, dict[float, list[_Row]]] = {}
        read = _reader(frame, genes, space) if given is None else None
        numbers = _numbers(frame, self.metrics)
        for position, record in enumerate(numbers.to_dict("records")):
            where = f"Row {position + 1} of the table"
            arch = read(position, where) if read is not None else (given or [])[position]
            _check_member(space, arch, where)
            self._add(arch, record, where)
        if not self._rows:
            raise UserError("A table of results must have at least one row, but it is empty.")
        for key, levels in self._rows.items():
            if 1.0 not in levels:
                raise UserError(
                    f"Every network of the table must have a full evaluation (fidelity 1), but "
                    f"{key} has only {', '.join(f'{level:g}' for level in sorted(levels))}."
                )
            for rows in levels.values():
                rows.sort(key=lambda row: row.seed)

    @property
    def fidelities(self) -> tuple[float, ...]:
        """All that some network was evaluated at."""
        return tuple(sorted({level for levels in self._rows.values() for level in levels}))

    @property
    def replicable(self) -> bool:
        """Whether some network has more than one seed in full."""
        return any(len(levels[1.0]) > 1 for levels in self._rows.values())

    @property
    def content_key(self) -> str:
        """Hash of all rows: a search goes on only with the very same table."""
        rows = [
            [key, level, [[row.seed, row.seconds, sorted(row.metrics.items())] for row in rows]]
            for key, levels in sorted(self._rows.items())
            for level, rows in sorted(levels.items())
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]

    def seeds(self, key: str) -> int:
        """How many full evaluations the table has of a network."""
        return len(self._rows[key][1.0])

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        """See `Evaluator.evaluate`; what the table lacks is a failure."""
        return [self._look_up(trial) for trial in trials]

    def _look_up(self, trial: Trial) -> Result:
        key = str(trial.arch.key)
        if key not in self._rows:
            return Result(None, failure=f"the table has no network {key}")
        rows = self._rows[key].get(trial.fidelity, [])
        if trial.seed >= len(rows):
            what = f"seed {trial.seed}" if rows else f"fidelity {trial.fidelity:g}"
            return Result(None, failure=f"the table has no {what} of network {key}")
        row = rows[trial.seed]
        return Result(row.metrics, row.seconds)

    def _add(self, arch: Any, record: Mapping[Hashable, float], where: str) -> None:
        key = str(arch.key)
        fidelity, seed = float(record.get(FIDELITY, 1.0)), float(record.get(SEED, 0))
        if not 0 < fidelity <= 1 or seed < 0 or seed != int(seed):
            raise UserError(
                f"{where}: a fidelity must be above 0 and at most 1 and a seed a whole number from "
                f"0 on, but got {fidelity:g} and {seed:g}."
            )
        seconds = float(record[SECONDS]) if SECONDS in record else None
        if seconds is not None and seconds < 0:
            raise UserError(f"{where}: `seconds` must not be negative, but got {seconds:g}.")
        rows = self._rows.setdefault(key, {}).setdefault(fidelity, [])
        if any(row.seed == seed for row in rows):
            raise UserError(
                f"{where}: every network, fidelity and seed must be there once, but {key}, "
                f"{fidelity:g}, {int(seed)} has been before. Keep one row, or number the seeds."
            )
        metrics = {name: float(record[name]) for name in self.metrics}
        rows.append(_Row(fidelity, int(seed), metrics, seconds))
        self.architectures.setdefault(key, arch)


class TableSpace:
    """The networks of a table, with the genes of the space that they come from.

    A genotype decodes to the member that lies nearest to the network it would be in the whole
    space: by distance between standardised features if the space has `encode`, else between
    canonical genotypes (numbers by their position, words by being equal). Of equally near members
    the one with the smallest key is taken.
    """

    def __init__(self, space: Space, architectures: Sequence[Any]) -> None:
        if not architectures:
            raise UserError("A space of given networks must have at least one, but got none.")
        self._space = space
        self._genes = check_genes(space)
        by_key = {str(arch.key): arch for arch in architectures}
        self._members = [by_key[key] for key in sorted(by_key)]
        self._known = by_key
        raw = self._features(self._members)
        self._centre = raw.mean(axis=0)
        spread = raw.std(axis=0)
        self._scale = np.where(spread > 0, 1.0 / np.where(spread > 0, spread, 1.0), 0.0)
        self._places = (raw - self._centre) * self._scale

    @property
    def genes(self) -> Genes:
        return self._genes

    @property
    def members(self) -> tuple[Any, ...]:
        """All networks, by key."""
        return tuple(self._members)

    def decode(self, codes: Codes, fits: Callable[[Any], bool] | None = None) -> Any:
        """The nearest member that fits; None if none does."""
        wanted = self._space.decode(codes)
        if wanted is None:
            return None
        if str(wanted.key) in self._known and (fits is None or fits(wanted)):
            return self._known[str(wanted.key)]
        place = (self._features([wanted])[0] - self._centre) * self._scale
        distances = ((self._places - place) ** 2).sum(axis=1)
        if fits is None:
            return self._members[int(distances.argmin())]
        order = np.argsort(distances, kind="stable")
        return next((self._members[i] for i in order if fits(self._members[i])), None)

    def codes(self, architecture: Any, /) -> Mapping[str, int | str]:
        return self._space.codes(architecture)

    def encode(self, architectures: Sequence[Any]) -> tuple[tuple[str, ...], FloatArray]:
        """Named features of networks: those of the whole space."""
        if not hasattr(self._space, "encode"):
            return _gene_places(self._genes, [self.codes(arch) for arch in architectures])
        encode: Any = self._space.encode
        names, matrix = encode(list(architectures))
        return tuple(names), np.asarray(matrix, dtype=np.float64)

    def _features(self, architectures: Sequence[Any]) -> FloatArray:
        return self.encode(architectures)[1]


def _gene_places(genes: Genes, codes: Sequence[Codes]) -> tuple[tuple[str, ...], FloatArray]:
    """Genotypes as numbers: a column per numeric gene, one per value of a gene of words."""
    names: list[str] = []
    columns: list[list[float]] = []
    for gene, values in genes.items():
        if all(isinstance(value, int) for value in values):
            names.append(gene)
            columns.append([float(values.index(one[gene])) for one in codes])
        else:
            names += [f"{gene}={value}" for value in values]
            columns += [[float(one[gene] == value) for one in codes] for value in values]
    return tuple(names), np.array(columns, dtype=np.float64).T.reshape(len(codes), len(names))


def _as_frame(table: Table) -> tuple[pd.DataFrame, list[Any] | None]:
    """The table as a frame, and its networks where they came as objects."""
    if isinstance(table, pd.DataFrame):
        return table, None
    if isinstance(table, Mapping):
        strangers = [arch for arch in table if not hasattr(arch, "key")]
        if strangers:
            raise UserError(
                "A mapping of results must have networks of the space as keys, but got "
                f"{strangers[0]!r}. Give a data frame with an `architecture` column instead."
            )
        return pd.DataFrame([dict(metrics) for metrics in table.values()]), list(table)
    path = Path(table)
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(f"A table of results must be a .csv or .parquet file, but got {path}.")
    try:
        frame: pd.DataFrame = (pd.read_csv if path.suffix == ".csv" else pd.read_parquet)(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    return frame, None


def _metrics_of(frame: pd.DataFrame, genes: Genes) -> tuple[str, ...]:
    names = tuple(str(name) for name in frame.columns)
    if len(set(names)) < len(names):
        raise UserError(f"The columns of a table must have different names, but got {names}.")
    metrics = tuple(name for name in names if name not in NOT_METRICS and name not in genes)
    if not metrics:
        raise UserError(f"A table of results must have metrics, but its columns are {names}.")
    return metrics


def _numbers(frame: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The columns of numbers, all finite."""
    wanted = [*metrics, *(name for name in (FIDELITY, SEED, SECONDS) if name in frame.columns)]
    coerced = frame[wanted].apply(pd.to_numeric, errors="coerce")
    numbers = pd.DataFrame(coerced).astype(np.float64)
    for name in wanted:
        for position, value in enumerate(numbers[name]):
            if not math.isfinite(value):
                raise UserError(
                    f"Row {position + 1} of the table: `{name}` must be a finite number, but got "
                    f"{frame[name].iloc[position]!r}. Complete the row or leave it out."
                )
    return numbers


def _reader(frame: pd.DataFrame, genes: Genes, space: Space) -> Callable[[int, str], Any]:
    """How the network of a row is found."""
    if ARCHITECTURE in frame.columns:
        records = frame[ARCHITECTURE].tolist()
        from_dict = getattr(space, "from_dict", Architecture.from_dict)
        return lambda position, where: _read_record(records[position], from_dict, where)
    missing = [gene for gene in genes if gene not in frame.columns]
    if missing:
        raise UserError(
            "A table of results must name its networks in a column `architecture` or in one "
            f"column for every gene of the space, but {', '.join(map(repr, missing))} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Its columns are "
            f"{', '.join(map(str, frame.columns))}."
        )
    codes = frame[list(genes)].to_dict("records")
    return lambda position, where: _read_codes(codes[position], genes, space, where)


def _read_record(record: Any, from_dict: Callable[[Any], Any], where: str) -> Any:
    if hasattr(record, "key"):
        return record
    try:
        return from_dict(json.loads(record) if isinstance(record, str) else record)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"{where}: the architecture cannot be read: {error}") from error


def _read_codes(row: Mapping[Hashable, Any], genes: Genes, space: Space, where: str) -> Any:
    codes: dict[str, int | str] = {}
    for gene, values in genes.items():
        found = [value for value in values if value == row[gene] or str(value) == str(row[gene])]
        if not found:
            raise UserError(
                f"{where}: gene {gene!r} must be one of {', '.join(map(str, values))}, but got "
                f"{row[gene]!r}."
            )
        codes[gene] = found[0]
    arch = space.decode(codes)
    if arch is None:
        raise UserError(f"{where}: the genes do not make a network of the space.")
    return arch


def _check_member(space: Space, arch: Any, where: str) -> None:
    try:
        again = space.decode(space.codes(arch))
    except (ValueError, KeyError) as error:
        raise UserError(f"{where}: the network is not in the space: {error}") from error
    if again is None or again.key != arch.key:
        raise UserError(
            f"{where}: network {arch.key} is not in the space: its genotype is another network."
        )
