"""The statistical cell that stands for write-and-verify."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HERMES_DEFAULT
from analognas.simulator.devices import PcmHermes
from analognas.simulator.devices.base import program_conductance
from analognas.simulator.presets import HERMES_ONE_CELL, RERAM_WAN
from analognas.simulator.programming import WriteAndVerify, match_statistical
from analognas.simulator.streams import spawn_generator

FINE = WriteAndVerify(reads="fine")


def test_the_scaled_cell_has_the_mean_square_error_of_the_pulsed_one() -> None:
    match = match_statistical(
        HERMES_ONE_CELL, FINE, cells=4000, generator=spawn_generator(0, "match")
    )
    scaled = PcmHermes(cells_per_polarity=1, programming_noise_scale=match.scale)
    levels = [one for one in match.levels if one.level > 0]
    target = torch.tensor([one.level * 10.35 for one in levels]).repeat(20_000, 1)
    drawn = program_conductance(scaled, target, generator=spawn_generator(0, "draw"))
    statistical = (drawn - target).double().square().mean().item()
    pulsed = sum(one.rms_uS**2 for one in levels) / len(levels)
    assert statistical == pytest.approx(pulsed, rel=0.02)


def test_levels_tell_mean_spread_and_yield() -> None:
    match = match_statistical(
        HERMES_ONE_CELL,
        FINE,
        cells=2000,
        levels=(0.0, 0.5),
        generator=spawn_generator(0, "match"),
    )
    empty, half = match.levels
    assert empty.mean_uS == pytest.approx(0.1, abs=0.05)  # a RESET cell
    assert empty.rms_uS < 0.3
    assert half.rms_uS == pytest.approx((half.mean_uS**2 + half.sigma_uS**2) ** 0.5, rel=0.01)
    assert half.accepted_fraction > 0.98
    assert match.scale == pytest.approx(half.scale)
    assert match.misfit == pytest.approx(0.0, abs=1e-9)


def test_the_factor_counts_from_the_hardwares_own_noise() -> None:
    double = replace(
        HERMES_ONE_CELL, device=PcmHermes(cells_per_polarity=1, programming_noise_scale=2.0)
    )
    scales = [
        match_statistical(hardware, FINE, cells=500, generator=spawn_generator(0, "match")).scale
        for hardware in (HERMES_ONE_CELL, double)
    ]
    assert scales[0] == pytest.approx(2 * scales[1])


def test_a_narrow_margin_needs_less_statistical_noise() -> None:
    narrow = WriteAndVerify(reads="fine", repeats=8, margin_counts=3.0)
    scales = [
        match_statistical(
            HERMES_ONE_CELL, method, cells=1000, generator=spawn_generator(0, "match")
        ).scale
        for method in (narrow, FINE)
    ]
    assert scales[0] < scales[1]


@pytest.mark.parametrize(
    ("hardware", "options", "message"),
    [
        (HERMES_DEFAULT, {"cells": 1}, "`cells` must be at least 2"),
        (HERMES_DEFAULT, {"levels": (0.0,)}, "`levels` must have one above 0"),
        (RERAM_WAN, {"cells": 10}, "must have phase-change cells"),
        (
            replace(HERMES_DEFAULT, device=PcmHermes(programming_noise_scale=0.0)),
            {"cells": 10},
            "`device.programming_noise_scale` must be above 0",
        ),
    ],
)
def test_what_cannot_be_matched_is_refused(hardware, options, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        match_statistical(hardware, generator=spawn_generator(0, "match"), **options)
