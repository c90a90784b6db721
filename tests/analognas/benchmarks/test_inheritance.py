"""Inherited weights: the same function where it is possible, the best part of it elsewhere."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analognas.benchmarks.inheritance import align_networks, inherit, nearest
from analognas.benchmarks.inheritance.channels import choose, shares
from analognas.search_spaces import Architecture, Block, SearchSpace, make_space
from analognas.search_spaces.architecture import Convolution
from analognas.simulator import spawn_generator

SHAPE, CLASSES = (1, 17, 10), 5
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return make_space("tinyml", input_shape=SHAPE, n_classes=CLASSES)


@pytest.fixture(scope="module")
def inputs() -> Tensor:
    return torch.empty(16, *SHAPE).normal_(generator=spawn_generator(0, "inputs"))


def network(*blocks: Block, space: str = "conv") -> Architecture:
    return Architecture(space, SHAPE, blocks)


def conv(width: int, kernel: tuple[int, int] = (3, 3), stride: int = 1) -> Convolution:
    return Convolution("conv", width, kernel, (stride, stride))


def depthwise(width: int, stride: int = 1) -> Convolution:
    return Convolution("depthwise", width, (3, 3), (stride, stride))


def pointwise(width: int) -> Convolution:
    return Convolution("pointwise", width)


def stage(*convolutions: Convolution) -> Block:
    return Block(convolutions)


def residual(*convolutions: Convolution, branches: int = 1, projection: bool = False) -> Block:
    return Block(convolutions, branches, "projection" if projection else "identity")


def trained(space: SearchSpace, arch: Architecture, inputs: Tensor) -> nn.Module:
    """A network with batch norms unlike those of a new one."""
    generator = spawn_generator(1, arch.key)
    built = space.build(arch, generator=generator)
    with torch.no_grad():
        for _ in range(3):
            built.train()(inputs)
        for module in built.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.uniform_(-0.5, 0.5, generator=generator)
    return built.eval()


def passed_on(
    space: SearchSpace, new: Architecture, parent: Architecture, inputs: Tensor
) -> tuple[Tensor, Tensor, nn.Module]:
    """Outputs of the parent and of the new network, and the latter."""
    old = trained(space, parent, inputs)
    alignment = align_networks(new, parent)
    heir = inherit(space, new, parent, old.state_dict(), alignment, inputs=inputs, seed=0)
    assert not heir.training
    unseen = torch.empty(8, *SHAPE).normal_(generator=spawn_generator(2, "unseen"))
    with torch.no_grad():
        return old(unseen), heir(unseen), heir


PARENT = network(stage(conv(8, stride=2)), stage(depthwise(8), pointwise(12)), stage(pointwise(12)))
RESNET = network(
    stage(conv(8, stride=2)),
    residual(conv(8), conv(8)),
    residual(pointwise(6), conv(6, stride=2), pointwise(12), branches=2, projection=True),
    space="resnet",
)
SAME_FUNCTION = {
    "itself": (PARENT, PARENT),
    "wider": (
        PARENT,
        network(
            stage(conv(12, stride=2)), stage(depthwise(12), pointwise(40)), stage(pointwise(16))
        ),
    ),
    "larger kernels": (
        PARENT,
        network(
            stage(conv(8, (10, 4), stride=2)),
            stage(Convolution("depthwise", 8, (5, 3)), pointwise(12)),
            stage(conv(12, (1, 3))),
        ),
    ),
    "deeper": (
        PARENT,
        network(
            stage(conv(8, stride=2)),
            stage(conv(8)),
            stage(depthwise(8), pointwise(12)),
            stage(depthwise(12), pointwise(12)),
            stage(pointwise(12)),
            stage(conv(12, (3, 1))),
        ),
    ),
    "deeper with skips": (
        PARENT,
        network(
            stage(conv(8, stride=2)),
            stage(depthwise(8), pointwise(12)),
            residual(conv(12)),
            stage(pointwise(12)),
            residual(depthwise(12), pointwise(12)),
        ),
    ),
    "wider and deeper": (
        PARENT,
        network(
            stage(conv(16, stride=2)),
            stage(pointwise(24)),
            stage(depthwise(24), pointwise(24)),
            stage(pointwise(32)),
            residual(conv(32)),
            stage(conv(40)),
        ),
    ),
    "residual itself": (RESNET, RESNET),
    "residual, wider": (
        RESNET,
        network(
            stage(conv(12, stride=2)),
            residual(conv(12), conv(12)),
            residual(pointwise(8), conv(8, stride=2), pointwise(16), branches=2, projection=True),
            space="resnet",
        ),
    ),
    "residual, deeper and with more branches": (
        RESNET,
        network(
            stage(conv(8, stride=2)),
            residual(conv(8), conv(8), branches=3),
            residual(conv(8), conv(8), branches=3),
            residual(pointwise(6), conv(6, stride=2), pointwise(12), branches=3, projection=True),
            residual(pointwise(6), conv(6), pointwise(12), branches=2),
            residual(depthwise(12), pointwise(24), projection=True),
            space="resnet",
        ),
    ),
    "a shortcut where there was none": (
        PARENT,
        network(
            stage(conv(8, stride=2)),
            residual(depthwise(8), pointwise(12), branches=2, projection=True),
            stage(pointwise(12)),
        ),
    ),
}


@pytest.mark.parametrize("case", SAME_FUNCTION)
def test_a_larger_network_computes_what_its_parent_does(
    space: SearchSpace, inputs: Tensor, case: str
) -> None:
    parent, new = SAME_FUNCTION[case]
    old, heirs, _ = passed_on(space, new, parent, inputs)
    assert float(old.std()) > 0.01
    torch.testing.assert_close(heirs, old, atol=TOLERANCE, rtol=0)


def test_copies_of_a_unit_share_its_outgoing_weights_unevenly(
    space: SearchSpace, inputs: Tensor
) -> None:
    parent, new = SAME_FUNCTION["wider"]
    old = trained(space, parent, inputs).state_dict()
    _, _, heir = passed_on(space, new, parent, inputs)
    weights = heir.state_dict()
    stem = weights["stem.conv.weight"]
    copies = [index for index in range(8, 12) if torch.equal(stem[index], stem[8])]
    original = next(index for index in range(8) if torch.equal(stem[index], stem[8]))
    equal = [original, *copies]
    rows = next(row for row in weights["block1.pointwise.weight"] if not torch.equal(row, row * 0))
    parts = rows[equal].flatten()
    assert len(set(parts.tolist())) == len(equal)
    whole = old["block1.pointwise.weight"][0, original].flatten()
    assert float(parts.sum()) == pytest.approx(float(whole), rel=1e-5)


def test_shares_of_every_unit_add_up_to_one() -> None:
    source = np.array([0, 1, 2, 1, 1, 0])
    found = shares(source, spawn_generator(0))
    assert float(found[2]) == 1.0
    for unit in (0, 1):
        mine = found[torch.from_numpy(source == unit)]
        assert float(mine.sum()) == pytest.approx(1.0)
        assert len(set(mine.tolist())) == len(mine)
        assert float(mine.min()) > 0


def test_the_most_important_units_stay_in_order_and_copies_are_dealt_evenly() -> None:
    importance = np.array([0.1, 5.0, 0.2, 3.0, 4.0], dtype=np.float32)
    generator = spawn_generator(0)
    everything = np.arange(5)
    assert choose(3, everything, importance, generator).tolist() == [1, 3, 4]
    assert choose(2, np.array([0, 2, 3]), importance, generator).tolist() == [2, 3]
    wide = choose(13, everything, importance, generator)
    assert wide[:5].tolist() == everything.tolist()
    assert set(np.bincount(wide).tolist()) == {2, 3}


def test_a_narrower_network_keeps_the_units_with_the_largest_scales(
    space: SearchSpace, inputs: Tensor
) -> None:
    parent = network(stage(conv(8, (5, 5))), stage(pointwise(8)))
    new = network(stage(conv(3)), stage(pointwise(8)))
    old = trained(space, parent, inputs)
    weights = old.state_dict()
    weights["stem.conv_norm.weight"][[1, 4, 6]] += 10
    heir = inherit(
        space, new, parent, weights, align_networks(new, parent), inputs=inputs, seed=0
    ).state_dict()
    # The middle of the kernels stays at its place.
    kept = weights["stem.conv.weight"][[1, 4, 6], :, 1:4, 1:4]
    torch.testing.assert_close(heir["stem.conv.weight"], kept)
    torch.testing.assert_close(
        heir["block1.pointwise.weight"], weights["block1.pointwise.weight"][:, [1, 4, 6]]
    )
    for name in ("weight", "bias", "running_mean", "running_var"):
        norm = f"stem.conv_norm.{name}"
        torch.testing.assert_close(heir[norm], weights[norm][[1, 4, 6]])


def test_every_network_can_inherit_from_every_other(space: SearchSpace, inputs: Tensor) -> None:
    rng = np.random.default_rng(0)
    networks = [space.sample(rng, lambda arch: space.parameters(arch) < 20_000) for _ in range(9)]
    assert {arch.space for arch in networks} == {"conv", "resnet"}
    for new in networks:
        for parent in networks[:3]:
            state = space.build(parent, generator=spawn_generator(0, parent.key)).state_dict()
            alignment = align_networks(new, parent)
            assert alignment.distance >= 0
            assert (alignment.distance == 0) == (new == parent)
            heir = inherit(space, new, parent, state, alignment, inputs=inputs, seed=0)
            with torch.no_grad():
                outputs = heir(inputs)
            assert outputs.shape == (len(inputs), CLASSES)
            assert bool(outputs.isfinite().all())
            assert float(outputs.std(dim=0).max()) > 0  # the input gets through


def test_the_same_seed_gives_the_same_weights(space: SearchSpace, inputs: Tensor) -> None:
    parent, new = SAME_FUNCTION["wider and deeper"]
    state = trained(space, parent, inputs).state_dict()
    alignment = align_networks(new, parent)
    first, again, other = (
        inherit(space, new, parent, state, alignment, inputs=inputs, seed=seed).state_dict()
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_the_nearest_parent_is_never_the_network_itself() -> None:
    wider, deeper = SAME_FUNCTION["wider"][1], SAME_FUNCTION["deeper"][1]
    near = network(
        stage(conv(8, stride=2)), stage(depthwise(8), pointwise(16)), stage(pointwise(12))
    )
    parent, alignment = nearest(PARENT, [PARENT, RESNET, deeper, near, wider])
    assert parent == near
    assert alignment.distance > 0
    assert alignment.partners == (0, 1, 2)
    with pytest.raises(ValueError, match="must hold a network other than"):
        nearest(PARENT, [PARENT])


def test_new_blocks_have_no_partner() -> None:
    parent, new = SAME_FUNCTION["deeper with skips"]
    assert align_networks(new, parent).partners == (0, 1, None, 2, None)
    assert align_networks(parent, new).partners == (0, 1, 3)


def test_weights_of_another_network_are_refused(space: SearchSpace, inputs: Tensor) -> None:
    state = trained(space, RESNET, inputs).state_dict()
    with pytest.raises(ValueError, match=f"must be those of {PARENT.key}"):
        inherit(space, PARENT, PARENT, state, align_networks(PARENT, PARENT), inputs=inputs, seed=0)
