"""One label set from several: of several machines, of several runs, of a package and a user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analognas.surrogates.label_checks import (
    COLUMNS,
    COMMON_COLUMNS,
    IDENTITY,
    Problem,
    check_columns,
    find_problems,
)
from analognas.surrogates.label_table import LabelTable, read_tables


@dataclass(frozen=True)
class Refused:
    """A row that was left out, with all other rows of the same training."""

    folder: Path
    problem: Problem

    def __str__(self) -> str:
        return f"{self.folder}: {self.problem}"


def merge_label_sets(folders: Sequence[Path]) -> tuple[LabelTable, tuple[Refused, ...]]:
    """Put label sets of the same task, data and nominal hardware together.

    A training that several sets hold is taken once. A row that breaks a rule takes its training
    with it and is reported; everything else is kept.

    Args:
        folders: Label sets, two or more, in any order.

    Raises:
        ValueError: A folder is no label set; the sets speak of different data or hardware; or two
            of them hold different results for one training.
    """
    refused: list[Refused] = []
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in COLUMNS}
    for folder in folders:
        try:
            tables = read_tables(folder)
            check_columns(tables)
        except ValueError as error:
            raise ValueError(f"Label set {folder}: {error}") from error
        problems = list(find_problems(tables))
        refused += [Refused(folder, problem) for problem in problems]
        for name, frame in _without(tables, problems).items():
            found[name].append(frame.loc[:, list(COLUMNS[name])])
    _check_common([str(folder) for folder in folders], found["networks"])
    merged = _join(found)
    if "networks" not in merged:
        raise ValueError("Nothing is left to merge: every row breaks a rule. Label again.")
    card = _card(folders, merged["networks"], len(refused))
    return LabelTable(**merged, card=card), tuple(refused)


def join_label_tables(tables: Sequence[LabelTable]) -> LabelTable:
    """Put checked label tables of the same task, data and nominal hardware together.

    Raises:
        ValueError: As `merge_label_sets`.
    """
    _check_common(
        [f"table {number}" for number in range(1, len(tables) + 1)],
        [table.networks for table in tables],
    )
    parts = {
        name: [table.tables[name].loc[:, list(columns)] for table in tables if name in table.tables]
        for name, columns in COLUMNS.items()
    }
    return LabelTable(**_join(parts), card="")


def _join(parts: Mapping[str, Sequence[pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    return {name: _together(name, found) for name, found in parts.items() if any(map(len, found))}


def _without(
    tables: dict[str, pd.DataFrame], problems: Sequence[Problem]
) -> dict[str, pd.DataFrame]:
    """Leave out every training, and every hardware, that a problem was found in."""
    trainings = {(p.key, p.seed) for p in problems if p.seed is not None}
    hardware = {p.key for p in problems if p.table == "hardware"}
    kept = {}
    for name, frame in tables.items():
        good = pd.Series(True, index=frame.index)
        if "seed" in frame.columns:
            pairs = zip(frame["key"], frame["seed"], strict=True)
            good &= pd.Series([pair not in trainings for pair in pairs], index=frame.index)
        if "variant" in frame.columns:
            good &= ~frame["variant"].isin(hardware)
        kept[name] = frame[good]
    return kept


def _check_common(names: Sequence[str], networks: Sequence[pd.DataFrame]) -> None:
    for column in COMMON_COLUMNS:
        values = {
            name: sorted(frame[column].unique())
            for name, frame in zip(names, networks, strict=True)
            if len(frame)
        }
        if len({tuple(value) for value in values.values()}) > 1:
            said = "; ".join(f"{', '.join(value)} in {where}" for where, value in values.items())
            raise ValueError(
                f"Label sets must have the same `{column}` to be merged, but got {said}. "
                "Merge sets of one task, one data set and one hardware."
            )


def _together(name: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of all parts, those that are the same in everything that was measured once."""
    identity = list(IDENTITY[name])
    rows = pd.concat(parts, ignore_index=True)
    measured = [
        column
        for column in rows.columns
        if column not in ("training_seconds", "evaluation_seconds", "hardware")
    ]
    rows = rows.drop_duplicates(measured)
    differing = rows.duplicated(identity)
    if differing.any():
        bad = rows[differing].iloc[0]
        where = ", ".join(f"{column} {bad[column]}" for column in identity)
        raise ValueError(
            f"Two label sets hold different results for {where} ({name}). They were made by "
            "different versions or with other settings: keep one of them."
        )
    return rows.sort_values(identity, ignore_index=True)


def _card(folders: Sequence[Path], networks: pd.DataFrame, refused: int) -> str:
    parts = "\n".join(f"- `{folder.resolve().name}`" for folder in folders)
    cards = []
    for folder in folders:
        card = folder / "card.md"
        if card.is_file():
            body = card.read_text(encoding="utf-8").replace("\n#", "\n##").strip()
            cards.append(f"## From `{folder.resolve().name}`\n\n#{body}")
    return "\n".join(
        [
            "# Merged label set",
            "",
            f"{networks['key'].nunique()} networks, {len(networks)} trainings"
            + (
                f"; {refused} rows broke a rule and were left out with their trainings"
                * (refused > 0)
            )
            + ". Merged from:",
            "",
            parts,
            "",
            *cards,
            "",
        ]
    )
