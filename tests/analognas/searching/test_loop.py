"""The search loop: budgets, duplicates, exact resumption."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analognas.errors import UserError
from analognas.searching.budget import Budget
from analognas.searching.demands import predicted_demands
from analognas.searching.front import pareto_front
from analognas.searching.journal import Journal
from analognas.searching.loop import STALE_BATCHES, feasible
from analognas.searching.objectives import select_objectives
from analognas.searching.strategies import STRATEGIES

OBJECTIVES = select_objectives(("accuracy@1day", "energy"))
NAMES = [name for name in STRATEGIES if name not in ("gp", "multi-fidelity")]  # slow; needs more
SMALL_GENES = {
    "depth": (1, 2),
    "width_1": (8, 16),
    "width_2": (8, 16),
    "width_3": (8,),
    "width_4": (8,),
    "kind": ("regular",),
    "kernel": (3,),
}


@pytest.mark.parametrize("sampler", NAMES)
def test_a_search_ends_after_exactly_the_budgeted_number_of_different_networks(
    sampler: str, make_loop: Any, fake_scorer: Any, tmp_path: Path
) -> None:
    loop = make_loop(tmp_path / "journal.jsonl", sampler, scorer=fake_scorer)
    loop.run(Budget(evaluations=77))
    scored = [key for batch in fake_scorer.batches for key in batch]
    assert len(loop.candidates) == 77
    assert scored == list(loop.candidates)  # each once, in order


@pytest.mark.parametrize("sampler", NAMES)
def test_the_same_seed_finds_the_same_networks_and_another_seed_others(
    sampler: str, make_loop: Any, tmp_path: Path
) -> None:
    runs = []
    for number, seed in enumerate((3, 3, 4)):
        loop = make_loop(tmp_path / f"{number}.jsonl", sampler, seed=seed)
        loop.run(Budget(evaluations=60))
        runs.append(list(loop.candidates))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("constrained", [False, True], ids=["free", "constrained"])
@pytest.mark.parametrize("sampler", NAMES)
def test_a_search_cut_after_any_batch_ends_like_one_that_was_never_cut(
    sampler: str,
    constrained: bool,
    make_loop: Any,
    without_seconds: Callable[[Path], list[Any]],
    tmp_path: Path,
) -> None:
    demands = predicted_demands(0.7, 0.1) if constrained else ()
    budget = Budget(evaluations=70 if sampler == "tpe" else 110)
    whole = make_loop(tmp_path / "whole.jsonl", sampler, demands=demands)
    whole.run(budget)
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    expected = without_seconds(tmp_path / "whole.jsonl")
    assert len(lines) >= 4
    cuts = range(1, len(lines)) if len(lines) < 12 else (1, 3, len(lines) - 1)
    for cut in cuts:
        path = tmp_path / f"cut{cut}.jsonl"
        path.write_bytes(b"".join(lines[:cut]) + lines[cut][: cut * 7])  # with a torn last line
        resumed = make_loop(path, sampler, demands=demands)
        assert resumed.replay() == cut - 1
        resumed.run(budget)
        assert without_seconds(path) == expected
        assert resumed.candidates == whole.candidates
        assert pareto_front(
            feasible(list(resumed.candidates.values()), demands), OBJECTIVES
        ) == pareto_front(feasible(list(whole.candidates.values()), demands), OBJECTIVES)


def test_a_search_that_can_find_nothing_new_stops_by_itself(make_loop: Any, tmp_path: Path) -> None:
    loop = make_loop(tmp_path / "journal.jsonl", genes=SMALL_GENES)
    loop.run(Budget(evaluations=1000))
    assert len(loop.candidates) == 6
    last = loop.journal.read()[-STALE_BATCHES:]
    assert all(not batch.candidates for batch in last)


def test_a_budget_in_seconds_counts_the_time_before_the_interruption(
    make_loop: Any, tmp_path: Path
) -> None:
    loop = make_loop(tmp_path / "journal.jsonl")
    loop.run(Budget(seconds=0.05))
    assert loop.seconds >= 0.05
    resumed = make_loop(tmp_path / "journal.jsonl")
    batches = resumed.replay()
    assert resumed.seconds == pytest.approx(loop.seconds, abs=0.01 * batches)


def test_proposals_without_a_network_are_written_down_and_never_scored(
    make_loop: Any, tmp_path: Path
) -> None:
    loop = make_loop(tmp_path / "journal.jsonl", "random")
    loop.run(Budget(evaluations=200))
    keys = [key for batch in loop.journal.read() for key in batch.keys]
    assert None in keys
    assert set(keys) - {None} == set(loop.candidates)


@pytest.mark.parametrize("sampler", ["nsga2", "analognas"])
def test_evolution_beats_random_draws(sampler: str, make_loop: Any, tmp_path: Path) -> None:
    best = {}
    for name in (sampler, "random"):
        loop = make_loop(tmp_path / f"{name}.jsonl", name, objectives=("accuracy@1day", "drop"))
        loop.run(Budget(evaluations=300))
        accuracies = [c.scores["accuracy@1day"] for c in loop.candidates.values()]
        best[name] = sum(sorted(accuracies)[-20:]) / 20
    assert best[sampler] > best["random"] + 0.003


def test_demands_steer_the_search_into_the_feasible_part(make_loop: Any, tmp_path: Path) -> None:
    demands = predicted_demands(0.8)
    shares = {}
    for name in ("nsga2", "random"):
        loop = make_loop(tmp_path / f"{name}.jsonl", name, demands=demands)
        loop.run(Budget(evaluations=200))
        shares[name] = len(feasible(list(loop.candidates.values()), demands))
    assert shares["nsga2"] > 1.5 * shares["random"]


def test_slow_batches_tell_progress_on_the_way(
    make_loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analognas.searching.loop.REPORT_AFTER_S", 0.0)
    loop = make_loop(tmp_path / "journal.jsonl")
    told: list[int] = []
    loop.run(Budget(evaluations=10), lambda done, total, message: told.append(done))
    assert told == [0, *range(1, 11), 10]


def test_progress_counts_up_to_the_budget(make_loop: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    loop = make_loop(tmp_path / "journal.jsonl")
    loop.run(Budget(evaluations=50), lambda *report: seen.append(report))
    assert seen[0][:2] == (0, 50)
    assert seen[-1][:2] == (50, 50)
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: [b"hello\n", *lines[1:]], "not the journal"),
        (lambda lines: [lines[0].replace(b": 3", b": 9"), *lines[1:]], "format_version"),
        (lambda lines: [*lines[:2], b"{broken}\n", *lines[2:]], "damaged in line 3"),
        (lambda lines: [lines[0], *lines[2:]], "damaged in line 2"),
        (lambda lines: [*lines[:2], lines[2].replace(b"energy", b"enemy")], "damaged in line 3"),
        (lambda lines: [*lines[:2], b"[1]\n"], "damaged in line 3"),
        (lambda lines: [b"\xff\xfe\n"], "not text"),
    ],
)
def test_a_damaged_or_foreign_journal_is_refused_with_its_place(
    damage: Callable[[list[bytes]], list[bytes]], words: str, make_loop: Any, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    make_loop(path).run(Budget(evaluations=70))
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(UserError, match=words):
        Journal(path).read()


def test_a_journal_whose_first_line_is_torn_is_started_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"form')
    journal = Journal(path)
    assert not journal.read()
    journal.ensure_started()
    assert not journal.read()
    assert path.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("sampler", NAMES)
def test_a_journal_of_another_space_is_refused(
    sampler: str, make_loop: Any, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    make_loop(path, sampler).run(Budget(evaluations=30))
    for genes in ({"depth": (1, 2), "other": (1, 2)}, {**SMALL_GENES, "depth": (1,)}):
        with pytest.raises(ValueError, match="must"):
            make_loop(path, sampler, genes=genes).replay()
