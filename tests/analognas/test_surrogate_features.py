"""The feature table of networks on tiles, hardware and times."""

import numpy as np
import pytest

from analognas.hardware_features import HARDWARE_COLUMNS
from analognas.limits import make_fits
from analognas.search_spaces import SPACES, SearchSpace, make_space
from analognas.shapes import layer_shapes
from analognas.simulator import HERMES_DEFAULT, TileConfig, hardware_with
from analognas.simulator.chip import load_chip
from analognas.simulator.mapping import tile_blocks
from analognas.surrogate_features import (
    JOINT_COLUMNS,
    TILE_COLUMNS,
    architecture_features,
    candidate_rows,
    join_hardware,
)
from analognas.surrogates.feature_table import with_times
from analognas.tasks import Limits

CHIP = load_chip("hermes")
LIMITS = Limits(max_cores=64, max_parameters=300_000, max_multiplications=12_000_000)
TIMES_S = (1.0, 86_400.0)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return make_space("tinyml", input_shape=(1, 49, 10), n_classes=12)


@pytest.mark.parametrize("name", SPACES)
def test_every_space_gives_the_same_finite_columns(name: str, space: SearchSpace) -> None:
    own = make_space(name, input_shape=(1, 49, 10), n_classes=12)
    rng = np.random.default_rng(0)
    archs = [own.sample(rng, make_fits(own, LIMITS, CHIP)) for _ in range(5)]
    table = architecture_features(own, archs, CHIP)
    assert table.columns.tolist() == [*space.encode([])[0], *TILE_COLUMNS]
    assert table.index.tolist() == [arch.key for arch in archs]
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize("rows", [128, 256, 1024])
@pytest.mark.parametrize("name", ["analognet-like", "ds-cnn"])
def test_the_tile_columns_are_those_of_the_blocks(space: SearchSpace, name: str, rows: int) -> None:
    arch = space.named[name]
    row = architecture_features(space, [arch], TileConfig(rows=rows, columns=256)).iloc[0]
    shapes = layer_shapes(space, arch)
    blocks = [tile_blocks(shape, rows, 256) for shape in shapes]
    tiles = sum(map(len, blocks))
    cells = tiles * rows * 256
    assert row["tiles"] == tiles
    assert row["utilisation_fraction"] == pytest.approx(
        sum(block.weights for layer in blocks for block in layer) / cells
    )
    parts = [-(-shape.rows // shape.groups // rows) for shape in shapes]
    assert row["row_split_layers"] == sum(count > 1 for count in parts)
    assert row["most_row_parts"] == max(parts)
    reads = sum(shape.mvms * len(layer) for shape, layer in zip(shapes, blocks, strict=True))
    assert 10 ** row["log10_tile_reads"] == pytest.approx(reads)
    likeness = row[[column for column in row.index if column.startswith("layers_like_")]]
    assert likeness.sum() == pytest.approx(len(shapes))
    assert row["layers_like_depthwise"] == sum(shape.groups > 1 for shape in shapes)


def test_every_network_meets_the_hardware_at_every_time(space: SearchSpace) -> None:
    archs = [space.named["analognet-like"], space.named["ds-cnn"]]
    features = architecture_features(space, archs, CHIP)
    rows = candidate_rows(features, HERMES_DEFAULT, TIMES_S)
    assert rows.index.tolist() == [archs[0].key] * 2 + [archs[1].key] * 2
    assert 10 ** rows["log10_t_s"].to_numpy() == pytest.approx([*TIMES_S, *TIMES_S])
    assert set(rows.columns) == {*features.columns, *HARDWARE_COLUMNS, *JOINT_COLUMNS, "log10_t_s"}
    error = rows["hardware_log10_error_wide"].to_numpy()
    assert error[0] == error[2] < error[1] == error[3]
    assert np.isfinite(rows.to_numpy()).all()


def test_errors_add_up_over_layers_and_with_noise(space: SearchSpace) -> None:
    archs = [space.named["analognet-like"], space.named["ds-cnn"]]
    features = architecture_features(space, archs, CHIP)
    noisy = hardware_with(HERMES_DEFAULT, {"device.programming_noise_scale": "2.0"})
    plain, loud = (
        candidate_rows(features, hardware, (86_400.0,))["joint_log10_error"].to_numpy()
        for hardware in (HERMES_DEFAULT, noisy)
    )
    assert np.all(loud > plain)
    layers = features["layers"].to_numpy()
    assert (plain[1] > plain[0]) == (layers[1] > layers[0])


def test_gains_of_layers_multiply_and_noise_adds_up_in_squares(space: SearchSpace) -> None:
    archs = [space.named["analognet-like"], space.named["ds-cnn"]]
    rows = with_times(architecture_features(space, archs, CHIP), (86_400.0,))
    layers = rows["layers"].to_numpy()
    described = candidate_rows(rows.drop(columns="log10_t_s"), HERMES_DEFAULT, (86_400.0,))

    def error(noise: float, gain: float) -> np.ndarray:
        changed = described[list(HARDWARE_COLUMNS)].copy()
        changed[[name for name in HARDWARE_COLUMNS if "log10_noise" in name]] = np.log10(noise)
        changed[[name for name in HARDWARE_COLUMNS if "log10_gain" in name]] = np.log10(gain)
        return 10 ** join_hardware(rows, changed)["joint_log10_error"].to_numpy()

    assert error(0.1, 1.0) == pytest.approx(0.1 * np.sqrt(layers), rel=1e-4)
    assert error(1e-4, 0.8) == pytest.approx(-np.log(0.8) * layers, rel=1e-4)
    assert error(0.1, 0.8) == pytest.approx(np.hypot(error(0.1, 1.0), error(1e-4, 0.8)), rel=1e-4)


def test_no_networks_give_an_empty_table_with_columns(space: SearchSpace) -> None:
    table = architecture_features(space, [], CHIP)
    assert table.shape == (0, len(space.encode([])[0]) + len(TILE_COLUMNS))
    assert len(candidate_rows(table, HERMES_DEFAULT, TIMES_S)) == 0
