"""The benchmark of the simulator: timing, what it times, what it says."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from analognas.benchmarks import simulator_measuring, simulator_speed
from analognas.benchmarks.simulator_competitors import Competitor
from analognas.benchmarks.simulator_memory import Memory, MemoryJob, peak_memory
from analognas.benchmarks.simulator_models import MODELS, BenchmarkModel
from analognas.benchmarks.simulator_records import MemoryRow, SpeedRow
from analognas.benchmarks.simulator_speed import (
    SpeedConfig,
    run_simulator_speed,
    torch_threads,
    write_page,
)
from analognas.benchmarks.simulator_tables import tables
from analognas.benchmarks.simulator_timing import (
    QUICK,
    Comparison,
    Effort,
    compare,
    fit_line,
    seconds_of,
)
from analognas.benchmarks.simulator_work import (
    SETTINGS,
    TRAINING,
    Subject,
    analog_evaluation,
    digital_evaluation,
    digital_matrices,
    digital_training,
)
from analognas.cli.app import build_app
from analognas.simulator import HERMES_DEFAULT, to_analog

RUNNER = CliRunner()
CPU = torch.device("cpu")
TINY = Effort(chips=2, pairs=1, seconds=0, block_seconds=1e-9, repetitions=1)


def tiny_network() -> nn.Module:
    return nn.Sequential(nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 10))


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = BenchmarkModel(
        title="two layers", build=tiny_network, batch=16, input_shape=(256,), training_target=2.0
    )
    monkeypatch.setattr(simulator_speed, "MODELS", {**MODELS, "tiny": tiny})


@pytest.fixture
def _no_child_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def remembered(job: MemoryJob) -> Memory:
        return Memory(100.0, 120.0 if job.analog else 110.0)

    monkeypatch.setattr(simulator_measuring, "peak_memory", remembered)


def mlp(memory_format: str = "contiguous") -> Subject:
    return Subject.of(MODELS["mlp"], memory_format=memory_format, seed=0, device=CPU)


# ---------------------------------------------------------------------- timing


def test_reference_and_candidate_take_turns() -> None:
    order: list[str] = []
    effort = replace(TINY, pairs=3)
    result = compare(lambda: order.append("A"), lambda: order.append("B"), effort, device=CPU)
    assert len(result.ratios) == 3
    assert order[4:] == ["A", "B"] * 3  # after two uncounted runs of each


def test_pairs_are_added_until_the_time_is_spent() -> None:
    effort = replace(TINY, seconds=0.05)
    result = compare(lambda: time.sleep(0.005), lambda: None, effort, device=CPU)
    assert 2 <= len(result.ratios) <= 10


def test_a_ratio_is_the_median_over_neighbours() -> None:
    result = Comparison(reference_s=(1.0, 2.0, 4.0), candidate_s=(2.0, 6.0, 4.0))
    assert result.ratios == (2.0, 3.0, 1.0)
    assert result.ratio == 2.0


def test_a_duration_is_that_of_one_run() -> None:
    assert seconds_of(lambda: time.sleep(0.01), runs=3, device=CPU) == pytest.approx(0.01, rel=0.5)


def test_a_line_is_fitted_and_its_deviation_found() -> None:
    line = fit_line([1, 2, 4], [3.0, 5.0, 9.0])
    assert (line.fixed_s, line.per_unit_s) == pytest.approx((1.0, 2.0))
    assert line.largest_deviation == pytest.approx(0.0, abs=1e-12)
    assert fit_line([1, 2, 3], [1.0, 1.0, 4.0]).largest_deviation == pytest.approx(1.0)


# -------------------------------------------------------------------- networks

PARAMETERS = {
    "resnet32": 464_154,  # 0.46 M in the paper
    "ds-cnn": 2_688 + 4 * (704 + 4_224) + 650,
    "ds-cnn-apart": 2_688 + 4 * (704 + 4_224) + 650,
    "mlp": 785 * 256 + 257 * 128 + 129 * 10,
    "lstm": 4 * 128 * (40 + 128 + 2) + 129 * 10,
    "transformer": 4 * 128 * 129 + 129 * 512 + 513 * 128 + 4 * 128 + 129 * 10,
}


@pytest.mark.parametrize("name", MODELS)
def test_networks_have_the_stated_size(name: str) -> None:
    network = MODELS[name].build()
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", MODELS)
def test_networks_answer_finitely_and_depend_on_the_seed_alone(name: str) -> None:
    torch_state = torch.get_rng_state()
    answers = []
    for _ in range(2):
        x, _ = MODELS[name].inputs(seed=3, device=CPU)
        network = MODELS[name].network(seed=3, device=CPU).eval()
        with torch.no_grad():
            answers.append(network(x[:2]))
    assert answers[0].shape == (2, 10)
    assert answers[0].isfinite().all()
    assert answers[0].std() > 0
    assert torch.equal(*answers)
    assert torch.equal(torch.get_rng_state(), torch_state)


# ------------------------------------------------------------------------ work


def test_a_digital_step_trains() -> None:
    subject = mlp()
    before = [parameter.clone() for parameter in subject.network.parameters()]
    digital_training(subject)()
    moved = zip(subject.network.parameters(), before, strict=True)
    assert all(not torch.equal(now, then) for now, then in moved)


def test_a_digital_evaluation_makes_so_many_passes() -> None:
    subject = mlp()
    seen: list[torch.Size] = []
    subject.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    digital_evaluation(subject, passes=3)()
    digital_evaluation(subject, passes=1, copies=2)()
    assert [shape[0] for shape in seen] == [128, 128, 128, 256]


def test_an_evaluation_is_repeatable_and_covers_all_chips() -> None:
    work = analog_evaluation(mlp(), SETTINGS["i"].hardware, chips=2, times_s=(1.0, 60.0))
    first = work()
    assert first.shape == (2, 128, 10)
    assert torch.equal(first, work())


class Bilinear(nn.Module):
    """Has a matrix that no layer on tiles can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.ones(4, 4))
        self.linear = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x @ self.matrix)
        return y


def test_a_matrix_that_stays_digital_is_named() -> None:
    assert digital_matrices(to_analog(MODELS["mlp"].build(), HERMES_DEFAULT)) == []
    analog = to_analog(nn.Sequential(nn.Linear(4, 4), Bilinear()), HERMES_DEFAULT)
    assert digital_matrices(analog) == ["Bilinear '1'"]


# --------------------------------------------------------------------- results


@pytest.mark.parametrize(("ratio", "verdict"), [(1.5, "met"), (1.6, "met"), (1.61, "missed")])
def test_a_target_is_met_or_missed(ratio: float, verdict: str) -> None:
    comparison = Comparison((1.0,), (ratio,))
    assert SpeedRow(model="m", work="i", target=1.6, comparison=comparison).verdict == verdict


def test_what_is_not_supported_is_neither_met_nor_missed() -> None:
    assert SpeedRow(model="m", work="i", target=1.6, problem="no").verdict == "not supported yet"


def test_the_growth_of_memory_leaves_out_what_was_loaded_before() -> None:
    row = MemoryRow("m", "i", Memory(100.0, 110.0), Memory(140.0, 160.0))
    assert row.ratio == pytest.approx(160 / 110)
    assert row.growth_ratio == pytest.approx(2.0)
    assert replace(row, digital=Memory(100.0, 100.0)).growth_ratio is None


@pytest.mark.usefixtures("_no_child_processes", "_tiny")
def test_page_and_data_hold_the_ratios_and_name_their_command(tmp_path: Path) -> None:
    out = tmp_path / "speed.md"
    config = SpeedConfig(models=("tiny",), effort=TINY, device="cpu", seed=7, out=out)
    messages: list[tuple[int, int, str]] = []
    report = run_simulator_speed(config, lambda *message: messages.append(message))
    data = write_page(report, out)
    found = json.loads(data.read_text())
    assert [row["work"] for row in found["speed"]] == [TRAINING, "0", "i", "ii", "iii"]
    assert all(row["ratio"] > 0 for row in found["speed"])
    assert [row["work"] for row in found["parts"]] == ["0", "i", "ii", "iii"]
    assert all(min(row["program"], row["age"], row["read"]) > 0 for row in found["parts"])
    assert {row["over"] for row in found["lines"]} == {"chips", "times", "images"}
    assert found["memory"][0]["ratio"] == pytest.approx(120 / 110)
    command = "analognas bench simulator --only tiny --device cpu --seed 7 --out speed.md"
    assert found["command"] == command
    page = out.read_text()
    assert f"Made by `{command}`" in page
    for part in (
        "## Time",
        "## Parts of an evaluation",
        "## Memory",
        "## Linearity",
        "torch threads",
        "`speed.json`",
    ):
        assert part in page
    assert str(tmp_path) not in page
    done, total, _ = messages[-1]
    assert done == total
    assert [m[0] for m in messages] == sorted(m[0] for m in messages)


@pytest.mark.usefixtures("_no_child_processes", "_tiny")
def test_other_simulators_are_timed_beside_ours_and_may_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failing(subject: Subject, setting: str) -> None:
        raise RuntimeError("Only one group is supported")

    other = Competitor("torch", "pip install torch", digital_training, failing)  # type: ignore[arg-type]
    monkeypatch.setattr(simulator_measuring, "COMPETITORS", {"Other": other})
    report = run_simulator_speed(SpeedConfig(models=("tiny",), effort=TINY, device="cpu"))
    theirs = [row for row in report.speed if row.simulator == "Other"]
    assert [row.verdict for row in theirs] == ["no target", "failed", "failed", "failed"]
    assert theirs[1].problem == "RuntimeError: Only one group is supported"
    beside = next(table for table in tables(report) if table.title == "Other simulators")
    assert beside.columns[-2:] == ("analognas", "Other")
    works = ["HWA training step", "evaluation (i)", "evaluation (ii)", "evaluation (iii)"]
    assert [row[:2] for row in beside.rows] == [("tiny", work) for work in works]
    assert [row[3] == "fails" for row in beside.rows] == [False, True, True, True]
    assert "Other, tiny: RuntimeError: Only one group is supported" in beside.note


def test_threads_are_set_and_given_back() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_peak_memory_is_that_of_the_work() -> None:
    batches = 64
    job = MemoryJob(
        model="mlp",
        work="i",
        analog=False,
        memory_format="contiguous",
        chips=batches,
        threads=1,
        device="cpu",
        seed=0,
    )
    inputs_MB = batches * 128 * 784 * 4 / 1e6
    memory = peak_memory(job)
    assert inputs_MB < memory.growth_MB < 3 * inputs_MB
    assert peak_memory(replace(job, analog=True)).growth_MB > inputs_MB


# --------------------------------------------------------------------- command


@pytest.mark.slow
@pytest.mark.usefixtures("_no_child_processes")
def test_the_command_prints_valid_json() -> None:
    arguments = ["bench", "simulator", "--only", "mlp", "--quick", "--device", "cpu", "--json"]
    result = RUNNER.invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert all(row["ratio"] > 0 for row in found["speed"])
    assert found["command"] == "analognas bench simulator --only mlp --quick --device cpu"
    assert len(found["speed"][0]["reference_s"]) >= QUICK.pairs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "mlp,vgg"], "Unknown model 'vgg'. Choose one of: ds-cnn, "),
        (["--only", "mlp", "--device", "tpu"], "Unknown device 'tpu'"),
        (["--only", "mlp", "--out", "speed.json"], "must name a page that ends in .md"),
    ],
)
def test_wrong_input_is_one_error(arguments: list[str], message: str) -> None:
    result = RUNNER.invoke(build_app(), ["bench", "simulator", *arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_bench_without_a_name_compares_networks() -> None:
    result = RUNNER.invoke(build_app(), ["bench"])
    assert result.exit_code == 2
    assert "--out" in result.stderr
    arguments = ["bench", "--task", "nothing", "--out", "page.md", "--folder", "work"]
    result = RUNNER.invoke(build_app(), arguments)
    assert result.exit_code == 2
    assert "nothing" in result.stderr
    assert "No such option" not in result.stderr
    named = RUNNER.invoke(build_app(), ["bench", "networks", *arguments[1:]])
    assert named.stderr == result.stderr


def test_bench_lists_its_commands_and_refuses_others() -> None:
    help_text = RUNNER.invoke(build_app(), ["bench", "--help"], terminal_width=200)
    assert help_text.exit_code == 0
    assert "networks" in help_text.stdout
    assert "simulator" in help_text.stdout
    assert RUNNER.invoke(build_app(), ["bench", "nothing"]).exit_code == 2
