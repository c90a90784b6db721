"""What every memory cell promises."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from analognas.simulator import HERMES_DEFAULT, Hardware, spawn_generator
from analognas.simulator.devices import (
    DEVICES,
    AnyDevice,
    Device,
    draw_ageing,
    program_conductance,
    read_conductance,
)
from analognas.simulator.devices.base import relative_conductance
from analognas.simulator.weight_spread import weight_spread

TIMES_S = [0.0, 1.0, 60.0, 3600.0, 86_400.0]  # every model knows these
TYPES = [torch.float32, torch.float64]


@pytest.fixture(params=sorted(DEVICES))
def cell(request: pytest.FixtureRequest) -> AnyDevice:
    return DEVICES[request.param]()


def targets(cell: Device, where: torch.device, dtype: torch.dtype = torch.float64) -> Tensor:
    """Levels from end to end, `(4, 1001)`."""
    r = torch.linspace(0, 1, 1001, dtype=dtype, device=where)
    return (cell.g_min_uS + r * (cell.g_max_uS - cell.g_min_uS)).repeat(4, 1)


def written(cell: Device, g_target_uS: Tensor) -> tuple[Tensor, Tensor]:
    where = g_target_uS.device
    return (
        program_conductance(
            cell, g_target_uS, generator=spawn_generator(0, "program", device=where)
        ),
        draw_ageing(cell, g_target_uS, generator=spawn_generator(0, "age", device=where)),
    )


def test_it_is_registered_under_its_kind(cell: AnyDevice) -> None:
    device: Device = cell  # a type checker compares the protocol
    assert DEVICES[device.kind] is type(cell)
    assert 0 <= device.g_min_uS < device.g_max_uS
    assert device.t_ref_s > 0
    assert hash(cell) == hash(type(cell)())


def test_the_relative_conductance_runs_over_the_range(
    cell: AnyDevice, device: torch.device
) -> None:
    r = relative_conductance(cell, targets(cell, device))
    torch.testing.assert_close(r[0], torch.linspace(0, 1, 1001, dtype=r.dtype, device=device))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("t_s", TIMES_S)
def test_conductances_are_finite_and_in_range(
    cell: AnyDevice, dtype: torch.dtype, t_s: float, device: torch.device
) -> None:
    target = targets(cell, device, dtype)
    programmed, ageing = written(cell, target)
    aged = cell.aged_uS(programmed, ageing, t_s=t_s)
    sigma = cell.read_sigma_uS(aged, programmed, t_s=t_s)
    stream = spawn_generator(0, "read", device=device)
    read = read_conductance(cell, programmed, ageing, t_s=t_s, generator=stream)
    for values in (programmed, ageing, aged, sigma, read):
        assert values.shape == target.shape
        assert values.dtype == dtype
        assert values.device.type == device.type
        assert torch.isfinite(values).all()
    for conductance in (programmed, aged, read):
        assert (conductance >= cell.g_min_uS).all()
    assert (sigma >= 0).all()


def test_spreads_are_not_negative(cell: AnyDevice, device: torch.device) -> None:
    sigma = cell.programming_sigma_uS(relative_conductance(cell, targets(cell, device)))
    assert torch.isfinite(sigma).all()
    assert (sigma >= 0).all()


def test_both_precisions_tell_the_same(cell: AnyDevice, device: torch.device) -> None:
    for t_s in TIMES_S:
        double = targets(cell, device)
        programmed, ageing = written(cell, double)
        wide = cell.aged_uS(programmed, ageing, t_s=t_s)
        narrow = cell.aged_uS(programmed.float(), ageing.float(), t_s=t_s)
        torch.testing.assert_close(narrow.double(), wide, rtol=1e-4, atol=1e-3)


def test_nothing_is_changed_in_place(cell: AnyDevice, device: torch.device) -> None:
    target = targets(cell, device)
    programmed, ageing = written(cell, target)
    torch.testing.assert_close(target, targets(cell, device), rtol=0, atol=0)
    before = programmed.clone(), ageing.clone()
    for t_s in TIMES_S:
        stream = spawn_generator(0, "read", device=device)
        read_conductance(cell, programmed, ageing, t_s=t_s, generator=stream)
        assert torch.equal(programmed, before[0])
        assert torch.equal(ageing, before[1])


def test_a_cell_ages_in_the_same_way_whenever_it_is_asked(
    cell: AnyDevice, device: torch.device
) -> None:
    programmed, ageing = written(cell, targets(cell, device))
    once = [cell.aged_uS(programmed, ageing, t_s=t_s) for t_s in TIMES_S]
    again = [cell.aged_uS(programmed, ageing, t_s=t_s) for t_s in reversed(TIMES_S)]
    for first, second in zip(once, reversed(again), strict=True):
        assert torch.equal(first, second)
    same_seed = written(cell, targets(cell, device))
    assert torch.equal(same_seed[0], programmed)
    assert torch.equal(same_seed[1], ageing)


def test_the_ageing_of_one_cell_is_its_own(cell: AnyDevice, device: torch.device) -> None:
    programmed, ageing = written(cell, targets(cell, device))
    some = slice(100, 200)
    for t_s in TIMES_S:
        whole = cell.aged_uS(programmed, ageing, t_s=t_s)[:, some]
        part = cell.aged_uS(programmed[:, some], ageing[:, some], t_s=t_s)
        torch.testing.assert_close(part, whole, rtol=1e-12, atol=0)


def test_time_takes_a_cell_ever_farther_from_its_start(
    cell: AnyDevice, device: torch.device
) -> None:
    programmed, ageing = written(cell, targets(cell, device))
    path = torch.stack([cell.aged_uS(programmed, ageing, t_s=t_s) for t_s in TIMES_S])
    moved = (path - path[0]).abs()
    assert (moved[1:] >= moved[:-1] - 1e-12).all()


def test_read_noise_of_a_conductance_does_not_fade(cell: AnyDevice, device: torch.device) -> None:
    g = targets(cell, device)
    sigmas = torch.stack([cell.read_sigma_uS(g, g, t_s=t_s) for t_s in TIMES_S])
    assert (sigmas[1:] >= sigmas[:-1]).all()


def test_reads_scatter_about_the_aged_conductance(cell: AnyDevice, device: torch.device) -> None:
    middle = (cell.g_min_uS + cell.g_max_uS) / 2
    programmed, ageing = written(cell, torch.full((1,), middle, dtype=torch.float64, device=device))
    programmed, ageing = programmed.expand(100_000), ageing.expand(100_000)
    aged = cell.aged_uS(programmed, ageing, t_s=3600.0)
    sigma = cell.read_sigma_uS(aged, programmed, t_s=3600.0)
    stream = spawn_generator(1, "read", device=device)
    read = read_conductance(cell, programmed, ageing, t_s=3600.0, generator=stream)
    if sigma.max() == 0:
        assert torch.equal(read, aged)
    else:
        deviation = (read - aged) / sigma
        assert abs(float(deviation.mean())) < 5 / 100_000**0.5
        assert float(deviation.std()) == pytest.approx(1, abs=5 / 200_000**0.5)


def test_the_spread_of_its_weights_is_tabulated(cell: AnyDevice) -> None:
    table = weight_spread(cell, t_s=3600.0)
    assert table.shape == (257,)
    assert torch.isfinite(table).all()
    assert (table >= 0).all()
    assert (table < 0.6).all()


def test_a_hardware_file_and_json_keep_it(cell: AnyDevice, tmp_path: Path) -> None:
    hardware = replace(HERMES_DEFAULT, device=cell)
    (tmp_path / "hardware.toml").write_text(hardware.to_toml())
    from_toml = Hardware.from_toml(tmp_path / "hardware.toml")
    from_json = TypeAdapter(Hardware).validate_python(json.loads(json.dumps(asdict(hardware))))
    for other in (from_toml, from_json):
        assert other == hardware
        assert other.hash == hardware.hash
        assert type(other.device) is type(cell)
