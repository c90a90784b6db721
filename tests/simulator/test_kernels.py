"""The fused kernels: the same numbers as plain torch, and noise of the right law."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from analognas.simulator.kernels import (
    Columns,
    IrDropTerms,
    add_table_noise,
    quantize,
    range_gradient,
    read_out,
    reference,
    training_columns,
)
from analognas.simulator.streams import NoiseStream, spawn_generator

M, C = 1003, 7  # neither is a multiple of the kernel's blocks


def normal(*shape: int, name: str) -> Tensor:
    return torch.empty(*shape).normal_(generator=spawn_generator(1, name))


def columns(noise: float = 0.0, squared_gain: float = 0.0, width: int = C) -> Columns:
    ramp = torch.linspace(0.5, 1.5, width)
    return Columns.of(
        gain=ramp,
        noise=torch.full((width,), noise),
        squared_gain=torch.full((width,), squared_gain),
        scale=2 - ramp,
        offset=ramp - 1,
    )


def stream(name: str = "noise") -> NoiseStream:
    return NoiseStream(2, name)


@pytest.mark.parametrize("half_steps", [None, 5.0])
@pytest.mark.parametrize("with_ir_drop", [False, True])
@pytest.mark.parametrize("accumulate", [False, True])
def test_without_noise_fused_and_plain_torch_agree(
    half_steps: float | None, with_ir_drop: bool, accumulate: bool
) -> None:
    y = normal(M, C, name="y") * 3
    current, profiled = normal(M, C, name="i").abs(), normal(M, C, name="p")
    drop = IrDropTerms(current, profiled, 0.3, 0.8) if with_ir_drop else None
    into = normal(M, C, name="sum") if accumulate else None
    fused = read_out(
        y.clone(),
        columns(),
        stream=stream(),
        half_steps=half_steps,
        ir_drop=drop,
        into=None if into is None else into.clone(),
    )
    plain = reference.read_out(
        y.double(),
        Columns(columns().numbers.double()),
        squared=None,
        ir_drop=drop,
        half_steps=half_steps,
        into=None if into is None else into.double(),
        generator=stream().generator,
    )
    gap = (fused - plain).abs()
    if half_steps is None:
        assert gap.max() < 1e-5
    else:  # a product on the edge between two codes may round either way
        assert (gap > 1e-5).float().mean() < 1e-3


def test_a_read_is_converted_with_the_published_step_and_clips() -> None:
    y = torch.linspace(-20, 20, 4001)[:, None].contiguous()
    one = torch.ones(1)
    gain = one * (127 / 10)
    numbers = Columns.of(
        gain=gain, noise=0 * one, squared_gain=0 * one, scale=1 / gain, offset=0 * one
    )
    read = read_out(y.clone(), numbers, stream=stream(), half_steps=127.0)
    assert read.max().item() == pytest.approx(10.0)
    levels = np.unique(read.numpy())
    assert len(levels) == 255
    assert np.diff(levels).mean() == pytest.approx(20 / 254)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("noise", "squared_gain"), [(0.5, 0.0), (0.0, 0.3), (0.5, 0.3)])
def test_noise_has_the_variance_of_both_sources(
    fused: bool, noise: float, squared_gain: float
) -> None:
    count, width = 40_000, 4
    y = torch.zeros(count, width, dtype=torch.float32 if fused else torch.float64)
    numbers = columns(noise, squared_gain, width)
    numbers = Columns(numbers.numbers.to(y))
    squared = torch.full_like(y, 2.0) if squared_gain > 0 else None
    read = read_out(y, numbers, stream=stream(), half_steps=None, squared=squared)
    xi = (read - numbers.offset) / numbers.scale
    expected = math.sqrt(noise**2 + squared_gain * 2.0)
    n = xi.numel()
    assert abs(xi.mean().item()) < 5 * expected / math.sqrt(n)
    assert xi.std().item() == pytest.approx(expected, abs=5 * expected / math.sqrt(2 * n))
    kurtosis = (xi / xi.std()).pow(4).mean().item()
    assert kurtosis == pytest.approx(3.0, abs=5 * math.sqrt(24 / n))
    neighbours = (xi[:, 1:] * xi[:, :-1]).mean() / xi.var()
    assert abs(neighbours.item()) < 5 / math.sqrt(n * 3 / 4)
    rows = (xi[1:] * xi[:-1]).mean() / xi.var()
    assert abs(rows.item()) < 5 / math.sqrt(n)


def test_the_fused_noise_fills_the_normal_distribution_up_to_four_sigma() -> None:
    numbers = columns(1.0, width=8).changed(scale=torch.ones(8), offset=0.0)
    xi = read_out(torch.zeros(100_000, 8), numbers, stream=stream(), half_steps=None).flatten()
    for threshold in (1.0, 2.0, 3.0):
        expected = math.erfc(threshold / math.sqrt(2))
        seen = (xi.abs() > threshold).double().mean().item()
        assert seen == pytest.approx(expected, abs=5 * math.sqrt(expected / xi.numel()) + 2 / 65536)
    assert xi.abs().max() < 4.5  # where the table ends


def test_streams_repeat_by_name_and_go_on_from_call_to_call() -> None:
    def draw(source: NoiseStream) -> Tensor:
        return read_out(torch.zeros(100, C), columns(1.0), stream=source, half_steps=None)

    first, second = stream(), stream()
    assert torch.equal(draw(first), draw(second))
    following = draw(first)
    assert torch.equal(following, draw(second))
    assert not torch.equal(following, draw(stream()))
    assert not torch.equal(draw(stream("other")), draw(stream()))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_inputs_are_quantised_in_any_layout(layout: torch.memory_format) -> None:
    x = (normal(5, 6, 4, 3, name="x") * 2).contiguous(memory_format=layout)
    bound = torch.tensor(1.5)
    expected = (x / 1.5 * 127).round().clamp(-127, 127) / 127
    for source in (x, x[:, 1:4]):
        converted = quantize(source, full_scale=bound, half_steps=127.0)
        want = expected if source is x else expected[:, 1:4]
        assert (converted - want).abs().max() <= 1 / 127 + 1e-6  # a tie may fall either way
        assert ((converted - want).abs() > 1e-6).float().mean() < 0.01
    in_units = quantize(x, full_scale=bound, half_steps=127.0, keep_units=True)
    torch.testing.assert_close(in_units, quantize(x, full_scale=bound, half_steps=127.0) * 1.5)


def test_not_a_number_is_not_hidden() -> None:
    x = torch.tensor([math.nan, 0.5, math.inf])
    converted = quantize(x, full_scale=torch.tensor(1.0), half_steps=127.0)
    assert converted[0].isnan()
    assert converted[2] == 1.0


@pytest.mark.parametrize("half_steps", [127.0, None])
def test_a_product_that_is_not_a_number_is_not_hidden_by_the_converter(
    half_steps: float | None,
) -> None:
    y = torch.zeros(6, C)
    y[1, 2] = math.nan
    read = read_out(y, columns(0.5), stream=stream(), half_steps=half_steps)
    assert read.isnan().nonzero().tolist() == [[1, 2]]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradient_of_the_range_is_the_published_sum(layout: torch.memory_format) -> None:
    x = normal(9, 5, 33, 31, name="x").contiguous(memory_format=layout)
    gradient = normal(9, 5, 33, 31, name="g")
    bound = torch.tensor(0.8)
    total, reached = range_gradient(x, gradient, bound)
    above, below = x >= 0.8, x <= -0.8
    expected = gradient[above].clamp_max(0).double().sum() - gradient[below].clamp_min(0).sum()
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert int(reached) == int((above | below).sum())


@pytest.mark.parametrize("part", [slice(None), slice(3, 20)])
def test_numbers_of_a_training_column_follow_from_its_largest_weight(part: slice) -> None:
    matrix = normal(5, 33, name="w")[:, part]
    matrix[2] = 0.0
    offset = torch.arange(5.0)

    def numbers(weights: Tensor) -> Columns:
        return training_columns(
            weights,
            input_range=torch.tensor(2.0),
            noise=0.04,
            per_unit=12.7,
            offset=offset.to(weights),
        )

    fused, plain = numbers(matrix), numbers(matrix.double())
    torch.testing.assert_close(fused.numbers, plain.numbers.float())
    largest = matrix.abs().amax(dim=1)[0].item()
    assert fused.gain[0].item() == pytest.approx(12.7 / (2 * largest))
    assert fused.scale[0].item() == pytest.approx(2 * largest / 12.7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tabulated_weight_noise_has_the_width_of_its_entry(dtype: torch.dtype) -> None:
    widths = torch.linspace(0.1, 0.5, 257, dtype=dtype)
    row = torch.linspace(-2, 2, 9, dtype=dtype)
    weight = torch.cat([row.repeat(20_000, 1), torch.zeros(1, 9, dtype=dtype)])
    noisy = add_table_noise(weight, widths, 1.5, stream=stream())
    n = 20_000
    expected = 1.5 * 2.0 * (0.1 + 0.4 * row.abs() / 2)
    difference = (noisy - weight)[:-1]
    assert ((difference.std(dim=0) - expected).abs() < 5 * expected / math.sqrt(2 * n)).all()
    assert (difference.mean(dim=0).abs() < 5 * expected / math.sqrt(n)).all()
    diverged = weight[:2].clone()
    diverged[0, 0] = math.nan
    assert add_table_noise(diverged, widths, 1.0, stream=stream())[0, 0].isnan()
