import pytest

from analognas.reporting.contents import command_line
from analognas.reporting.wording import approximately, flat, grouped, percent, points, significant
from analognas.searching.config import SearchConfig

THIN = "\u202f"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.05281, "0.0528"), (187.4, "187"), (12345.6, f"12{THIN}346"), (9.999, "10.00"), (0.0, "0")],
)
def test_numbers_have_three_significant_digits_and_no_exponent(value: float, text: str) -> None:
    assert significant(value) == text


def test_differences_carry_their_sign() -> None:
    assert points(0.0123) == "+1.2"
    assert points(-0.0123) == "\u22121.2"
    assert points(-0.0001) == "0.0"
    assert percent(0.9321) == "93.2"
    assert grouped(1234567) == f"1{THIN}234{THIN}567"


def test_large_counts_become_powers_of_ten() -> None:
    assert approximately(999) == "999"
    assert approximately(3_140_000_000) == "3.1 \u00d7 10\u2079"


def test_the_command_repeats_exactly_the_settings_that_differ_from_the_defaults() -> None:
    config = SearchConfig(
        task="kws",
        data="my words",
        objectives=("accuracy@1year", "energy"),
        max_parameters=5000,
        max_energy_nJ=12.5,
        seed=7,
        overrides={"converters.adc_bits": "6", "tile.rows": "128"},
    )
    assert command_line(config) == (
        "analognas search --task kws --data 'my words' --set converters.adc_bits=6 "
        "--set tile.rows=128 --objectives accuracy@1year,energy --max-params 5000 "
        "--max-energy-nj 12.5 --seed 7"
    )


def test_nested_records_are_listed_by_path_without_what_is_absent() -> None:
    content = {"limits": {"max_cores": 64, "max_drop": None}, "words": ["yes", "no"], "none": []}
    assert flat(content) == [("limits: at most cores", "64"), ("words", "yes, no")]
