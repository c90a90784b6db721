"""Hardware as numbers: the physics that any hardware can be asked for."""

from dataclasses import replace

import numpy as np
import pytest

from analognas.hardware_features import ERROR_COLUMNS, HARDWARE_COLUMNS, hardware_features
from analognas.simulator import HARDWARE, HERMES_DEFAULT, IDEAL, Hardware, TileConfig, hardware_with

ONE_DAY_S = 86_400.0
TIMES_S = (1.0, ONE_DAY_S)


def at_one_day(hardware: Hardware, *, recalibrated: bool = False) -> dict[str, float]:
    table = hardware_features(hardware, (ONE_DAY_S,), recalibrated=recalibrated)
    return {str(name).removeprefix("hardware_"): value for name, value in table.iloc[0].items()}


def with_(**settings: str) -> Hardware:
    named = {key.replace("__", "."): value for key, value in settings.items()}
    return hardware_with(HERMES_DEFAULT, named)


@pytest.mark.parametrize("name", HARDWARE)
def test_every_preset_has_the_same_finite_columns(name: str) -> None:
    table = hardware_features(HARDWARE[name], TIMES_S)
    assert tuple(table.columns) == HARDWARE_COLUMNS
    assert table.index.tolist() == list(TIMES_S)
    assert np.isfinite(table.to_numpy()).all()


def test_only_errors_of_products_change_with_time() -> None:
    young, old = hardware_features(HERMES_DEFAULT, TIMES_S).to_numpy()
    changed = {name for name, a, b in zip(HARDWARE_COLUMNS, young, old, strict=True) if a != b}
    assert changed <= set(ERROR_COLUMNS)
    assert "hardware_log10_error_middle" in changed


def test_the_same_hardware_has_the_same_features_whatever_its_name() -> None:
    renamed = replace(HERMES_DEFAULT, name="another")
    assert at_one_day(renamed) == at_one_day(HERMES_DEFAULT)


def test_ideal_hardware_makes_no_errors() -> None:
    ideal = at_one_day(IDEAL)
    assert ideal["log10_error_middle"] < -3
    assert ideal["programming_error"] == ideal["drift"] == ideal["slow_noise"] == 0.0
    assert ideal["adc_bits"] == ideal["dac_bits"] == 16.0


@pytest.mark.parametrize(
    "worse",
    [
        {"converters__adc_bits": "4"},
        {"converters__dac_bits": "3"},
        {"device__programming_noise_scale": "2.0"},
        {"weight_read_noise": "0.1"},
        {"compensation": "none"},
        {"device__drift_scale": "2.0"},
        {"output_stage__adc_gain_spread": "0.3"},
    ],
)
def test_worse_hardware_makes_larger_errors(worse: dict[str, str]) -> None:
    good, bad = at_one_day(HERMES_DEFAULT), at_one_day(with_(**worse))
    assert bad["log10_error_middle"] > good["log10_error_middle"] + 0.01


def test_moments_of_the_cells_follow_their_settings() -> None:
    plain = at_one_day(HERMES_DEFAULT)
    scaled = at_one_day(with_(device__programming_noise_scale="1.5", device__drift_scale="0.5"))
    assert scaled["programming_error"] == pytest.approx(1.5 * plain["programming_error"], rel=1e-3)
    assert scaled["drift"] == pytest.approx(0.5 * plain["drift"], rel=0.02)
    assert plain["drift"] == pytest.approx(0.063, abs=0.003)


def test_compensation_shows_in_gain_and_flags() -> None:
    bare = with_(compensation="none")
    none, gdc = at_one_day(bare), at_one_day(HERMES_DEFAULT)
    adabs = at_one_day(bare, recalibrated=True)
    assert none["log10_gain_middle"] < -0.1 < gdc["log10_gain_middle"]
    assert abs(adabs["log10_gain_middle"]) < 0.02
    assert adabs["log10_error_middle"] < none["log10_error_middle"]
    flags = ("global_compensation", "recalibrated", "uncompensated")
    assert [[row[flag] for flag in flags] for row in (gdc, adabs, none)] == np.eye(3).tolist()


def test_larger_tiles_hurt_depthwise_layers_alone() -> None:
    large = replace(HERMES_DEFAULT, tile=TileConfig(rows=1024, columns=256))
    small = replace(HERMES_DEFAULT, tile=TileConfig(rows=128, columns=256))
    a, b = at_one_day(small), at_one_day(large)
    assert b["log10_noise_depthwise"] > a["log10_noise_depthwise"] + 0.005
    assert b["log10_noise_narrow"] == pytest.approx(a["log10_noise_narrow"], abs=0.02)


def test_effects_without_a_column_of_their_own_are_counted() -> None:
    assert at_one_day(HERMES_DEFAULT)["further_effects"] == 0
    both = with_(output_stage__adc_gain_spread="0.1", faults__stuck_at_reset="0.01")
    assert at_one_day(both)["further_effects"] == 2


@pytest.mark.parametrize("times_s", [(), (0.0,)])
def test_impossible_times_are_refused(times_s: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="positive seconds"):
        hardware_features(HERMES_DEFAULT, times_s)


def test_cells_that_say_nothing_about_a_time_are_refused() -> None:
    with pytest.raises(ValueError, match="172800"):
        hardware_features(HARDWARE["reram_wan"], (3e7,))
