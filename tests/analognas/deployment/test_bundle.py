import contextlib
from pathlib import Path

import pytest

from analognas.deployment.bundle import (
    Origin,
    PredictedAccuracy,
    accuracy_table,
    bundle_folder,
    read_bundle,
    read_bundles,
    writing_folder,
)
from analognas.errors import UserError
from analognas.records import AccuracyOverTime


def test_a_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "bundle"
    with contextlib.suppress(RuntimeError), writing_folder(folder) as unfinished:
        (unfinished / "a").write_text("1")
        assert not folder.exists()
        raise RuntimeError
    assert list(folder.parent.iterdir()) == []
    for text in ("1", "2"):
        with writing_folder(folder) as unfinished:
            (unfinished / "a").write_text(text)
    assert (folder / "a").read_text() == "2"
    assert list(folder.parent.iterdir()) == [folder]


def test_an_origin_survives_json() -> None:
    origin = Origin("knee", False, (PredictedAccuracy(1.0, 0.9), PredictedAccuracy(2.0, 0.8, 0.7)))
    assert Origin.from_dict(origin.to_dict()) == origin
    with pytest.raises(ValueError, match="format_version"):
        Origin.from_dict({**origin.to_dict(), "format_version": 99})


def test_a_damaged_bundle_is_named_with_a_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "knee-abc"
    folder.mkdir()
    with pytest.raises(UserError, match=r"evaluation\.json cannot be read"):
        read_bundle(folder)
    (folder / "evaluation.json").write_text("[]")
    with pytest.raises(UserError, match="analognas resume"):
        read_bundles(tmp_path)


def test_a_run_without_winners_has_no_bundles(tmp_path: Path) -> None:
    assert read_bundles(tmp_path / "winners") == ()


def test_a_network_that_is_called_by_its_key_is_not_called_so_twice() -> None:
    assert bundle_folder(Path("w"), "abc", "abc").name == "abc"
    assert bundle_folder(Path("w"), "knee", "abc").name == "knee-abc"


def test_forty_chips_have_an_empirical_quantile() -> None:
    columns, rows = accuracy_table(AccuracyOverTime((3600.0, 5.0), (tuple([0.5] * 40),) * 2))
    assert "low (5 % quantile)" in columns
    assert len(columns) == len(rows[0]) == 45
    assert [row[0] for row in rows] == ["1 hour", "5 s"]
