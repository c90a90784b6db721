"""The converters' grid: rounding to even, dithering, clipping."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analognas.simulator.quantizer import converter_steps, quantize_, quantize_codes_
from analognas.simulator.streams import spawn_generator

DRAWS = 200_000


@given(bits=st.integers(2, 12), bound=st.floats(0.1, 10.0))
def test_values_on_the_grid_stay_and_others_move_by_half_a_step_at_most(
    bits: int, bound: float
) -> None:
    x = torch.linspace(-2 * bound, 2 * bound, 257, dtype=torch.float64)
    q = quantize_(x.clone(), bits=bits, bound=bound)
    lsb = 2 * bound / converter_steps(bits)
    assert q.abs().max() <= bound * (1 + 1e-12)
    torch.testing.assert_close(quantize_(q.clone(), bits=bits, bound=bound), q)
    assert (q - x)[x.abs() <= bound].abs().max() <= lsb / 2 * (1 + 1e-9)


def test_codes_are_rounded_to_even_then_clipped() -> None:
    x = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 126.6, 127.4, 300.0, -300.0])
    codes = quantize_codes_(x, bits=8, bound=127.0)
    assert codes.tolist() == [0, 2, 2, 0, -2, 127, 127, 127, -127]


def test_no_bits_mean_no_rounding_and_no_clipping() -> None:
    x = torch.tensor([-50.0, 0.1234567, 50.0])
    assert torch.equal(quantize_(x.clone(), bits=None, bound=1.0), x)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.8])
def test_stochastic_rounding_is_right_on_average_and_moves_to_neighbours_only(
    fraction: float, device: torch.device
) -> None:
    generator = spawn_generator(0, "dither", device=device)
    x = torch.full((DRAWS,), (3 + fraction) / 7, dtype=torch.float64, device=device)
    codes = quantize_codes_(x, bits=4, bound=1.0, generator=generator)
    assert set(codes.tolist()) <= {3.0, 4.0}
    error = math.sqrt(fraction * (1 - fraction) / DRAWS)
    assert codes.mean().item() == pytest.approx(3 + fraction, abs=5 * error + 1e-12)
