from itertools import product

import pytest

from analognas.search_spaces import Architecture, ResNetOptions, ResNetSpace

TINY = ResNetOptions(
    stem_kernels=("3x3", "4x4"),
    stem_widths=(2, 4),
    max_main_blocks=2,
    kinds=("A", "D"),
    widenings=(1, 2),
    branches=(1, 2),
    blocks=(1, 2),
    max_width=8,
)


def layers_of(kind: str) -> list[str]:
    space = ResNetSpace((1, 49, 10), 10)
    network = decode(space, main_blocks=1, kind_1=kind, branches_1=2, widening_1=2)
    return [layer.name.partition(".")[2] for layer in space.layers(network)[1:-1]]


def decode(space: ResNetSpace, **genes: int | str) -> Architecture:
    codes = {gene: values[0] for gene, values in space.genes.items()}
    network = space.decode(codes | genes)
    assert network is not None
    return network


@pytest.mark.parametrize("shape", [(1, 9, 4), (1, 12, 12)])
def test_the_count_is_the_number_of_networks_that_genotypes_give(
    shape: tuple[int, int, int],
) -> None:
    space = ResNetSpace(shape, 2, TINY)
    keys = {
        space._walk(dict(zip(space.genes, values, strict=True))).key
        for values in product(*space.genes.values())
    }
    assert space.count() == len(keys)


def test_the_four_kinds_of_block_are_different() -> None:
    assert layers_of("A")[:3] == ["branch1.conv1", "branch1.conv2", "branch2.conv1"]
    assert layers_of("B")[:3] == ["branch1.pointwise1", "branch1.conv", "branch1.pointwise2"]
    assert layers_of("C")[:3] == ["branch1.depthwise", "branch1.pointwise", "branch2.depthwise"]
    assert layers_of("D") == ["branch1.conv", "branch2.conv", "shortcut.projection"]


def test_a_later_main_block_changes_the_shape() -> None:
    space = ResNetSpace((1, 49, 10), 10)
    network = decode(space, main_blocks=2, widening_2=1, stride_2=1)
    assert space.codes(network)["stride_2"] == 2


def test_a_main_block_that_can_neither_stride_nor_widen_is_left_out() -> None:
    space = ResNetSpace((1, 8, 8), 10, ResNetOptions(max_width=128))
    network = decode(space, stem_width=128, main_blocks=5)
    assert space.codes(network)["main_blocks"] == 2
    assert space.layers(network)[-2].output_size == (4, 4)


def test_no_layer_is_wider_than_the_widest_allowed() -> None:
    space = ResNetSpace((1, 49, 10), 10)
    network = decode(space, stem_width=96, main_blocks=2, widening_1=4, widening_2=4)
    assert space.codes(network)["widening_1"] == 2
    assert max(layer.out_channels for layer in space.layers(network)) == 192


def test_a_plain_first_block_of_single_stages_gets_a_second_branch() -> None:
    space = ResNetSpace((1, 49, 10), 10)
    for kind, branches in (("A", 1), ("B", 1), ("C", 2), ("D", 2)):
        network = decode(space, kind_1=kind, branches_1=1)
        assert space.codes(network)["branches_1"] == branches


def test_the_last_map_has_room_for_a_kernel_along_one_axis() -> None:
    space = ResNetSpace((1, 49, 10), 10)
    network = decode(space, main_blocks=5, **{f"stride_{i}": 2 for i in range(1, 6)})
    for layer in space.layers(network):
        if layer.kind in ("conv", "depthwise"):
            assert max(layer.kernel) == 3


def test_shrinking_removes_blocks_and_branches_before_main_blocks() -> None:
    space = ResNetSpace((1, 49, 10), 10)
    genes: dict[str, int | str] = {"main_blocks": 3, "stride_1": 2}
    for main in (1, 2, 3):
        genes |= {f"blocks_{main}": 4, f"branches_{main}": 4, f"kind_{main}": "D"}
    large = decode(space, **genes)
    network = space.decode(space.codes(large), lambda candidate: len(space.layers(candidate)) <= 12)
    assert network is not None
    codes = space.codes(network)
    assert codes["main_blocks"] == 3
    assert [codes[f"blocks_{main}"] for main in (1, 2, 3)] == [1, 1, 1]
    assert [codes[f"branches_{main}"] for main in (1, 2, 3)] == [2, 2, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": ("A", "E")}, "must be some of A, B, C, D"),
        ({"kinds": ("C", "D"), "branches": (1,)}, "`branches` more than 1"),
        ({"widenings": (2, 3)}, "must begin with 1"),
        ({"max_main_blocks": 0}, "must be at least 1"),
        ({"max_width": 64}, "at least the widest stem"),
        ({"blocks": ()}, "one or more different values"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNetOptions(**options)  # type: ignore[arg-type]
