"""The benchmark of cheaper labels in small: halves, work, scores, page, command."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from analognas.benchmarks.cheaper_labels import (
    CheaperLabelsConfig,
    run_cheaper_labels,
    write_page,
)
from analognas.benchmarks.cheaper_labels_jobs import (
    ARMS,
    CARRIED,
    FULL,
    HEIRS,
    INHERITED,
    SHORT,
    TIMES,
    Job,
    Parent,
    Result,
    Setting,
    Share,
    jobs_of,
    path_of,
    read_result,
    split_networks,
)
from analognas.benchmarks.cheaper_labels_page import to_json
from analognas.benchmarks.cheaper_labels_scores import (
    Cost,
    Difference,
    Reference,
    Score,
    compare,
    costs,
    is_kept,
    resampled_tau,
    score,
    verdict,
)
from analognas.benchmarks.cheaper_labels_work import measure
from analognas.cli.app import app
from analognas.errors import UserError
from analognas.files import write_text
from analognas.labelling import Job as Label
from analognas.labelling import open_folder, read_folder
from analognas.labelling.job import TaskChoice
from analognas.labelling.weights import pack_weights
from analognas.records import (
    EVALUATION_TIMES_S,
    AccuracyOverTime,
    CostSummary,
    Evaluation,
)
from analognas.search_spaces import Architecture, Block, SearchSpace, make_space
from analognas.search_spaces.architecture import Convolution
from analognas.simulator import HERMES_DEFAULT, SIMULATOR_VERSION, spawn_generator
from analognas.surrogates import NoiseCeiling, estimate_noise_ceiling
from analognas.surrogates.metrics import kendall_tau_b
from analognas.tasks import Task, load_task
from analognas.training import RANGE_PREFIX, TrainingRecipe

NETWORKS, REPLICATED = 24, 4


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("digits")


@pytest.fixture(scope="module")
def space(task: Task) -> SearchSpace:
    return make_space("tinyml", input_shape=task.input_shape, n_classes=task.n_classes)


def network(space: SearchSpace, width: int, stages: int) -> Architecture:
    stem = Block((Convolution("conv", width, (3, 3), (2, 2)),))
    rest = [Block((Convolution("pointwise", width),))] * stages
    return Architecture("conv", space.input_shape, (stem, *rest))


@pytest.fixture(scope="module")
def labels(task: Task, space: SearchSpace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of labels as a label run leaves it, with accuracies that grow with the width."""
    path = tmp_path_factory.mktemp("labels") / "run"
    widths = (8, 12, 16, 24, 32, 40)
    archs = [network(space, width, stages) for width in widths for stages in (1, 2, 3, 4)]
    jobs = [
        Label(arch.key, seed, arch.to_dict(), space.parameters(arch), 1000, keep_weights=seed == 0)
        for place, arch in enumerate(archs)
        for seed in range(3 if place % (NETWORKS // REPLICATED) == 0 else 1)
    ]
    settings = {
        "task": "digits",
        "title": "handwritten digits",
        "data": None,
        "data_key": task.data_key,
        "split": task.split,
        "words": None,
        "clips": len(task.parts["validation"]),
        "space": "tinyml",
        "hardware": HERMES_DEFAULT.name,
        "hardware_hash": HERMES_DEFAULT.hash,
        "hardware_toml": HERMES_DEFAULT.to_toml(),
        "simulator_version": SIMULATOR_VERSION,
        "recipe": TrainingRecipe(epochs=5).to_dict(),
    }
    with open_folder(path, settings, lambda: jobs) as folder:
        for place, job in enumerate(folder.jobs):
            arch = Architecture.from_dict(job.architecture)
            state = dict(space.build(arch, generator=spawn_generator(0, job.id)).state_dict())
            for layer in space.layers(arch):
                state[RANGE_PREFIX + layer.name] = torch.tensor([3.0])
            weights = pack_weights(state) if job.keep_weights else None
            folder.record_done(job, evaluation(job, task, 0.4 + 0.01 * place), weights)
    return path


def evaluation(job: Label, task: Task, accuracy: float) -> Evaluation:
    times_s = tuple(EVALUATION_TIMES_S.values())
    return Evaluation(
        key=job.key,
        architecture=job.architecture,
        task=task.name,
        split=task.split,
        part="validation",
        data_key=task.data_key,
        hardware=HERMES_DEFAULT.name,
        hardware_hash=HERMES_DEFAULT.hash,
        simulator_version=SIMULATOR_VERSION,
        training=TrainingRecipe(epochs=5).to_dict(),
        seed=job.seed,
        digital_accuracy=accuracy,
        analog=AccuracyOverTime(times_s, ((accuracy, accuracy),) * len(times_s)),
        cost=CostSummary("hermes", "one_phase", 1.0, 1.0, 1.0, 1, 0.1),
        parameters=job.parameters,
        multiplications=job.multiplications,
        training_seconds=10.0,
        evaluation_seconds=2.0,
    )


# ------------------------------------------------------------------------------------ halves


def test_no_target_is_a_parent(labels: Path) -> None:
    folder = read_folder(labels)
    targets, others = split_networks(folder, 60)
    assert len(targets) == len(others) == NETWORKS // 2
    ours, theirs = ({one.job.key for one in half} for half in (targets, others))
    assert len(ours) == len(theirs) == NETWORKS // 2
    assert not ours & theirs
    assert {one.job.seed for one in (*targets, *others)} == {0}
    fewer, same = split_networks(folder, 11)
    assert fewer == targets[:11]
    assert same == others


def test_a_set_without_weights_is_refused(labels: Path) -> None:
    folder = read_folder(labels)
    for entry in folder.done_in_order():
        folder.done[entry.job.id] = replace(entry, weights=None)
    with pytest.raises(UserError, match="but has 24, and 0 possible parents"):
        split_networks(folder, 60)


# -------------------------------------------------------------------------------------- work


def setting_of(labels: Path, *, epochs: int = 1) -> Setting:
    folder = read_folder(labels)
    stored = folder.settings
    _, others = split_networks(folder, 60)
    return Setting(
        task=TaskChoice("digits", stored["split"]),
        data_key=stored["data_key"],
        labels=labels,
        parents=tuple(Parent(e.job.key, e.job.architecture, str(e.weights)) for e in others),
        space="tinyml",
        hardware=stored["hardware_toml"],
        recipe=stored["recipe"],
        epochs=epochs,
        chips=2,
        seed=3,
    )


def test_every_arm_trains_and_measures_once(labels: Path, tmp_path: Path) -> None:
    setting = setting_of(labels)
    setting = replace(setting, recipe={**setting.recipe, "epochs": 2})
    targets, _ = split_networks(read_folder(labels), 1)
    jobs = jobs_of(targets, tuple(ARMS))
    share = Share(setting, tmp_path, tuple(jobs))
    with pytest.raises(UserError, match="is no result of this version"):
        read_result(setting, tmp_path, jobs[0])
    measure(share, lambda *_: None)
    results = {job.arm: read_result(setting, tmp_path, job) for job in jobs}
    parents = {parent.key for parent in setting.parents}
    for arm, one in results.items():
        assert np.shape(one.accuracy) == (len(TIMES), 2)
        assert one.cpu_seconds > 0
        assert (one.parent in parents) == (arm in HEIRS)
        assert (one.preserved is None) == (arm not in HEIRS)
    assert results[CARRIED].cpu_seconds < results[SHORT].cpu_seconds < results[FULL].cpu_seconds
    assert results[INHERITED].distance == results[CARRIED].distance
    assert results[INHERITED].accuracy != results[SHORT].accuracy
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(stamps) == len(ARMS)
    measure(share, lambda *_: None)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps


def test_results_lie_apart_if_anything_that_matters_differs(labels: Path, tmp_path: Path) -> None:
    setting = setting_of(labels)
    other_parents = replace(setting, parents=setting.parents[1:])
    for arm in ARMS:
        job = Job(arm, "0123", {})
        place = path_of(setting, tmp_path, job)
        assert path_of(replace(setting, chips=3), tmp_path, job) != place
        assert path_of(replace(setting, labels=tmp_path), tmp_path, job) == place
        assert (path_of(other_parents, tmp_path, job) != place) == (arm in HEIRS)
        trained_short = arm in (SHORT, INHERITED)
        more = replace(setting, epochs=2)
        assert (path_of(more, tmp_path, job) != place) == trained_short


# ------------------------------------------------------------------------------------ scores


def results(arm: str, values: Sequence[float], seconds: float = 2.0) -> list[Result]:
    return [
        Result(f"{place:04}", arm, ((value, value),) * len(TIMES), seconds, seconds)
        for place, value in enumerate(values)
    ]


@pytest.fixture
def references() -> dict[str, Reference]:
    return {
        f"{place:04}": Reference(f"{place:04}", dict.fromkeys(TIMES, place / 40), 10.0, 2.0)
        for place in range(40)
    }


@pytest.fixture(scope="module")
def ceilings() -> dict[str, NoiseCeiling]:
    rng = np.random.default_rng(0)
    rows = [
        (f"{place}", place / 40 + 0.02 * rng.standard_normal())
        for place in range(40)
        for _ in range(3 if place % 8 == 0 else 1)
    ]
    frame = pd.DataFrame(rows, columns=["key", "mean"])
    found = estimate_noise_ceiling(frame, rng=rng, resamples=20)
    return dict.fromkeys(TIMES, found)


def test_a_perfect_order_has_no_interval_and_noise_has_one(
    references: dict[str, Reference], ceilings: dict[str, NoiseCeiling]
) -> None:
    perfect = [place / 40 for place in range(40)]
    noisy = [value + 0.3 * ((7 * place) % 10) / 10 for place, value in enumerate(perfect)]
    for one in score("a", results("a", perfect), references, ceilings, seed=0):
        assert one.tau == pytest.approx(1.0)
        assert one.tau_low == pytest.approx(1.0)
        assert one.share_of_ceiling == pytest.approx(1 / ceilings[one.time].tau)
        assert one.regret_best_of_ten == 0.0
    for one in score("a", results("a", noisy), references, ceilings, seed=0):
        assert 0.3 < one.tau_low < one.tau < one.tau_high < 0.95
        assert one.tau_top_quarter < one.tau
    two = {"perfect": results("perfect", perfect), "noisy": results("noisy", noisy)}
    for gain in compare("perfect", "noisy", two, references, seed=0):
        assert gain.is_gain
        assert 0 < gain.low < gain.tau < gain.high
    for gain in compare("noisy", "noisy", two, references, seed=0):
        assert gain.tau == gain.low == gain.high == 0.0
        assert not gain.is_gain


def test_tau_of_a_resample_is_that_of_its_copies() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(12), rng.integers(5, size=12).astype(float)
    index = rng.integers(12, size=12)
    counts = np.bincount(index, minlength=12).astype(float)
    found = resampled_tau(first, second, counts[None])
    assert found.tolist() == pytest.approx([kendall_tau_b(first[index], second[index])])


def test_cost_is_that_of_the_processor(references: dict[str, Reference]) -> None:
    seconds = {FULL: 10.0, SHORT: 2.0, INHERITED: 2.5, CARRIED: 0.5}
    found = {
        one.arm: one
        for one in costs(
            {arm: results(arm, [0.5] * 40, value) for arm, value in seconds.items()}, references
        )
    }
    assert found[SHORT].speedup == pytest.approx(5.0)
    assert found[SHORT].passes
    assert not found[INHERITED].passes
    assert found[SHORT].labels_per_hour == pytest.approx(1800)
    assert found[SHORT].labels_per_hour_measured == pytest.approx(900)


def findings(
    share: float, low: float, speedup: float
) -> tuple[list[Score], list[Difference], list[Cost]]:
    scores = [
        Score(arm, time, 60, 0.8, 0.7, 0.9, share, 0.5, 0.0, 0.5) for arm in ARMS for time in TIMES
    ]
    differences = [Difference(INHERITED, SHORT, time, 0.1, low, 0.2) for time in TIMES]
    return scores, differences, [Cost(arm, 1.0, speedup, 1.0, 1.0) for arm in ARMS]


def test_inheritance_is_kept_only_if_it_is_good_cheap_and_better() -> None:
    assert is_kept(*findings(0.85, 0.01, 5.0))
    assert "They are kept" in verdict(*findings(0.85, 0.01, 5.0))
    for found in (
        findings(0.79, 0.01, 5.0),
        findings(0.85, -0.01, 5.0),
        findings(0.85, 0.01, 4.0),
    ):
        assert not is_kept(*found)
        assert "They are not kept" in verdict(*found)
    told = verdict(*findings(0.79, 0.01, 5.0))
    assert told.count("not enough") == 2
    assert verdict(*findings(0.85, -0.01, 5.0)).count(": enough") == 2


# -------------------------------------------------------------------------------------- page


def finish(labels: Path, folder: Path, targets: int) -> Setting:
    """Put results into the folder, so that nothing is left to train."""
    setting = setting_of(labels)
    chosen, others = split_networks(read_folder(labels), targets)
    rng = np.random.default_rng(0)
    jobs = [*jobs_of(chosen, tuple(ARMS)), *jobs_of(others[:targets], (SHORT,))]
    for job in jobs:
        value = float(rng.uniform(0.3, 0.9))
        heir = job.arm in HEIRS
        one = Result(
            job.key,
            job.arm,
            ((value, value), (value / 2, value / 2)),
            9.0,
            5.0 if job.arm == FULL else 1.0,
            setting.parents[0].key if heir else None,
            4.0 if heir else None,
            preserved=True if heir else None,
        )
        write_text(path_of(setting, folder, job), json.dumps(asdict(one)))
    return setting


def test_what_is_finished_is_scored_and_told(labels: Path, tmp_path: Path) -> None:
    finish(labels, tmp_path, 12)
    config = CheaperLabelsConfig(labels=labels, data=None, folder=tmp_path, chips=2)
    report = run_cheaper_labels(config)
    by_arm = {(one.arm, one.time): one for one in report.scores}
    assert by_arm[SHORT, "1 day"].networks == 12
    assert by_arm[f"{SHORT}, all", "1 day"].networks == 24
    assert {one.arm: one.speedup for one in report.costs}[SHORT] == pytest.approx(5.0)
    assert report.parents_seconds == pytest.approx(12 * 10.0)
    with pytest.raises(UserError, match="must name a page"):
        write_page(report, tmp_path / "page.txt")
    data = write_page(report, tmp_path / "page.md")
    stored = json.loads(data.read_text())
    assert stored == json.loads(json.dumps(to_json(report)))
    assert len(stored["results"]) == 12 * len(ARMS) + 12
    page = (tmp_path / "page.md").read_text()
    assert report.verdict in page
    assert "12 of 12 cases the target computed what its parent does" in page
    tau = by_arm[INHERITED, "1 year"].tau
    assert f"| `{INHERITED}` | 1 year | 12 | {tau:.3f} |" in page


def test_labels_of_other_data_or_physics_are_refused(labels: Path, tmp_path: Path) -> None:
    for name, value, message in (
        ("simulator_version", "0", "must be of simulator version"),
        ("data_key", "0", "must be that of the labels"),
        ("data", "recordings", "Say where it is with --data"),
    ):
        other = tmp_path / name
        other.mkdir()
        for path in labels.glob("*.json*"):
            (other / path.name).write_bytes(path.read_bytes())
        settings = json.loads((labels / "settings.json").read_text())
        (other / "settings.json").write_text(json.dumps({**settings, name: value}))
        config = CheaperLabelsConfig(labels=other, data=None, folder=tmp_path / "work")
        with pytest.raises(UserError, match=message):
            run_cheaper_labels(config)


def test_the_command_names_what_is_missing(tmp_path: Path) -> None:
    arguments = ["bench", "labels", "--out", str(tmp_path / "page.md")]
    arguments += ["--folder", str(tmp_path / "work"), "--labels", str(tmp_path / "none")]
    answer = CliRunner().invoke(app, arguments)
    assert answer.exit_code == 2
    assert "holds no label run" in " ".join(answer.output.split())
    assert not (tmp_path / "page.md").exists()
