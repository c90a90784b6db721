"""How layers are cut into tiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognas.simulator.mapping import LayerShape, split_evenly, tile_blocks


@given(size=st.integers(1, 3000), limit=st.integers(1, 600))
def test_parts_are_the_fewest_cover_everything_and_differ_by_at_most_one(
    size: int, limit: int
) -> None:
    parts = split_evenly(size, limit)
    sizes = [stop - start for start, stop in parts]
    assert len(parts) == -(-size // limit)
    assert max(sizes) <= limit
    assert max(sizes) - min(sizes) <= 1
    assert [start for start, _ in parts][1:] == [stop for _, stop in parts][:-1]
    assert (parts[0][0], parts[-1][1]) == (0, size)


@given(
    groups=st.sampled_from([1, 2, 4, 8, 64]),
    inputs=st.integers(1, 6),
    outputs=st.integers(1, 6),
    kernel=st.sampled_from([(1, 1), (3, 3), (10, 4)]),
    rows=st.integers(9, 256),
    columns=st.integers(1, 64),
)
def test_every_weight_lies_on_exactly_one_tile(
    groups: int, inputs: int, outputs: int, kernel: tuple[int, int], rows: int, columns: int
) -> None:
    layer = LayerShape("l", "conv2d", groups * inputs, groups * outputs, kernel, groups)
    blocks = tile_blocks(layer, rows, columns)
    assert sum(block.weights for block in blocks) == layer.weights
    assert all(0 < b.rows <= rows and 0 < b.columns <= columns for b in blocks)
    group_rows, group_columns = layer.rows // groups, layer.columns // groups
    for group in range(groups):
        for row in (group * group_rows, (group + 1) * group_rows - 1):
            for column in (group * group_columns, (group + 1) * group_columns - 1):
                holders = [
                    b
                    for b in blocks
                    if b.row_start <= row < b.row_stop and b.column_start <= column < b.column_stop
                ]
                assert len(holders) == 1


@pytest.mark.parametrize(("channels", "tiles"), [(28, 1), (29, 2), (64, 3)])
def test_a_depthwise_layer_shares_tiles_by_whole_groups(channels: int, tiles: int) -> None:
    layer = LayerShape("dw", "conv2d", channels, channels, (3, 3), channels)
    assert len(tile_blocks(layer, 256, 256)) == tiles
