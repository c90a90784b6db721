from itertools import product

import numpy as np

from analognas.search_spaces import (
    ConvOptions,
    ConvSpace,
    ResNetOptions,
    ResNetSpace,
    TinyMLSpace,
)

CONV = ConvOptions(
    stages=(2, 3), kinds=("regular", "separable", "pointwise"), kernels=("3x3",), widths=(2, 4)
)
RESNET = ResNetOptions(
    stem_kernels=("3x3",),
    stem_widths=(2, 4),
    max_main_blocks=1,
    kinds=("A", "C", "D"),
    widenings=(1, 2),
    branches=(1, 2),
    blocks=(1, 2),
    max_width=4,
)


def test_the_families_share_no_network() -> None:
    keys = [
        {
            space._walk(dict(zip(space.genes, values, strict=True))).key
            for values in product(*space.genes.values())
        }
        for space in (ConvSpace((1, 7, 5), 2, CONV), ResNetSpace((1, 7, 5), 2, RESNET))
    ]
    assert not keys[0] & keys[1]
    assert TinyMLSpace((1, 7, 5), 2, CONV, RESNET).count() == len(keys[0] | keys[1])


def test_networks_keep_the_name_and_the_key_of_their_family() -> None:
    union = TinyMLSpace((1, 49, 10), 10)
    conv, resnet = union.families
    assert union.named["ds-cnn"] == conv.named["ds-cnn"]
    assert union.named["resnet-small"] == resnet.named["resnet-small"]
    assert {network.space for network in union.named.values()} == {"conv", "resnet"}


def test_both_families_are_drawn_alike() -> None:
    union, rng = TinyMLSpace((1, 49, 10), 10), np.random.default_rng(0)
    drawn = [union.sample(rng).space for _ in range(400)]
    assert 160 < drawn.count("conv") < 240


def test_genes_carry_the_name_of_their_family() -> None:
    union = TinyMLSpace((1, 49, 10), 10)
    assert next(iter(union.genes)) == "family"
    assert union.genes["resnet.stem_width"][0] == 8
    assert len(union.genes) == 1 + sum(len(space.genes) for space in union.families)


def test_genes_of_the_other_family_are_not_needed() -> None:
    union = TinyMLSpace((1, 49, 10), 10)
    codes = union.codes(union.named["ds-cnn"])
    own = {gene: value for gene, value in codes.items() if not gene.startswith("resnet.")}
    assert union.decode(own) == union.named["ds-cnn"]
