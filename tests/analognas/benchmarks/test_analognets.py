"""The AnalogNets benchmark in small: networks, ranges, resuming, tables."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from analognas.benchmarks.analognets_cases import (
    BITS,
    DEPTHWISE,
    FINE,
    FIXED,
    GAINS,
    LEARNED,
    MAIN,
    NOISE,
    NONE,
    ONE_GAIN,
    OWN,
    OWN_RANGES,
    REGULAR,
    TIMES_S,
    networks,
)
from analognas.benchmarks.analognets_jobs import Effort, Job, Result, read_results
from analognas.benchmarks.analognets_page import to_json, to_markdown, verdict
from analognas.benchmarks.analognets_ranges import one_gain, own_ranges
from analognas.benchmarks.analognets_tables import (
    AnalogNetsReport,
    NetworkFacts,
    comparisons,
    tables,
)
from analognas.benchmarks.analognets_work import measure
from analognas.errors import UserError
from analognas.labelling.job import TaskChoice
from analognas.search_spaces import ConvSpace
from analognas.shapes import layer_shapes
from analognas.simulator import analog_layers, spawn_generator
from analognas.simulator.chip import load_chip, place_layers
from analognas.simulator.presets import AON_CIM_4BIT
from analognas.tasks import Task, load_task

KEYWORDS = ((1, 49, 10), 12)


def test_the_networks_fit_the_array_and_the_pair_is_equally_large() -> None:
    space = ConvSpace(*KEYWORDS)
    chosen = networks(space)
    sizes = {name: space.parameters(arch) for name, arch in chosen.items()}
    assert abs(sizes[REGULAR] / sizes[DEPTHWISE] - 1) < 0.01
    groups = {
        name: max(layer.groups for layer in space.layers(arch)) for name, arch in chosen.items()
    }
    assert groups[DEPTHWISE] == 64
    assert groups[REGULAR] == groups[MAIN] == 1
    for arch in chosen.values():
        assert place_layers(layer_shapes(space, arch), load_chip("aon-cim")).used_cores == 1


# ------------------------------------------------------------------------------------ ranges


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("digits")


@pytest.fixture(scope="module")
def network(task: Task) -> nn.Module:
    space = ConvSpace(task.input_shape, task.n_classes)
    arch = space.named[MAIN]
    return space.build(arch, generator=spawn_generator(0, "network")).eval()


def test_one_gain_is_the_same_in_every_layer(task: Task, network: nn.Module) -> None:
    ranges = one_gain(network, AON_CIM_4BIT, task)
    assert set(ranges.bounds.values()) <= set(GAINS)
    assert len(set(ranges.bounds.values())) == 1
    analog = ranges.analog(network, AON_CIM_4BIT)
    for name, layer in analog_layers(analog):
        assert layer.hardware.converters.output_bound == ranges.bounds[name]
        assert float(layer.input_range.detach()) == pytest.approx(ranges.inputs[name])


def test_own_ranges_end_at_the_outputs_of_each_layer(task: Task, network: nn.Module) -> None:
    ranges = own_ranges(network, AON_CIM_4BIT, task)
    assert len(set(ranges.bounds.values())) == len(ranges.bounds) > 1
    analog = ranges.analog(network, AON_CIM_4BIT)
    for name, layer in analog_layers(analog):
        assert layer.hardware.converters.output_bound == ranges.bounds[name]
    name, head = list(analog_layers(analog))[-1]
    largest = float(head.weight.detach().abs().max())
    end = ranges.bounds[name] * ranges.inputs[name] * largest
    with torch.no_grad():
        outputs = network(torch.from_numpy(task.train.inputs[:512]))
    assert head.bias is not None
    magnitudes = (outputs - head.bias.detach()).abs()
    assert 0 < float((magnitudes > end).float().mean()) < 0.01 or float(magnitudes.max()) <= end


# -------------------------------------------------------------------------------------- work


@pytest.mark.slow
def test_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    job = Job(
        task=TaskChoice("digits"),
        folder=tmp_path,
        effort=Effort(epochs=1, chips=2, seeds=(0,)),
        network=MAIN,
        seed=0,
        methods=(NONE, LEARNED),
        bits=(4,),
    )
    with pytest.raises(UserError, match="is no result of this version"):
        read_results(job)
    told: list[int] = []
    measure(job, lambda done, total, message: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 100
    results = read_results(job)
    kinds = {(one.method, one.adc, one.drift_read) for one in results}
    assert kinds == {
        (NONE, ONE_GAIN, OWN),
        (NONE, ONE_GAIN, FINE),
        (NONE, OWN_RANGES, FINE),
        (LEARNED, ONE_GAIN, OWN),
        (LEARNED, ONE_GAIN, FINE),
    }
    for one in results:
        assert len(one.accuracy) == len(TIMES_S)
        assert all(len(row) == 2 and all(0 <= value <= 1 for value in row) for row in one.accuracy)
        assert (one.gain is None) == (one.adc == OWN_RANGES)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    measure(job, lambda *_: None)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    # From the kept first stage alone, the same numbers again.
    for path in tmp_path.glob("*.json"):
        path.unlink()
    measure(job, lambda *_: None)
    assert read_results(job) == results


# -------------------------------------------------------------------------------------- page


def result(method: str, bits: int, seed: int, value: float, **change: str) -> Result:
    fields = {"network": MAIN, "adc": ONE_GAIN, "groups": "together", "drift_read": FINE, **change}
    row = (value - 0.01, value + 0.01)
    return Result(
        **fields,
        method=method,
        bits=bits,
        seed=seed,
        gain=None if fields["adc"] == OWN_RANGES else 8.0,
        ranges="learned",
        digital=0.9,
        accuracy=(row,) * len(TIMES_S),
    )


@pytest.fixture
def report() -> AnalogNetsReport:
    level = {NONE: 0.70, NOISE: 0.80, FIXED: 0.78, LEARNED: 0.79}
    found = []
    for seed in (0, 1):
        for bits in BITS:
            for method, value in level.items():
                better = 0.02 if bits == 4 and method == LEARNED else 0.0
                found.append(result(method, bits, seed, value + better + seed / 100))
                found.append(result(method, bits, seed, 0.5, adc=OWN_RANGES))
                found.append(result(method, bits, seed, 0.4, drift_read=OWN))
            for network, groups in (
                (DEPTHWISE, "together"),
                (DEPTHWISE, "apart"),
                (REGULAR, "together"),
            ):
                found.append(result(LEARNED, bits, seed, 0.6, network=network, groups=groups))
    facts = NetworkFacts("0123", 1000, 2000, 0.1)
    return AnalogNetsReport(
        command="analognas bench analognets",
        title="a task",
        facts={"seeds": "0, 1"},
        networks={MAIN: facts, DEPTHWISE: facts, REGULAR: facts},
        results=tuple(found),
    )


def test_losses_are_counted_and_kept(report: AnalogNetsReport) -> None:
    everything = comparisons(report)
    lost = [one for one in everything if one.difference < -1e-9]
    assert {(one.bits, one.other) for one in lost} == {(8, NOISE), (6, NOISE)}
    assert all(one.difference == pytest.approx(-1.0) for one in lost)
    ahead = {(one.bits, one.other, one.adc) for one in everything if one.difference > 0.5}
    assert {(4, NOISE, ONE_GAIN), (8, FIXED, ONE_GAIN), (8, NONE, OWN_RANGES)} <= ahead
    page = to_markdown(report, data_file="page.json")
    assert page.count("points behind `noise only`, one S") == len(lost) == 2 * len(TIMES_S)
    assert "behind `none`" not in page
    told = verdict(report)
    assert "8 bit -1.0; 6 bit -1.0; 4 bit +1.0" in told
    assert f"in {4 * len(TIMES_S)} of {6 * len(TIMES_S)} comparisons" in told
    assert f"and behind in {len(lost)};" in told


def test_a_loss_where_the_drift_is_read_coarsely_is_kept(report: AnalogNetsReport) -> None:
    change = [
        replace(one, accuracy=((0.3, 0.3),) * len(TIMES_S))
        if (one.method, one.bits, one.drift_read) == (LEARNED, 4, OWN)
        else one
        for one in report.results
    ]
    page = to_markdown(replace(report, results=tuple(change)), data_file="page.json")
    assert "- 4 bit, 1 day: 10.0 ± 0.0 points behind `none`, both with the drift read at" in page


def test_every_number_has_its_place(report: AnalogNetsReport) -> None:
    ablation, drift, convolutions = tables(report)
    assert len(ablation.rows) == 6 * len(BITS)
    assert ablation.rows[0] == ("8", NONE, ONE_GAIN, "8.0 / 8.0", "90.0", *["70.5 ± 1.3"] * 4)
    assert ablation.rows[4][:4] == ("8", NONE, OWN_RANGES, "-")
    assert [row[0] for row in drift.rows] == ["4"] * 4
    assert str(drift.rows[0][-1]).startswith("40.0")
    assert [row[3] for row in convolutions.rows[:3]] == [
        "groups together",
        "groups apart",
        "no groups",
    ]
    stored = json.loads(json.dumps(to_json(report)))
    assert stored["label"] == "simulated"
    assert [Result.from_dict(one) for one in stored["results"]] == list(report.results)
