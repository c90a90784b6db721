"""What every search strategy promises, on a space whose Pareto front is known."""

import itertools
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analognas import (
    STRATEGIES,
    Problem,
    Proposal,
    Result,
    SearchOutcome,
    Strategy,
    Trial,
    Verdict,
    hypervolume,
    run_search,
)
from analognas.searching.objectives import read_objective
from analognas.searching.spaces import Decoder

Codes = Mapping[str, int | str]
TARGETS = {"c": 3, "d": 5, "kind": "y"}  # of the networks on the front
SLOW = "gp"  # a second or so for every few proposals
OBJECTIVES = ("min:cost", "min:error")
REFERENCE = (15.0, 4.0)


@dataclass(frozen=True)
class Net:
    values: tuple[int | str, ...]

    @property
    def key(self) -> str:
        return "-".join(map(str, self.values))

    def to_dict(self) -> dict[str, Any]:
        return {"values": list(self.values)}


class KnownSpace:
    """The gene `tail` plays a part only where `a` is large, so that codes are not canonical."""

    def __init__(self, **genes: tuple[int | str, ...]) -> None:
        numbers = tuple(range(8))
        self.genes: dict[str, tuple[int | str, ...]] = {
            "a": numbers,
            "b": numbers,
            "c": numbers,
            "d": numbers,
            "kind": ("x", "y", "z"),
            "tail": (0, 1, 2),
            **genes,
        }

    def decode(self, codes: Codes, fits: Callable[[Net], bool] | None = None) -> Net | None:
        tail = codes["tail"] if int(codes["a"]) > 5 else self.genes["tail"][0]
        net = Net((*(codes[gene] for gene in "abcd"), codes["kind"], tail))
        return net if fits is None or fits(net) else None

    def codes(self, net: Net, /) -> dict[str, int | str]:
        return dict(zip(self.genes, net.values, strict=True))


def metrics(net: Net, fidelity: float = 1.0) -> dict[str, float]:
    """The front is `error = 1 - cost / 14` for every cost from 0 to 14."""
    a, b, c, d, kind, tail = net.values
    cost = float(int(a) + int(b))
    away = ((int(c) - 3) ** 2 + (int(d) - 5) ** 2) / 20 + 0.3 * (kind != "y") + 0.1 * int(tail)
    return {"cost": cost, "error": 1.0 - cost / 14 + away + 0.3 * (1.0 - fidelity)}


class Judge:
    """Evaluates at any fidelity, remembers what it was asked, and fails where it is told to."""

    fidelities = (0.25, 0.5, 1.0)
    replicable = False

    def __init__(self, fails: Callable[[Net], bool] = lambda net: False) -> None:
        self.fails = fails
        self.asked: list[tuple[str, float, int]] = []

    def evaluate(self, trials: Sequence[Trial]) -> list[Result]:
        self.asked += [(trial.arch.key, trial.fidelity, trial.seed) for trial in trials]
        return [
            Result(None, failure="told to")
            if self.fails(trial.arch)
            else Result(metrics(trial.arch, trial.fidelity))
            for trial in trials
        ]


@pytest.fixture(params=[name for name in STRATEGIES if name != SLOW])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def search(name: str, **changes: Any) -> SearchOutcome:
    budget = changes.pop("budget", 120)
    space, judge = changes.pop("space", KnownSpace()), changes.pop("judge", Judge())
    objectives = changes.pop("objectives", OBJECTIVES)
    return run_search(space, judge, objectives, name, budget, **changes)


def make(name: str, seed: int = 0) -> Strategy:
    """A strategy alone, without the loop around it."""
    decoder = Decoder(KnownSpace())
    problem = Problem(
        genes=decoder.genes,
        objectives=tuple(map(read_objective, OBJECTIVES)),
        constrained=True,
        realise=decoder.realise,
        fidelities=Judge.fidelities,
    )
    return STRATEGIES[name](problem, seed)


def judged(proposals: Sequence[Proposal], violation: float = 0.0) -> list[Verdict]:
    space, verdicts = KnownSpace(), []
    for proposal in proposals:
        net = space.decode(proposal.codes)
        assert net is not None
        scores = metrics(net, proposal.fidelity)
        codes = space.codes(net)
        verdicts.append(
            Verdict(net.key, scores, violation, codes, proposal.fidelity, proposal.seed)
        )
    return verdicts


def drive(strategy: Strategy, batches: int) -> list[list[Proposal]]:
    asked = []
    for batch in range(batches):
        proposals = list(strategy.ask(batch, strategy.batch_size))
        asked.append(proposals)
        strategy.tell(judged(proposals))
    return asked


def volume(outcome: SearchOutcome) -> float:
    losses = [[one.scores["cost"], one.scores["error"]] for one in outcome.front]
    return hypervolume(np.array(losses), REFERENCE)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """The journal without its stopwatch."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


# Every strategy, also the slow one.


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_same_seed_proposes_the_same_and_another_seed_something_else(name: str) -> None:
    batches = 22 if name == SLOW else 5
    first, same, other = (drive(make(name, seed), batches) for seed in (3, 3, 4))
    assert first == same
    assert first != other


def test_a_gaussian_process_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    """Most of what the others are asked for below, in one search."""
    judge = Judge(fails=lambda net: net.values[4] == "z")
    settings: dict[str, Any] = {
        "judge": judge,
        "objectives": ("min:error", "cost>=2"),
        "budget": 28,
    }
    whole = search(SLOW, directory=tmp_path / "whole", **settings)
    (tmp_path / "cut").mkdir()
    shutil.copy(tmp_path / "whole" / "search.json", tmp_path / "cut")
    lines = (tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut" / "journal.jsonl").write_bytes(b"".join(lines[:25]))
    assert search(SLOW, directory=tmp_path / "cut", **settings).front == whole.front
    assert lines_of(tmp_path / "cut") == lines_of(tmp_path / "whole")
    assert whole.failed
    assert whole.best.scores["cost"] >= 2


def test_a_gaussian_process_beats_random_draws_with_few_evaluations() -> None:
    errors = [
        [
            search(name, budget=32, objectives="min:error", seed=s).best.scores["error"]
            for s in (0, 1)
        ]
        for name in (SLOW, "random")
    ]
    assert np.mean(errors[0]) < np.mean(errors[1])


# Proposals.


def test_proposals_are_genotypes_of_the_space_and_as_many_as_wanted(name: str) -> None:
    space = KnownSpace()
    for proposals in drive(make(name), 6):
        assert proposals
        for proposal in proposals:
            assert list(proposal.codes) == list(space.genes)
            assert all(value in space.genes[gene] for gene, value in proposal.codes.items())
            assert 0 < proposal.fidelity <= 1


def test_the_first_proposals_are_not_one_network_repeated(name: str) -> None:
    batches = drive(make(name), 12 if name == "tpe" else 2)
    keys = {str(proposal.codes) for proposals in batches for proposal in proposals}
    first = batches[0][0].codes
    first["a"] = 99  # type: ignore[index]  # a copy of its own, and no alias
    assert len(keys) > 0.7 * sum(map(len, batches)) or name == "multi-fidelity"
    assert all(p.codes["a"] != 99 for batch in batches for p in batch if p.codes is not first)


def test_every_value_is_proposed_also_the_last_of_a_range(name: str) -> None:
    asked = drive(make(name), 30)
    seen = {item for batch in asked for proposal in batch for item in proposal.codes.items()}
    assert seen == {(gene, v) for gene, values in KnownSpace().genes.items() for v in values}


def test_no_global_random_state_is_used(name: str) -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    drive(make(name), 3)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index]  # noqa: NPY002


def test_the_order_of_the_genes_of_a_proposal_does_not_matter_when_it_is_told(name: str) -> None:
    straight, turned = make(name), make(name)
    for batch in range(4):
        proposals = list(straight.ask(batch, straight.batch_size))
        assert list(turned.ask(batch, turned.batch_size)) == proposals
        verdicts = judged(proposals)
        straight.tell(verdicts)
        turned.tell(
            [
                Verdict(
                    v.key, dict(reversed([*v.scores.items()])), 0.0, v.codes, v.fidelity, v.seed
                )
                for v in verdicts
            ]
        )


# Learning.


@pytest.mark.parametrize(
    "name", [name for name in STRATEGIES if name not in ("random", "analognas", SLOW)]
)
def test_it_finds_more_of_the_front_than_random_search(name: str) -> None:
    seeds = range(1 if name == "tpe" else 3)
    found, drawn = (
        [volume(search(strategy, seed=seed, budget=150)) for seed in seeds]
        for strategy in (name, "random")
    )
    assert np.mean(found) > np.mean(drawn)


def test_the_published_evolution_beats_random_draws_in_its_one_objective() -> None:
    found, drawn = (
        [search(name, seed=s, budget=800, objectives=("min:error",)).best for s in range(3)]
        for name in ("analognas", "random")
    )
    errors = [np.mean([best.scores["error"] for best in some]) for some in (found, drawn)]
    assert errors[0] < errors[1]


def test_one_objective_is_enough(name: str) -> None:
    outcome = search(name, objectives=("min:error",))
    full = [one.scores["error"] for one in outcome.evaluations if one.fidelity == 1.0]
    assert outcome.best.scores["error"] == min(full)  # the best ever seen, not the last


def test_the_front_of_the_outcome_is_that_of_all_full_evaluations(name: str) -> None:
    outcome = search(name)
    full = [one.scores for one in outcome.evaluations if one.fidelity == 1.0]
    for member in outcome.front:
        mine = (member.scores["cost"], member.scores["error"])
        assert not any(
            one["cost"] <= mine[0]
            and one["error"] <= mine[1]
            and (one["cost"], one["error"]) != mine
            for one in full
        )


def test_demands_hold_on_the_front(name: str) -> None:
    outcome = search(name, objectives=(*OBJECTIVES, "cost>=4"))
    assert outcome.front
    assert all(member.scores["cost"] >= 4 for member in outcome.front)


@pytest.mark.parametrize("name", ["nsga2", "optuna-nsga2", "regularised-evolution", "local-search"])
def test_demands_steer_it_into_the_feasible_part(name: str) -> None:
    """The constraint counts in every generation, and not only in the first."""
    shares = []
    for strategy in (name, "random"):
        late = search(strategy, objectives=(*OBJECTIVES, "error<=0.8"), budget=200).evaluations[
            100:
        ]
        shares.append(np.mean([one.scores["error"] <= 0.8 for one in late]))
    assert shares[0] > shares[1]


def test_where_nothing_is_feasible_it_goes_on_and_ends(name: str) -> None:
    strategy = make(name)
    for batch in range(5):
        proposals = list(strategy.ask(batch, strategy.batch_size))
        assert proposals
        strategy.tell(judged(proposals, violation=1.0))
    with pytest.raises(ValueError, match=r"tightest is error<=-1: the nearest value is \d"):
        search(name, objectives=(*OBJECTIVES, "error<=-1"))


# Trouble.


def test_it_lives_with_proposals_that_fit_nothing(name: str) -> None:
    outcome = search(name, fits=lambda net: int(net.values[0]) != 3)
    assert outcome.evaluations
    assert all(one.codes["a"] != 3 for one in outcome.evaluations)


def test_it_lives_with_failures_and_never_builds_on_them(name: str) -> None:
    outcome = search(name, judge=Judge(fails=lambda net: net.values[4] == "y"))
    assert 0 < outcome.failed < len(outcome.evaluations)
    assert all(member.codes["kind"] != "y" for member in outcome.front)


@pytest.mark.parametrize("choice", [("x",), ("x", "y", "z")], ids=["one network", "three networks"])
def test_a_tiny_space_is_searched_to_its_end(name: str, choice: tuple[str, ...]) -> None:
    fixed = dict.fromkeys(("a", "b", "c", "d"), (1,))
    space = KnownSpace(**fixed, kind=choice, tail=(0,))
    outcome = search(name, space=space, budget=50)
    assert {one.codes["kind"] for one in outcome.evaluations} == set(choice)
    assert any("stopped early" in note for note in outcome.notes)


def test_no_network_is_evaluated_twice(name: str) -> None:
    judge = Judge()
    small = dict.fromkeys(("a", "b", "c", "d"), (1, 2))
    search(name, judge=judge, space=KnownSpace(**small), budget=40)
    assert len(judge.asked) == len(set(judge.asked))


# Going on.


def test_a_search_cut_at_any_batch_ends_like_one_that_was_never_cut(
    name: str, tmp_path: Path
) -> None:
    """Also where some evaluations fail, some genotypes fit nothing, and demands are missed."""
    settings: dict[str, Any] = {
        "objectives": (*OBJECTIVES, "error<=1.2"),
        "fits": lambda net: int(net.values[0]) != 3,
        "budget": 110,
    }
    judge = Judge(fails=lambda net: net.values[4] == "z")
    whole = search(name, judge=judge, directory=tmp_path / "whole", **settings)
    journal = (tmp_path / "whole" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    rng = np.random.default_rng(0)
    cuts = sorted({1, len(journal) - 1, *rng.integers(1, len(journal), size=2).tolist()})
    for cut in cuts:
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "search.json").write_bytes((tmp_path / "whole" / "search.json").read_bytes())
        torn = journal[cut][: cut * 5]
        (folder / "journal.jsonl").write_bytes(b"".join(journal[:cut]) + torn)
        again = search(name, judge=judge, directory=folder, **settings)
        assert lines_of(folder) == lines_of(tmp_path / "whole")
        assert again.front == whole.front


def test_a_replayed_batch_of_another_space_is_refused(name: str) -> None:
    for codes in ({"a": 1}, {**KnownSpace().codes(Net((1, 1, 1, 1, "x", 0))), "a": 99}):
        with pytest.raises(ValueError, match="must"):
            make(name).replay(0, [Proposal(codes)])


def test_known_networks_cost_nothing_and_can_be_on_the_front(name: str) -> None:
    best = Net((2, 2, 3, 5, "y", 0))
    judge = Judge()
    outcome = search(name, judge=judge, known=[(best, metrics(best))], budget=20)
    assert (best.key, 1.0, 0) not in judge.asked
    assert best.key in {member.key for member in outcome.front}


def test_the_known_front_is_what_the_space_says() -> None:
    """The measure of the tests above is itself right."""
    space = KnownSpace()
    nets = [Net((*values, "y", 0)) for values in itertools.product(range(8), repeat=4)]
    best = {net.key: metrics(net) for net in nets}
    outcome = run_search(space, lambda net: best[net.key], OBJECTIVES, "random", 1, known=[
        (net, best[net.key]) for net in nets if net.values[2:4] == (3, 5)
    ])  # fmt: skip
    assert [member.scores["cost"] for member in outcome.front] == list(range(15))
    assert volume(outcome) == pytest.approx(sum(4 - (1 - cost / 14) for cost in range(15)))
