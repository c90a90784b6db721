"""The front of a run of trained networks, trained and measured again under fresh seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from analognas.errors import checking
from analognas.files import write_text
from analognas.searching.candidates import Candidate
from analognas.searching.front import FrontRecord
from analognas.searching.loop import Progress
from analognas.searching.outcome import Reevaluation
from analognas.searching.reevaluating import compare, fresh_evaluations
from analognas.searching.run_directory import RunDirectory
from analognas.searching.trials import TrialRunner

if TYPE_CHECKING:
    from analognas.searching.setup import SearchSetup

FORMAT_VERSION = 1


def look_again(
    run: RunDirectory,
    setup: SearchSetup,
    front: Sequence[FrontRecord],
    evaluations: Sequence[Candidate],
    runner: TrialRunner,
    progress: Progress | None = None,
) -> Reevaluation:
    """Train every member anew under seeds that the search has not used, and store the gaps.

    What an earlier process of this run has done already is taken from its journal.

    Args:
        run: Its folder receives `fresh.jsonl` and `reevaluation.json`.
        setup: Of the search.
        front: Members, all trained for all epochs.
        evaluations: Those of the search.
        runner: Trains and measures.
        progress: Told how many of the trainings are done.
    """
    seeds = setup.config.reevaluations
    archs = {member.key: setup.searched.decode(member.codes, setup.fits) for member in front}
    journal = run.fresh_journal
    if journal.path.exists():
        journal.ensure_started()
    else:
        journal.create()
    fresh = fresh_evaluations(
        front, archs, evaluations, runner, seeds=seeds, journal=journal, progress=progress
    )
    again = compare(front, fresh, evaluations, setup.objectives, seeds)
    found = {member.key: member.scores for member in front}
    content = {
        "format_version": FORMAT_VERSION,
        "label": "simulated, validation part",
        **asdict(again),
        "front": [
            {
                "key": member.key,
                "seeds": member.seeds,
                "found": dict(found[member.key]),
                "fresh": dict(member.scores),
            }
            for member in again.front
        ],
    }
    write_text(run.reevaluation_path, json.dumps(content, indent=2) + "\n")
    return again


def read_reevaluation(run: RunDirectory) -> Mapping[str, Any] | None:
    """The stored comparison; None if the front was not evaluated again.

    Raises:
        UserError: The file is damaged.
    """
    if not run.reevaluation_path.is_file():
        return None
    with checking(str(run.reevaluation_path)):
        content = json.loads(run.reevaluation_path.read_text(encoding="utf-8"))
        if content.get("format_version") != FORMAT_VERSION:
            raise ValueError(f"`format_version` must be {FORMAT_VERSION}.")
        return dict(content)
