import json
from collections.abc import Callable

import numpy as np
import pytest

from analognas.cli.output import clock, progress, show_json, show_table

COLUMNS = ("key", "accuracy (simulated)", "cores")
ROWS = (("a" * 12, 0.912345, 12), ("[bold]b", None, np.int64(3)))


def test_a_table_shows_all_columns_uncut_when_nobody_looks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wide = tuple(f"a rather long column name {n}" for n in range(12))
    show_table("Wide", wide, [tuple(range(12))], note="modelled, not measured")
    out = capsys.readouterr().out
    assert all(name in out for name in wide)
    assert out.rstrip().endswith("modelled, not measured")


def test_cells_are_shown_as_they_are_and_numbers_shortly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_table("Networks", COLUMNS, ROWS, formats={COLUMNS[1]: ".2f"})
    out = capsys.readouterr().out
    assert "[bold]b" in out
    assert "0.91 " in out
    assert " - " in out
    show_table("Networks", COLUMNS, ROWS)
    assert "0.9123" in capsys.readouterr().out


def test_the_same_table_as_json_keeps_the_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("Networks", COLUMNS, ROWS, as_json=True, note="not here")
    captured = capsys.readouterr()
    assert json.loads(captured.out) == [
        {"key": "a" * 12, "accuracy (simulated)": 0.912345, "cores": 12},
        {"key": "[bold]b", "accuracy (simulated)": None, "cores": 3},
    ]
    assert captured.err == ""


def test_an_empty_table_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("None", COLUMNS, [], as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_json_holds_no_numbers_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": float("nan"), "b": np.array([1.0, np.inf]), 3: (True, None, {"x"})})
    expected = {"a": None, "b": [1.0, None], "3": [True, None, ["x"]]}
    assert json.loads(capsys.readouterr().out) == expected


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        show_table("Wrong", COLUMNS, [("a",)], as_json=True)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that only runs when it is told to."""
    now = [100.0]

    def wait(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr("analognas.cli.output.time.monotonic", lambda: now[0])
    return wait


def test_progress_writes_a_line_every_ten_seconds_with_the_time_left(
    later: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("labels", total=100) as bar:
        for done in range(1, 101):
            later(1.0)
            bar.update(done, 100, "network")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert lines[0] == "labels: 10/100, 1:30 left, network"
    assert lines[-1] == "labels: 100/100, took 1:40"
    assert len(lines) == 11


def test_short_work_writes_nothing(
    later: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("labels", total=3) as bar:
        bar.advance()
        bar.advance(2)
    assert capsys.readouterr().err == ""


def test_a_resumed_run_does_not_count_earlier_work_in_its_speed(
    later: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("labels") as bar:
        bar.update(50, 100)
        later(20.0)
        bar.update(60, 100)
    assert capsys.readouterr().err.splitlines()[0] == "labels: 60/100, 1:20 left"


def test_shares_of_work_are_told_in_percent(
    later: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("labels", total=1000, percent=True) as bar:
        bar.update(0, 1000)
        later(20.0)
        bar.update(250, 1000, "4 of 16 labels")
    assert capsys.readouterr().err.splitlines()[0] == "labels: 25 %, 1:00 left, 4 of 16 labels"


def test_work_of_unknown_length_is_counted(
    later: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("files") as bar:
        later(11.0)
        bar.advance()
    assert capsys.readouterr().err.splitlines()[0] == "files: 1, time left unknown"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (-3, "0:00"), (61.4, "1:01"), (3661, "1:01:01")]
)
def test_durations_are_read_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
