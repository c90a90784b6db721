"""Searches in a made-up table whose front is known."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from analognas.benchmarks.search_label_table import load_bench
from analognas.benchmarks.search_scores import (
    Axes,
    curve_of,
    holm,
    judge_of,
    mean_ranks,
    scores_of,
    signed_rank,
)
from analognas.benchmarks.search_table_jobs import (
    TableJob,
    TableRun,
    TableStep,
    path_of,
    search_in_table,
)
from analognas.cli.app import build_app
from analognas.search_spaces import make_space
from analognas.searching.candidates import Trial
from analognas.surrogates import LabelTable

NETWORKS = 24
TIMES_S = (1.0, 3_600.0, 86_400.0, 2_592_000.0, 31_536_000.0)
RUNNER = CliRunner()


def make_labels(*, seeds: int = 1, early: tuple[float, ...] = ()) -> LabelTable:
    """Network number `n` has accuracy `(n + 1) / 30` and energy `10**(n % 12 / 4)` nJ.

    So the front is made of networks 12 to 23: the second twelve are more accurate than the first
    at the same energies. Every further seed is 0.01 worse, every fidelity scales.
    """
    space = make_space("tinyml", input_shape=(1, 16, 16), n_classes=10)
    rng = np.random.default_rng(0)
    drawn = (space.sample(rng, lambda arch: space.parameters(arch) < 20_000) for _ in range(40))
    archs = list({arch.key: arch for arch in drawn}.values())[:NETWORKS]
    labels, networks, curves = [], [], []
    for number, arch in enumerate(archs):
        for seed in range(seeds):
            accuracy = (number + 1) / 30 - 0.01 * seed
            measured = {"key": arch.key, "seed": seed, "clips": 100, "sampling_sd": 0.01}
            for t_s in TIMES_S:
                at = measured | {"t_s": t_s}
                labels += [at | {"chip": c, "accuracy": accuracy} for c in range(2)]
                for share in early:
                    spent = {"fidelity": share, "training_seconds": share * 10.0}
                    curves.append(at | spent | {"chip": 0, "accuracy": accuracy * share})
            networks.append(
                {
                    "key": arch.key,
                    "seed": seed,
                    "architecture": json.dumps(arch.to_dict()),
                    "digital_accuracy": accuracy,
                    "parameters": space.parameters(arch),
                    "multiplications": space.multiplications(arch),
                    "cores": 1,
                    "energy_nJ": 10 ** (number % 12 / 4),
                    "latency_us": 1.0,
                    "training_seconds": 10.0,
                    "evaluation_seconds": 2.0,
                    "hardware": "hermes",
                    "hardware_hash": "0123456789ab",
                    "simulator_version": "1",
                    "task": "digits",
                    "data_name": "sklearn-digits",
                    "data_key": "fedcba",
                    "split": "random",
                    "part": "validation",
                    "chips": 2,
                    "recipe": json.dumps({"epochs": 4}),
                }
            )
    return LabelTable(
        labels=pd.DataFrame(labels),
        networks=pd.DataFrame(networks),
        curves=pd.DataFrame(curves) if early else None,
    )


WriteLabels = Callable[..., Path]


@pytest.fixture
def write_labels(tmp_path: Path) -> WriteLabels:
    def write(name: str = "made-up", *, seeds: int = 1, early: tuple[float, ...] = ()) -> Path:
        make_labels(seeds=seeds, early=early).write(tmp_path / name)
        return tmp_path / name

    return write


def test_the_whole_table_has_the_hypervolume_that_its_law_gives(write_labels: WriteLabels) -> None:
    judge = judge_of(load_bench(str(write_labels())))
    assert judge.reference_energy_nJ == pytest.approx(10 ** (11 / 4))
    # Steps of the staircase: the n-th member of the front rules a quarter of a decade.
    assert judge.whole == pytest.approx(sum((13 + n) / 30 / 4 for n in range(11)))
    assert judge.best == pytest.approx(24 / 30)
    assert judge.share(list(judge.truth)) == pytest.approx(1.0)


def test_a_space_is_found_with_the_classes_of_the_labels(write_labels: WriteLabels) -> None:
    bench = load_bench(str(write_labels()))
    assert bench.space.n_classes == 10
    assert set(bench.features.index) == set(bench.archs)


def test_every_seed_meets_another_training_first(write_labels: WriteLabels) -> None:
    bench = load_bench(str(write_labels(seeds=2)))
    assert bench.replicable
    key, arch = next(iter(bench.archs.items()))
    for turn in (0, 1, 2):
        results = bench.evaluator(turn).evaluate([Trial(arch, seed=0), Trial(arch, seed=1)])
        values = [(one.metrics or {})["accuracy@1day"] for one in results]
        assert values[0] - values[1] == pytest.approx(0.01 if turn % 2 == 0 else -0.01)
        assert np.mean(values) == pytest.approx(bench.truth.loc[key, "accuracy@1day"])


def test_states_on_the_way_are_charged_by_what_was_measured(write_labels: WriteLabels) -> None:
    bench = load_bench(str(write_labels(early=(0.25, 0.5))))
    assert bench.fidelities == (0.25, 0.5, 1.0)
    arch = next(iter(bench.archs.values()))
    (early,) = bench.evaluator(0).evaluate([Trial(arch, fidelity=0.25)])
    assert early.seconds == pytest.approx(2.5 + 2.0 / 2)  # one chip of two


def test_labels_without_the_usual_times_are_refused(tmp_path: Path) -> None:
    table = make_labels()
    LabelTable(table.labels[table.labels["t_s"] < 1e7], table.networks).write(tmp_path / "short")
    arguments = ["--out", str(tmp_path / "p.md"), "--folder", str(tmp_path / "w")]
    result = run(arguments, tmp_path / "short")
    assert result.exit_code == 2
    assert "1year is missing" in result.output


def run(arguments: list[str], labels: Path, *further: str) -> Result:
    given = ["--only", "table", "--labels", str(labels), "--workers", "1", *further]
    return RUNNER.invoke(build_app(), ["bench", "search", *arguments, *given])


def test_a_curve_counts_full_evaluations_and_what_they_really_are(
    write_labels: WriteLabels,
) -> None:
    path = str(write_labels(seeds=2))
    bench, judge = load_bench(path), judge_of(load_bench(path))
    by_accuracy = sorted(judge.truth, key=lambda key: judge.truth[key][0])
    poor, best = by_accuracy[0], by_accuracy[-1]
    steps = (
        TableStep(best, 0.25, 0, 3.0, 0.1),  # not in full: it counts for nothing yet
        TableStep(poor, 1.0, 0, 12.0, 0.9),  # looks good, and is poor
        TableStep(best, 1.0, 0, 12.0, None),  # failed
        TableStep(best, 1.0, 1, 12.0, 0.95),
    )
    curve = curve_of(TableRun(TableJob(path, "accuracy", "random", 0, 4), steps, 0.0), judge)
    poor_value = bench.truth.loc[poor, "accuracy@1day"]
    assert curve.value == pytest.approx([0.0, poor_value, poor_value, judge.best])
    assert curve.evaluations == pytest.approx([0.25, 1.25, 2.25, 3.25])
    assert curve.at_seconds(np.array([0.0, 14.9, 15.0, 100.0])) == pytest.approx(
        [0.0, 0.0, poor_value, judge.best]
    )
    scores = scores_of(curve, Axes(4, 24.0, 12.0))
    assert scores["end"] == pytest.approx(judge.best)
    assert scores["end_s"] == pytest.approx(poor_value)


@pytest.mark.parametrize("method", ["surrogate-assisted", "analognas", "tpe", "multi-fidelity"])
def test_a_search_stays_in_its_budget_and_repeats_itself(
    write_labels: WriteLabels, method: str
) -> None:
    path = write_labels(early=(0.25, 0.5))
    job = TableJob(str(path), "front", method, 3, 12)
    first, second = (search_in_table(job, load_bench(str(path))) for _ in range(2))
    assert first.failure is None
    assert first.steps == second.steps
    assert 8 <= sum(step.fidelity for step in first.steps) <= 12 + 1e-9


def test_equal_values_have_no_difference_and_clear_ones_do() -> None:
    low = np.linspace(0.1, 0.2, 30)
    assert signed_rank(low, low) == 1.0
    assert signed_rank(low + 0.01 * np.arange(1, 31), low) < 1e-6
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    ranks = mean_ranks({"a": np.array([1.0, 0.0]), "b": np.array([0.0, 0.0])})
    assert ranks == {"a": 1.25, "b": 1.75}


def test_the_command_writes_a_page_and_goes_on(write_labels: WriteLabels, tmp_path: Path) -> None:
    labels, out = write_labels(), tmp_path / "search.md"
    arguments = ["--out", str(out), "--folder", str(tmp_path / "work")]
    more = ["--methods", "random,nsga2,surrogate-assisted", "--table-seeds", "6"]
    more += ["--evaluations", "10"]
    result = run(arguments, labels, *more)
    assert result.exit_code == 0, result.output
    page = out.read_text()
    rows = list(csv.DictReader((tmp_path / "search_table.csv").read_text().splitlines()))
    assert len(rows) == 2 * 3 * 6
    assert {row["networks asked for"] for row in rows} == {"10"}
    assert all(not row["failure"] for row in rows)
    assert all(0 < float(row["at the end, evaluations"]) <= 1 for row in rows)
    for part in (
        "562 nJ",
        "## Where surrogate-assisted loses",
        "made-up: surrogate-assisted against the others, front",
        "The end-to-end searches are missing",
        "(search.png)",
    ):
        assert part in page
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
    job = TableJob(str(labels), "front", "random", 0, 10)
    kept = path_of(job, tmp_path / "work")
    content = json.loads(kept.read_text())
    content["steps"] = content["steps"][:1]
    kept.write_text(json.dumps(content))  # what is finished is read, and not searched again
    assert run(arguments, labels, *more).exit_code == 0
    again = list(csv.DictReader((tmp_path / "search_table.csv").read_text().splitlines()))
    changed = [a for a, b in zip(again, rows, strict=True) if a != b]
    assert [row["networks asked for"] for row in changed] == ["1"]
    kept.write_text("{")
    damaged = run(arguments, labels, *more)
    assert damaged.exit_code == 2
    assert "Delete it to search again" in " ".join(damaged.output.split())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--only", "page"], "must be a finished search"),
        (["--only", "half"], "must be one of table, training, page"),
        (["--methods", "magic"], "Unknown method"),
        (["--labels", "nowhere"], "no label set"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, given: list[str], message: str) -> None:
    arguments = ["bench", "search", "--out", str(tmp_path / "p.md")]
    arguments += ["--folder", str(tmp_path / "w"), "--labels", "digits-8x8", "--task", "digits"]
    result = RUNNER.invoke(build_app(), [*arguments, "--only", "table", *given])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_log_energy_is_the_scale_of_the_hypervolume(write_labels: WriteLabels) -> None:
    judge = judge_of(load_bench(str(write_labels())))
    assert judge.reference == pytest.approx((0.0, math.log10(judge.reference_energy_nJ)))
