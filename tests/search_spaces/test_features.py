import numpy as np
import pytest

from analognas.search_spaces import Architecture, SearchSpace, make_space


@pytest.fixture
def space() -> SearchSpace:
    return make_space("tinyml", input_shape=(1, 49, 10), n_classes=12)


def features(space: SearchSpace, network: Architecture) -> dict[str, float]:
    names, matrix = space.encode([network])
    return dict(zip(names, matrix[0].tolist(), strict=True))


def test_features_of_ds_cnn_are_what_one_counts_by_hand(space: SearchSpace) -> None:
    found = features(space, space.named["ds-cnn"])
    expected = {
        "depth": 10,
        "layers": 10,
        "regular_layers": 1,
        "depthwise_layers": 4,
        "pointwise_layers": 4,
        "depthwise_parameter_share": 4 * 9 * 64 / 22_028,
        "pointwise_parameter_share": 4 * 64 * 64 / 22_028,
        "largest_layer_parameter_share": 64 * 64 / 22_028,
        "head_parameter_share": 65 * 12 / 22_028,
        "log10_parameters": np.log10(22_028 + 2 * 64 * 9),
        "log2_stem_width": 6,
        "log2_mean_width": 6,
        "smallest_log2_fan_in": np.log2(9),
        "largest_log2_fan_in": 6,
        "stem_kernel_area": 40,
        "rectangular_layer_share": 1 / 9,
        "log10_matrix_vector_multiplications": np.log10(9 * 125 + 1),
        "log2_final_positions": np.log2(125),
        "log2_downsampling": 2,
        "blocks": 5,
        "identity_shortcuts": 0,
        "mean_branches": 1,
        "is_resnet": 0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_branches_and_shortcuts_are_seen(space: SearchSpace) -> None:
    codes = space.codes(space.named["resnet-small"]) | {"resnet.branches_1": 3}
    network = space.decode(codes)
    assert network is not None
    found = features(space, network)
    assert found["identity_shortcuts"] == 1
    assert found["projection_shortcuts"] == 2
    assert found["most_branches"] == 3
    assert found["mean_branches"] == 6 / 4
    assert found["depth"] == 8
    assert found["layers"] == 14
    assert found["is_resnet"] == 1


def test_every_single_choice_but_the_class_count_shows_in_the_features(space: SearchSpace) -> None:
    """A surrogate can tell apart nearly all networks that differ in one gene."""
    rng = np.random.default_rng(0)
    seen = different = 0
    for _ in range(10):
        network = space.sample(rng)
        codes = space.codes(network)
        for gene, values in space.genes.items():
            other = space.decode({**codes, gene: values[int(rng.integers(len(values)))]})
            if other is not None and other != network:
                seen += 1
                different += bool((space.encode([network])[1] != space.encode([other])[1]).any())
    assert seen > 50
    assert different / seen > 0.97
