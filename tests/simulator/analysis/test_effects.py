"""Effects can be taken apart: none is left over, none is removed twice, and squares add up."""

from dataclasses import replace

import pytest
import torch

from analognas.simulator import HARDWARE, HERMES_DEFAULT, Hardware, spawn_generator
from analognas.simulator.analysis import (
    EFFECTS,
    MvmWorkload,
    active_effects,
    effect_budget,
    mvm_error,
    only_effects,
    without_effects,
)
from analognas.simulator.circuit import CircuitIrDrop
from analognas.simulator.devices import DEVICES
from analognas.simulator.faults import Faults
from analognas.simulator.input_encoding import InputStage
from analognas.simulator.output_stage import OutputStage
from analognas.simulator.presets import STANDARD_AIMC

SMALL = MvmWorkload(rows=40, columns=24, vectors=30)

# Everything that can be switched on, in as few records as the rules allow.
EVERYTHING = replace(
    STANDARD_AIMC,
    faults=Faults(stuck_at_reset=0.01, stuck_at_g_max=0.01, stuck_at_random=0.01),
    input_stage=InputStage(
        noise=0.01,
        asymmetry=0.02,
        stochastic_rounding=True,
        encoding="separate_digital",
        scaling="abs_max",
        bound_management="iterative",
    ),
    output_stage=OutputStage(
        voltage_offset_spread=0.02,
        series_resistance=0.01,
        s_shape=0.1,
        s_shape_spread=0.2,
        slope_calibration=0.2,
        asymmetry=0.02,
        noise_spread=0.3,
        adc_gain_spread=0.01,
        adc_offset_spread=0.01,
        adc_stochastic_rounding=True,
    ),
)
WIRED = replace(HERMES_DEFAULT, circuit=CircuitIrDrop())
ALL = {
    **HARDWARE,
    **{f"{kind} cells": replace(EVERYTHING, device=DEVICES[kind]()) for kind in DEVICES},
    "circuit": WIRED,
}


def generator(name: str = "test") -> torch.Generator:
    return spawn_generator(0, name)


def error(hardware: Hardware, workload: MvmWorkload = SMALL) -> float:
    errors = mvm_error(
        hardware, times_s=(86_400.0,), chips=2, workload=workload, generator=generator()
    )
    return sum(each.error for each in errors) / len(errors)


@pytest.mark.parametrize("name", ALL)
def test_without_all_effects_the_product_is_exact(name: str) -> None:
    assert error(without_effects(ALL[name], EFFECTS)) < 1e-5


@pytest.mark.parametrize("name", ALL)
def test_every_active_effect_alone_makes_an_error(name: str) -> None:
    for effect in active_effects(ALL[name]):
        alone = only_effects(ALL[name], [effect])
        assert active_effects(alone) == (effect,)
        assert error(alone) > 3e-5, effect


def test_everything_can_be_switched_on() -> None:
    assert active_effects(EVERYTHING) == tuple(EFFECTS)


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect_is_removed_once_and_alone(effect: str) -> None:
    less = without_effects(EVERYTHING, [effect])
    assert without_effects(less, [effect]) == less
    assert active_effects(less) == tuple(name for name in EFFECTS if name != effect)


def test_what_hardware_does_not_have_is_not_active() -> None:
    assert active_effects(HARDWARE["ideal"]) == ()
    assert active_effects(HARDWARE["pcm_2019"]) == (
        "programming",
        "ageing",
        "1/f noise",
        "DAC",
        "read noise",
        "output noise",
        "ADC",
    )
    assert "IR drop" in active_effects(STANDARD_AIMC)
    assert "IR drop" in active_effects(WIRED)


def test_the_squares_of_the_effects_add_up() -> None:
    workload = MvmWorkload(rows=256, columns=128, vectors=100, scaling="none")
    budget = effect_budget(
        STANDARD_AIMC,
        times_s=(1.0, 86_400.0),
        chips=3,
        workload=workload,
        generator=generator(),
    )
    assert [record.effect for record in budget[:8]] == list(active_effects(STANDARD_AIMC))
    for t_s in (1.0, 86_400.0):
        records = [record for record in budget if record.t_s == t_s]
        (total,) = {record.total.mean for record in records}
        squares = sum(record.alone.mean**2 for record in records)
        assert squares**0.5 == pytest.approx(total, rel=0.05)
        assert sum(record.share for record in records) == pytest.approx(1.0, abs=0.1)
    early, late = (
        next(r for r in budget if r.effect == "ageing" and r.t_s == t_s) for t_s in (1.0, 86_400.0)
    )
    assert late.share > early.share
    cells = {record.effect: record.share for record in budget if record.t_s == 1.0}
    assert max(cells, key=cells.__getitem__) == "programming"


def test_progress_counts_the_variants() -> None:
    told: list[tuple[int, int, str]] = []
    effect_budget(
        HARDWARE["pcm_2019"],
        chips=1,
        workload=SMALL,
        generator=generator(),
        progress=lambda done, total, message: told.append((done, total, message)),
    )
    assert [done for done, _, _ in told] == list(range(16))
    assert {total for _, total, _ in told} == {15}
    assert told[1][2] == "programming alone"


def test_ideal_hardware_has_an_empty_budget() -> None:
    assert effect_budget(HARDWARE["ideal"], workload=SMALL, generator=generator()) == ()


def test_an_unknown_effect_is_refused_with_the_known_ones() -> None:
    for apart in (without_effects, only_effects):
        with pytest.raises(ValueError, match="Unknown effect 'rain'; choose one of"):
            apart(STANDARD_AIMC, ["rain"])
