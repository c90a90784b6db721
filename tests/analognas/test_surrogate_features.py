"""The feature table of networks on a chip."""

import numpy as np
import pytest

from analognas.limits import make_fits
from analognas.search_spaces import SPACES, make_space
from analognas.shapes import layer_shapes
from analognas.simulator.chip import estimate_cost, load_chip, place_layers
from analognas.simulator.mapping import split_evenly
from analognas.surrogate_features import CHIP_COLUMNS, architecture_features
from analognas.tasks import Limits

CHIP = load_chip("hermes")
LIMITS = Limits(max_cores=64, max_parameters=300_000, max_multiplications=12_000_000)


@pytest.mark.parametrize("name", SPACES)
def test_every_space_gives_the_same_finite_columns(name: str) -> None:
    space = make_space(name, input_shape=(1, 49, 10), n_classes=12)
    rng = np.random.default_rng(0)
    archs = [space.sample(rng, make_fits(space, LIMITS, CHIP)) for _ in range(5)]
    table = architecture_features(space, archs, CHIP)
    reference = make_space("tinyml", input_shape=(1, 49, 10), n_classes=12)
    columns = [*reference.encode([])[0], *CHIP_COLUMNS]
    assert table.columns.tolist() == columns
    assert table.index.tolist() == [arch.key for arch in archs]
    assert np.isfinite(table.to_numpy()).all()


def test_the_chip_columns_are_those_of_the_placement() -> None:
    space = make_space("tinyml", input_shape=(1, 49, 10), n_classes=12)
    arch = space.named["analognet-like"]
    row = architecture_features(space, [arch], CHIP).iloc[0]
    shapes = layer_shapes(space, arch)
    cost = estimate_cost(place_layers(shapes, CHIP), CHIP)
    parts = [len(split_evenly(shape.rows // shape.groups, CHIP.rows)) for shape in shapes]
    assert row["cores"] == cost.cores
    assert row["utilisation_fraction"] == cost.utilisation_fraction
    assert row["row_split_layers"] == sum(count > 1 for count in parts)
    assert row["mean_row_parts"] == pytest.approx(np.mean(parts))
    assert row["most_row_parts"] == max(parts)
    assert 10 ** row["log10_energy_nJ"] == pytest.approx(cost.energy_nJ)
    assert 10 ** row["log10_latency_us"] == pytest.approx(cost.latency_us)
    assert 10 ** row["log10_parameters"] == pytest.approx(space.parameters(arch))


def test_no_networks_give_an_empty_table_with_columns() -> None:
    space = make_space("conv", input_shape=(1, 8, 8), n_classes=10)
    table = architecture_features(space, [], CHIP)
    assert table.shape == (0, len(space.encode([])[0]) + len(CHIP_COLUMNS))
