"""Regions of the hardware that are left out, and what lies beyond the labels."""

import numpy as np
import pandas as pd
import pytest

from analognas.surrogates.regions import REGIONS, Ranges, Region, largest, usable_regions

ROWS = pd.DataFrame(
    {
        "hardware_adc_bits": [4.0, 5.0, 6.0, 8.0],
        "hardware_output_noise": 0.04,
        "log10_multiplications": [5.0, 5.5, 6.0, 6.5],
    }
)


def test_a_region_is_what_lies_between_its_ends() -> None:
    assert Region("low", "hardware_adc_bits", high=5.0).mask(ROWS).tolist() == [True, True, 0, 0]
    assert not Region("none", "hardware_of_others", high=5.0).mask(ROWS).any()


def test_regions_without_enough_networks_on_either_side_are_passed_over() -> None:
    rows = pd.concat([ROWS] * 10, ignore_index=True)
    keys = [f"n{index}" for index in range(len(rows))]
    assert [region.column for region in usable_regions(rows, keys)] == ["hardware_adc_bits"]
    assert usable_regions(rows, ["one"] * len(rows)) == ()


def test_the_names_of_the_regions_are_different() -> None:
    assert len({region.name for region in REGIONS}) == len(REGIONS)


def test_the_largest_fifth_is_counted_by_network() -> None:
    sizes = np.repeat(np.arange(10.0), 3)
    rows = pd.DataFrame({"log10_multiplications": sizes})
    keys = [f"n{size:.0f}" for size in sizes]
    assert set(sizes[largest(rows, keys)]) == {8.0, 9.0}
    assert not largest(rows.rename(columns={"log10_multiplications": "size"}), keys).any()


@pytest.mark.parametrize(
    ("changed", "hardware", "size"),
    [
        ({"hardware_adc_bits": 3.0}, True, False),
        ({"hardware_adc_bits": 4.5}, False, False),
        ({"hardware_adc_bits": 8.1}, False, False),  # within five percent of the range
        ({"hardware_output_noise": 0.05}, True, False),
        ({"log10_multiplications": 7.0}, False, True),
    ],
)
def test_beyond_is_told_by_column(changed: dict[str, float], hardware: bool, size: bool) -> None:
    row = ROWS[2:3].assign(**changed)
    beyond = Ranges.of(ROWS).beyond(row)
    assert (beyond.hardware.tolist(), beyond.size.tolist()) == ([hardware], [size])


def test_the_column_its_value_and_the_range_are_named() -> None:
    words = Ranges.of(ROWS).describe(ROWS.assign(hardware_adc_bits=[2.0, 3.0, 6.0, 6.0]))
    assert words == ("adc_bits is 2 to 3 (learned: 4 to 8)",)
    assert Ranges.of(ROWS).describe(ROWS) == ()
    words = Ranges.of(ROWS).describe(ROWS.assign(hardware_output_noise=0.06))
    assert words == ("output_noise is 0.06 (learned: 0.04)",)
