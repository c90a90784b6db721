"""A whole benchmark in small: search, random search, baselines, page and table."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analognas.cli.app import build_app

RUNNER = CliRunner()


@pytest.mark.slow
def test_a_benchmark_is_written_and_continues(tmp_path: Path) -> None:
    out, folder = tmp_path / "page.md", tmp_path / "work"
    arguments = ["bench", "--task", "digits", "--out", str(out), "--folder", str(folder)]
    arguments += ["--budget", "20", "--seeds", "1", "--chips", "2", "--epochs", "1"]
    arguments += ["--workers", "1"]
    result = RUNNER.invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    page = out.read_text()
    rows = list(csv.DictReader(out.with_suffix(".csv").read_text().splitlines()))
    origins = {row["origin"] for row in rows}
    assert origins == {"search", "random search", "named", "widest"}
    assert all(0 <= float(row["accuracy 1 day (simulated)"]) <= 1 for row in rows)
    for part in ("## Accuracy over time", "## Where the search loses", "Made by `analognas"):
        assert part in page
    for row in rows:
        assert row["key"] in page
    measured = sorted((folder / "measurements").glob("*.json"))
    stamps = [path.stat().st_mtime_ns for path in measured]
    assert RUNNER.invoke(build_app(), arguments).exit_code == 0
    assert [path.stat().st_mtime_ns for path in measured] == stamps
    assert out.read_text() == page
