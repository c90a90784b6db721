import importlib
import textwrap
from pathlib import Path
from typing import Any

import pytest

from analognas.deployment.processes import run_in_processes
from analognas.errors import RunFailed, UserError


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a module of jobs that a fresh process can import."""
    text = """
        import os
        from pathlib import Path
        from analognas.errors import UserError

        def work(job, progress):
            if job == "die":
                os._exit(7)
            if job == "refuse":
                raise UserError("use something else")
            progress(1, 2, "half")
            Path(job).write_text("done")
    """
    (tmp_path / "jobs_in_processes.py").write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    return importlib.reload(importlib.import_module("jobs_in_processes"))


def test_every_job_is_done_and_tells_its_progress(tmp_path: Path, jobs: Any) -> None:
    told: list[tuple[int, int, int, str]] = []
    named = [(name, str(tmp_path / name)) for name in ("one", "two")]
    run_in_processes(jobs.work, named, workers=2, report=lambda *m: told.append(m))
    assert [(tmp_path / name).read_text() for name, _ in named] == ["done"] * 2
    assert sorted(told) == [(index, 1, 2, "half") for index in range(2)]


def test_an_error_of_a_job_is_raised_as_it_was(jobs: Any) -> None:
    with pytest.raises(UserError, match="use something else"):
        run_in_processes(jobs.work, [("one", "refuse")], workers=1, report=lambda *m: None)


def test_a_process_that_dies_is_a_failed_run(jobs: Any) -> None:
    with pytest.raises(RunFailed, match="worked on one ended with code 7"):
        run_in_processes(jobs.work, [("one", "die")], workers=1, report=lambda *m: None)
