"""Scales, conversion and passes of the rows' drives."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analognas.simulator.input_encoding import (
    InputStage,
    bit_planes,
    convert_input_,
    disturb_drive_,
    encode,
    normalise,
    running_mean,
    split_digits,
    split_signs,
    sums_before_converter,
    vector_scale,
)
from analognas.simulator.quantizer import quantize_
from analognas.simulator.streams import spawn_generator

DRAWS = 200_000
ENCODINGS = ["one_pass", "separate_analog", "separate_digital", "split", "bit_serial"]
NONE_YET = torch.zeros((), dtype=torch.float64)


def activations(*shape: int, device: torch.device | str = "cpu") -> torch.Tensor:
    generator = spawn_generator(0, "activations", device=device)
    return torch.empty(shape, dtype=torch.float64, device=device).normal_(generator=generator)


@given(bits=st.integers(2, 16), data=st.data())
def test_bit_planes_add_up_to_the_codes_exactly(bits: int, data: st.DataObject) -> None:
    largest = 2 ** (bits - 1) - 1
    codes = torch.tensor(data.draw(st.lists(st.integers(-largest, largest), min_size=1))).float()
    digits = bit_planes(codes, bits)
    assert len(digits.planes) == bits - 1
    assert set(digits.planes.flatten().tolist()) <= {-1.0, 0.0, 1.0}
    pairs = zip(digits.weights, digits.planes, strict=True)
    assert torch.equal(sum((w * p for w, p in pairs), torch.zeros_like(codes)), codes)
    assert ((digits.planes * codes) >= 0).all()


@given(bits=st.integers(3, 16), data=st.data())
def test_low_and_high_digits_add_up_to_the_codes_exactly(bits: int, data: st.DataObject) -> None:
    largest = 2 ** (bits - 1) - 1
    low_bits = data.draw(st.integers(1, bits - 2))
    codes = torch.tensor(
        [largest, -largest, *data.draw(st.lists(st.integers(-largest, largest)))]
    ).float()
    digits = split_digits(codes, low_bits, bits=bits)
    low, high = digits.planes
    assert torch.equal(low * digits.weights[0] + high * digits.weights[1], codes)
    assert (digits.planes.abs().amax(dim=1) == torch.tensor(digits.largest)).all()
    assert torch.equal(digits.planes, digits.planes.round())
    assert ((low * high) >= 0).all()


@given(data=st.data())
def test_signs_add_up_to_the_drive_exactly(data: st.DataObject) -> None:
    drive = torch.tensor(data.draw(st.lists(st.floats(-1, 1, width=32), min_size=1)))
    positive, negative = split_signs(drive)
    assert torch.equal(positive + negative, drive)
    assert (positive >= 0).all()
    assert (negative <= 0).all()
    assert (positive * negative == 0).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("bits", [5, 8])
def test_passes_add_up_to_the_converted_drive(
    encoding: Any, bits: int, device: torch.device
) -> None:
    x = activations(7, 30, device=device) / 2
    stage = InputStage(encoding=encoding)
    generator = spawn_generator(0, "unused", device=device)
    before = x.clone()
    passes = encode(x, bits=bits, stage=stage, generator=generator)
    total = torch.einsum("pmr,p->mr", passes.drives, x.new_tensor(passes.weights))
    torch.testing.assert_close(total, quantize_(x.clone(), bits=bits, bound=1.0))
    assert torch.equal(x, before)
    assert passes.drives.abs().max() <= 1
    assert (passes.drives.abs().amax(dim=(1, 2)) == 1).all() or encoding.startswith("separate")


def test_number_and_order_of_passes_by_encoding() -> None:
    generator = spawn_generator(0, "unused")
    counts, early = {}, {}
    for encoding in ENCODINGS:
        stage = InputStage(encoding=encoding)  # type: ignore[arg-type]
        passes = encode(activations(2, 3), bits=8, stage=stage, generator=generator)
        counts[encoding] = len(passes.weights)
        early[encoding] = sums_before_converter(stage)
    assert list(counts.values()) == [1, 2, 2, 2, 7]
    assert [encoding for encoding in ENCODINGS if early[encoding]] == ENCODINGS[:2]


@pytest.mark.parametrize("encoding", ["split", "bit_serial"])
def test_digits_need_a_converter_with_enough_bits(encoding: Any) -> None:
    stage, generator = InputStage(encoding=encoding), spawn_generator(0, "unused")
    with pytest.raises(ValueError, match="but got dac_bits=None"):
        encode(activations(2, 3), bits=None, stage=stage, generator=generator)
    if encoding == "split":
        with pytest.raises(ValueError, match="but got low_bits=3 and bits=4"):
            encode(activations(2, 3), bits=4, stage=stage, generator=generator)


@pytest.mark.parametrize("asymmetry", [0.0, 0.2])
def test_noise_comes_after_the_converter_and_asymmetry_after_the_noise(asymmetry: float) -> None:
    stage = InputStage(noise=0.1, asymmetry=asymmetry)
    x = torch.full((DRAWS,), 1.3, dtype=torch.float64)
    drive = convert_input_(x, bits=8, stage=stage, generator=spawn_generator(0, "noise"))
    assert drive is x
    # All at the clipped value 1, ten sigma away from the negative side.
    assert drive.mean().item() == pytest.approx(1.0, abs=5 * 0.1 / math.sqrt(DRAWS))
    assert drive.std().item() == pytest.approx(0.1, abs=5 * 0.1 / math.sqrt(2 * DRAWS))
    idle = disturb_drive_(
        torch.zeros(DRAWS, dtype=torch.float64), stage, generator=spawn_generator(1, "noise")
    )
    negative = idle[idle < 0]
    mean = -0.1 * (1 - asymmetry) * math.sqrt(2 / math.pi)
    spread = 0.1 * math.sqrt(1 - 2 / math.pi)
    assert negative.mean().item() == pytest.approx(mean, abs=5 * spread / math.sqrt(DRAWS / 2))


def test_a_stage_without_errors_only_quantises() -> None:
    x = activations(4, 9)
    expected = quantize_(x.clone(), bits=6, bound=1.0)
    generator = spawn_generator(0, "unused")
    state = generator.get_state()
    assert torch.equal(convert_input_(x, bits=6, stage=InputStage(), generator=generator), expected)
    assert torch.equal(generator.get_state(), state)


def test_stochastic_rounding_of_the_drive_is_right_on_average() -> None:
    stage = InputStage(stochastic_rounding=True)
    x = torch.full((1, DRAWS), 0.3, dtype=torch.float64)
    passes = encode(x, bits=4, stage=stage, generator=spawn_generator(0, "dither"))
    fraction = 0.3 * 7 - 2
    error = math.sqrt(fraction * (1 - fraction) / DRAWS) / 7
    assert passes.drives.mean().item() == pytest.approx(0.3, abs=5 * error)
    assert len(set(passes.drives.flatten().tolist())) == 2


def test_scales_of_vectors_by_rule(device: torch.device) -> None:
    x = activations(2, 6, 5, device=device)
    state = torch.tensor([3.0, 4.0], dtype=torch.float64, device=device)
    static = vector_scale(x, InputStage(), state)
    assert torch.equal(static, state[:, None, None].expand(2, 6, 1))
    constant = vector_scale(x, InputStage(scaling="constant", constant_scale=2.5), state)
    assert torch.equal(constant, torch.full_like(constant, 2.5))
    peaks = vector_scale(x, InputStage(scaling="abs_max"), state)
    assert torch.equal(peaks, x.abs().amax(dim=-1, keepdim=True))
    assert normalise(x, peaks).abs().amax() == 1
    stage = InputStage(scaling="average_abs_max", average_decay=0.25)
    means = vector_scale(x, stage, state)
    assert means.shape == (2, 6, 1)
    first = 0.75 * state + 0.25 * peaks[:, 0, 0]
    torch.testing.assert_close(means[:, 0, 0], first)


def test_a_vector_of_zeros_stays_zero() -> None:
    x = torch.zeros(2, 4)
    x[1, 2] = -3.0
    scale = vector_scale(x, InputStage(scaling="abs_max"), NONE_YET)
    assert scale[:, 0].tolist() == [0.0, 3.0]
    assert normalise(x, scale).tolist() == [[0, 0, 0, 0], [0, 0, -1, 0]]


@pytest.mark.parametrize("vectors", [1, 256, 257, 900])
@pytest.mark.parametrize("decay", [1e-3, 0.3, 1.0])
@pytest.mark.parametrize("before", [0.0, 2.0])
def test_running_mean_is_the_recursion_vector_by_vector(
    vectors: int, decay: float, before: float
) -> None:
    peaks = activations(vectors).abs()
    means = running_mean(peaks, torch.tensor(before, dtype=torch.float64), decay)
    mean = before if before > 0 else peaks[0].item()
    for index, peak in enumerate(peaks.tolist()):
        mean = (1 - decay) * mean + decay * peak
        if index in (0, vectors // 2, vectors - 1):
            assert means[index].item() == pytest.approx(mean, rel=1e-9)


def test_running_mean_goes_on_over_batches() -> None:
    peaks = activations(3, 500).abs()
    whole = running_mean(peaks, torch.zeros(3, dtype=torch.float64), 0.01)
    state, parts = torch.zeros(3, dtype=torch.float64), []
    for part in torch.split(peaks, 170, dim=-1):
        parts.append(running_mean(part, state, 0.01))
        state = parts[-1][..., -1]
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"constant_scale": 2.0}, "constant_scale=2.0 and scaling='static'"),
        ({"average_decay": 0.1, "scaling": "abs_max"}, "average_decay=0.1 and scaling='abs_max'"),
        ({"split_low_bits": 2, "encoding": "bit_serial"}, "encoding='bit_serial'"),
        ({"noise": -1.0}, "noise"),
        ({"encoding": "two_pass"}, "encoding"),
    ],
)
def test_settings_without_effect_or_sense_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        InputStage(**settings)
