"""What every search space promises."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from analognas.search_spaces import SPACES, Architecture, SearchSpace, make_space
from analognas.search_spaces.base import Gene

SHAPES = [(1, 49, 10), (1, 8, 8), (3, 32, 32), (3, 96, 96)]


@pytest.fixture(params=list(SPACES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def space(name: str) -> SearchSpace:
    return make_space(name, input_shape=(1, 49, 10), n_classes=10)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(space: SearchSpace, number: int, seed: int = 0) -> list[Architecture]:
    source = rng(seed)
    return [space.sample(source) for _ in range(number)]


def small(space: SearchSpace, parameters: int, multiplications: int) -> "SmallEnough":
    return SmallEnough(space, parameters, multiplications)


class SmallEnough:
    """Whether a network keeps to two limits; counts how often it is asked."""

    def __init__(self, space: SearchSpace, parameters: int, multiplications: int) -> None:
        self.space, self.parameters, self.multiplications = space, parameters, multiplications
        self.asked = 0

    def __call__(self, network: Architecture) -> bool:
        self.asked += 1
        return (
            self.space.parameters(network) <= self.parameters
            and self.space.multiplications(network) <= self.multiplications
        )


def changes_one_by_one(
    space: SearchSpace, network: Architecture
) -> list[tuple[str, Gene, Architecture]]:
    """Every other value of every gene, with the network that it gives."""
    codes = space.codes(network)
    changed = []
    for gene, values in space.genes.items():
        for value in values:
            if value != codes[gene]:
                other = space.decode({**codes, gene: value})
                assert other is not None
                changed.append((gene, value, other))
    return changed


# Genotypes and networks.


def test_a_network_is_what_its_codes_decode_to(space: SearchSpace) -> None:
    for network in draw(space, 100):
        assert space.decode(space.codes(network)) == network


def test_equal_keys_mean_equal_codes(space: SearchSpace) -> None:
    """The genotype is canonical: no two of them describe one network."""
    codes: dict[str, dict[str, Gene]] = {}
    for network in draw(space, 30):
        for _, _, other in changes_one_by_one(space, network)[::9]:
            assert codes.setdefault(other.key, space.codes(other)) == space.codes(other)


def test_every_choice_changes_the_network(space: SearchSpace) -> None:
    for network in draw(space, 10):
        for gene, value, other in changes_one_by_one(space, network):
            kept_its_value = space.codes(other)[gene] == value
            assert (other.key != network.key) or not kept_its_value


def test_different_keys_mean_different_layers(space: SearchSpace) -> None:
    """Two networks that differ in one choice differ in a layer, a branch or a shortcut."""
    for network in draw(space, 5):
        for _, _, other in changes_one_by_one(space, network):
            same = (space.layers(network), [block.shortcut for block in network.choices]) == (
                space.layers(other),
                [block.shortcut for block in other.choices],
            )
            assert same == (other.key == network.key)


def test_every_value_of_every_gene_can_be_reached(name: str) -> None:
    """No gene does nothing, and upper bounds are inclusive."""
    space = make_space(name, input_shape=(1, 32, 32), n_classes=10)
    source, missing = rng(), {(g, v) for g, values in space.genes.items() for v in values}
    for _ in range(2_000):
        if not missing:
            break
        gene, value = min(missing, key=str)
        codes = space.random_codes(source) | {gene: value}
        for longest in ("stages", "main_blocks", "conv.stages", "resnet.main_blocks"):
            if longest in codes and gene != longest:
                codes[longest] = space.genes[longest][-1]
        if "family" in codes and gene != "family":
            codes["family"] = gene.partition(".")[0]
        network = space.decode(codes)
        assert network is not None
        missing -= set(space.codes(network).items())
    assert not missing


def test_inactive_genes_are_ignored(space: SearchSpace) -> None:
    source = rng()
    for _ in range(10):
        network = space.decode(space.random_codes(source))
        assert network is not None
        codes = space.codes(network)
        for gene, value, other in changes_one_by_one(space, network)[::5]:
            if other == network:
                without = {g: v for g, v in codes.items() if g != gene}
                assert space.decode(without | {gene: value}) == network


def test_genes_are_the_same_every_time_and_in_the_same_order(name: str) -> None:
    one, other = (make_space(name, input_shape=(1, 49, 10), n_classes=10) for _ in range(2))
    assert list(one.genes.items()) == list(other.genes.items())
    assert all(values for values in one.genes.values())


def test_the_order_of_the_codes_does_not_matter(space: SearchSpace) -> None:
    codes = space.random_codes(rng())
    assert space.decode(dict(reversed(codes.items()))) == space.decode(codes)


def test_values_of_numpy_are_stored_as_plain_numbers(space: SearchSpace) -> None:
    codes = {
        gene: np.int64(value) if isinstance(value, int) else np.str_(value)
        for gene, value in space.random_codes(rng()).items()
    }
    network = space.decode(codes)  # type: ignore[arg-type]
    assert network is not None
    json.dumps(network.to_dict())


def test_an_unknown_gene_is_refused_with_the_known_ones(space: SearchSpace) -> None:
    with pytest.raises(ValueError, match=r"Unknown genes 'colour'.*Its genes are"):
        space.decode({**space.random_codes(rng()), "colour": 1})


def test_a_value_that_a_gene_does_not_have_is_refused(space: SearchSpace) -> None:
    for gene in space.genes:
        for value in (-1, "none of them", True, 2.5):
            with pytest.raises(ValueError, match="must be one of"):
                space.decode({**space.random_codes(rng()), gene: value})  # type: ignore[dict-item]


def test_a_missing_active_gene_is_refused(space: SearchSpace) -> None:
    with pytest.raises(ValueError, match="must have a value"):
        space.decode({})


# Limits.


def test_networks_are_shrunk_until_they_fit(space: SearchSpace) -> None:
    source, fits = rng(), small(space, 20_000, 1_000_000)
    for _ in range(60):
        codes = space.random_codes(source)
        network = space.decode(codes, fits)
        assert network is not None
        assert fits(network)
        assert space.decode(codes, fits) == network
        assert space.decode(space.codes(network)) == network


def test_a_network_that_fits_is_left_alone(space: SearchSpace) -> None:
    fits = small(space, 10**9, 10**12)
    for network in draw(space, 20):
        assert space.decode(space.codes(network), fits) == network


def test_shrinking_asks_rarely(space: SearchSpace) -> None:
    source, fits = rng(), small(space, 50_000, 3_000_000)
    for _ in range(50):
        space.sample(source, fits)
    assert fits.asked < 50 * 12


def test_nothing_is_returned_if_nothing_fits(space: SearchSpace) -> None:
    fits = small(space, 10, 10)
    assert space.decode(space.random_codes(rng()), fits) is None
    with pytest.raises(ValueError, match="Not even the smallest network"):
        space.sample(rng(), fits)


# Samples.


def test_a_population_consists_of_different_networks(space: SearchSpace) -> None:
    assert len({network.key for network in draw(space, 200)}) > 190


def test_the_same_seed_draws_the_same_networks(space: SearchSpace) -> None:
    assert draw(space, 10, seed=1) == draw(space, 10, seed=1)
    assert draw(space, 10, seed=1) != draw(space, 10, seed=2)


def test_networks_survive_json(space: SearchSpace) -> None:
    for network in draw(space, 50):
        text = json.dumps(network.to_dict())
        assert Architecture.from_dict(json.loads(text)) == network


def test_a_foreign_network_has_no_codes(space: SearchSpace) -> None:
    other = make_space("tinyml", input_shape=(1, 12, 12), n_classes=10)
    for network in other.named.values():
        with pytest.raises(ValueError, match="must be"):
            space.codes(network)


# Built networks.


def trace(built: nn.Module, shape: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """Run the network; output size of every convolution and the head, in order of execution."""
    sizes: dict[str, tuple[int, ...]] = {}
    for module_name, module in built.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):

            def note(
                _: nn.Module, __: object, output: torch.Tensor, module_name: str = module_name
            ) -> None:
                sizes[module_name] = tuple(output.shape[1:])

            module.register_forward_hook(note)
    with torch.no_grad():
        logits = built(torch.randn(2, *shape, generator=generator()))
    assert logits.shape == (2, 7)
    assert logits.isfinite().all()
    return sizes


@pytest.mark.parametrize("shape", SHAPES)
def test_built_networks_are_what_the_layers_say(name: str, shape: tuple[int, int, int]) -> None:
    space = make_space(name, input_shape=shape, n_classes=7)
    source, fits = rng(), small(space, 200_000, 6_000_000)
    for network in [space.sample(source, fits) for _ in range(4)]:
        built = space.build(network, generator=generator()).eval()
        assert sum(p.numel() for p in built.parameters()) == space.parameters(network)
        sizes = trace(built, shape)
        layers = space.layers(network)
        assert list(sizes) == [layer.name for layer in layers]
        for layer in layers:
            module = built.get_submodule(layer.name)
            assert sum(p.numel() for p in module.parameters()) == layer.parameters
            if layer.kind == "linear":
                assert sizes[layer.name] == (7,)
                continue
            assert sizes[layer.name] == (layer.out_channels, *layer.output_size)
            assert isinstance(module, nn.Conv2d)
            assert (module.kernel_size, module.stride) == (layer.kernel, layer.stride)
            assert (module.groups, module.padding) == (layer.groups, layer.padding)
            assert layer.kernel[0] <= layer.input_size[0]
            assert layer.kernel[1] <= layer.input_size[1]
            weights = module.weight.numel()
            assert layer.multiplications == weights * layer.positions


def test_every_weight_gets_a_gradient(space: SearchSpace) -> None:
    network = space.sample(rng(3), small(space, 20_000, 1_000_000))
    built = space.build(network, generator=generator())
    built(torch.randn(4, 1, 49, 10, generator=generator(1))).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in built.parameters())


# Features.


def test_features_are_named_finite_and_the_same_columns_for_all(name: str) -> None:
    for shape in SHAPES:
        space = make_space(name, input_shape=shape, n_classes=10)
        names, matrix = space.encode(draw(space, 20))
        assert names == space.encode([])[0]
        assert names == make_space("conv", input_shape=(1, 8, 8), n_classes=2).encode([])[0]
        assert len(set(names)) == len(names) >= 30
        assert matrix.shape == (20, len(names))
        assert matrix.dtype == np.float64
        assert np.isfinite(matrix).all()


def test_features_do_not_depend_on_the_company(space: SearchSpace) -> None:
    networks = draw(space, 6)
    together = space.encode(networks)[1]
    np.testing.assert_array_equal(space.encode(networks[::-1])[1][::-1], together)
    np.testing.assert_array_equal(space.encode(networks[2:3])[1], together[2:3])


# Counts and named members.


def test_the_count_is_large_and_exact_integer(space: SearchSpace) -> None:
    assert isinstance(space.count(), int)
    assert space.count() > 10**12


def test_named_networks_are_members(name: str) -> None:
    for shape in SHAPES:
        space = make_space(name, input_shape=shape, n_classes=10)
        assert space.named
        for network in space.named.values():
            assert space.decode(space.codes(network)) == network


def test_a_named_network_can_be_used_with_small_inputs(name: str) -> None:
    space = make_space(name, input_shape=(1, 8, 8), n_classes=10)
    for network in space.named.values():
        built = space.build(network, generator=generator()).eval()
        assert built(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


# Bad input.


def test_an_unknown_space_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="Choose one of: conv, resnet, tinyml"):
        make_space("transformer", input_shape=(1, 49, 10), n_classes=10)


@pytest.mark.parametrize("shape", [(1, 49), (0, 49, 10), (1, 49, -1)])
def test_an_impossible_input_shape_is_refused(name: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="three positive integers"):
        make_space(name, input_shape=shape, n_classes=10)


def test_an_input_too_small_for_any_network_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="The input must"):
        make_space(name, input_shape=(1, 2, 2), n_classes=10)


def test_a_single_class_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="`n_classes` must be at least 2"):
        make_space(name, input_shape=(1, 49, 10), n_classes=1)
