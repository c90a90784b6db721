"""Tests of the folder of a label run: journal, settings, lock."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from analognas.errors import UserError
from analognas.labelling import Job, open_folder, read_folder, reopen_folder

Settings = dict[str, Any]


def no_jobs() -> tuple[Job, ...]:
    raise AssertionError("a continued run must not plan its jobs again")


def test_results_are_there_again_when_the_folder_is_reopened(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    evaluation = fakes.make_evaluation(jobs[0])
    with open_folder(tmp_path / "run", settings, lambda: jobs) as folder:
        folder.record_done(jobs[0], evaluation, b"weights")
        folder.record_failed(jobs[1], "no luck")
    with open_folder(tmp_path / "run", settings, no_jobs) as folder:
        assert folder.jobs == jobs
        assert folder.done[jobs[0].id].evaluation == evaluation
        assert folder.done[jobs[0].id].weights == f"weights/{jobs[0].id}.safetensors"
        assert folder.failed == {jobs[1].id: "no luck"}
        assert folder.unfinished == jobs[1:]
        folder.record_done(jobs[1], fakes.make_evaluation(jobs[1]), None)
    assert read_folder(tmp_path / "run").failed == {}


def test_a_torn_last_line_is_dropped_with_a_notice(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    with open_folder(tmp_path, settings, lambda: jobs) as folder:
        for job in jobs[:2]:
            folder.record_done(job, fakes.make_evaluation(job), None)
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    assert "cut short" in read_folder(tmp_path).notices[0]
    assert journal.read_bytes() == whole[:-20]  # reading changes nothing
    with open_folder(tmp_path, settings, no_jobs) as folder:
        assert "cut short" in folder.notices[0]
        assert folder.unfinished == jobs[1:]
        folder.record_done(jobs[1], fakes.make_evaluation(jobs[1]), None)
    assert journal.read_bytes() == whole


def test_a_damaged_line_in_the_middle_is_named(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    with open_folder(tmp_path, settings, lambda: jobs) as folder:
        for job in jobs[:2]:
            folder.record_done(job, fakes.make_evaluation(job), None)
    journal = tmp_path / "journal.jsonl"
    journal.write_text("rubbish\n" + journal.read_text())
    with pytest.raises(UserError, match=r"journal\.jsonl is damaged.*line 1"):
        read_folder(tmp_path)


def test_other_settings_are_refused_and_the_differences_named(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...]
) -> None:
    with open_folder(tmp_path, settings, lambda: jobs):
        pass
    other = {**settings, "networks": 7, "command": "another command"}
    with (
        pytest.raises(UserError, match="networks is 6 there, 7 here") as caught,
        open_folder(tmp_path, other, no_jobs),
    ):
        pass
    assert "command" not in str(caught.value)


def test_a_folder_in_use_is_refused(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...]
) -> None:
    with (
        open_folder(tmp_path, settings, lambda: jobs),
        pytest.raises(UserError, match="in use by another process"),
        reopen_folder(tmp_path),
    ):
        pass
    with reopen_folder(tmp_path):
        pass


def test_a_folder_with_other_files_is_refused(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"thesis\.tex"), open_folder(tmp_path, settings, no_jobs):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="must be a folder"),
        open_folder(tmp_path / "file", settings, no_jobs),
    ):
        pass


def test_a_start_that_was_killed_begins_anew(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...]
) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "jobs.json").write_text("[]")
    (tmp_path / ".settings.12.tmp.json").touch()
    with open_folder(tmp_path, settings, lambda: jobs) as folder:
        assert folder.jobs == jobs


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("settings.json", "{", "settings.json is damaged"),
        ("settings.json", '{"format_version": 99}', "format_version.*99"),
        ("jobs.json", "[1]", "jobs.json is damaged"),
    ],
)
def test_foreign_or_damaged_files_are_named(
    tmp_path: Path,
    settings: Settings,
    jobs: tuple[Job, ...],
    name: str,
    content: str,
    told: str,
) -> None:
    with open_folder(tmp_path, settings, lambda: jobs):
        pass
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=told):
        read_folder(tmp_path)


def test_a_folder_without_a_run_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no label run"):
        read_folder(tmp_path)


def test_settings_are_stored_as_readable_json(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...]
) -> None:
    with open_folder(tmp_path, settings, lambda: jobs):
        pass
    stored = json.loads((tmp_path / "settings.json").read_text())
    assert stored == {"format_version": 1, **settings}
