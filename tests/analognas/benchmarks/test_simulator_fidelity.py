"""The fidelity benchmark: its own laws are right, it finds mistakes, and its page says so."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analognas.benchmarks import simulator_fidelity
from analognas.benchmarks.fidelity import laws
from analognas.benchmarks.fidelity.aihwkit_network import NetworkAccuracy
from analognas.benchmarks.fidelity.aihwkit_tile import aihwkit_tile_errors, has_effects
from analognas.benchmarks.fidelity.cells import CELLS
from analognas.benchmarks.fidelity.constants import constants
from analognas.benchmarks.fidelity.laws import Moments
from analognas.benchmarks.fidelity.reads import READS
from analognas.benchmarks.fidelity.report import (
    Constant,
    FidelityReport,
    TileError,
    is_met,
    to_json,
    to_markdown,
    verdict,
)
from analognas.benchmarks.fidelity.tile import ALL, Switches, tile_errors
from analognas.benchmarks.fidelity.trial import Check, Trial
from analognas.cli.app import build_app
from analognas.simulator.devices import Pcm2019

RUNNER = CliRunner()
DRAWS = 1_000_000


def sample(values: np.ndarray[tuple[int], np.dtype[np.float64]], law: Moments) -> None:
    """Compare a law with draws, within 5 standard errors."""
    assert values.mean() == pytest.approx(law.mean, abs=5 * law.spread / math.sqrt(DRAWS))
    assert values.std() == pytest.approx(law.spread, rel=5 / math.sqrt(DRAWS))


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 0.3), (0.2, 0.3), (5.0, 0.3)])
def test_the_laws_are_those_of_their_names(mean: float, sigma: float) -> None:
    draws = mean + sigma * np.random.default_rng(0).normal(size=DRAWS)
    sample(np.maximum(draws, 0.1), laws.clamped_normal(mean, sigma, 0.1))
    sample(np.abs(draws), laws.folded_normal(mean, sigma))
    sample(np.exp(-np.abs(draws) * 1.5), laws.folded_power(mean, sigma, 1.5))


def test_a_clamped_law_without_spread_is_a_number() -> None:
    assert laws.clamped_normal(-1.0, 0.0) == Moments(0.0, 0.0)


@pytest.mark.parametrize("effect", [*CELLS, *READS])
def test_every_effect_meets_its_closed_form(effect: str) -> None:
    checks = list({**CELLS, **READS}[effect](Trial(0, 20_000), effect))
    assert checks
    assert all(check.effect == effect for check in checks)
    assert [check for check in checks if not is_met(check)] == []


def test_a_wrong_effect_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Pcm2019.programming_sigma_uS
    monkeypatch.setattr(Pcm2019, "programming_sigma_uS", lambda cell, r: 1.05 * original(cell, r))
    effect = "programming (PCM 2019)"
    checks = list(CELLS[effect](Trial(0, 50_000), effect))
    assert sum(not is_met(check) for check in checks) >= 3
    assert sum(not one.is_met for one in constants()) == 3


def test_constants_are_met() -> None:
    assert [one.name for one in constants() if not one.is_met] == []


def test_the_second_implementation_is_exact_without_effects_and_has_the_published_error() -> None:
    rng = np.random.default_rng(0)
    nothing = tile_errors(Switches(), [1.0, 1e7], scaled=True, rng=rng)
    assert nothing == pytest.approx([0.0, 0.0], abs=1e-12)
    first, last = tile_errors(ALL, [1.0, 31_536_000.0], scaled=False, rng=rng)
    assert first == pytest.approx(0.139, abs=0.006)
    assert last == pytest.approx(0.220, abs=0.006)


# ---------------------------------------------------------------------- report

GOOD = TileError("everything", "as conductances", "1 s", 0.137, 0.001, 0.138, 0.001)


def report(**changes: object) -> FidelityReport:
    found = FidelityReport(
        command="analognas bench fidelity",
        facts={"seed": "0"},
        checks=(
            Check("ADC", "sd error", 0.02, 0.0201, 0.0001),
            Check("IR drop", "output", 7.0, 7.0 + 1e-6, None),
        ),
        constants=(Constant("LSB", 0.0787402, 0.07874016),),
        tiles=(GOOD, replace(GOOD, effects="drift")),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def test_a_report_without_deviations_says_so() -> None:
    found = report()
    assert found.failures == []
    assert "largest deviation 1.0 standard errors" in verdict(found)
    assert "Deviates" not in verdict(found)
    page = to_markdown(found, data_file="fidelity.json")
    assert "MISSED" not in page
    row = "| 1 s | 13.70 ± 0.10 | 13.80 ± 0.10 | -0.10 | {} | - | met |"
    assert row.format("-") in page
    compared = report(tiles=(replace(GOOD, aihwkit=0.139, aihwkit_error=0.0002),))
    assert row.format("13.90 ± 0.02") in to_markdown(compared, data_file="fidelity.json")
    assert json.dumps(to_json(found), allow_nan=False)


def test_a_network_on_both_simulators_is_reported() -> None:
    one = NetworkAccuracy("1 day", ("drift",), "conv", 7, 0.98, 0.95, 0.001, 0.94, 0.002)
    found = report(networks=(one,))
    page = to_markdown(found, data_file="fidelity.json")
    assert "| 1 day | 95.00 ± 0.10 | 94.00 ± 0.20 | +1.00 |" in page
    assert "on 7 chips each" in page
    assert "A trained network" not in to_markdown(report(), data_file="fidelity.json")


@pytest.mark.parametrize(
    ("switches", "t_s", "error"),
    [
        (Switches(converters=True, output_noise=True), 1.0, 0.0204),
        (Switches(programming=True), 1.0, 0.1022),
        (Switches(drift=True), 3600.0, 0.0565),
        (Switches(drift=True), 31_536_000.0, 0.1535),
        (Switches(read_1f=True), 1.0, 0.0810),
        (Switches(read_1f=True), 31_536_000.0, 0.1087),
    ],
)
def test_aihwkit_finds_the_same_errors(switches: Switches, t_s: float, error: float) -> None:
    """The errors are those of AIHWKIT 1.1.0 for such tiles, mean of three."""
    rng = np.random.default_rng(0)
    [ours] = tile_errors(switches, [t_s], scaled=False, rng=rng)
    assert ours == pytest.approx(error, abs=0.003)
    if has_effects(switches):
        [theirs] = aihwkit_tile_errors(switches, [t_s], scaled=False, rng=rng)
        assert theirs == pytest.approx(error, abs=0.003)


def test_aihwkit_finds_larger_errors_where_it_maps_programmed_weights_anew() -> None:
    """All effects together, of AIHWKIT 1.2.0, after a second and a year; mean of five tiles."""
    theirs = [0.1388, 0.2196]
    times_s = [1.0, 31_536_000.0]

    def mean(remapped: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        tiles = [
            tile_errors(
                ALL, times_s, scaled=False, rng=np.random.default_rng(seed), remapped=remapped
            )
            for seed in range(4)
        ]
        return np.asarray(np.mean(tiles, axis=0))

    assert mean(remapped=True) == pytest.approx(theirs, abs=0.0015)
    assert (mean(remapped=False) < np.subtract(theirs, 0.0015)).all()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"checks": (Check("ADC", "sd", 0.02, 0.03, 0.0001),)}, "ADC: sd"),
        ({"checks": (Check("ADC", "m", 0.0, 0.0, 1.0), Check("a", "b", 1.0, 1.1, None))}, "a: b"),
        ({"constants": (Constant("LSB", 0.0787402, 0.079),)}, "LSB"),
        ({"tiles": (replace(GOOD, reference=0.15),)}, "everything, as conductances, 1 s"),
    ],
)
def test_a_deviation_is_named(changes: dict[str, object], name: str) -> None:
    found = report(**changes)
    assert found.failures == [name]
    assert f"Deviates: {name}" in verdict(found)
    assert "MISSED" in to_markdown(found, data_file="fidelity.json")
    assert to_json(found)["failures"] == [name]


# --------------------------------------------------------------------- command


@pytest.mark.slow
def test_the_command_writes_a_page_and_its_data(tmp_path: Path) -> None:
    page = tmp_path / "fidelity.md"
    result = RUNNER.invoke(build_app(), ["bench", "fidelity", "--quick", "--out", str(page)])
    assert result.exit_code == 0, result.output
    assert "Made by `analognas bench fidelity --quick --out fidelity.md`." in page.read_text()
    found = json.loads(page.with_suffix(".json").read_text())
    assert found["failures"] == []
    assert len(found["tiles"]) == 19
    names = {check["effect"] for check in found["checks"]}
    assert {"ADC, float32", "ADC, float64", "ReRAM (Wan 2022)"} <= names


def test_a_page_of_another_kind_is_refused_before_the_work() -> None:
    result = RUNNER.invoke(build_app(), ["bench", "fidelity", "--out", "fidelity.json"])
    assert result.exit_code == 2
    assert "must name a page that ends in .md" in result.stderr


def test_a_deviation_fails_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deviating = report(constants=(Constant("LSB", 0.0787402, 0.079),))
    monkeypatch.setattr(simulator_fidelity, "run_fidelity", lambda *_: deviating)
    page = tmp_path / "fidelity.md"
    result = RUNNER.invoke(build_app(), ["bench", "fidelity", "--out", str(page)])
    assert result.exit_code == 1
    assert "The simulator deviates: LSB." in result.stderr
    assert "MISSED" in page.read_text()  # written all the same
