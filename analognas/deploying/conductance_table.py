"""Conductances of all cells of a chip as one long table, and the way back from measured ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import torch
from numpy.typing import NDArray
from torch import Tensor

from analognas.deploying.core_map import IntArray, PlacedTile
from analognas.deploying.writing import normalised_target
from analognas.errors import UserError
from analognas.files import writing
from analognas.simulator.chip import ChipSpec
from analognas.simulator.conductance_mapping import to_conductances

logger = logging.getLogger(__name__)

PLACE = ("core", "row", "column", "cell")
VALUE = "programmed_uS"
COLUMNS = ("chip", "core", "layer", "block", "row", "column", "cell", "target_uS", VALUE)
KNOWN_EXTRA = ("layer", "block", "target_uS")
# Of the largest conductance of a cell: beyond, a file is taken to be in another unit.
MOST, LEAST = 3.0, 1e-3
FORM = f"The columns are {', '.join(COLUMNS)}; {', '.join((*PLACE, VALUE))} are needed"


def conductance_table(tiles: Sequence[PlacedTile], place: int, chip: int) -> pa.Table:
    """Every cell of one programmed chip.

    Args:
        tiles: Of a programmed network.
        place: Of the chip among those programmed.
        chip: Its number.
    """
    names = list(dict.fromkeys(one.layer for one in tiles))
    columns: dict[str, list[NDArray[np.generic]]] = {name: [] for name in COLUMNS}
    for one in tiles:
        device, mapping = one.tile.hardware.device, one.tile.hardware.mapping
        target = normalised_target(one.twin, one.tile)
        target_uS = _flat(to_conductances(target.clone(), device, mapping))
        rows, cols, cells = _places(one)
        count = len(rows)
        for name, values in (
            ("chip", np.full(count, chip, np.int32)),
            ("core", np.full(count, one.placed.core, np.int32)),
            ("layer", np.full(count, names.index(one.layer), np.int32)),
            ("block", np.full(count, one.block, np.int32)),
            ("row", rows.astype(np.int32)),
            ("column", cols.astype(np.int32)),
            ("cell", cells.astype(np.int32)),
            ("target_uS", target_uS),
            (VALUE, _flat(one.tile.g_programmed_uS[place])),
        ):
            columns[name].append(values)
    arrays = {name: pa.array(np.concatenate(parts)) for name, parts in columns.items()}
    arrays["layer"] = pa.DictionaryArray.from_arrays(arrays["layer"], pa.array(names))
    return pa.table(arrays)


def write_parquet(path: Path, tables: Sequence[pa.Table]) -> None:
    """Write the tables of several chips into one file."""
    with writing(path) as temporary:
        pa.parquet.write_table(
            pa.concat_tables(tables, promote_options="permissive").combine_chunks(),
            temporary,
            compression="zstd",
        )


def write_csv(path: Path, table: pa.Table) -> None:
    """Write the table of one chip for people and for other programs."""
    plain = table.set_column(COLUMNS.index("layer"), "layer", pc.cast(table["layer"], pa.string()))
    with writing(path) as temporary:
        pa.csv.write_csv(plain, temporary)


def read_conductances(
    path: Path, tiles: Sequence[PlacedTile], chip: ChipSpec
) -> dict[int, dict[str, list[Tensor]]]:
    """Read measured conductances of one or more chips.

    Args:
        path: `.csv` or `.parquet` with the columns of `COLUMNS`.
        tiles: Where the cells of the network lie.
        chip: Its size.

    Returns:
        By number of the chip and layer, a tensor `(D, C, R)` for each tile.

    Raises:
        UserError: The file cannot be read, cells are missing, twice or not on the chip, or the
            values are not conductances in microsiemens.
    """
    table = _read(path)
    numbers = {name: _whole(table, name, path) for name in PLACE}
    chips = _whole(table, "chip", path) if "chip" in table.column_names else None
    value_uS = _values(table, path)
    cells = tiles[0].cells_per_weight
    _check_places(numbers, chip, cells, path)
    _check_units(value_uS, tiles[0].tile.hardware.device.g_max_uS, path)
    sizes = (chip.cores, chip.rows, chip.columns, cells)
    expected = np.concatenate([_keys(one, sizes) for one in tiles])
    keys = np.ravel_multi_index(tuple(numbers[name] for name in PLACE), sizes)
    found: dict[int, dict[str, list[Tensor]]] = {}
    for number in [0] if chips is None else np.unique(chips).tolist():
        if number < 0:
            raise UserError(f"{path}: `chip` must be 0 or more, but got {number}.")
        mine = slice(None) if chips is None else chips == number
        held = _ordered(expected, keys[mine], value_uS[mine], sizes, f"{path}, chip {number}")
        found[number] = _cut(held, tiles)
    return found


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise UserError(f"There is no file {str(path)!r}. Give the measured conductances. {FORM}.")
    try:
        if path.suffix == ".parquet":
            table = pa.parquet.read_table(path)
        elif path.suffix == ".csv":
            table = pa.csv.read_csv(path)
        else:
            raise UserError(f"{path} must end in .csv or .parquet. {FORM}.")
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read as a table: {reason}. {FORM}.") from error
    given = table.column_names
    other = [name for name in given if name.startswith("programmed") and name != VALUE]
    if other and VALUE not in given:
        raise UserError(
            f"{path}: conductances must be in microsiemens in a column `{VALUE}`, but got "
            f"`{other[0]}`. Convert the values and rename the column."
        )
    missing = [name for name in (*PLACE, VALUE) if name not in given]
    if missing:
        raise UserError(f"{path}: these columns are missing: {', '.join(missing)}. {FORM}.")
    unknown = [name for name in given if name not in COLUMNS]
    if unknown:
        raise UserError(f"{path}: unknown columns {', '.join(unknown[:5])}. {FORM}.")
    if table.num_rows == 0:
        raise UserError(f"{path} holds no cells. {FORM}.")
    return table


def _whole(table: pa.Table, name: str, path: Path) -> IntArray:
    column = table[name]
    if not pa.types.is_integer(column.type) or column.null_count:
        raise UserError(
            f"{path}: `{name}` must be a whole number in every line, but some are not."
            " Mend the file."
        )
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _values(table: pa.Table, path: Path) -> NDArray[np.float64]:
    column = table[VALUE]
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise UserError(f"{path}: `{VALUE}` must be a number in every line, but some are not.")
    values = np.asarray(column.to_numpy(), dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(wrong):
        raise UserError(
            f"{path}: `{VALUE}` must be finite and not negative, but line {wrong[0] + 2} has "
            f"{values[wrong[0]]:g}. Give g+ and g- as cells of their own."
        )
    return values


def _check_places(numbers: dict[str, IntArray], chip: ChipSpec, cells: int, path: Path) -> None:
    limits = {"core": chip.cores, "row": chip.rows, "column": chip.columns, "cell": cells}
    for name, limit in limits.items():
        wrong = np.flatnonzero((numbers[name] < 0) | (numbers[name] >= limit))
        if len(wrong):
            raise UserError(
                f"{path}: `{name}` must be from 0 to {limit - 1} on chip {chip.name!r} with "
                f"{cells} cells per weight, but line {wrong[0] + 2} has {numbers[name][wrong[0]]}. "
                "Name the chip that was measured by --chip, and its cells by --hardware."
            )


def _check_units(value_uS: NDArray[np.float64], g_max_uS: float, path: Path) -> None:
    largest = float(value_uS.max())
    if LEAST * g_max_uS <= largest <= MOST * g_max_uS:
        return
    raise UserError(
        f"{path}: the largest `{VALUE}` must be near the {g_max_uS:g} uS of a full cell, but it is "
        f"{largest:g}. Convert the values to microsiemens, or name the cells by --hardware."
    )


def _keys(one: PlacedTile, sizes: tuple[int, ...]) -> IntArray:
    rows, columns, cells = _places(one)
    core = np.full(len(rows), one.placed.core)
    return np.asarray(np.ravel_multi_index((core, rows, columns, cells), sizes), dtype=np.int64)


def _ordered(
    expected: IntArray,
    keys: IntArray,
    value_uS: NDArray[np.float64],
    sizes: tuple[int, ...],
    what: str,
) -> NDArray[np.float64]:
    """The values in the order of `expected`."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        raise UserError(f"{what}: {_name(keys[twice[0]], sizes)} is given twice. Mend the file.")
    position = np.searchsorted(keys, expected)
    position = np.minimum(position, len(keys) - 1)
    missing = np.flatnonzero(keys[position] != expected)
    if len(missing):
        raise UserError(
            f"{what}: {len(missing)} of the {len(expected)} cells that hold weights are missing, "
            f"the first is {_name(expected[missing[0]], sizes)}. Measure all cells of the bundle's "
            "conductance table; the network, chip and hardware must be the same."
        )
    if len(keys) > len(expected):
        logger.warning("%s: %d cells hold no weight; left out.", what, len(keys) - len(expected))
    ordered: NDArray[np.float64] = value_uS[order][position]
    return ordered


def _name(key: int, sizes: tuple[int, ...]) -> str:
    numbers = np.unravel_index(key, sizes)
    return ", ".join(f"{name} {number}" for name, number in zip(PLACE, numbers, strict=True))


def _cut(held: NDArray[np.float64], tiles: Sequence[PlacedTile]) -> dict[str, list[Tensor]]:
    """The flat values as tiles, in the order of each layer's blocks."""
    by_layer: dict[str, dict[int, Tensor]] = {}
    first = 0
    for one in tiles:
        depth, columns, rows = one.cells_per_weight, one.tile.block.columns, one.tile.rows
        count = depth * columns * rows
        part = torch.from_numpy(held[first : first + count]).view(rows, columns, depth)
        by_layer.setdefault(one.layer, {})[one.block] = part.permute(2, 1, 0).contiguous()
        first += count
    return {name: [of[index] for index in sorted(of)] for name, of in by_layer.items()}


def _places(one: PlacedTile) -> tuple[IntArray, IntArray, IntArray]:
    """Row, column and cell of every cell, rows varying slowest."""
    rows, columns = one.places()
    depth = one.cells_per_weight
    cells = np.broadcast_to(np.arange(depth), (*rows.T.shape, depth)).ravel()
    return np.repeat(rows.T.ravel(), depth), np.repeat(columns.T.ravel(), depth), cells


def _flat(g_uS: Tensor) -> NDArray[np.float32]:
    """`(D, C, R)` as a column in the order of `_places`."""
    flat: NDArray[np.float32] = g_uS.permute(2, 1, 0).reshape(-1).float().cpu().numpy()
    return flat
