import json
from pathlib import Path

import pytest

from analognas.cli.export import export
from analognas.cli.report import report


def test_report_shows_the_networks_of_a_run(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(run_folder, json=True)
    captured = capsys.readouterr()
    rows = json.loads(captured.out)
    assert [row["network"] for row in rows][:3] == ["accuracy pick", "knee pick", "energy pick"]
    assert rows[0]["1 day (predicted)"] == pytest.approx(0.944, abs=1e-3)
    assert rows[-1]["1 day (predicted)"] is None
    assert "report.html" in captured.err


def test_report_of_a_run_without_winners_is_an_empty_table(
    search_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(search_folder, json=False)
    assert "Networks of" in capsys.readouterr().out


def test_export_says_what_was_exported(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(run_folder, tmp_path / "out", pick="ds-cnn", train=False, json=True)
    rows = json.loads(capsys.readouterr().out)
    assert [row["time"] for row in rows] == ["1 s", "1 hour", "1 day", "1 month", "1 year"]
    assert (tmp_path / "out" / "model.onnx").is_file()
