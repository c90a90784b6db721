"""Costs on chips with shared ADCs and shared cores, replicas, digital work and real activity."""

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analognas.simulator.chip import (
    CHIPS,
    ChipSpec,
    CorePlacement,
    Cost,
    DigitalWork,
    Placement,
    estimate_cost,
    load_chip,
    place_layers,
)
from analognas.simulator.chip.activity import ArrayActivity
from analognas.simulator.chip.cost_records import COST_SCOPE
from analognas.simulator.mapping import LayerShape, TileBlock, tile_blocks

EARLY = LayerShape("early", "linear", 100, 200, mvms=50)  # two passes of 128 ADCs
LATE = LayerShape("late", "linear", 300, 64, mvms=11)  # one pass
TALL = LayerShape("tall", "linear", 1000, 300, mvms=3)  # two row parts, three passes each
CYCLE_US = 0.130


@pytest.fixture
def generic() -> ChipSpec:
    return load_chip("generic")


def placed(
    chip: ChipSpec, *cores: CorePlacement, digital: tuple[DigitalWork, ...] = ()
) -> Placement:
    shapes = {shape.name: shape for shape in (EARLY, LATE, TALL)}
    layers = tuple(shapes[name] for name in dict.fromkeys(core.layer for core in cores))
    return Placement(chip.name, chip.cores, chip.rows, chip.columns, layers, cores, digital)


def whole(shape: LayerShape) -> TileBlock:
    (block,) = tile_blocks(shape, 512, 512)
    return block


def test_energy_counts_the_actions_of_every_layer(generic: ChipSpec) -> None:
    cost = estimate_cost(placed(generic, CorePlacement(0, "early", whole(EARLY))), generic)
    pJ = {
        "array": 100 * 200 * 6.5e-3,
        "dac": 100 * 2 * 2.0,
        "adc": 200 * 40.0,
        "digital": 200 * 0.5,
        "links": 200 * 8 * 0.1,
        "buffers": 300 * 8 * 0.05,
    }
    expected = {name: 50 * energy * 1e-3 for name, energy in pJ.items()}
    assert cost.components_nJ == pytest.approx(expected)
    assert cost.layer_components_nJ == {"early": cost.components_nJ}
    assert cost.energy_nJ == pytest.approx(sum(expected.values()))
    assert cost.latency_us == pytest.approx(50 * 2 * CYCLE_US)


def test_partial_sums_are_added_at_their_energy(generic: ChipSpec) -> None:
    cost = estimate_cost(place_layers([TALL], generic, packed=False), generic)
    operations = 3 * (2 * 300 + 300)  # every word is scaled, and one sum per output
    assert cost.components_nJ["digital"] == pytest.approx(operations * 0.5e-3)
    assert cost.layers[0].row_parts == 2
    assert cost.layers[0].cores == 2
    assert cost.off_chip == ()


def test_partial_sums_that_the_chip_does_not_add_are_named(generic: ChipSpec) -> None:
    assert generic.digital is not None
    kinds = replace(generic.digital.on_chip, value=("affine",))
    chip = replace(generic, digital=replace(generic.digital, on_chip=kinds))
    cost = estimate_cost(place_layers([TALL, LATE], chip, packed=False), chip)
    assert cost.off_chip == ("tall: partial sums",)
    assert cost.components_nJ["digital"] == pytest.approx((3 * 2 * 300 + 11 * 64) * 0.5e-3)


def test_blocks_of_a_layer_on_one_core_are_read_one_after_another(generic: ChipSpec) -> None:
    apart = place_layers([TALL], generic, packed=False)
    first, second = apart.cores
    together = replace(apart, cores=(first, CorePlacement(first.core, "tall", second.block, 500)))
    one, two = estimate_cost(apart, generic), estimate_cost(together, generic)
    assert one.latency_us == pytest.approx(3 * 3 * CYCLE_US)
    assert two.latency_us == pytest.approx(2 * one.latency_us)
    assert two.energy_nJ == pytest.approx(one.energy_nJ)
    assert two.layers[0].cores == 1


def test_layers_on_one_core_cannot_overlap_in_a_pipeline(generic: ChipSpec) -> None:
    early, late = CorePlacement(0, "early", whole(EARLY)), CorePlacement(1, "late", whole(LATE))
    apart = estimate_cost(placed(generic, early, late), generic)
    shared = CorePlacement(0, "late", whole(LATE), row_offset=100)
    together = estimate_cost(placed(generic, early, shared), generic)
    assert apart.latency_us == together.latency_us == pytest.approx((100 + 11) * CYCLE_US)
    assert apart.interval_us == pytest.approx(100 * CYCLE_US)
    assert together.interval_us == pytest.approx(111 * CYCLE_US)
    assert apart.serial_inferences_per_s == pytest.approx(1e6 / apart.latency_us)
    assert apart.pipelined_inferences_per_s == pytest.approx(1e6 / apart.interval_us)
    assert together.serial_inferences_per_s == pytest.approx(together.pipelined_inferences_per_s)


def test_layers_that_share_a_core_share_its_area(generic: ChipSpec) -> None:
    early = CorePlacement(0, "early", whole(EARLY))
    late = CorePlacement(0, "late", whole(LATE), row_offset=100)
    cost = estimate_cost(placed(generic, early, late), generic)
    areas = [layer.area_mm2 for layer in cost.layers]
    assert cost.cores == 1
    assert sum(areas) == pytest.approx(cost.area_mm2) == pytest.approx(generic.area_mm2 / 16)
    assert areas[0] / areas[1] == pytest.approx(100 * 200 / (300 * 64))


def test_replicas_share_the_multiplications_of_their_layer(generic: ChipSpec) -> None:
    copies = [CorePlacement(core, "late", whole(LATE), replica=core) for core in range(3)]
    single = estimate_cost(placed(generic, copies[0]), generic)
    triple = estimate_cost(placed(generic, *copies), generic)
    assert triple.energy_nJ == pytest.approx(single.energy_nJ)
    assert single.latency_us == pytest.approx(11 * CYCLE_US)
    assert triple.latency_us == pytest.approx(4 * CYCLE_US)  # 4, 4 and 3 multiplications
    assert triple.area_mm2 == pytest.approx(3 * single.area_mm2)
    assert triple.layers[0].utilisation_fraction == single.layers[0].utilisation_fraction


def test_replicas_on_the_same_core_gain_nothing(generic: ChipSpec) -> None:
    copies = [
        CorePlacement(0, "late", whole(LATE), column_offset=64 * copy, replica=copy)
        for copy in range(3)
    ]
    cost = estimate_cost(placed(generic, *copies), generic)
    assert cost.latency_us == pytest.approx(11 * CYCLE_US)


def test_a_whole_network_in_one_array_is_as_fast_in_a_pipeline_as_layer_by_layer() -> None:
    chip = load_chip("aon-cim")
    cost = estimate_cost(place_layers([EARLY, LATE], chip), chip, "4-bit")
    assert cost.cores == 1
    assert cost.latency_us == pytest.approx(cost.interval_us) == pytest.approx(111 * 0.010)


WORK = (
    DigitalWork("relu", "relu", 10_000),
    DigitalWork("pool", "max_pool", 500),
    DigitalWork("words", "embedding", 64),
)


def test_digital_work_on_the_chip_is_charged_and_the_rest_is_named(generic: ChipSpec) -> None:
    cores = (CorePlacement(0, "early", whole(EARLY)),)
    plain = estimate_cost(placed(generic, *cores), generic)
    cost = estimate_cost(placed(generic, *cores, digital=WORK), generic)
    assert cost.off_chip == ("words",)
    assert cost.not_charged == ()
    assert cost.energy_nJ - plain.energy_nJ == pytest.approx(10_500 * 0.5e-3)
    assert cost.components_nJ["digital"] - plain.components_nJ["digital"] == pytest.approx(5.25)
    assert cost.latency_us - plain.latency_us == pytest.approx(10_500 / 256 * 1e-3)
    assert cost.layers == plain.layers


def test_hermes_names_its_digital_work_without_charging_it() -> None:
    chip = load_chip("hermes")
    layers = [LayerShape("layer", "linear", 100, 100)]
    cost = estimate_cost(place_layers(layers, chip, digital=WORK), chip)
    assert cost.off_chip == ("pool", "words")
    assert cost.not_charged == ("relu",)
    assert cost.energy_nJ == pytest.approx(52.8125)
    assert cost.components_nJ == {"core": cost.energy_nJ}
    assert cost.latency_us == pytest.approx(0.521, rel=1e-3)


def test_a_slow_digital_unit_limits_a_pipeline(generic: ChipSpec) -> None:
    work = DigitalWork("gates", "lstm", 10_000_000)
    cost = estimate_cost(
        placed(generic, CorePlacement(0, "early", whole(EARLY)), digital=(work,)), generic
    )
    assert cost.interval_us == pytest.approx(10_000_000 / 256 * 1e-3)


def test_power_at_a_duty_cycle_is_energy_times_rate_and_standby(generic: ChipSpec) -> None:
    cost = estimate_cost(placed(generic, CorePlacement(0, "early", whole(EARLY))), generic)
    assert cost.power_uW(0) == pytest.approx(50.0)
    assert cost.power_uW(10) == pytest.approx(50.0 + cost.energy_nJ * 10 * 1e-3)
    most = cost.pipelined_inferences_per_s
    assert most is not None
    # All the time busy: the energy of one inference per its time.
    assert cost.power_uW(most) - 50.0 == pytest.approx(1e3 * cost.energy_nJ / cost.interval_us)
    for rate in (1.01 * most, -1.0):
        with pytest.raises(ValueError, match=r"must be from 0 to 7\.692e\+04 on chip 'generic'"):
            cost.power_uW(rate)


def test_an_empty_network_takes_standby_power_only(generic: ChipSpec) -> None:
    cost = estimate_cost(place_layers([], generic), generic)
    assert (cost.energy_nJ, cost.latency_us, cost.serial_inferences_per_s) == (0, 0, None)
    assert cost.power_uW(1e9) == 50.0


def test_more_bits_cost_more_energy_and_time() -> None:
    chip = load_chip("aon-cim")
    placement = place_layers([EARLY, LATE], chip)
    costs = [estimate_cost(placement, chip, mode) for mode in ("4-bit", "6-bit", "8-bit")]
    assert costs[0].energy_nJ < costs[1].energy_nJ < costs[2].energy_nJ
    assert costs[0].latency_us < costs[1].latency_us < costs[2].latency_us


@pytest.mark.parametrize("name", CHIPS)
def test_a_full_core_has_the_peak_efficiency_of_its_chip(name: str) -> None:
    chip = load_chip(name)
    full = LayerShape("full", "linear", chip.rows, chip.columns)
    placement = place_layers([full], chip)
    for mode in chip.read_modes.values():
        cost = estimate_cost(placement, chip, mode.name)
        assert cost.energy_nJ == pytest.approx(mode.energy_nJ_per_mvm)
        assert cost.latency_us == pytest.approx(mode.latency_ns * 1e-3)
        assert 2e-3 * full.weights / cost.energy_nJ == pytest.approx(mode.efficiency_TOPS_per_W)


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(["generic", "aon-cim", "hermes"]),
    sizes=st.lists(
        st.tuples(st.integers(1, 250), st.integers(1, 100), st.integers(1, 100)),
        min_size=1,
        max_size=5,
    ),
)
def test_energy_is_the_sum_over_layers_and_over_components(
    name: str, sizes: list[tuple[int, int, int]]
) -> None:
    chip = load_chip(name)
    layers = [
        LayerShape(f"layer{index}", "linear", rows, columns, mvms=mvms)
        for index, (rows, columns, mvms) in enumerate(sizes)
    ]
    cost = estimate_cost(place_layers(layers, chip), chip)
    assert sum(cost.components_nJ.values()) == pytest.approx(cost.energy_nJ)
    assert sum(layer.energy_nJ for layer in cost.layers) == pytest.approx(cost.energy_nJ)
    assert sum(layer.area_mm2 for layer in cost.layers) == pytest.approx(cost.area_mm2)
    for layer in cost.layers:
        energies = cost.layer_components_nJ[layer.layer]
        assert sum(energies.values()) == pytest.approx(layer.energy_nJ)
    assert cost.interval_us <= cost.latency_us * (1 + 1e-9)
    assert 0 < cost.utilisation_fraction <= 1


def activity_of(
    *layers: LayerShape, conductance_uS: float, drive: float
) -> dict[str, ArrayActivity]:
    return {layer.name: ArrayActivity(conductance_uS, drive) for layer in layers}


def test_the_energy_of_an_array_follows_its_conductances_and_inputs(generic: ChipSpec) -> None:
    placement = place_layers([EARLY, LATE], generic)
    plain = estimate_cost(placement, generic)
    # The assumption behind the chip's own figure: 5 uS and a quarter of the full drive.
    same = activity_of(EARLY, LATE, conductance_uS=5.0, drive=0.25)
    cost = estimate_cost(placement, generic, activity=same)
    assert cost.components_nJ == pytest.approx(plain.components_nJ)
    busy = {**same, "late": ArrayActivity(10.0, 0.5)}
    cost = estimate_cost(placement, generic, activity=busy)
    assert cost.layer_components_nJ["late"]["array"] == pytest.approx(
        11 * 300 * 64 * 0.2**2 * 10.0 * 0.5 * 130 * 1e-6
    )
    assert cost.layer_components_nJ["early"] == pytest.approx(plain.layer_components_nJ["early"])
    assert cost.latency_us == plain.latency_us


def test_an_idle_array_takes_no_energy_but_its_converters_do(generic: ChipSpec) -> None:
    idle = activity_of(LATE, conductance_uS=5.0, drive=0.0)
    cost = estimate_cost(place_layers([LATE], generic), generic, activity=idle)
    assert "array" not in cost.components_nJ
    assert cost.components_nJ["adc"] > 0


def test_activity_needs_every_layer_and_a_chip_that_splits_its_energy(generic: ChipSpec) -> None:
    some = activity_of(EARLY, conductance_uS=5.0, drive=0.1)
    with pytest.raises(ValueError, match=r"must have every layer.*\['late'\]"):
        estimate_cost(place_layers([EARLY, LATE], generic), generic, activity=some)
    hermes = load_chip("hermes")
    with pytest.raises(ValueError, match=r"Chip 'hermes' must split the energy of its cores"):
        estimate_cost(place_layers([EARLY], hermes), hermes, activity=some)


@pytest.mark.parametrize(
    ("conductance_uS", "drive", "message"),
    [
        (-1.0, 0.5, "`mean_conductance_uS` must be at least 0, but got -1"),
        (float("nan"), 0.5, "`mean_conductance_uS` must be at least 0, but got nan"),
        (1.0, 1.5, r"`mean_squared_drive` must be a fraction.*got 1\.5"),
        (1.0, -0.1, r"`mean_squared_drive` must be a fraction.*got -0\.1"),
    ],
)
def test_impossible_activity_is_refused(conductance_uS: float, drive: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ArrayActivity(conductance_uS, drive)


def test_the_scope_says_what_is_in_and_how_far_it_can_be_trusted(generic: ChipSpec) -> None:
    def scope(name: str) -> str:
        chip = load_chip(name)
        return estimate_cost(place_layers([LATE], chip), chip).scope

    assert scope("hermes") == COST_SCOPE
    assert "rows and columns in use" in scope("aon-cim")
    assert "not in it: links, off-chip parts" in scope("aon-cim")
    assert "published, fitted, recalled, assumed" in scope("aon-cim")
    assert "buffers; not in it: off-chip parts" in scope("generic")


def test_a_record_is_plain_json(generic: ChipSpec) -> None:
    placement = placed(generic, CorePlacement(0, "early", whole(EARLY)), digital=WORK)
    cost: Cost = estimate_cost(placement, generic)
    data = json.loads(json.dumps(cost.to_dict(), allow_nan=False))
    assert data["off_chip"] == ["words"]
    assert data["components_nJ"] == cost.components_nJ
    assert data["pipelined_inferences_per_s"] == pytest.approx(1e6 / data["interval_us"])
    assert [step["where"] for step in data["digital"]] == ["on chip", "on chip", "off chip"]


def test_a_candidate_is_placed_and_costed_in_ten_milliseconds() -> None:
    chip = load_chip("hermes")
    layers = [LayerShape(f"l{i}", "conv2d", 28, 60, (3, 3), mvms=100) for i in range(20)]

    def duration_s() -> float:
        start = time.process_time()
        estimate_cost(place_layers(layers, chip), chip)
        return time.process_time() - start

    assert min(duration_s() for _ in range(5)) < 0.010
