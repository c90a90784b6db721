"""The programming benchmark: equal terms, right statistics, a page that keeps the losses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from analognas.benchmarks import programming
from analognas.benchmarks.programming import (
    QUICK,
    Effort,
    ProgrammingConfig,
    run_programming,
    write_page,
)
from analognas.benchmarks.programming_cases import (
    DENSE,
    FINE,
    GDP,
    LONG,
    MAIN,
    METHODS,
    SPARSE,
    VERIFY,
    Case,
    core_hardware,
    draw_inputs,
    draw_weight,
    grid,
    special_cases,
)
from analognas.benchmarks.programming_cores import CoreBench, CoreResult
from analognas.benchmarks.programming_network import NetworkReport, scaled
from analognas.benchmarks.programming_page import to_json, to_markdown, verdict
from analognas.benchmarks.programming_report import ProgrammingReport, differences, interval
from analognas.cli.app import build_app
from analognas.errors import UserError
from analognas.simulator import (
    AnalogModel,
    analog_layers,
    program,
    set_time,
    spawn_generator,
    to_analog,
)
from analognas.simulator.programming import ProgrammingLog, WriteAndVerify

CASE = Case("", 1, core_hardware(1, adc_bits=8, ir_drop=0.0), MAIN)
LOG = ProgrammingLog(
    cells=10,
    set_pulses=20,
    reset_pulses=10,
    cell_reads=30,
    row_reads=3,
    mvms=0,
    iterations=4,
    converged_fraction=1.0,
    energy_uJ=1.0,
    time_ms=1.0,
)
NETWORK = NetworkReport("net", 100, "digits", 50, 1, 2, 0.9, ())


def result(method: str, seed: int, error: float, case: Case = CASE) -> CoreResult:
    errors = dict.fromkeys((DENSE, "dense uniform", SPARSE), error)
    return CoreResult(case, method, seed, errors, LOG, 0.1)


def report(*cores: CoreResult) -> ProgrammingReport:
    return ProgrammingReport("analognas bench programming", {}, 3, cores, {}, NETWORK)


def constant_report(**errors: float) -> ProgrammingReport:
    """Every method with one error, a little different from core to core."""
    cores = [
        result(name, seed, errors.get(name.split(",")[0], 0.2) + 0.001 * seed)
        for name in MAIN
        for seed in range(3)
    ]
    return report(*cores)


@pytest.fixture(scope="module")
def measured() -> dict[str, CoreResult]:
    return {one.method: one for one in CoreBench(0).measure(CASE)}


def test_descent_takes_no_more_pulses_than_verify(measured: dict[str, CoreResult]) -> None:
    assert set(measured) == set(MAIN)
    assert measured[GDP].log.pulses <= measured[FINE].log.pulses
    assert measured[GDP].errors[DENSE] < measured[FINE].errors[DENSE]


def test_the_same_seed_measures_the_same(measured: dict[str, CoreResult]) -> None:
    again = {one.method: one for one in CoreBench(0).measure(CASE)}
    assert again[GDP].errors == measured[GDP].errors
    assert again[GDP].log == measured[GDP].log


def test_what_does_not_meet_the_adc_is_written_once() -> None:
    bench = CoreBench(1)
    coarse = replace(CASE, hardware=core_hardware(1, adc_bits=4, ir_drop=0.0), methods=(FINE,))
    fine = replace(CASE, methods=(FINE,))
    (one,), (other,) = tuple(bench.measure(coarse)), tuple(bench.measure(fine))
    assert one.log is other.log
    assert one.errors[DENSE] > other.errors[DENSE]


def test_drift_and_weak_columns_are_felt() -> None:
    bench, cases = CoreBench(2), {case.name: case for case in special_cases() if case.devices == 1}
    fine = {
        name: next(iter(bench.measure(replace(case, methods=(FINE,))))).errors[DENSE]
        for name, case in cases.items()
    }
    usual = fine["variants of the descent"]
    assert fine["one day after programming"] > 1.1 * usual
    assert fine["7 % spread of column gains"] != usual
    assert fine["IR drop of strength 12"] > usual


def test_held_out_inputs_are_of_their_kinds() -> None:
    inputs = draw_inputs(0)
    assert (inputs[SPARSE] >= 0).all()
    assert (inputs[SPARSE] == 0).double().mean().item() == pytest.approx(0.7, abs=0.01)
    assert inputs[DENSE].std().item() == pytest.approx(1 / 3, rel=0.02)
    assert all(x.abs().max() <= 1 for x in inputs.values())
    assert not torch.equal(draw_inputs(1)[DENSE], inputs[DENSE])
    assert draw_weight(0, "normal").abs().amax(dim=1).tolist() == pytest.approx([1.0] * 256)


def test_the_grid_has_every_combination_once() -> None:
    cases = grid((4, 8), (0.0, 3.0))
    assert len(cases) == len(set(cases)) == 8
    assert {(c.devices, c.adc_bits, c.ir_drop) for c in cases} == {
        (devices, bits, drop) for devices in (1, 2) for bits in (4, 8) for drop in (0.0, 3.0)
    }


def test_intervals_are_those_of_students_t() -> None:
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.30 * 1.0 / 3**0.5)
    assert interval([5.0]) == (5.0, 0.0)


def test_losses_are_named_and_wins_are_not() -> None:
    lost = constant_report(gdp=0.3, verify=0.2)
    page = to_markdown(lost, data_file="x.json")
    assert "## Where gradient descent loses" in page
    assert f"| grid, IR drop 0 | 1 | {DENSE} | {VERIFY} | 8 | +10.00 |" in page
    assert all(one.is_loss for one in differences(lost))
    won = constant_report(gdp=0.1, verify=0.2)
    assert "Where gradient descent loses" not in to_markdown(won, data_file="x.json")
    assert "in 6 of 6 comparisons and a larger one in 0" in verdict(won)


def test_the_page_says_what_its_numbers_are_and_the_json_is_complete() -> None:
    found = constant_report(gdp=0.1)
    page = to_markdown(found, data_file="x.json")
    assert "All numbers are simulated" in page
    assert "Made by `analognas bench programming`" in page
    data = json.loads(json.dumps(to_json(found), allow_nan=False))
    assert data["label"] == "simulated"
    assert len(data["cores"]["rows"]) == 12
    assert set(data["methods"]) == set(METHODS)
    first = dict(zip(data["cores"]["columns"], data["cores"]["rows"][0], strict=True))
    assert first["hardware_hash"] == CASE.hardware.hash
    assert (first["set_pulses"], first["method"]) == (20, VERIFY)


def test_only_the_free_descent_has_other_settings() -> None:
    assert METHODS[LONG] != METHODS[GDP]
    assert METHODS[VERIFY] == WriteAndVerify()


def test_a_page_must_be_a_page() -> None:
    with pytest.raises(UserError, match=r"must name a page that ends in \.md"):
        run_programming(ProgrammingConfig(effort=QUICK, out=Path("x.html")))


def set_ranges(analog: AnalogModel) -> None:
    for _, layer in analog_layers(analog):
        layer.input_range.data.fill_(3.0)


@pytest.fixture
def small_network() -> torch.nn.Module:
    network = torch.nn.Linear(40, 20)
    with torch.no_grad():
        network.weight.normal_(0, 0.3, generator=spawn_generator(0, "w"))
        network.bias.zero_()
    return network


def test_a_network_is_written_by_pulses_and_compensated(small_network: torch.nn.Module) -> None:
    hardware = core_hardware(2, adc_bits=8, ir_drop=0.0)
    x = torch.empty(200, 40).normal_(generator=spawn_generator(0, "x"))
    exact = small_network(x)

    def error(method: str, t_s: float) -> float:
        analog = to_analog(small_network, hardware)
        set_ranges(analog)
        program(analog, chips=2, generator=spawn_generator(0, "chips"), method=METHODS[method])
        set_time(analog, t_s=t_s, generator=spawn_generator(0, "age"))
        return float(((analog(x) - exact).norm() / exact.expand(2, -1, -1).norm()).detach())

    for method in (FINE, GDP):
        assert error(method, 0.0) < 0.25
        assert error(method, 86_400.0) < 0.35


def test_scaled_hardware_has_scaled_noise() -> None:
    hardware = core_hardware(1, adc_bits=8, ir_drop=0.0)
    relative = torch.tensor(0.5)
    sigma = hardware.device.programming_sigma_uS(relative)
    torch.testing.assert_close(
        scaled(hardware, 0.6).device.programming_sigma_uS(relative), 0.6 * sigma
    )


TINY = Effort(
    seeds=2, bits=(8,), ir_drops=(0.0,), epochs=1, chips=1, network_bits=(8,), match_cells=200
)


@pytest.mark.slow
def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programming, "QUICK", TINY)
    monkeypatch.setattr(programming, "COMPENSATIONS", ("gdc",))
    monkeypatch.setattr(programming, "special_cases", lambda: special_cases()[:1])
    out = tmp_path / "programming.md"
    outcome = CliRunner().invoke(
        build_app(), ["bench", "programming", "--quick", "--out", str(out)]
    )
    assert outcome.exit_code == 0, outcome.output
    assert "## Accuracy of a trained network" in out.read_text()
    assert json.loads(out.with_suffix(".json").read_text())["network"]["chips"] == 1


def test_write_page_puts_the_data_beside_it(tmp_path: Path) -> None:
    data = write_page(constant_report(gdp=0.1), tmp_path / "page.md")
    assert data == tmp_path / "page.json"
    assert data.exists()
