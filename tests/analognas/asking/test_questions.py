"""The language of questions about hardware."""

import pytest

from analognas.asking.quantities import QUANTITIES
from analognas.asking.questions import read_question
from analognas.errors import UserError
from analognas.hardware_variants import HardwareVariant
from analognas.simulator import HARDWARE, HERMES_DEFAULT, Hardware
from analognas.simulator.devices import PcmHermes

NOMINAL = HardwareVariant(HERMES_DEFAULT)


def asked(text: str) -> Hardware:
    return read_question(text).apply(NOMINAL).hardware


def cells(text: str) -> PcmHermes:
    device = asked(text).device
    assert isinstance(device, PcmHermes)
    return device


@pytest.mark.parametrize(
    "text",
    [
        "adc bits 5",
        "ADC_bits=5",
        "adc-bits = 5",
        "5 ADC bits",
        "5-bit ADC",
        "what if the ADC had 5 bits?",
        "converters.adc_bits=5",
    ],
)
def test_one_change_can_be_said_in_many_ways(text: str) -> None:
    assert asked(text).converters.adc_bits == 5
    assert asked(text).converters.dac_bits == HERMES_DEFAULT.converters.dac_bits


@pytest.mark.parametrize(
    ("text", "factor"),
    [("drift x2", 2.0), ("drift 1.5x", 1.5), ("half the drift", 0.5), ("no drift", 0.0)],
)
def test_scales_are_relative(text: str, factor: float) -> None:
    assert cells(text).drift_scale == pytest.approx(factor)


def test_read_noise_is_that_of_the_cells_and_of_every_read() -> None:
    assert cells("read noise x2").read_noise_scale == 2.0
    assert asked("read noise x2").weight_read_noise == pytest.approx(
        2 * HERMES_DEFAULT.weight_read_noise
    )


def test_several_changes_are_made_together() -> None:
    hardware = asked("bits 6, tiles 128 x 512, one cell, ir drop x5, output_stage.s_shape=0.1")
    assert (hardware.converters.adc_bits, hardware.converters.dac_bits) == (6, 6)
    assert (hardware.tile.rows, hardware.tile.columns) == (128, 512)
    assert cells("one cell").cells_per_polarity == 1
    assert hardware.ir_drop.strength == 5.0
    assert hardware.output_stage.s_shape == pytest.approx(0.1)
    assert asked("tile rows 128").tile.columns == HERMES_DEFAULT.tile.columns
    assert asked("wires on").ir_drop.strength == 1.0


@pytest.mark.parametrize(
    ("text", "kind", "recalibrated"),
    [
        ("no compensation", "none", False),
        ("compensation gdc", "gdc", False),
        ("compensation=adabs", "none", True),
        ("drift compensation gdc+adabs", "gdc", True),
    ],
)
def test_compensation_is_of_the_hardware_or_of_the_batch_norms(
    text: str, kind: str, recalibrated: bool
) -> None:
    variant = read_question(text).apply(NOMINAL)
    assert (variant.hardware.compensation, variant.recalibrated) == (kind, recalibrated)


@pytest.mark.parametrize(
    ("text", "times_s"),
    [
        ("adc bits 5", ()),
        ("adc bits 5 at 1month", (2_592_000.0,)),
        ("adc bits 5, drift x2 after a day and 12 h", (86_400.0, 43_200.0)),
        ("drift x2 at 1 week", (604_800.0,)),
    ],
)
def test_times_stand_at_the_end(text: str, times_s: tuple[float, ...]) -> None:
    assert read_question(text).times_s == times_s


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity.name)
def test_every_quantity_does_what_its_example_says(quantity: object) -> None:
    (one,) = [known for known in QUANTITIES if known is quantity]
    question = read_question(one.example)
    assert [known.name for known, _ in question.changes] == [one.name]
    assert question.apply(NOMINAL).id != NOMINAL.id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dirft x2", "is `drift` meant.*What can be said: adc bits"),
        ("adc bits", "`adc bits` must get one value"),
        ("adc bits 5 6", "must get one value"),
        ("drift 2", "`drift` must be a factor such as x2"),
        ("adc bits x2", "`adc bits` must be 2 to 16"),
        ("adc bits 40", "less than or equal to 16, got 40"),
        ("compensation on", "none, gdc, adabs"),
        ("cells 3", "`cells` must be 1 or 2"),
        ("adc bits 5, adc bits 6", "must be said once"),
        ("adc bits 5 at 1 parsec", "a number and a unit.*parsec"),
        ("at 1 day", "must say what changes"),
        ("", "must say what changes"),
        ("what would be better", "not understood"),
        ("converters.adc_bist=5", "Unknown setting 'converters.adc_bist'"),
        ("adc bits 5 at 1 day at 2 days", "times once"),
    ],
)
def test_nothing_is_guessed(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_question(text).apply(NOMINAL)


def test_cells_without_a_setting_are_named() -> None:
    with pytest.raises(UserError, match=r"reram_wan.*no setting 'drift_scale'"):
        read_question("drift x2").apply(HardwareVariant(HARDWARE["reram_wan"]))
