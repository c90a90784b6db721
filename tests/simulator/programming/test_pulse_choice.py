"""Which pulses correct which errors."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HERMES_DEFAULT
from analognas.simulator.conductance_mapping import ConductanceMapping
from analognas.simulator.programming import CellArray, Core, Geometry, PulsedPcm
from analognas.simulator.programming.pulse_choice import Pair, Pulses, choose_pulses, pairs_of
from analognas.simulator.streams import spawn_generator

PAIR = (Pair(0, 1, 1.0),)


def cells(devices: int = 1, columns: int = 1, rows: int = 4, depth: int = 2) -> CellArray:
    geometry = Geometry(devices=devices, g_cell_max_uS=10.35 * devices, stretch=1.0)
    return CellArray(
        (depth, columns, rows), geometry, PulsedPcm(), generator=spawn_generator(0, "c")
    )


def choose(error: list[float], array: CellArray, most: int | None = None) -> Pulses:
    return choose_pulses(torch.tensor([error]), array, PAIR, zone=0.1, reset_above=0.5, most=most)


def test_errors_within_the_dead_zone_are_left_alone() -> None:
    pulses = choose([0.09, -0.09, 0.0, 0.1], cells())
    assert not pulses.any


def test_low_weights_set_plus_and_high_weights_set_minus() -> None:
    pulses = choose([-0.2, 0.2, 0.0, 0.9], cells())
    assert pulses.set.tolist() == [[[True, False, False, False]], [[False, True, False, True]]]
    assert not pulses.reset.any()  # no cell was ever set: there is nothing to RESET
    assert pulses.touched.tolist() == [[True, True, False, True]]
    assert pulses.far.tolist() == [[False, False, False, True]]


def test_far_errors_reset_the_device_that_was_set_most() -> None:
    array = cells(devices=2)
    array.pulses_since_reset[1, 0] = 3
    array.pulses_since_reset[0, 0] = 1
    pulses = choose([0.9, 0.2, -0.9, 0.0], array)
    assert pulses.reset[1, 0].tolist() == [[True, False, False, False]]
    assert int(pulses.reset.sum()) == 1
    assert pulses.set[1].tolist() == [[False, True, False, False]]
    assert pulses.set[0].tolist() == [[False, False, True, False]]


def test_short_pulses_go_to_the_largest_errors() -> None:
    pulses = choose([0.2, -0.4, 0.3, 0.11], cells(), most=2)
    assert pulses.touched.tolist() == [[False, True, True, False]]
    assert not pulses.far.any()
    assert not choose([0.2, -0.4, 0.3, 0.11], cells(), most=0).any


def test_weights_of_one_cell_are_lowered_by_a_reset() -> None:
    array = cells(depth=1)
    array.pulses_since_reset[0, 0, 0, :2] = 2
    pulses = choose_pulses(
        torch.tensor([[0.2, -0.2, 0.2, 0.0]]),
        array,
        (Pair(0, None, 2.0),),
        zone=0.05,
        reset_above=0.5,
        most=None,
    )
    assert pulses.reset[0, 0].tolist() == [[True, False, False, False]]
    assert pulses.set[0].tolist() == [[False, True, False, False]]


def test_small_errors_are_left_to_the_less_significant_pair() -> None:
    mapping = ConductanceMapping(significances=(1.0, 4.0))
    pairs = pairs_of(Core(replace(HERMES_DEFAULT, mapping=mapping)), 10.35)
    assert [pair.plus for pair in pairs] == [2, 0]
    assert [pair.weight_of_device for pair in pairs] == pytest.approx([0.4, 0.1])
    pulses = choose_pulses(
        torch.tensor([[-0.1, -0.03, -0.005, 0.0]]),
        cells(depth=4),
        pairs,
        zone=0.1,
        reset_above=9.0,
        most=None,
    )
    assert pulses.set[2].tolist() == [[True, False, False, False]]
    assert pulses.set[0].tolist() == [[False, True, False, False]]
    assert not pulses.set[1].any()
    assert not pulses.set[3].any()
