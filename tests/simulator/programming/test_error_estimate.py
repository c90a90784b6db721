"""Errors of weights from errors of products."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HERMES_DEFAULT
from analognas.simulator.conductance_mapping import to_conductances
from analognas.simulator.programming import Core
from analognas.simulator.programming.error_estimate import Estimator, Evidence
from analognas.simulator.streams import NoiseStream, spawn_generator

EXACT = replace(
    HERMES_DEFAULT,
    converters=replace(HERMES_DEFAULT.converters, adc_bits=None, output_noise=0.0),
    weight_read_noise=0.0,
)


def weights() -> tuple[torch.Tensor, torch.Tensor]:
    """Targets, and what the cells hold."""
    target = torch.empty(5, 12, dtype=torch.float64)
    target.uniform_(-0.8, 0.8, generator=spawn_generator(0, "w"))
    off = torch.empty_like(target).normal_(0, 0.05, generator=spawn_generator(0, "off"))
    return target, target + off


def test_least_squares_finds_the_errors_exactly_without_noise() -> None:
    target, held = weights()
    g_uS = to_conductances(held, EXACT.device, EXACT.mapping)
    estimator = Estimator(Core(EXACT), target, vectors=48, whiten=True)
    found = estimator.errors(g_uS, NoiseStream(0, "products"))
    torch.testing.assert_close(found, held - target, rtol=1e-4, atol=1e-6)


def test_the_plain_gradient_is_right_on_average_and_mixes_weights() -> None:
    target, held = weights()
    g_uS = to_conductances(held, EXACT.device, EXACT.mapping)

    def spread(vectors: int) -> float:
        estimator = Estimator(Core(EXACT), target, vectors=vectors, whiten=False)
        found = estimator.errors(g_uS, NoiseStream(0, "products"))
        return float((found - (held - target)).std())

    expected = 0.05 * (12 / 400) ** 0.5
    assert spread(400) == pytest.approx(expected, rel=0.4)
    assert spread(40_000) < 0.2 * spread(400)


def test_outputs_that_clip_do_not_count() -> None:
    target = torch.ones(3, 40)
    hardware = replace(EXACT, converters=replace(EXACT.converters, adc_bits=12, output_bound=4.0))
    g_uS = to_conductances(target, hardware.device, hardware.mapping)
    estimator = Estimator(Core(hardware), target, vectors=2000, whiten=True)
    estimator.amplitude = 1.0  # twice what the estimator would choose
    found = estimator.errors(g_uS, NoiseStream(0, "products"))
    assert found.abs().max().item() < 0.01


def test_the_amplitude_leaves_room_below_the_bound() -> None:
    small, large = torch.full((2, 10), 0.1), torch.ones(2, 400)
    core = Core(HERMES_DEFAULT)
    assert Estimator(core, small, vectors=10, whiten=True).amplitude == 1.0
    amplitude = Estimator(core, large, vectors=10, whiten=True).amplitude
    assert amplitude * 20 * 3**-0.5 * 3.5 == pytest.approx(10.0)


def test_gain_and_offset_of_columns_are_found() -> None:
    target, _ = weights()
    g_uS = to_conductances(0.8 * target, EXACT.device, EXACT.mapping)
    estimator = Estimator(Core(EXACT), target, vectors=100, whiten=True)
    estimator.fit_columns()  # nothing measured yet
    assert torch.equal(estimator.gain, torch.ones_like(estimator.gain))
    estimator.errors(g_uS, NoiseStream(0, "products"))
    estimator.fit_columns()
    torch.testing.assert_close(estimator.gain, torch.full_like(estimator.gain, 1.25))
    torch.testing.assert_close(estimator.offset, torch.zeros_like(estimator.offset))


def test_evidence_is_the_mean_since_the_last_change() -> None:
    evidence = Evidence(torch.zeros(1, 2))
    for value in (1.0, 3.0):
        evidence.add(torch.full((1, 2), value))
    assert evidence.mean.tolist() == [[2.0, 2.0]]
    evidence.forget(torch.tensor([[True, False]]))
    evidence.add(torch.full((1, 2), 5.0))
    assert evidence.mean.tolist() == [[5.0, 3.0]]
