"""Converters and output noise of one matrix-vector multiplication."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analognas.simulator import ConverterConfig, spawn_generator
from analognas.simulator.mvm import convert_output_, quantize_uniform_, read_noise_variance_


@given(bits=st.integers(2, 12), bound=st.floats(0.1, 10.0))
def test_quantiser_is_idempotent_bounded_and_within_half_a_step(bits: int, bound: float) -> None:
    x = torch.linspace(-2 * bound, 2 * bound, 257, dtype=torch.float64)
    q = quantize_uniform_(x.clone(), bits=bits, bound=bound)
    lsb = 2 * bound / (2**bits - 2)
    assert q.abs().max() <= bound * (1 + 1e-12)
    torch.testing.assert_close(quantize_uniform_(q.clone(), bits=bits, bound=bound), q)
    inside = x.abs() <= bound
    assert (q - x)[inside].abs().max() <= lsb / 2 * (1 + 1e-9)
    assert len(np.unique(q.numpy())) <= 2**bits - 1


def test_step_of_the_8_bit_adc_is_the_published_one() -> None:
    x = torch.linspace(-10, 10, 100_001, dtype=torch.float64)
    q = torch.from_numpy(np.unique(quantize_uniform_(x, bits=8, bound=10.0).numpy()))
    assert len(q) == 255
    assert (q[1:] - q[:-1]).mean().item() == pytest.approx(20 / 254)
    assert (q[1] - q[0]).item() == pytest.approx(0.078740, rel=1e-5)


def test_no_bits_mean_no_rounding_and_no_clipping() -> None:
    x = torch.tensor([-50.0, 0.1234567, 50.0])
    assert torch.equal(quantize_uniform_(x.clone(), bits=None, bound=1.0), x)


@pytest.mark.parametrize("read_noise", [0.0, 0.0175])
@pytest.mark.parametrize("output_noise", [0.0, 0.04])
def test_output_noise_has_the_variance_of_both_sources(
    read_noise: float, output_noise: float
) -> None:
    generator = spawn_generator(0, "output")
    weight = torch.empty(64, dtype=torch.float64).uniform_(-1, 1, generator=generator)
    drive = torch.empty(64, dtype=torch.float64).uniform_(-1, 1, generator=generator)
    converters = ConverterConfig(adc_bits=None, output_noise=output_noise)
    n = 100_000
    squared = (weight.abs() * drive**2).sum()
    variance = read_noise_variance_(squared.expand(n).clone(), converters, read_noise)
    y = (weight @ drive).expand(n).clone()
    y = convert_output_(y, variance, converters, generator=generator)
    expected = math.sqrt(output_noise**2 + read_noise**2 * squared.item())
    assert (y.mean() - weight @ drive).abs() <= 5 * expected / math.sqrt(n) + 1e-12
    assert y.std().item() == pytest.approx(expected, abs=5 * expected / math.sqrt(2 * n) + 1e-9)


def test_more_adc_bits_never_raise_the_error_bound() -> None:
    x = torch.linspace(-10, 10, 10_001, dtype=torch.float64)
    errors = [
        (quantize_uniform_(x.clone(), bits=bits, bound=10.0) - x).abs().max().item()
        for bits in range(2, 13)
    ]
    assert errors == sorted(errors, reverse=True)
