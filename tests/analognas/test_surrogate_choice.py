"""Which surrogate predicts for a search, and when its predictions are a guess."""

from dataclasses import replace
from pathlib import Path

import pytest

from analognas.errors import UserError
from analognas.searching.surrogate_choice import choose_surrogate, read_named_surrogate
from analognas.simulator import HARDWARE, HERMES_DEFAULT, TileConfig, hardware_with
from analognas.surrogate_fitting import fit_surrogate
from analognas.surrogates import LabelTable
from analognas.tasks import Task, load_task


@pytest.fixture(scope="module")
def varied(varied_labels: LabelTable, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("surrogates") / "varied.json"
    path.write_text(fit_surrogate(varied_labels).to_json())
    return str(path)


@pytest.fixture(scope="module")
def task(varied_labels: LabelTable) -> Task:
    told = varied_labels.description()
    return replace(
        load_task("digits"), data_name=told.data_name, data_key=told.data_key, split=told.split
    )


def test_within_the_variants_of_the_labels_nothing_is_a_guess(task: Task, varied: str) -> None:
    between = hardware_with(HERMES_DEFAULT, {"converters.output_bound": "8.0"})
    for hardware in (HERMES_DEFAULT, between):
        assert choose_surrogate(task, hardware, varied).warnings == ()


def test_beyond_them_the_column_and_its_range_are_named(task: Task, varied: str) -> None:
    wide = replace(HERMES_DEFAULT, name="wide", tile=TileConfig(rows=256, columns=512))
    (warning,) = choose_surrogate(task, wide, varied).warnings
    assert "wide" in warning
    assert "log2_tile_columns is 9 (learned: 8)" in warning
    assert "a guess" in warning


def test_one_hardware_makes_every_other_one_a_guess(
    task: Task, nominal_labels: LabelTable, tmp_path: Path
) -> None:
    path = tmp_path / "nominal.json"
    path.write_text(fit_surrogate(nominal_labels).to_json())
    between = hardware_with(HERMES_DEFAULT, {"converters.output_bound": "8.0"})
    assert choose_surrogate(task, HERMES_DEFAULT, str(path)).warnings == ()
    (warning,) = choose_surrogate(task, between, str(path)).warnings
    assert f"({between.hash}) they are a guess" in warning


def test_other_cells_are_a_guess_unless_they_behave_alike(task: Task, varied: str) -> None:
    (warning,) = choose_surrogate(task, HARDWARE["reram_wan"], varied).warnings
    assert "reram_wan" in warning
    assert "drift is" in warning


def test_an_unknown_surrogate_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="kws-arabic"):
        read_named_surrogate("nothing")
