"""Pareto chips and lists of the command line."""

from dataclasses import replace

import pytest

from analognas.errors import UserError
from analognas.exploring.chip_variants import ChipChoice
from analognas.exploring.parsing import read_list, read_sizes, read_time, read_whole
from analognas.exploring.records import ChipPoint, mark_pareto

POINT = ChipPoint(
    network="a",
    choice=ChipChoice(8, 8, 1, "x", 8, "none"),
    accuracy=0.9,
    sd=0.01,
    low=0.88,
    energy_nJ=10.0,
    latency_us=1.0,
    area_mm2=1.0,
    cores=1,
    chip_cores=4,
)


def test_a_chip_is_pareto_unless_another_is_as_good_in_all() -> None:
    points = [
        POINT,
        replace(POINT, accuracy=0.8),  # worse
        replace(POINT, accuracy=0.8, area_mm2=0.5),  # smaller
        replace(POINT, energy_nJ=11.0, accuracy=0.91),  # better for more energy
        POINT,  # the same once more: neither beats the other
        replace(POINT, network="b", accuracy=0.1),  # alone in its network
    ]
    assert [point.pareto for point in mark_pareto(points)] == [True, False, True, True, True, True]


def test_lists_are_read() -> None:
    assert read_sizes("64x32,16") == ((64, 32), (16, 16))
    assert read_sizes(None) is None
    assert read_whole("--cells", "2, 1,2") == (2, 1)
    assert read_list("--read-mode", "8-bit,6-bit") == ("8-bit", "6-bit")
    assert read_time("2h") == 7200.0


@pytest.mark.parametrize("text", ["", ",", "axb", "64x", "-4", "64x64x64", "1.5"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--core-size"):
        read_sizes(text)


@pytest.mark.parametrize("text", ["", "six", "6.5", "-6", ",".join(map(str, range(30)))])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--adc-bits"):
        read_whole("--adc-bits", text)


@pytest.mark.parametrize("text", ["soon", "1d,2d"])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="must be"):
        read_time(text)
