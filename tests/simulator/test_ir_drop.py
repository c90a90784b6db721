"""The static voltage drop against its formula, a loop, and the network that it approximates."""

import math

import pytest
import torch

from analognas.simulator.ir_drop import IrDrop, apply_ir_drop_, drop_fraction, drop_profile
from analognas.simulator.resistor_network import solve_crossbar
from analognas.simulator.streams import spawn_generator


def drop_of_one_column(weight: list[float], drive: list[float], ir_drop: IrDrop) -> float:
    """Product of one column as the formula is written, cell by cell."""
    n = len(weight)
    total = sum(abs(w) * abs(x) for w, x in zip(weight, drive, strict=True))
    a = total * n / ir_drop.conductance_ratio
    c = a * (a * (0.05 * a - 0.2) + 0.5)
    profiled = [x * (1 - (1 - j / n) ** 2) for j, x in enumerate(drive)]
    product = sum(w * x for w, x in zip(weight, drive, strict=True))
    lost = sum(w * x for w, x in zip(weight, profiled, strict=True))
    return product - ir_drop.strength * c * lost


def apply_to(weight: torch.Tensor, drive: torch.Tensor, ir_drop: IrDrop) -> torch.Tensor:
    rows = weight.shape[1]
    profile = drop_profile(rows, device=weight.device, dtype=weight.dtype)
    y = drive @ weight.T
    total = drive.abs() @ weight.abs().T
    profiled = (drive * profile) @ weight.T
    return apply_ir_drop_(y, total, profiled, rows=rows, ir_drop=ir_drop)


def test_fraction_at_a_tenth_is_the_worked_value() -> None:
    ir_drop = IrDrop(strength=1.0, conductance_ratio=640.0)
    total = torch.tensor([1.0], dtype=torch.float64)  # a = 1 * 64 / 640
    assert drop_fraction(total, 64, ir_drop).item() == pytest.approx(0.04805, rel=1e-12)


def test_default_ratio_is_that_of_0_35_ohm_and_5_microsiemens() -> None:
    assert IrDrop().conductance_ratio == pytest.approx(571428.57, rel=1e-8)


def test_profile_is_zero_next_to_the_converter_and_almost_one_at_the_far_end() -> None:
    expected = [0.0, 1 - 0.75**2, 0.75, 1 - 0.25**2]
    assert drop_profile(4, dtype=torch.float64).tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (17, 5)])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_tiles_agree_with_a_loop_over_cells(
    rows: int, columns: int, strength: float, device: torch.device
) -> None:
    generator = spawn_generator(0, "tile", rows, device=device)
    weight = torch.empty(columns, rows, dtype=torch.float64, device=device)
    drive = torch.empty(4, rows, dtype=torch.float64, device=device)
    weight.uniform_(-1, 1, generator=generator)
    drive.uniform_(-1, 1, generator=generator)
    ir_drop = IrDrop(strength=strength, conductance_ratio=200.0)
    y = apply_to(weight, drive, ir_drop)
    for i in range(4):
        for c in range(columns):
            expected = drop_of_one_column(weight[c].tolist(), drive[i].tolist(), ir_drop)
            assert y[i, c].item() == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_no_strength_changes_nothing() -> None:
    generator = spawn_generator(1, "tile")
    y = torch.empty(5, 6).normal_(generator=generator)
    before = y.clone()
    apply_ir_drop_(y, y.abs() + 1, y + 1, rows=512, ir_drop=IrDrop())
    assert torch.equal(y, before)


def test_an_equal_column_loses_what_the_resistor_ladder_loses() -> None:
    # n equal cells at one voltage: tanh(k) / k with k^2 = a; the cubic has its first two orders.
    rows, a = 2000, 0.05
    ratio = rows**2 / a
    weight = torch.ones(1, rows, dtype=torch.float64)
    y = apply_to(weight, weight, IrDrop(strength=1.0, conductance_ratio=ratio)) / rows
    k = math.sqrt(a)
    assert y.item() == pytest.approx(math.tanh(k) / k, abs=2 * a / rows + a**3 / 40)
    ladder = solve_crossbar(
        weight.T, weight[0], row_segment_ohm=0.0, column_segment_ohm=1e6 / ratio
    )
    assert y.item() == pytest.approx(ladder.item() / rows, abs=2 * a / rows + a**3 / 40)
    assert 1 - y.item() > 10 * (2 * a / rows + a**3 / 40)


def test_gradients_pass() -> None:
    weight = torch.full((2, 8), 0.5, dtype=torch.float64, requires_grad=True)
    drive = torch.linspace(-0.9, 1.0, 24, dtype=torch.float64).view(3, 8).requires_grad_()
    ir_drop = IrDrop(strength=1.0, conductance_ratio=100.0)
    assert torch.autograd.gradcheck(lambda w, x: apply_to(w, x, ir_drop), (weight, drive))
