from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analognas.simulator.chip import (
    CHIPS,
    Cost,
    LayerCost,
    cost_scope,
    estimate_cost,
    load_chip,
    place_layers,
)
from analognas.simulator.mapping import LayerShape

STEM = LayerShape("stem", "conv2d", 1, 64, (10, 4), mvms=125)  # 40 x 64
DEPTHWISE = LayerShape("depthwise", "conv2d", 64, 64, (3, 3), groups=64, mvms=125)  # 3 cores
WIDE = LayerShape("wide", "conv2d", 64, 300, (3, 3), mvms=25)  # 576 x 300: 3 row x 2 column parts
HEAD = LayerShape("head", "linear", 300, 12)


def cost_of(*layers: LayerShape, read_mode: str | None = None) -> Cost:
    chip = load_chip("hermes")
    return estimate_cost(place_layers(layers, chip), chip, read_mode)


def test_a_layer_costs_its_mvms_times_whole_cores() -> None:
    cost = cost_of(STEM, DEPTHWISE, WIDE, HEAD)
    assert cost.read_mode == "4-phase"
    assert cost.cores == 1 + 3 + 6 + 2
    assert cost.energy_nJ == pytest.approx((125 + 125 * 3 + 25 * 6 + 1 * 2) * 52.8125)
    assert cost.latency_us == pytest.approx((125 + 125 + 25 + 1) * 521.03 * 1e-3, rel=1e-4)
    assert cost.area_mm2 == pytest.approx(12 * 40.7097 / 64, rel=1e-4)
    assert cost.chip_area_mm2 == pytest.approx(40.7097, rel=1e-4)
    assert [layer.row_parts for layer in cost.layers] == [1, 1, 3, 2]
    assert [layer.cores for layer in cost.layers] == [1, 3, 6, 2]


def test_the_energy_of_a_core_does_not_depend_on_how_much_of_it_is_used() -> None:
    tiny = LayerShape("layer", "linear", 1, 1)
    full = LayerShape("layer", "linear", 256, 256)
    assert cost_of(tiny).energy_nJ == cost_of(full).energy_nJ
    assert cost_of(tiny).utilisation_fraction == pytest.approx(1 / 65_536)
    assert cost_of(full).utilisation_fraction == 1.0


def test_a_full_chip_does_an_mvm_at_its_published_energy_and_throughput() -> None:
    full = LayerShape("full", "linear", 256 * 64, 256)
    slow, fast = cost_of(full), cost_of(full, read_mode="1-phase")
    assert slow.energy_nJ == pytest.approx(3_380)
    assert fast.energy_nJ == pytest.approx(860)
    operations = 2 * full.weights
    assert operations / slow.latency_us * 1e-6 == pytest.approx(16.1)
    assert operations / fast.latency_us * 1e-6 == pytest.approx(63.1)


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(
        st.tuples(st.integers(1, 600), st.integers(1, 600), st.integers(1, 100)),
        min_size=2,
        max_size=6,
    ),
    cut=st.integers(1, 5),
)
def test_cost_is_additive_over_layers(sizes: list[tuple[int, int, int]], cut: int) -> None:
    layers = [
        LayerShape(f"layer{index}", "linear", rows, columns, mvms=mvms)
        for index, (rows, columns, mvms) in enumerate(sizes)
    ]
    whole, first, second = cost_of(*layers), cost_of(*layers[:cut]), cost_of(*layers[cut:])
    assert whole.energy_nJ == pytest.approx(first.energy_nJ + second.energy_nJ)
    assert whole.latency_us == pytest.approx(first.latency_us + second.latency_us)
    assert whole.area_mm2 == pytest.approx(first.area_mm2 + second.area_mm2)
    assert whole.cores == first.cores + second.cores
    assert whole.layers == first.layers + second.layers


@pytest.mark.parametrize("name", CHIPS)
def test_every_read_mode_of_a_known_chip_gives_a_cost(name: str) -> None:
    chip = load_chip(name)
    placement = place_layers([HEAD], chip)
    for mode in chip.read_modes:
        cost = estimate_cost(placement, chip, mode)
        assert (cost.chip, cost.read_mode, cost.kind) == (name, mode, "modelled")
        assert cost.energy_nJ > 0
        assert cost.latency_us > 0


def test_a_record_says_that_it_is_modelled_and_what_it_covers() -> None:
    data = cost_of(STEM).to_dict()
    assert data["kind"] == "modelled"
    assert data["scope"] == cost_scope(load_chip("hermes"))
    assert "crossbar array, ADC and PWM input only" in data["scope"]
    assert list(data["layers"][0]) == list(LayerCost.__annotations__)
    assert data["layers"][0] == asdict(cost_of(STEM).layers[0])


def test_nothing_on_the_chip_costs_nothing() -> None:
    cost = cost_of()
    assert (cost.energy_nJ, cost.latency_us, cost.area_mm2, cost.cores) == (0, 0, 0, 0)


def test_a_placement_for_cores_of_another_size_is_refused() -> None:
    chip = load_chip("hermes")
    foreign = replace(place_layers([STEM], chip), rows=512)
    with pytest.raises(ValueError, match=r"uses 1 cores of 512 x 256\. Place the network on this"):
        estimate_cost(foreign, chip)


def test_an_unknown_read_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'8-phase'.*1-phase, 4-phase"):
        cost_of(STEM, read_mode="8-phase")
