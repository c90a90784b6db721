from collections.abc import Iterator
from itertools import product

import pytest

from analognas.search_spaces import ConvOptions, ConvSpace, SearchSpace
from analognas.search_spaces.base import Gene

TINY = ConvOptions(stages=(2, 3), kernels=("3x3", "4x2"), widths=(2, 3), strides=(1, 2))


def all_codes(space: SearchSpace) -> Iterator[dict[str, Gene]]:
    for values in product(*space.genes.values()):
        yield dict(zip(space.genes, values, strict=True))


@pytest.mark.parametrize("shape", [(1, 5, 4), (1, 3, 9)])
def test_the_count_is_the_number_of_networks_that_genotypes_give(
    shape: tuple[int, int, int],
) -> None:
    space = ConvSpace(shape, 2, TINY)
    keys = {space._walk(codes).key for codes in all_codes(space)}
    assert space.count() == len(keys)


def test_the_first_stage_is_regular() -> None:
    space = ConvSpace((1, 49, 10), 10)
    assert "kind_1" not in space.genes
    assert "skip_1" not in space.genes


def test_a_stage_on_a_map_without_room_for_a_kernel_is_pointwise() -> None:
    space = ConvSpace((1, 3, 3), 10, ConvOptions(kernels=("3x3",)))
    codes = {gene: values[0] for gene, values in space.genes.items()}
    network = space.decode(codes | {"stride_1": 2, "stages": 3, "kind_2": "regular"})
    assert network is not None
    assert [layer.kind for layer in space.layers(network)] == [
        "conv",
        "pointwise",
        "pointwise",
        "linear",
    ]


def test_an_even_kernel_strides_and_a_long_kernel_strides_along_its_length() -> None:
    space = ConvSpace((1, 49, 10), 10)
    codes = {gene: values[0] for gene, values in space.genes.items()}
    even = space.decode(codes | {"kernel_1": "10x4", "stride_1": 1})
    long = space.decode(codes | {"kernel_1": "9x1", "stride_1": 2})
    assert even is not None
    assert long is not None
    assert space.layers(even)[0].stride == (2, 2)
    assert space.layers(long)[0].output_size == (25, 10)


def test_analognet_like_has_no_depthwise_layer() -> None:
    space = ConvSpace((1, 49, 10), 12)
    network = space.named["analognet-like"]
    assert {layer.kind for layer in space.layers(network)} == {"conv", "linear"}
    assert space.parameters(network) <= 300_000
    assert space.multiplications(network) <= 12_000_000


def test_shrinking_narrows_the_widest_stages_and_keeps_the_others() -> None:
    space = ConvSpace((1, 49, 10), 10)
    codes = {gene: values[0] for gene, values in space.genes.items()}
    codes |= {"stages": 3, "kind_2": "regular", "kind_3": "regular", "kernel_2": "3x3"}
    codes |= {"kernel_3": "3x3", "width_1": 16, "width_2": 160, "width_3": 128}
    network = space.decode(codes, lambda candidate: space.parameters(candidate) <= 60_000)
    assert network is not None
    assert [block.width for block in network.choices] == [16, 64, 64]


def test_shrinking_shortens_only_what_cannot_be_narrowed_enough() -> None:
    space = ConvSpace((1, 49, 10), 10)
    codes = space.codes(space.named["analognet-like"])
    network = space.decode(codes, lambda candidate: len(space.layers(candidate)) <= 4)
    assert network is not None
    assert [block.width for block in network.choices] == [48, 64, 64]


def test_the_cheapest_networks_are_found_when_nothing_else_fits() -> None:
    space = ConvSpace((1, 49, 10), 10)
    codes = space.codes(space.named["ds-cnn"])
    network = space.decode(codes, lambda candidate: space.parameters(candidate) <= 230)
    assert network is not None
    assert [layer.kind for layer in space.layers(network)] == ["conv", "pointwise", "linear"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stages": ()}, "one or more different values"),
        ({"widths": (8, 8)}, "one or more different values"),
        ({"widths": (16, 8)}, "positive and ascending"),
        ({"widths": (1, 8)}, "at least 2 channels"),
        ({"stages": (0, 1)}, "positive and ascending"),
        ({"strides": (1, 3)}, "must be"),
        ({"kinds": ("regular", "grouped", "pointwise")}, "must be some of"),
        ({"kinds": ("regular",)}, "must hold 'pointwise'"),
        ({"kernels": ("1x1", "3x3")}, "must not hold 1x1"),
        ({"kernels": ("3by3",)}, "written like 3x3"),
    ],
)
def test_impossible_options_are_refused(
    options: dict[str, tuple[int | str, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ConvSpace((1, 49, 10), 10, ConvOptions(**options))  # type: ignore[arg-type]
