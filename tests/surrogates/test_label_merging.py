"""Label sets of several machines become one; what is broken is refused with its row."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from analognas.surrogates import LabelTable
from analognas.surrogates.label_merging import merge_label_sets

MakeTable = Callable[..., tuple[LabelTable, pd.DataFrame]]


@pytest.fixture
def folders(make_table: MakeTable, tmp_path: Path) -> tuple[Path, Path]:
    for seed in (1, 2):
        make_table(5, replicated=1, seed=seed)[0].write(tmp_path / str(seed))
    return tmp_path / "1", tmp_path / "2"


def test_every_training_of_both_sets_is_there_once(folders: tuple[Path, Path]) -> None:
    table, refused = merge_label_sets([*folders, folders[0]])
    assert not refused
    assert len(table.networks) == 14
    assert table.networks["key"].nunique() == 10
    for folder in folders:
        part = LabelTable.read(folder).labels
        rows = table.labels.merge(part, how="inner")
        assert len(rows) == len(part)


def test_the_order_of_the_sets_does_not_matter(folders: tuple[Path, Path]) -> None:
    one, _ = merge_label_sets(folders)
    other, _ = merge_label_sets(folders[::-1])
    pd.testing.assert_frame_equal(one.labels, other.labels)
    pd.testing.assert_frame_equal(one.networks, other.networks)


def test_a_broken_row_takes_its_training_with_it_and_is_named(folders: tuple[Path, Path]) -> None:
    path = folders[0] / "labels.parquet"
    labels = pd.read_parquet(path)
    labels.loc[7, "accuracy"] = 93.0
    labels.to_parquet(path)
    bad = labels.loc[7]
    table, refused = merge_label_sets(folders)
    assert len(table.networks) == 13
    (row,) = refused
    assert str(row).startswith(f"{folders[0]}: labels, row 8, network {bad['key']}: `accuracy`")
    assert not ((table.labels["key"] == bad["key"]) & (table.labels["seed"] == bad["seed"])).any()


def test_different_results_for_one_training_are_refused(folders: tuple[Path, Path]) -> None:
    table = LabelTable.read(folders[0])
    other = LabelTable(table.labels.assign(accuracy=0.5), table.networks)
    other.write(folders[1])
    with pytest.raises(ValueError, match=r"different results for key \w+, seed 0, chip 0"):
        merge_label_sets(folders)


def test_sets_of_different_hardware_are_refused(folders: tuple[Path, Path]) -> None:
    table = LabelTable.read(folders[1])
    LabelTable(table.labels, table.networks.assign(hardware_hash="f" * 12)).write(folders[1])
    with pytest.raises(ValueError, match="same `hardware_hash`"):
        merge_label_sets(folders)


def test_a_folder_without_labels_is_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing"):
        merge_label_sets([folders[0], tmp_path / "nothing"])
