import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from analognas.simulator.chip import (
    CHIPS,
    ChipSpec,
    DigitalWork,
    Placement,
    PlacementError,
    count_cores,
    load_chip,
    place,
    place_layers,
)
from analognas.simulator.mapping import LayerShape, tile_blocks


@st.composite
def layers(draw: st.DrawFn) -> list[LayerShape]:
    shapes = []
    for index in range(draw(st.integers(1, 8))):
        groups = draw(st.sampled_from([1, 1, 2, 5, 24, 64]))
        shapes.append(
            LayerShape(
                f"layer{index}",
                "conv2d",
                groups * draw(st.integers(1, 40)),
                groups * draw(st.integers(1, 40)),
                (draw(st.integers(1, 10)), draw(st.integers(1, 4))),
                groups,
                draw(st.integers(1, 125)),
            )
        )
    return shapes


@settings(deadline=None, max_examples=50)
@given(layers=layers(), rows=st.integers(1, 300), columns=st.integers(1, 300))
def test_counting_cores_agrees_with_cutting_blocks(
    layers: list[LayerShape], rows: int, columns: int
) -> None:
    blocks = [block for layer in layers for block in tile_blocks(layer, rows, columns)]
    assert count_cores(layers, rows, columns) == len(blocks)


@settings(deadline=None, max_examples=50)
@given(layers=layers())
def test_a_network_is_placed_whole_or_refused(layers: list[LayerShape]) -> None:
    chip = load_chip("hermes")
    if count_cores(layers, chip.rows, chip.columns) > chip.cores:
        with pytest.raises(PlacementError):
            place_layers(layers, chip)
        return
    placement = place_layers(layers, chip)
    assert [placed.core for placed in placement.cores] == list(range(placement.used_cores))
    for layer in layers:
        blocks = [placed.block for placed in placement.cores if placed.layer == layer.name]
        assert blocks == tile_blocks(layer, chip.rows, chip.columns)
        assert sum(block.weights for block in blocks) == layer.weights
    assert 0 < placement.utilisation_fraction <= 1
    assert Placement.from_dict(json.loads(json.dumps(placement.to_dict()))) == placement


@pytest.mark.parametrize("name", CHIPS)
def test_a_full_matrix_uses_every_cell_of_every_core(name: str) -> None:
    chip = load_chip(name)
    full = LayerShape("full", "linear", chip.rows * chip.cores, chip.columns)
    placement = place_layers([full], chip)
    assert placement.used_cores == chip.cores
    assert placement.utilisation_fraction == 1.0
    with pytest.raises(PlacementError):
        place_layers([full, LayerShape("one more", "linear", 1, 1)], chip)


def test_a_large_convolution_is_split_evenly_over_rows_and_columns() -> None:
    layer = LayerShape("conv", "conv2d", 64, 300, (3, 3), mvms=25)  # 576 x 300
    placement = place_layers([layer], load_chip("hermes"))
    sizes = [(placed.block.rows, placed.block.columns) for placed in placement.cores]
    assert sizes == [(192, 150)] * 6


def test_the_groups_of_a_depthwise_convolution_share_cores() -> None:
    layer = LayerShape("depthwise", "conv2d", 64, 64, (3, 3), groups=64)
    placement = place_layers([layer], load_chip("hermes"))
    assert placement.used_cores == 3  # 28 groups of 9 rows fit 256 rows
    assert placement.utilisation_fraction == pytest.approx(64 * 9 / (3 * 256 * 256))


def test_a_network_that_does_not_fit_is_refused_with_layer_and_numbers() -> None:
    shapes = [
        LayerShape("first", "linear", 256, 256 * 60),
        LayerShape("second", "conv2d", 128, 512, (3, 3)),
        LayerShape("third", "linear", 256, 256),
    ]
    with pytest.raises(PlacementError) as error:
        place_layers(shapes, load_chip("hermes"))
    message = str(error.value)
    for part in (
        "64 cores of chip 'hermes'",
        "layer 'second'",
        "1152 rows x 512 columns",
        "needs 10 cores of 256 x 256",
        "60 are already used",
        "All layers together need 71, 7 too many",
        "(71 if blocks shared cores)",
        "narrower or shallower",
        "71 of 256 x 256 would do, or 64 of 512 x 512.",
    ):
        assert part in message


def test_a_packed_network_that_does_not_fit_is_refused_with_layer_and_numbers() -> None:
    shapes = [LayerShape(f"conv{index}", "conv2d", 64, 120, (3, 3)) for index in range(9)]
    with pytest.raises(PlacementError) as error:
        place_layers(shapes, load_chip("aon-cim"))
    message = str(error.value)
    for part in (
        "the 1 core of chip 'aon-cim'",
        "run out at layer 'conv4'",
        "576 rows x 120 columns needs 1 core of 1024 x 512",
        "the layers before it leave too little room on 1 core. All layers together",
        "need 3, 2 too many (9 with a core for every block)",
        "3 of 1024 x 512 would do, or 1 of 2048 x 1024.",
    ):
        assert part in message


@settings(deadline=None, max_examples=50)
@given(layers=layers(), rows=st.integers(20, 300), columns=st.integers(20, 300))
def test_packed_blocks_are_those_of_unpacked_ones_on_no_more_cores(
    make_chip: Callable[..., ChipSpec], layers: list[LayerShape], rows: int, columns: int
) -> None:
    alone = count_cores(layers, rows, columns)
    chip = make_chip(rows, columns, cores=max(alone, 1))
    packed = place_layers(layers, chip, packed=True)
    apart = place_layers(layers, chip, packed=False)
    assert packed.blocks() == apart.blocks()
    assert packed.lower_bound_cores == apart.lower_bound_cores
    assert packed.lower_bound_cores <= packed.used_cores <= apart.used_cores == alone
    assert packed.used_cores == count_cores(layers, rows, columns, packed=True)
    # Reading back refuses overlaps, missing blocks, and blocks beyond their core.
    assert Placement.from_dict(json.loads(json.dumps(packed.to_dict()))) == packed


def test_a_tiny_network_lies_in_one_array_block_diagonals_included() -> None:
    shapes = [
        LayerShape("stem", "conv2d", 1, 72, (10, 4), mvms=125),
        LayerShape("depthwise", "conv2d", 72, 72, (3, 3), 72, mvms=125),
        LayerShape("pointwise", "conv2d", 72, 96, mvms=125),
        LayerShape("fc", "linear", 96, 12),
    ]
    placement = place_layers(shapes, load_chip("aon-cim"))
    assert placement.used_cores == placement.lower_bound_cores == 1
    weights = sum(shape.weights for shape in shapes)
    assert placement.utilisation_fraction == pytest.approx(weights / (1024 * 512))
    assert placement.utilisation_by_core == {0: placement.utilisation_fraction}
    assert placement.busiest_core_reads == 3 * 125 + 1
    assert place_layers(shapes, load_chip("hermes")).used_cores == 6


def test_two_hundred_layers_are_placed_on_64_cores_in_under_a_second() -> None:
    shapes = [
        LayerShape(
            f"layer{index}",
            "conv2d",
            8 * (1 + index % 6),
            8 * (1 + index % 11),
            (1 + 2 * (index % 2),) * 2,
            mvms=4 ** (index % 5),
        )
        for index in range(200)
    ]
    chip = load_chip("hermes")
    for replicate in (False, True):
        start = time.process_time()
        placement = place_layers(shapes, chip, packed=True, replicate=replicate)
        assert time.process_time() - start < 1.0
        assert placement.used_cores <= 64


def test_the_summary_says_how_far_from_the_bounds_a_placement_is() -> None:
    shapes = [LayerShape(f"conv{index}", "conv2d", 16, 16, (3, 3), mvms=64) for index in range(8)]
    chip = load_chip("hermes")
    apart = place_layers(shapes, chip).summary()
    assert "8 of 64 cores" in apart
    assert "at least 1 if shared ideally (8 times that)" in apart
    packed = place_layers(shapes, chip, packed=True).summary()
    assert "1 of 64 cores" in packed
    assert "shared ideally (met)" in packed
    assert "read 512 times per inference" in packed
    copied = place_layers(shapes, chip, replicate=True)
    assert "64 of 64 cores (8 without replicas)" in copied.summary()
    assert "read 8 times per inference; at least 8 if replicated ideally (met)" in copied.summary()


def test_replicas_of_an_unknown_layer_are_refused(hermes: ChipSpec) -> None:
    placement = place_layers([LayerShape("fc", "linear", 4, 4)], hermes)
    assert placement.replicas("fc") == 1
    with pytest.raises(ValueError, match=r"`layer` must be one of the placed.*'fc'"):
        placement.replicas("conv")


def test_layers_of_the_same_name_are_refused() -> None:
    shapes = [LayerShape("a", "linear", 4, 4), LayerShape("a", "linear", 5, 5)]
    with pytest.raises(ValueError, match=r"different names.*\['a'\]"):
        place_layers(shapes, load_chip("hermes"))


def test_a_model_without_analog_layers_uses_no_core() -> None:
    placement = place(nn.ReLU(), (1, 8, 8), load_chip("hermes"))
    assert placement.used_cores == 0
    assert placement.utilisation_fraction == 0.0


def test_a_torch_model_is_placed_under_its_module_names(hermes: ChipSpec) -> None:
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))
    placement = place(model, (1, 8, 8), hermes)
    assert [placed.layer for placed in placement.cores] == ["0", "3", "3"]
    assert [layer.mvms for layer in placement.layers] == [36, 1]


@pytest.fixture
def hermes() -> ChipSpec:
    return load_chip("hermes")


@pytest.fixture
def stored(hermes: ChipSpec) -> dict[str, Any]:
    shapes = [
        LayerShape("conv", "conv2d", 1, 64, (10, 4), mvms=125),
        LayerShape("fc", "linear", 300, 12),
    ]
    digital = [DigitalWork("relu", "relu", 64 * 125)]
    placement = place_layers(shapes, hermes, digital=digital)
    data: dict[str, Any] = json.loads(json.dumps(placement.to_dict()))
    return data


def test_a_stored_placement_may_use_any_cores_of_the_chip(stored: dict[str, Any]) -> None:
    for entry, core in zip(stored["cores"], [63, 7, 20], strict=True):
        entry["core"] = core
    assert [placed.core for placed in Placement.from_dict(stored).cores] == [63, 7, 20]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format_version",), 3, "format_version: must be 1 or 2, but got 3"),
        (("rows",), 0, "rows: must be greater than or equal to 1, but got 0"),
        (("rows",), "256", "rows: must be a valid integer"),
        (("row",), 256, "row: unknown key. Did you mean 'rows'"),
        (("layers", 0, "kind"), "conv4d", r"layers\.0\.kind: must be 'linear', 'conv1d'"),
        (("layers", 0, "kernel"), [10], r"kernel of kind 'conv2d' must have 2 sizes.*\(10,\)"),
        (("layers", 0, "groups"), 3, "groups must divide in_channels and out_channels"),
        (("layers", 0, "name"), "fc", "`layers` must be all different"),
        (("layers", 0, "colour"), "red", r"layers\.0\.colour: unknown key.*in_channels"),
        (("cores", 1, "core"), 0, r"must not overlap, but on core 0 those of layers 'conv'.*'fc'"),
        (("cores", 1, "row_offset"), 107, "lie within its core.*'fc' on core 1 covers rows 107 to"),
        (("cores", 1, "column_offset"), 245, "columns 245 to 257. Mend its offsets"),
        (("cores", 1, "replica"), 2, "replicas of layer 'fc' must be numbered from 0 without"),
        (("cores", 1, "replica"), 1, "missing or wrong in replica 0"),
        (("digital", 0, "operations"), -1, r"digital\.0\.operations: must be greater"),
        (("adcs_per_core",), 0, "adcs_per_core: must be greater than or equal to 1"),
        (("cores", 1, "core"), 64, "`core` must be below chip_cores=64, but got 64"),
        (("cores", 1, "layer"), "head", "`layer` of core 1 must be in `layers`, but got 'head'"),
        (("cores", 1, "row_start"), 1, "layer 'fc' must hold exactly the 2 blocks"),
        (("cores", 1, "weights"), 1, "layer 'fc' must hold exactly the 2 blocks"),
        (("cores",), [], "layer 'conv' must hold exactly the 1 blocks"),
    ],
)
def test_a_wrong_placement_file_is_answered_with_key_and_rule(
    path: tuple[str | int, ...], value: object, message: str, stored: dict[str, Any]
) -> None:
    place_of_value: Any = stored
    for part in path[:-1]:
        place_of_value = place_of_value[part]
    place_of_value[path[-1]] = value
    with pytest.raises(ValueError, match=message) as error:
        Placement.from_dict(stored, source="placement.json")
    assert str(error.value).startswith("placement.json: ")


def test_a_placement_is_read_back_with_its_digital_work(stored: dict[str, Any]) -> None:
    placement = Placement.from_dict(stored)
    assert placement.digital == (DigitalWork("relu", "relu", 8000),)
    assert placement.to_dict() == stored | {"layers": placement.to_dict()["layers"]}


def test_the_first_version_of_the_file_is_still_read(stored: dict[str, Any]) -> None:
    old = {key: stored[key] for key in ("chip", "chip_cores", "rows", "columns", "layers")}
    old["format_version"] = 1
    later = ("replica", "row_offset", "column_offset")
    old["cores"] = [
        {key: value for key, value in entry.items() if key not in later}
        for entry in stored["cores"]
    ]
    placement = Placement.from_dict(old)
    assert placement.cores == Placement.from_dict(stored).cores
    assert placement.digital == ()


def test_the_quality_in_a_file_is_computed_anew(stored: dict[str, Any]) -> None:
    assert stored["quality"]["used_cores"] == 3
    stored["quality"]["used_cores"] = 1
    assert Placement.from_dict(stored).used_cores == 3


@pytest.mark.parametrize("data", [None, [], "text", {}])
def test_what_is_no_placement_at_all_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="placement: "):
        Placement.from_dict(data)
