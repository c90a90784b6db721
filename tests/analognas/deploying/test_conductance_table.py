"""Conductances go out as a table and come back as measured ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from analognas.deploying.chip_hardware import on_cores
from analognas.deploying.conductance_table import (
    COLUMNS,
    conductance_table,
    read_conductances,
    write_csv,
    write_parquet,
)
from analognas.deploying.core_map import PlacedTile, placed_tiles
from analognas.deploying.placing_source import place_source
from analognas.errors import UserError
from analognas.simulator import HERMES_DEFAULT, Hardware, program, spawn_generator, to_analog
from analognas.simulator.chip import ChipSpec, load_chip

SMALL = {"rows": 40, "columns": 8}  # so that the linear layer has several blocks


def small_chip(name: str = "generic") -> ChipSpec:
    chip = load_chip(name)
    geometry = chip.geometry
    return replace(
        chip,
        geometry=replace(
            geometry,
            rows=replace(geometry.rows, value=40),
            columns=replace(geometry.columns, value=8),
            adcs_per_core=replace(geometry.rows, value=4),
        ),
    )


def programmed(
    network: nn.Module, chip: ChipSpec, hardware: Hardware = HERMES_DEFAULT
) -> Sequence[PlacedTile]:
    analog = to_analog(network, on_cores(hardware, chip))
    with torch.no_grad():
        for name, parameter in analog.named_parameters():
            if name.endswith("input_range"):
                parameter.fill_(1.0)
    program(analog, chips=2, generator=spawn_generator(0, "table"))
    placement = place_source(network, (1, 6, 6), chip, batch=None)
    return placed_tiles(analog, placement)


@pytest.fixture
def chip() -> ChipSpec:
    return small_chip()


@pytest.fixture
def tiles(network: nn.Module, chip: ChipSpec) -> Sequence[PlacedTile]:
    return programmed(network, chip)


def test_every_cell_is_in_the_table_at_its_place(
    tiles: Sequence[PlacedTile], chip: ChipSpec
) -> None:
    table = conductance_table(tiles, 1, 7).to_pandas()
    assert list(table.columns) == list(COLUMNS)
    assert set(table["chip"]) == {7}
    assert len(table) == sum(one.tile.g_programmed_uS[1].numel() for one in tiles)
    assert not table.duplicated(["core", "row", "column", "cell"]).any()
    for one in tiles:
        row, column, cell = 2, 1, 1
        found = table[
            (table["core"] == one.placed.core)
            & (table["row"] == one.placed.row_offset + row)
            & (table["column"] == one.placed.column_offset + column)
            & (table["cell"] == cell)
        ]
        assert found["layer"].item() == one.layer
        expected = one.tile.g_programmed_uS[1, cell, column, row].item()
        assert found["programmed_uS"].item() == pytest.approx(expected, rel=1e-6)


def test_targets_are_the_weights(tiles: Sequence[PlacedTile]) -> None:
    table = conductance_table(tiles, 0, 0).to_pandas()
    one = next(tile for tile in tiles if tile.layer == "conv")
    cells = table[table["layer"] == "conv"].pivot_table(
        index="row", columns=["column", "cell"], values="target_uS"
    )
    weight = one.twin.weight.detach().reshape(4, 9)
    first = one.placed.column_offset
    read = torch.tensor((cells[first, 0] - cells[first, 1]).to_numpy())
    normalised = weight[0] / weight[0].abs().max() * 20.7
    assert torch.allclose(read.float(), normalised, atol=1e-4)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("groups", ["together", "apart"])
def test_a_table_comes_back_as_it_was(
    network: nn.Module, chip: ChipSpec, tmp_path: Path, suffix: str, groups: Any
) -> None:
    mapping = replace(HERMES_DEFAULT.mapping, groups=groups)
    tiles = programmed(network, chip, replace(HERMES_DEFAULT, mapping=mapping))
    path = tmp_path / f"table{suffix}"
    if suffix == ".csv":
        write_csv(path, conductance_table(tiles, 0, 0))
    else:
        write_parquet(path, [conductance_table(tiles, place, place) for place in (0, 1)])
    found = read_conductances(path, tiles, chip)
    assert sorted(found) == ([0] if suffix == ".csv" else [0, 1])
    for number, cells in found.items():
        for one in tiles:
            held = cells[one.layer][one.block].float()
            assert torch.equal(held, one.tile.g_programmed_uS[number])


def test_the_order_of_the_lines_does_not_matter(
    tiles: Sequence[PlacedTile], chip: ChipSpec, tmp_path: Path
) -> None:
    table = conductance_table(tiles, 0, 0).to_pandas().sample(frac=1, random_state=0)
    path = tmp_path / "mixed.csv"
    table[["core", "row", "column", "cell", "programmed_uS"]].to_csv(path, index=False)
    found = read_conductances(path, tiles, chip)
    one = tiles[-1]
    assert torch.allclose(found[0][one.layer][one.block].float(), one.tile.g_programmed_uS[0])


Change = Callable[[pd.DataFrame], pd.DataFrame]


def put(frame: pd.DataFrame, column: str, value: object, line: int = 3) -> pd.DataFrame:
    frame[column] = frame[column].astype(object)
    frame.iloc[line, list(frame.columns).index(column)] = value  # type: ignore[call-overload]
    return frame


FOREIGN: dict[str, tuple[Change, str]] = {
    "missing cells": (lambda f: f.iloc[5:], "5 of the .* cells that hold weights are missing"),
    "twice": (lambda f: pd.concat([f, f.iloc[:1]]), "row 0, column 0, cell 0 is given twice"),
    "another chip": (lambda f: put(f, "row", 40), r"`row` must be from 0 to 39.* line 5 has 40"),
    "another cell": (lambda f: put(f, "cell", 2), r"`cell` must be from 0 to 1.*2 cells"),
    "a core too many": (lambda f: put(f, "core", 99), "`core` must be from 0 to 15"),
    "negative": (lambda f: put(f, "programmed_uS", -0.5), "line 5 has -0.5"),
    "no number": (lambda f: put(f, "programmed_uS", "high"), "must be a number in every line"),
    "empty": (lambda f: put(f, "programmed_uS", None), "finite"),
    "siemens": (lambda f: f.assign(programmed_uS=f["programmed_uS"] * 1e-6), "microsiemens"),
    "nanosiemens": (lambda f: f.assign(programmed_uS=f["programmed_uS"] * 1e3), "microsiemens"),
    "unit in the name": (lambda f: f.rename(columns={"programmed_uS": "programmed_nS"}), "_nS"),
    "no column": (lambda f: f.drop(columns=["cell"]), "missing: cell"),
    "strange column": (lambda f: f.assign(colour=1), "unknown columns colour"),
    "no lines": (lambda f: f.iloc[:0], "holds no cells"),
    "fraction": (lambda f: put(f, "row", 1.5), "`row` must be a whole number"),
    "negative chip": (lambda f: f.assign(chip=-1), "`chip` must be 0 or more"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files_are_one_message(
    name: str, tiles: Sequence[PlacedTile], chip: ChipSpec, tmp_path: Path
) -> None:
    change, message = FOREIGN[name]
    path = tmp_path / "measured.csv"
    change(conductance_table(tiles, 0, 0).to_pandas()).to_csv(path, index=False)
    with pytest.raises(UserError, match=message):
        read_conductances(path, tiles, chip)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.txt", "missing.csv"])
def test_files_of_another_kind_are_one_message(
    name: str, tiles: Sequence[PlacedTile], chip: ChipSpec, tmp_path: Path
) -> None:
    if "missing" not in name:
        (tmp_path / name).write_bytes(b"\x00\xff\n1,2\n3\n")
    with pytest.raises(UserError, match=name):
        read_conductances(tmp_path / name, tiles, chip)


def test_cells_without_weights_are_left_out(
    tiles: Sequence[PlacedTile],
    chip: ChipSpec,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    table = conductance_table(tiles, 0, 0).to_pandas()
    idle = table.iloc[:2].assign(core=15)
    path = tmp_path / "more.csv"
    pd.concat([table, idle]).to_csv(path, index=False)
    read_conductances(path, tiles, chip)
    assert "2 cells hold no weight" in caplog.text
