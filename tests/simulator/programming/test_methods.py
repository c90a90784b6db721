"""The one door to programming."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HERMES_DEFAULT
from analognas.simulator.conductance_mapping import to_conductances
from analognas.simulator.devices import program_conductance
from analognas.simulator.presets import PCM_2019, RERAM_WAN
from analognas.simulator.programming import (
    METHODS,
    Programmed,
    ProgrammingCosts,
    Statistical,
    programming_method,
    write_tile,
)
from analognas.simulator.streams import spawn_generator


def weight(columns: int = 24, rows: int = 32) -> torch.Tensor:
    matrix = torch.empty(columns, rows).normal_(generator=spawn_generator(0, "w"))
    return matrix / matrix.abs().amax(dim=1, keepdim=True)


def write(name: str, seed: int = 0) -> Programmed:
    return write_tile(
        weight(), HERMES_DEFAULT, METHODS[name], generator=spawn_generator(seed, "write")
    )


@pytest.mark.parametrize("name", METHODS)
def test_every_method_comes_near_the_targets(name: str) -> None:
    programmed = write(name)
    target = to_conductances(weight(), HERMES_DEFAULT.device, HERMES_DEFAULT.mapping)
    assert METHODS[name].name == name
    assert programmed.g_uS.shape == (2, 24, 32)
    assert programmed.g_uS.min() >= 0
    difference = (programmed.g_uS[0] - programmed.g_uS[1]) - (target[0] - target[1])
    assert difference.square().mean().sqrt().item() < 2.5
    assert torch.equal(programmed.gain, torch.ones(24))
    assert torch.equal(programmed.offset, torch.zeros(24))


@pytest.mark.parametrize("name", METHODS)
def test_the_seed_decides(name: str) -> None:
    assert torch.equal(write(name, 1).g_uS, write(name, 1).g_uS)
    assert write(name, 1).log == write(name, 1).log
    assert not torch.equal(write(name, 1).g_uS, write(name, 2).g_uS)


def test_statistical_programming_draws_as_before() -> None:
    target = to_conductances(weight(), HERMES_DEFAULT.device, HERMES_DEFAULT.mapping)
    expected = program_conductance(
        HERMES_DEFAULT.device, target, generator=spawn_generator(0, "write")
    )
    assert torch.equal(write("statistical").g_uS, expected)
    assert write("statistical").log is None


@pytest.mark.parametrize("name", ["verify", "gdp"])
def test_pulsed_methods_log_their_work(name: str) -> None:
    log = write(name).log
    assert log is not None
    assert log.cells == 2 * 24 * 32
    assert log.reset_pulses >= 2 * log.cells  # two devices per cell
    assert log.set_pulses > 0
    assert 0.5 < log.converged_fraction <= 1
    free = write_tile(
        weight(),
        HERMES_DEFAULT,
        METHODS[name],
        costs=ProgrammingCosts(mvm_energy_nJ=0.0, mvm_time_ns=0.0),
        generator=spawn_generator(0, "write"),
    ).log
    assert free is not None
    products = log.row_reads + log.mvms
    costs = ProgrammingCosts()
    assert log.energy_uJ - free.energy_uJ == pytest.approx(products * costs.mvm_energy_nJ * 1e-3)
    assert log.time_ms - free.time_ms == pytest.approx(products * costs.mvm_time_ns * 1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_other_phase_change_cells_work_too(name: str) -> None:
    programmed = write_tile(
        weight(), PCM_2019, METHODS[name], generator=spawn_generator(0, "write")
    )
    target = to_conductances(weight(), PCM_2019.device, PCM_2019.mapping)
    difference = (programmed.g_uS[0] - programmed.g_uS[1]) - (target[0] - target[1])
    assert difference.square().mean().sqrt().item() < 3.5  # of 25 uS


def test_double_precision_is_kept() -> None:
    for method in METHODS.values():
        programmed = write_tile(
            weight().double(), HERMES_DEFAULT, method, generator=spawn_generator(0, "write")
        )
        assert programmed.g_uS.dtype == torch.float64


def test_pulses_need_phase_change_memory() -> None:
    with pytest.raises(ValueError, match="must have phase-change cells"):
        write_tile(weight(), RERAM_WAN, METHODS["verify"], generator=spawn_generator(0, "w"))
    written = write_tile(weight(), RERAM_WAN, Statistical(), generator=spawn_generator(0, "w"))
    assert written.log is None


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.ones(3), "`weight` must be a matrix of columns x rows"),
        (torch.ones(0, 3), "`weight` must be a matrix of columns x rows"),
        (torch.full((2, 3), float("nan")), "`weight` must be finite, but one is nan"),
        (torch.full((2, 3), 1.5), r"`\|weight\| <= 1` must hold, but got 1.5"),
    ],
)
def test_bad_weights_are_refused(matrix: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_tile(matrix, HERMES_DEFAULT, Statistical(), generator=spawn_generator(0, "w"))


def test_unknown_methods_are_refused_with_the_list() -> None:
    assert programming_method("gdp") is METHODS["gdp"]
    with pytest.raises(ValueError, match=r"Unknown programming method 'magic'.*'gdp'.*'verify'"):
        programming_method("magic")


def test_a_tile_of_zeros_is_written() -> None:
    for name in ("verify", "gdp"):
        programmed = write_tile(
            torch.zeros(4, 8),
            replace(HERMES_DEFAULT, weight_read_noise=0.0),
            METHODS[name],
            generator=spawn_generator(0, "w"),
        )
        assert programmed.g_uS.max().item() < 2.5
