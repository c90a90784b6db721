import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from analognas.simulator.chip import (
    CHIPS,
    ChipSpec,
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
        "All layers together need 71",
        "narrower or shallower",
    ):
        assert part in message


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
    data: dict[str, Any] = json.loads(json.dumps(place_layers(shapes, hermes).to_dict()))
    return data


def test_a_stored_placement_may_use_any_cores_of_the_chip(stored: dict[str, Any]) -> None:
    for entry, core in zip(stored["cores"], [63, 7, 20], strict=True):
        entry["core"] = core
    assert [placed.core for placed in Placement.from_dict(stored).cores] == [63, 7, 20]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format_version",), 2, "format_version: must be 1, but got 2"),
        (("rows",), 0, "rows: must be greater than or equal to 1, but got 0"),
        (("rows",), "256", "rows: must be a valid integer"),
        (("row",), 256, "row: unknown key. Did you mean 'rows'"),
        (("layers", 0, "kind"), "conv1d", r"layers\.0\.kind: must be 'linear' or 'conv2d'"),
        (("layers", 0, "kernel"), [10], r"layers\.0\.kernel\.1: this key is required"),
        (("layers", 0, "groups"), 3, "groups must divide in_channels and out_channels"),
        (("layers", 0, "name"), "fc", "`layers` must be all different"),
        (("layers", 0, "colour"), "red", r"layers\.0\.colour: unknown key.*in_channels"),
        (("cores", 1, "core"), 0, "`cores` must be all different"),
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


@pytest.mark.parametrize("data", [None, [], "text", {}])
def test_what_is_no_placement_at_all_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="placement: "):
        Placement.from_dict(data)
