from collections.abc import Callable
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from analognas.simulator.chip import ChipSpec, Placement, place_layers
from analognas.simulator.chip.replication import Stage, use_spare_cores
from analognas.simulator.mapping import LayerShape, TileBlock, tile_blocks

BLOCK = TileBlock(0, 1, 0, 1, 1)


def stages_of(*sizes: tuple[int, int]) -> list[Stage]:
    return [Stage(mvms, 1, (BLOCK,) * blocks) for mvms, blocks in sizes]


def longest(stages: list[Stage], copies: list[int]) -> int:
    return max(stage.reads(count) for stage, count in zip(stages, copies, strict=True))


def test_spare_cores_go_to_the_longest_stage() -> None:
    assert use_spare_cores(stages_of((100, 1), (50, 1), (10, 1)), [1, 1, 1], 3) == [3, 2, 1]


def test_a_copy_that_does_not_fit_leaves_its_cores_to_others() -> None:
    assert use_spare_cores(stages_of((100, 4), (50, 1)), [1, 1], 3) == [1, 4]


def test_nothing_is_copied_that_is_used_once() -> None:
    assert use_spare_cores(stages_of((1, 1), (1, 2)), [1, 1], 9) == [1, 1]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 3)), min_size=1, max_size=3),
    st.integers(0, 7),
)
def test_no_other_choice_of_copies_has_a_shorter_longest_stage(
    sizes: list[tuple[int, int]], spare: int
) -> None:
    stages = stages_of(*sizes)
    copies = use_spare_cores(stages, [1] * len(stages), spare)

    def cost(choice: tuple[int, ...] | list[int]) -> int:
        return sum(
            (count - 1) * len(stage.blocks) for count, stage in zip(choice, stages, strict=True)
        )

    assert cost(copies) <= spare
    best = min(
        longest(stages, list(choice))
        for choice in product(range(1, spare + 2), repeat=len(stages))
        if cost(choice) <= spare
    )
    assert longest(stages, copies) == best


@st.composite
def networks(draw: st.DrawFn) -> list[LayerShape]:
    shapes = []
    for index in range(draw(st.integers(1, 5))):
        groups = draw(st.sampled_from([1, 1, 3]))
        shapes.append(
            LayerShape(
                f"layer{index}",
                "conv2d",
                groups * draw(st.integers(1, 4)),
                groups * draw(st.integers(1, 6)),
                (draw(st.integers(1, 3)), 1),
                groups,
                draw(st.integers(1, 60)),
            )
        )
    return shapes


def assert_whole(placement: Placement, layers: list[LayerShape], chip: ChipSpec) -> None:
    for layer in layers:
        blocks = tile_blocks(layer, chip.rows, chip.columns)
        for replica in range(placement.replicas(layer.name)):
            held = [
                placed.block
                for placed in placement.cores
                if placed.layer == layer.name and placed.replica == replica
            ]
            assert held == blocks


@settings(deadline=None, max_examples=60)
@given(layers=networks(), cores=st.integers(1, 30), packed=st.booleans(), shared=st.booleans())
def test_replicas_are_whole_and_the_pipeline_never_slower_nor_below_its_bound(
    make_chip: Callable[..., ChipSpec],
    layers: list[LayerShape],
    cores: int,
    packed: bool,
    shared: bool,
) -> None:
    chip = make_chip(8, 6, cores=cores, packed=packed, adcs=2 if shared else None)
    try:
        alone = place_layers(layers, chip)
    except ValueError:
        return
    placement = place_layers(layers, chip, replicate=True)
    assert_whole(placement, layers, chip)
    assert placement.used_cores <= cores
    assert placement.busiest_core_reads <= alone.busiest_core_reads
    assert placement.busiest_core_reads >= placement.lower_bound_reads
    assert alone.lower_bound_cores == placement.lower_bound_cores <= alone.used_cores
    again = Placement.from_dict(placement.to_dict())
    assert again == placement


def test_shared_adcs_make_wide_layers_the_longest_stages(
    make_chip: Callable[..., ChipSpec],
) -> None:
    wide = LayerShape("wide", "linear", 8, 8, mvms=30)
    narrow = LayerShape("narrow", "linear", 8, 2, mvms=50)
    chip = make_chip(8, 8, cores=3, adcs=2)
    placement = place_layers([wide, narrow], chip, replicate=True)
    assert placement.replicas("wide") == 2
    assert placement.busiest_core_reads == 15 * 4


def test_late_layers_share_a_core_so_that_early_ones_can_be_copied(
    make_chip: Callable[..., ChipSpec],
) -> None:
    layers = [LayerShape("early", "conv2d", 4, 4, mvms=100)]
    layers += [LayerShape(f"late{index}", "linear", 2, 8) for index in range(4)]
    chip = make_chip(8, 8, cores=5, packed=True)
    placement = place_layers(layers, chip, replicate=True)
    assert placement.replicas("early") == 5
    assert placement.busiest_core_reads == 20 + 1
    assert placement.used_cores == 5
