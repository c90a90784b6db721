"""Tests of running jobs in worker processes: order, failures, kills."""

import json
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from analognas.errors import RunFailed
from analognas.labelling import Job, Workshop, open_folder, read_folder, run_jobs
from analognas.labelling.runner import RunSummary
from analognas.labelling.table import write_label_set
from analognas.surrogates.label_table import LabelTable

Settings = dict[str, Any]


def run(
    path: Path, settings: Settings, jobs: tuple[Job, ...], workshop: Workshop, workers: int = 1
) -> RunSummary:
    with open_folder(path, settings, lambda: jobs) as folder:
        return run_jobs(folder, workshop, workers=workers)


def assert_equal_sets(one: Path, other: Path) -> None:
    first, second = LabelTable.read(one), LabelTable.read(other)
    pd.testing.assert_frame_equal(first.labels, second.labels)
    pd.testing.assert_frame_equal(first.networks, second.networks)
    assert first.card == second.card


def test_one_and_two_workers_give_the_same_tables_and_weights(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    for workers in (1, 2):
        path = tmp_path / str(workers)
        shop = fakes.FakeWorkshop(with_weights=True)
        summary = run(path, settings, jobs, shop, workers)
        assert summary.complete
        assert not summary.failed
        write_label_set(read_folder(path))
    assert_equal_sets(tmp_path / "1", tmp_path / "2")
    names = sorted(file.name for file in (tmp_path / "1/weights").iterdir())
    assert names == sorted(f"{job.id}.safetensors" for job in jobs if job.seed == 0)
    for name in names:
        assert (tmp_path / "1/weights" / name).read_bytes() == (
            tmp_path / "2/weights" / name
        ).read_bytes()


def test_failing_and_dying_jobs_are_recorded_and_tried_again(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    bad = fakes.FakeWorkshop(failing=frozenset({jobs[1].id}), dying=frozenset({jobs[4].id}))
    summary = run(tmp_path, settings, jobs, bad)
    assert summary.done == len(jobs) - 2
    assert "no luck" in summary.failed[jobs[1].id]
    assert "SIGKILL" in summary.failed[jobs[4].id]
    log = tmp_path.parent / "log"
    summary = run(tmp_path, settings, jobs, fakes.FakeWorkshop(log=log))
    assert summary.complete
    assert not summary.failed
    assert [line.split()[0] for line in log.read_text().splitlines()] == [jobs[1].id, jobs[4].id]


def test_a_worker_that_cannot_be_prepared_ends_the_run(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    with pytest.raises(RunFailed, match="the data cannot be loaded"):
        run(tmp_path, settings, jobs, fakes.FakeWorkshop(unusable=True))


def test_progress_counts_large_networks_more(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    heard: list[tuple[int, int, str]] = []

    def listen(done: int, total: int, message: str) -> None:
        heard.append((done, total, message))

    with open_folder(tmp_path, settings, lambda: jobs) as folder:
        run_jobs(folder, fakes.FakeWorkshop(), workers=1, progress=listen)
    assert heard[0] == (0, 1000, "0 of 10 labels")
    assert heard[-1] == (1000, 1000, "10 of 10 labels")
    assert [done for done, _, _ in heard] == sorted(done for done, _, _ in heard)
    steps = [later[0] - earlier[0] for earlier, later in pairwise(heard)]
    assert max(steps) > 1.3 * min(steps)


def test_an_interrupt_tells_how_to_go_on(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    def stop(done: int, total: int, message: str) -> None:
        if message.startswith("3 of"):
            raise KeyboardInterrupt

    with (
        open_folder(tmp_path, settings, lambda: jobs) as folder,
        pytest.raises(KeyboardInterrupt, match=r"3 of 10 labels.*same command"),
    ):
        run_jobs(folder, fakes.FakeWorkshop(), workers=1, progress=stop)
    assert len(read_folder(tmp_path).done) == 3


SLOW_RUN = """
import json, sys
from pathlib import Path
from analognas.labelling import make_plan, open_folder, plan_jobs, run_jobs

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import fake_label_jobs as fakes
    plan = make_plan(networks=6, replicated=2, seeds=3, variants=2)
    jobs = plan_jobs(fakes.make_candidates(6), plan)
    settings = json.loads(sys.argv[3])
    with open_folder(Path(sys.argv[2]), settings, lambda: jobs) as folder:
        run_jobs(folder, fakes.FakeWorkshop(seconds=0.3, log=Path(sys.argv[4])), workers=2)
"""


def test_a_killed_run_goes_on_where_it_was_and_ends_with_the_same_tables(
    tmp_path: Path, settings: Settings, jobs: tuple[Job, ...], fakes: ModuleType
) -> None:
    script, log = tmp_path / "slow_run.py", tmp_path / "log"
    script.write_text(SLOW_RUN)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    here = str(Path(__file__).parent)
    command = [sys.executable, str(script), here, str(killed), json.dumps(settings), str(log)]
    with subprocess.Popen(command) as process:
        wait_until(lambda: (killed / "journal.jsonl").exists())
        process.send_signal(signal.SIGKILL)
    before = len(read_folder(killed).done)
    assert 0 < before < len(jobs)
    wait_until(lambda: not any(is_alive(pid) for pid in pids(log)))  # the workers left too
    assert run(killed, settings, jobs, fakes.FakeWorkshop()).complete
    assert run(whole, settings, jobs, fakes.FakeWorkshop()).complete
    write_label_set(read_folder(killed))
    write_label_set(read_folder(whole))
    assert_equal_sets(killed, whole)


def wait_until(happened: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def pids(log: Path) -> set[int]:
    return {int(line.split()[1]) for line in log.read_text().splitlines()}


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
