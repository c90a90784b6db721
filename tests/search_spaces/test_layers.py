from analognas.search_spaces import make_space
from analognas.search_spaces.layers import downsampling


def test_ds_cnn_has_the_weights_of_the_reference() -> None:
    space = make_space("conv", input_shape=(1, 49, 10), n_classes=12)
    layers = space.layers(space.named["ds-cnn"])
    assert sum(layer.parameters for layer in layers) == 22_028
    batch_norm = 2 * 64 * 9
    assert space.parameters(space.named["ds-cnn"]) == 22_028 + batch_norm
    assert [layer.kind for layer in layers] == [
        "conv",
        *["depthwise", "pointwise"] * 4,
        "linear",
    ]
    assert layers[0].output_size == (25, 5)
    assert downsampling(space.named["ds-cnn"]) == 4


def test_ds_cnn_multiplications_add_up() -> None:
    space = make_space("conv", input_shape=(1, 49, 10), n_classes=12)
    positions = 25 * 5
    expected = positions * (40 * 64 + 4 * (9 * 64 + 64 * 64)) + 64 * 12
    assert space.multiplications(space.named["ds-cnn"]) == expected


def test_the_layers_of_a_small_resnet_are_named_and_ordered() -> None:
    space = make_space("resnet", input_shape=(1, 49, 10), n_classes=10)
    layers = space.layers(space.named["resnet-small"])
    assert [layer.name for layer in layers] == [
        "stem.conv",
        "block1.branch1.conv1",
        "block1.branch1.conv2",
        "block2.branch1.conv1",
        "block2.branch1.conv2",
        "block2.shortcut.projection",
        "block3.branch1.conv1",
        "block3.branch1.conv2",
        "block3.shortcut.projection",
        "head",
    ]
    assert [layer.branch for layer in layers] == [1, 1, 1, 1, 1, 0, 1, 1, 0, 1]
    assert layers[5].input_size == (49, 10)
    assert layers[5].output_size == (25, 5)


def test_fan_in_counts_the_inputs_of_one_column() -> None:
    space = make_space("conv", input_shape=(3, 32, 32), n_classes=10)
    stem, depthwise, pointwise, *_ = space.layers(space.named["ds-cnn"])
    assert (stem.fan_in, depthwise.fan_in, pointwise.fan_in) == (3 * 40, 9, 64)
    assert stem.positions == 16 * 16
