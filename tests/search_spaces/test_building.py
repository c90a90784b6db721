import pytest
import torch
from torch import nn

from analognas.search_spaces import Architecture, SearchSpace, make_space


@pytest.fixture
def space() -> SearchSpace:
    return make_space("tinyml", input_shape=(1, 49, 10), n_classes=10)


@pytest.fixture
def network(space: SearchSpace) -> Architecture:
    return space.named["resnet-small"]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_same_seed_gives_the_same_weights(space: SearchSpace, network: Architecture) -> None:
    one = space.build(network, generator=generator(1)).state_dict()
    same = space.build(network, generator=generator(1)).state_dict()
    other = space.build(network, generator=generator(2)).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem.conv.weight"], other["stem.conv.weight"])


def test_building_leaves_the_global_generator_alone(
    space: SearchSpace, network: Architecture
) -> None:
    before = torch.get_rng_state()
    space.build(network, generator=generator(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_convolutions_have_no_bias_and_are_followed_by_batch_norm(
    space: SearchSpace, network: Architecture
) -> None:
    modules = dict(space.build(network, generator=generator(0)).named_modules())
    convolutions = {name: m for name, m in modules.items() if isinstance(m, nn.Conv2d)}
    assert all(module.bias is None for module in convolutions.values())
    assert all(isinstance(modules[f"{name}_norm"], nn.BatchNorm2d) for name in convolutions)
    assert not any(isinstance(module, nn.Dropout) for module in modules.values())


def test_fresh_batch_norm_passes_on_what_it_gets(space: SearchSpace, network: Architecture) -> None:
    for module in space.build(network, generator=generator(0)).modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            assert module.running_mean.abs().max() == 0
            assert (module.running_var == 1).all()
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


def test_weights_have_the_promised_spread(space: SearchSpace) -> None:
    built = space.build(space.named["analognet-like"], generator=generator(0))
    layers = space.layers(space.named["analognet-like"])
    weight = built.get_submodule(layers[3].name).get_parameter("weight")
    assert weight.std().item() == pytest.approx((2 / layers[3].fan_in) ** 0.5, rel=0.02)
    head = built.get_submodule("head").get_parameter("weight")
    assert head.std().item() == pytest.approx(96**-0.5, rel=0.1)


def test_a_residual_block_adds_branches_and_shortcut_before_relu() -> None:
    space = make_space("resnet", input_shape=(1, 8, 8), n_classes=10)
    codes = space.codes(space.named["resnet-small"]) | {"branches_1": 2}
    network = space.decode(codes)
    assert network is not None
    block = space.build(network, generator=generator(0)).eval().get_submodule("block1")
    x = torch.randn(2, 16, 8, 8, generator=generator(1))
    branches = [block.get_submodule(f"branch{number}")(x) for number in (1, 2)]
    torch.testing.assert_close(block(x), torch.relu(x + branches[0] + branches[1]))


def test_a_skip_changes_the_output_but_not_the_weights() -> None:
    space = make_space("conv", input_shape=(1, 49, 10), n_classes=10)
    codes = space.codes(space.named["ds-cnn"])
    plain, skipping = space.decode(codes), space.decode(codes | {"skip_3": 1})
    assert plain is not None
    assert skipping is not None
    assert space.parameters(plain) == space.parameters(skipping)
    x = torch.randn(2, 1, 49, 10, generator=generator(1))
    outputs = [space.build(n, generator=generator(0)).eval()(x) for n in (plain, skipping)]
    assert not torch.allclose(outputs[0], outputs[1])


def test_a_network_for_other_inputs_is_refused(network: Architecture) -> None:
    other = make_space("tinyml", input_shape=(1, 8, 8), n_classes=10)
    with pytest.raises(ValueError, match=r"made for inputs of \(1, 8, 8\)"):
        other.build(network, generator=generator(0))
    with pytest.raises(ValueError, match=r"made for inputs of \(1, 8, 8\)"):
        other.parameters(network)
